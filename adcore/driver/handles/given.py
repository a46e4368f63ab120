"""The arguments that a handle is called with: annotated, or plain values and shadows in a row."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from adcore.activities import Active, Activity, BatchDuplicated, Duplicated
from adcore.driver.calls.binding import default_of
from adcore.driver.calls.in_place import InPlaceRun
from adcore.runtime.values.arguments import refuse
from adcore.signature import ArgType, ArrayArg, ObjectArg, SameArg, ScalarArg, StaticArg

Order = list[tuple[int, str, int | None]]
"""For each plain argument the parameter it fills, its kind, and for a shadow its primal's parameter."""


def annotated(
    run: InPlaceRun, title: str, args: Sequence[Any], kwargs: Mapping[str, Any], omitted: frozenset[str] = frozenset()
) -> list[Any]:
    """The arguments of a call like `run` as annotations, whichever way they are given.

    `omitted`: parameters that were left to their defaults when `run` was compiled, or to a partial. They stay what they
    were then, as everything does that a handle takes from outside; others that are missing get the defaults of today.
    """
    given: list[Any] = []
    rest = list(args)
    in_row = any(isinstance(value, Activity) for value in rest)
    pairs = list(zip(run.call.names, run.activities, strict=True))
    wanted = sum(_entries(a, in_row) for name, a in pairs if name not in omitted and name not in kwargs)
    for name, activity in pairs:
        if name in kwargs:
            rest.insert(0, kwargs[name])
        elif name not in omitted:
            wanted -= _entries(activity, in_row)
        elif len(rest) <= wanted:  # what is given in a row is for those behind
            given.append(activity)
            continue
        if not rest:
            default = default_of(run.call.function, name)
            if default is inspect.Parameter.empty:
                refuse(f"{title} is called without `{name}`", help=_usage(run, title))
            rest = [default]
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


def _entries(activity: Activity, annotated: bool) -> int:
    """How many values in a row stand for an argument: without annotations, shadows stand behind their primals."""
    return 1 if annotated or not isinstance(activity, (Duplicated, BatchDuplicated)) else 2


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


def native_order(run: InPlaceRun, omitted: frozenset[str], flat: bool = False) -> Order | None:
    """How the native wrapper takes plain arguments; None where it can't. Those that are `omitted` stay in the frame.
    `flat`: leaves in the place of objects."""
    call = run.call
    if type(run) is not InPlaceRun or not run.is_native:
        return None
    own = sum(map(len, call.spans))
    if own != len(call.values):
        return None  # arrays from outside are looked up at each call
    count = shadow = own
    order: Order = []
    for name, arg, activity, span in zip(call.names, call.signature.args, run.activities, call.spans, strict=True):
        if name in omitted:
            shadow += sum(_has_shadow(run, k) for k in span)
            continue
        if flat and isinstance(arg, ObjectArg):
            kinds = [_wrapper_kind(leaf) for leaf in _leaves_of(arg)]
            if None in kinds or isinstance(activity, Duplicated):
                return None
            order += [(k, kind or "", None) for k, kind in zip(span, kinds, strict=True)]
            continue
        kind = _wrapper_kind(arg)
        if kind is None:
            return None
        k = span.start
        order.append((k, kind, None))
        varied = _has_shadow(run, k)
        if isinstance(activity, Duplicated):
            if not varied:
                return None
            order.append((shadow, kind, k if kind == "array" else None))
        if varied:
            shadow += 1
    return order if count else None


def annotations_of(run: InPlaceRun, order: Order) -> list[type | None]:
    """The class in which each plain argument may come; None for a shadow, `object` (which nothing is) for what stands
    inside of an argument."""
    own = sum(map(len, run.call.spans))
    found: dict[int, type] = {}
    for arg, activity, span in zip(run.call.signature.args, run.activities, run.call.spans, strict=True):
        found.update(dict.fromkeys(span, object if isinstance(arg, ObjectArg) else type(activity)))
    return [found[leaf] if leaf < own else None for leaf, _, _ in order]


def _leaves_of(arg: ArgType) -> Iterator[ArgType]:
    """The kinds of what an object holds; other kinds as they are."""
    if isinstance(arg, ObjectArg):
        for _, field in arg.fields:
            yield from _leaves_of(field)
    elif not isinstance(arg, (StaticArg, SameArg)):
        yield arg


def _has_shadow(run: InPlaceRun, leaf: int) -> bool:
    """Whether a parameter of the code is the shadow of this leaf."""
    kind = run.call.kinds[leaf]
    return kind != "const" and not (run.mode.sweep == "reverse" and kind == "active")


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
