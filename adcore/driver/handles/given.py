"""The arguments that a handle is called with: annotated, or plain values and shadows in a row."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from adcore.activities import Active, Activity, BatchDuplicated, Duplicated
from adcore.driver.calls.in_place import InPlaceRun
from adcore.runtime.arguments import refuse
from adcore.signature import ArgType, ArrayArg, ObjectArg, SameArg, ScalarArg, StaticArg

Order = list[tuple[int, str, int | None]]
"""For each plain argument the parameter it fills, its kind, and for a shadow its primal's parameter."""


def annotated(run: InPlaceRun, title: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """The arguments of a call like `run` as annotations, whichever way they are given."""
    given: list[Any] = []
    rest = list(args)
    for name, activity in zip(run.call.names, run.activities, strict=True):
        if name in kwargs:
            rest.insert(0, kwargs[name])
        if not rest:
            refuse(f"{title} is called without `{name}`", help=_usage(run, title))
        value = rest.pop(0)
        if not isinstance(value, Activity) and isinstance(activity, (Duplicated, BatchDuplicated)):
            if not rest:
                refuse(f"{title} is called without the shadow of `{name}`", help=_usage(run, title))
            value = type(activity)(value, rest.pop(0))
        elif not isinstance(value, Activity) and isinstance(activity, Active):
            value = Active(value)
        given.append(_converted(value, activity))
    unknown = [name for name in kwargs if name not in run.call.names]
    if rest or unknown:
        what = f"an unknown argument `{unknown[0]}`" if unknown else f"{len(rest)} arguments too many"
        refuse(f"{title} is called with {what}", help=_usage(run, title))
    return given


def _usage(run: InPlaceRun, title: str) -> str:
    pairs = zip(run.call.names, run.activities, strict=True)
    shown = [f"{name}, d_{name}" if isinstance(a, (Duplicated, BatchDuplicated)) else name for name, a in pairs]
    return f"it was compiled for {title}({', '.join(shown)})"


_ALIKE: dict[type, tuple[type, ...]] = {
    float: (np.floating, int), int: (np.integer,), bool: (np.bool_,), np.float64: (float, int),
}  # fmt: skip


def _converted(given: Any, compiled: Activity) -> Any:
    """Numbers as the handle was compiled for: an element of an array is as good as a float."""
    value = given.value if isinstance(given, Activity) else given
    wanted = type(compiled.value)
    if not isinstance(value, _ALIKE.get(wanted, ())) or isinstance(value, bool):
        return given
    if not isinstance(given, Activity):
        return wanted(value)
    copied = copy.copy(given)
    copied.value = wanted(value)
    return copied


def native_order(run: InPlaceRun, flat: bool = False) -> Order | None:
    """How the native wrapper takes plain arguments; None where it can't. `flat`: leaves in the place of objects."""
    call = run.call
    plain = type(run) is InPlaceRun and run.is_native
    pairs = list(zip(call.signature.args, run.activities, strict=True))
    if flat:
        pairs = [(leaf, activity) for arg, activity in pairs for leaf in _leaves_of(arg)]
    if not plain or len(call.values) != len(pairs):
        return None
    count = shadow = len(call.values)
    order: Order = []
    for k, (arg, activity) in enumerate(pairs):
        kind = _wrapper_kind(arg)
        if kind is None:
            return None
        order.append((k, kind, None))
        varied = call.kinds[k] != "const" and not (run.mode.sweep == "reverse" and call.kinds[k] == "active")
        if isinstance(activity, Duplicated):
            if not varied:
                return None
            order.append((shadow, kind, k if kind == "array" else None))
        if varied:
            shadow += 1
    return order if count else None


def _leaves_of(arg: ArgType) -> Iterator[ArgType]:
    """The kinds of what an object holds; other kinds as they are."""
    if isinstance(arg, ObjectArg):
        for _, field in arg.fields:
            yield from _leaves_of(field)
    elif not isinstance(arg, (StaticArg, SameArg)):
        yield arg


def _wrapper_kind(arg: ArgType) -> str | None:
    if isinstance(arg, ArrayArg):
        return "array" if arg.layout == "C" else None
    if isinstance(arg, ScalarArg):
        if arg.dtype == "f64":
            return "float"
        if arg.weak:
            return {"i64": "int", "bool": "bool"}.get(arg.dtype)
    return None


__all__ = ["Order", "annotated", "native_order"]
