"""Calls in place like one before: the same native code, without looking at the arguments' structure again.

`ad.autodiff` takes the general path twice; from then on calls with the same annotations go to a handle. Whatever is not
exactly as it was goes the general path again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from adcore.activities import Activity, Duplicated, Mode
from adcore.captures import quick_look
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.derivatives.rules import generation
from adcore.driver.handles.handle import Handle
from adcore.driver.leaf_kernel import MISSED
from adcore.driver.request import Options

MOST_FUNCTIONS, MOST_KINDS, MOST_TRIALS = 256, 8, 64


class _FlatRun(Handle):
    """A handle whose native wrapper serves a call, or leaves it to the caller."""

    def _general(self, *args: Any, **kwargs: Any) -> Any:
        return MISSED


class InPlaceFastPath(NamedTuple):
    """Calls of one function with one sequence of annotations, of numbers and arrays of one kind: code for those that
    fit, unless something that was baked in has changed since."""

    is_current: Callable[[], bool]
    fits: Callable[[Sequence[Any]], bool]
    native: _FlatRun


def _fast_path(native: _FlatRun, function: FunctionType, args: Sequence[Any]) -> InPlaceFastPath:
    interface = native._run.call.base.interface
    names = {"f": function, "code": function.__code__, "now": generation, "then": generation()}
    terms = ["now() == then", "f.__code__ is code"]
    if interface.captures:
        names["unchanged"] = quick_look(interface.captures)
        terms.append("unchanged()")
    is_current: Callable[[], bool] = eval(f"lambda: {' and '.join(terms)}", names)
    guards = _guards(args, bool(interface.compared), names)
    fits: Callable[[Sequence[Any]], bool] = eval(f"lambda a: {' and '.join((*guards, *terms))}", names)
    return InPlaceFastPath(is_current, fits, native)


def _guards(args: Sequence[Any], stretches: bool, names: dict[str, Any]) -> list[str]:
    """That arguments have what the native wrapper does not ask for: the very types of numbers, and, where axes of
    length 1 might stretch, none of them."""
    terms = []
    for k, arg in enumerate(args):
        value, text = (arg.value, f"a[{k}].value") if isinstance(arg, Activity) else (arg, f"a[{k}]")
        if isinstance(value, np.ndarray):
            if stretches:
                terms.append(f"1 not in {text}.shape")
        else:
            names[f"t{k}"] = type(value)
            terms.append(f"type({text}) is t{k}")
    return terms


_ready: dict[tuple[Any, ...], list[InPlaceFastPath]] = {}
_tried: dict[tuple[Any, ...], int] = {}


def quick_answer(mode: Mode, function: Any, args: Sequence[Any]) -> Any:
    """What a call returns that is like one before; MISSED where there was none."""
    if type(function) is not FunctionType:
        return MISSED
    for _, fits, native in _ready.get((function, mode.name, *map(type, args)), ()):
        try:
            if not fits(args):
                continue
        except AttributeError:
            # A number where an array was, say.
            continue
        answer = native(*args)
        if answer is not MISSED:
            return answer
    return MISSED


def remember(mode: Mode, function: Any, args: Sequence[Any], run: InPlaceRun) -> None:
    """After the second call like `run`, keep what serves further ones."""
    if type(function) is not FunctionType or len(args) != len(run.call.names) or run.options != Options():
        return
    key = (function, mode.name, *map(type, args))
    if key not in _ready:
        if len(_ready) >= MOST_FUNCTIONS:
            _tried.pop(oldest := next(iter(_ready)), None)
            _ready.pop(oldest)
        _ready[key] = []
        return
    known = _ready[key]
    known[:] = [ready for ready in known if ready.is_current()]
    _tried[key] = _tried.get(key, 0) + 1
    if len(known) < MOST_KINDS and _tried[key] <= MOST_TRIALS and _is_plain(run):
        native = _FlatRun(mode, function, [_freed(arg) for arg in args], {}, run.options)
        if native.is_attached:
            known.append(_fast_path(native, function, args))


def _is_plain(run: InPlaceRun) -> bool:
    """Whether the native wrapper can serve the call, and makes what it returns by itself: a result that Python reads
    from the frame could be that of another thread by then."""
    if type(run) is not InPlaceRun or not run.is_native or run.call.groups or run.specialisation.kernel.messages:
        return False
    return run.returned.floats is not None


def _freed(arg: Any) -> Any:
    """An argument of the same kind that keeps none of the caller's arrays alive."""
    if isinstance(arg, Duplicated):
        return type(arg)(_freed(arg.value), _freed(arg.shadow))
    if isinstance(arg, Activity):
        return type(arg)(_freed(arg.value))
    return np.zeros(arg.shape, arg.dtype) if isinstance(arg, np.ndarray) else arg


__all__ = ["MISSED", "InPlaceFastPath", "quick_answer", "remember"]
