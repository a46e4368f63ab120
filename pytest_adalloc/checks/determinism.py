"""Is it one function? Calls at one point that give different numbers leave nothing to differentiate.

Asked before everything else: differences of a function with noise in it agree with any gradient.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from pytest_adalloc.checks.subjects.evaluation import Evaluator, Outcome
from pytest_adalloc.checks.subjects.subject import Unmet
from pytest_adalloc.checks.verdict import diagnostics
from pytest_adalloc.checks.verdict.diagnostics import About

REPEATS = 2
SLOW = 1.0  # seconds; a call that takes longer is repeated once

DEEP = 3  # so many functions down, generators are looked for

FRESH = {
    "default_rng": "np.random.default_rng(), made in each call",
    "SystemRandom": "random.SystemRandom",
    "urandom": "os.urandom",
    "time": "the clock",
    "time_ns": "the clock",
    "perf_counter": "the clock",
    "monotonic": "the clock",
}
"""What leaves no state behind that could be seen to change, by the names that code reads."""


def same_outcome(first: Outcome, second: Outcome) -> bool:
    """Whether two calls gave the same, bit for bit; NaN is NaN."""
    if first.written.keys() != second.written.keys():
        return False
    pairs = [(first.value, second.value), *((first.written[k], second.written[k]) for k in first.written)]
    return all(_equal(one, other) for one, other in pairs)


def _equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    one, other = np.asarray(one), np.asarray(other)
    return bool(np.all((one == other) | ((one != one) & (other != other))))


def require_determinism(about: About, evaluator: Evaluator, first: Outcome, took: float) -> None:
    """Call again at the point. Raises Unmet where the answer is another one."""
    __tracebackhide__ = True
    for count in range(REPEATS if took < SLOW else 1):
        _compare(about, evaluator, first, f"in call 1 and in call {count + 2}")


def require_still_the_same(about: About, evaluator: Evaluator, first: Outcome) -> None:
    """Once more after it was sampled elsewhere: what a call leaves behind shows by now. Raises Unmet."""
    __tracebackhide__ = True
    _compare(about, evaluator, first, f"before and after {evaluator.calls} calls elsewhere")


def _compare(about: About, evaluator: Evaluator, first: Outcome, when: str) -> None:
    try:
        again = evaluator.outcome()
    except Exception as problem:
        seen = f"  it raises {type(problem).__name__}: {problem}"
        text = diagnostics.not_deterministic(about, when, [seen], generators(evaluator))
        raise Unmet("not deterministic", text) from problem
    if not same_outcome(first, again):
        seen = _difference(about, first, again)
        raise Unmet("not deterministic", diagnostics.not_deterministic(about, when, [seen], generators(evaluator)))


def _difference(about: About, first: Outcome, again: Outcome) -> str:
    if not _equal(first.value, again.value):
        return f"  it returns {_spelled(first.value)} and {_spelled(again.value)}"
    changed = [k for k in first.written if k not in again.written or not _equal(first.written[k], again.written[k])]
    changed += [k for k in again.written if k not in first.written]
    return f"  it writes different numbers into {', '.join(about.point.leaves[k].path for k in changed)}"


def _spelled(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.17g}"


def generators(evaluator: Evaluator) -> tuple[str, ...]:
    """The random generators that a call uses, by name: those whose state a call changes, and those made in it."""
    function = getattr(evaluator.call, "function", evaluator.call)  # of a row: the user's own
    known = dict(_known(function))
    before = {name: _state(generator) for name, generator in known.items()}
    with contextlib.suppress(Exception):  # how the call ends says nothing about what it used
        evaluator.outcome()
    used = [name for name, generator in known.items() if _state(generator) != before[name]]
    read = {name for code in _codes(function) for name in code.co_names}
    return tuple(dict.fromkeys([*used, *(text for name, text in FRESH.items() if name in read)]))


def _known(function: Any) -> Iterator[tuple[str, Any]]:
    """The generators of the process, and those that the function can reach, by the names that they have there."""
    yield "random", random
    yield "np.random", np.random
    torch = sys.modules.get("torch")
    if torch is not None:
        yield "torch", torch
    for name, value in _reached(function, DEEP, set()):
        if isinstance(value, (np.random.Generator, np.random.RandomState, random.Random)):
            yield name, value


def _state(generator: Any) -> str:
    if isinstance(generator, ModuleType):
        ask = {"random": "getstate", "numpy.random": "get_state", "torch": "get_rng_state"}[generator.__name__]
        return repr(_plain(getattr(generator, ask)()))
    if isinstance(generator, np.random.Generator):
        return repr(_plain(generator.bit_generator.state))
    return repr(_plain(generator.get_state() if hasattr(generator, "get_state") else generator.getstate()))


def _plain(state: Any) -> Any:
    """A state without arrays, whose text would leave numbers out."""
    if isinstance(state, Mapping):
        return {key: _plain(value) for key, value in state.items()}
    if isinstance(state, (tuple, list)):
        return [_plain(value) for value in state]
    return state.tolist() if hasattr(state, "tolist") else state


def _functions(value: Any) -> Callable[..., Any] | None:
    function = getattr(value, "__func__", value)
    return function if hasattr(function, "__code__") else None


def _reached(function: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """What a function takes from outside: closure, globals that it reads, defaults, its object; then their own."""
    plain: Any = _functions(function) or (_functions(type(function).__call__) if callable(function) else None)
    if plain is None or id(plain) in seen or not depth:
        return
    seen.add(id(plain))
    outside = dict(zip(plain.__code__.co_freevars, (_cell(cell) for cell in plain.__closure__ or ()), strict=True))
    names = {name for code in _codes(plain) for name in code.co_names}
    outside.update((name, plain.__globals__[name]) for name in names if name in plain.__globals__)
    outside.update(plain.__kwdefaults__ or {})
    defaults = plain.__defaults__ or ()
    outside.update(
        zip(plain.__code__.co_varnames[plain.__code__.co_argcount - len(defaults) :], defaults, strict=False)
    )
    owner = getattr(function, "__self__", None if plain is function else function)
    outside.update({f"self.{name}": value for name, value in getattr(owner, "__dict__", {}).items()})
    for name, value in outside.items():
        yield name, value
        yield from _reached(value, depth - 1, seen)


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _codes(function: Any) -> Iterator[CodeType]:
    """The code of a function, and of those that stand in it."""
    plain = _functions(function)
    waiting = [plain.__code__] if plain is not None else []
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
