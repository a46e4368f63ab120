"""Where a value or a derivative stops to be finite: line, expression, operands and iteration.

The function's IR, and that of its gradient before any optimisation, run in the reference interpreter: slowly, so for
small programs only. Nothing of it is native code, so what compiled code gives can be held against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.driver.calls.binding import bind, python_function
from adcore.driver.calls.call import Call
from adcore.driver.evidence.no_reference import NoReference
from adcore.driver.request import Options, Sweep, Variant, standard_ops
from adcore.driver.specialisations import is_differentiable
from adcore.ir.core import Function, Instr, Value, walk
from adcore.ir.interpreter import Observer, interpret
from adcore.ir.origins import Origin, Origins, TooLong, marked, unknown
from adcore.runtime.values.leaves import LeafValue, flatten
from adcore.source import Span

BUDGET = 100_000
"""Instructions that are run: one or two seconds, which only a verdict that is not met pays."""


@dataclass(frozen=True)
class NotFinite:
    """Where a number that is not finite was made first. `what`: "NaN" or "infinity"; `of`: "value", "adjoint" or
    "tangent"; `operands`: names and values of what the expression is made of; `iterations`: of each loop around, from
    1; `then`: where a NaN was made of this infinity."""

    what: str
    of: str
    span: Span | None
    operands: tuple[tuple[str, float], ...] = ()
    iterations: tuple[int, ...] = ()
    then: NotFinite | None = None

    @property
    def text(self) -> str:
        """The expression, as it stands in the source."""
        if self.span is None:
            return ""
        if self.span.line != self.span.end_line:
            return self.span.text()
        return _source(self.span)

    def __str__(self) -> str:
        if self.span is None:
            return f"{self.what} is in the arguments already"
        first = f"{self.what} first appears at" if self.of == "value" else f"the {self.of} becomes {self.what} at"
        later = f"; this becomes {self.then.what} at {self.then.place}" if self.then is not None else ""
        return f"{first} {self.place}{later}"

    @property
    def place(self) -> str:
        """Line, expression, operands and iteration."""
        if self.span is None:
            return "the arguments"
        where = ", ".join(f"{name} = {value:g}" for name, value in self.operands)
        trips = ", ".join(map(str, self.iterations))
        return (
            f"line {self.span.line}, `{self.text}`"
            + (f", where {where}" if where else "")
            + (f" (iteration {trips})" if trips else "")
        )


@dataclass(frozen=True)
class Located:
    """`value` and `adjoint`: where they stop to be finite, None where they are finite all the way. `result`: the value
    by the interpreter, None if no number is returned. `gradient`: by component, if `numbers` were given."""

    value: NotFinite | None
    adjoint: NotFinite | None
    result: float | None
    gradient: Any = None

    def __str__(self) -> str:
        found = [str(part) for part in (self.value, self.adjoint) if part is not None]
        return "; ".join(found) or "value and adjoints are finite"


def locate(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Located:
    """Where the value of `function` at `args`, and its derivatives by all numbers of them, stop to be finite.

    A function that returns arrays is differentiated as the sum of their elements, one that returns nothing as that of
    what it writes. Raises CompileError and ArgumentError as a derivative would, what the function raises, and
    NoReference for a program that runs for more than 100,000 instructions or writes into arguments that share memory.
    """
    python = python_function(function)
    names, arguments = bind(python, args, kwargs)
    return located(python, names, arguments)


def located(
    python: Callable[..., Any],
    names: Sequence[str],
    arguments: Sequence[Any],
    numbers: Sequence[Any] | None = None,
    weights: Sequence[Any] | None = None,
    count: int = 0,
) -> Located:
    """The same for a check. `numbers` and `weights`: see `evidence.reference`; `count`: how many components."""
    call = Call(python, names, arguments, Options(), range(len(names)))
    if call.groups:
        raise NoReference(f"arguments of {python.__name__} share memory that it writes into")
    with np.errstate(all="ignore"):
        return _Location(call, numbers, weights, count).found()


@dataclass(frozen=True)
class LocatedTangent:
    """A tangent of the value by forward mode's IR in the interpreter, and where it stops to be finite."""

    tangent: float
    place: NotFinite | None


def forward_located(
    python: Callable[..., Any], names: Sequence[str], arguments: Sequence[Any], speeds: Sequence[Any]
) -> LocatedTangent:
    """Forward mode along `speeds`, the arguments with the tangent of each number in its place. Raises NoReference."""
    call = Call(python, names, arguments, Options(), range(len(names)))
    if call.groups:
        raise NoReference(f"arguments of {python.__name__} share memory that it writes into")
    with np.errstate(all="ignore"):
        return _Location(call, None, None, 0).forward(flatten(call.signature.args, speeds).values)


class _Location:
    def __init__(self, call: Call, numbers: Sequence[Any] | None, weights: Sequence[Any] | None, count: int) -> None:
        self.call, self.count = call, count
        self.values = call.values
        self.marks = None if numbers is None else flatten(call.signature.args, numbers).values
        self.weights = None if weights is None else flatten(call.signature.args, weights).values
        self.primal = _plain(call.primal.function)

    def found(self) -> Located:
        seen = Origins(BUDGET)
        given = [marked(v) for v in self.values]
        results = _run(self.primal, given, seen)
        floats = [r for r in results if isinstance(r, (float, np.floating))]
        returned = [x for r in results for x in (_numbers(r) if isinstance(r, np.ndarray) else ())]
        written = [x for k in sorted(self.call.primal.written) if k < len(given) for x in _numbers(given[k])]
        value = self._first(seen, [*floats, *returned, *written], "value")
        adjoint, gradient = self._adjoint(results)
        return Located(value, adjoint, float(floats[0]) if floats else None, gradient)

    def forward(self, speeds: Sequence[LeafValue]) -> LocatedTangent:
        """The tangent of all results together."""
        call, seen = self.call, Origins(BUDGET)
        directions = [
            _filled(self.values[k], 0.0)
            if k >= len(speeds)
            else _weighted(self.values[k], speeds[k])
            if isinstance(self.values[k], (np.ndarray, list, tuple))
            else float(speeds[k])
            for k in call.varied
        ]
        results = _run(self._derived(call.forward()), [*map(marked, self.values), *directions], seen)
        returned = call.tangents(results)[: len(call.returned_types)]
        numbers = [x for t in returned if t is not None for x in _numbers(t)]
        return LocatedTangent(float(sum(numbers)), self._first(seen, numbers, "tangent"))

    def _adjoint(self, primal: Sequence[Any]) -> tuple[NotFinite | None, Any]:
        call, seen = self.call, Origins(BUDGET)
        seeded = self._seeded()
        seeds = [_filled(r, 1.0) for r, wanted in zip(primal, seeded, strict=True) if wanted]
        shadows = {k: _filled(self.values[k], 0.0) for k in call.duplicated}
        for k in call.duplicated:
            if self.weights is not None and k < len(self.weights):
                shadows[k] = _weighted(self.values[k], self.weights[k])
            elif not seeds and k in call.primal.written:
                shadows[k] = _filled(self.values[k], 1.0)
        results = _run(
            self._derived(call.reverse(seeded)), [*map(marked, self.values), *shadows.values(), *seeds], seen
        )
        active = iter(results[len(call.result_types) :])
        adjoints = {
            k: shadows[k] if kind == "duplicated" else next(active)
            for k, kind in enumerate(call.kinds)
            if kind != "const"
        }
        numbers = [x for adjoint in adjoints.values() for x in _numbers(adjoint)]
        return self._first(seen, numbers, "adjoint"), self._collected(adjoints)

    def _seeded(self) -> list[bool]:
        """The results that are differentiated: not the attributes that the function assigns."""
        types, returned = self.call.result_types, len(self.call.returned_types)
        return [k < returned and is_differentiable(t) for k, t in enumerate(types)]

    def _derived(self, sweep: Sweep) -> Function:
        """The IR of a sweep, before any optimisation."""
        from adcore.driver.pipeline import DERIVED, compile_request

        origin = self.call.primal.origin
        request = origin.request(Variant((sweep,)))
        return _plain(compile_request(request, origin.build, until=DERIVED).product(DERIVED).function)

    def _collected(self, adjoints: dict[int, Any]) -> Any:
        if self.marks is None:
            return None
        gradient = np.zeros(self.count)
        for k, adjoint in adjoints.items():
            marks = self.marks[k] if k < len(self.marks) else None
            if marks is None:
                continue
            for number, mark in zip(_numbers(adjoint), _numbers(marks), strict=True):
                if mark:
                    gradient[int(mark) - 1] = number
        return gradient

    def _first(self, seen: Origins, numbers: Sequence[Any], of: str) -> NotFinite | None:
        """About the first NaN, or else the first infinity."""
        odd = sorted((x for x in numbers if not math.isfinite(x)), key=math.isinf)
        if not odd:
            return None
        what = "infinity" if math.isinf(odd[0]) else "NaN"
        origin = seen.of(odd[0])
        if origin is None:
            if not unknown(self.values):
                raise NoReference(f"where {what} comes from is not known")
            return NotFinite(what, of, None)
        told = self._told(origin, what, of)
        if origin.infinity is None:
            return told
        first = self._told(origin.infinity, "infinity", of)
        return NotFinite(first.what, of, first.span, first.operands, first.iterations, told)

    def _told(self, origin: Origin, what: str, of: str) -> NotFinite:
        """In terms of the function: an instruction of the gradient stands for the one that it is the adjoint of."""
        instr, operands = origin.instr, origin.operands
        if of != "value":
            instr, operands = self._original(origin) or (instr, ())
        names = _Names(self.primal)
        known = [(names.of(v, instr), x) for v, x in zip(instr.operands, operands, strict=False) if np.ndim(x) == 0]
        shown = {name: float(x) for name, x in known if name}
        if not shown and len(known) == 1:
            shown = {"the operand": float(known[0][1])}
        return NotFinite(what, of, origin.instr.span, tuple(shown.items()), origin.iterations)

    def _original(self, origin: Origin) -> tuple[Instr, tuple[Any, ...]] | None:
        """The function's own instruction of the same place and iteration, with its operands."""
        found: list[tuple[Instr, tuple[Any, ...]]] = []

        def observe(instr: Instr, operands: list[Any], results: tuple[Any, ...], at: tuple[int, ...]) -> Any:
            if instr.span == origin.instr.span and at == origin.iterations:
                found.append((instr, tuple(operands)))
            return results

        _run(self.primal, [marked(v) for v in self.values], observe)
        return found[-1] if found else None


class _Names:
    """What values are called in the source: a variable, or the expression that makes them."""

    def __init__(self, function: Function) -> None:
        self._made = {v: i for i in walk(function.region) for v in i.results}

    def of(self, value: Value, reader: Instr) -> str:
        """The name; empty for a literal, and for what has none of its own."""
        if value.hint:
            return value.hint
        made = self._made.get(value)
        if made is None or made.op == "const" or made.span is None or made.span == reader.span:
            return ""
        return _source(made.span) if made.span.line == made.span.end_line else ""


def _source(span: Span) -> str:
    import linecache

    line = linecache.getline(span.file, span.line).encode()
    return line[span.column : span.end_column].decode(errors="replace")


def _plain(function: Function) -> Function:
    """Without calls and bulk ops, so that each number has an instruction."""
    from adcore.transform.canonical.inline import expand
    from adcore.transform.diff.selection import lower_attach
    from adcore.transform.expansion import expand_bulk

    ops = standard_ops()
    return expand_bulk(lower_attach(expand(function, everything=True), ops), ops)


def _run(function: Function, arguments: Sequence[Any], observe: Observer) -> tuple[Any, ...]:
    try:
        return interpret(function, standard_ops(), arguments, observe)
    except TooLong:
        raise NoReference(f"{function.name} runs for more than {BUDGET} instructions") from None


def _numbers(value: Any) -> list[Any]:
    """All floats of a leaf, each of its own type."""
    if isinstance(value, (list, tuple)):
        return [x for item in value for x in _numbers(item)]
    if isinstance(value, np.ndarray):
        return list(value.reshape(-1)) if value.dtype.kind == "f" else []
    return [value] if isinstance(value, (int, float, np.floating)) else []


def _filled(value: Any, number: float) -> Any:
    return [_filled(v, number) for v in value] if isinstance(value, (list, tuple)) else np.full_like(value, number)


def _weighted(value: Any, weights: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_weighted(v, w) for v, w in zip(value, weights, strict=True)]
    return np.array(weights, value.dtype, copy=True).reshape(value.shape)


__all__ = ["Located", "LocatedTangent", "NotFinite", "forward_located", "locate", "located"]
