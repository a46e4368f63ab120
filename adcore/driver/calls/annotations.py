"""What annotations of arguments mean: whether they fit, the kinds of arguments that follow, and numbers in shadows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adcore.activities import Active, Activity, Const, Duplicated, Mode
from adcore.runtime.arguments import refuse
from adcore.runtime.shadows import check_structure
from adcore.signature import (
    ArgType,
    ArrayArg,
    DictArg,
    RecordArg,
    ScalarArg,
    SequenceArg,
    Signature,
    UniformArg,
    leaves,
)


def annotate(value: Any) -> Activity:
    """`value` as an annotation; what carries none is constant."""
    return value if isinstance(value, Activity) else Const(value)


def check(name: str, arg: ArgType, activity: Activity, mode: Mode, writes: bool) -> None:
    """Refuse an annotation that does not fit its argument or the mode. `writes`: the call writes into its shadow."""
    if isinstance(activity, Active):
        _check_active(name, arg, mode)
    elif isinstance(activity, Duplicated):
        if isinstance(arg, ScalarArg) and mode.sweep == "reverse":
            refuse(f"the shadow of `{name}` is a number, which cannot be added to in place", help="use ad.Active")
        check_structure(name, arg, activity.value, activity.shadow, writes)


def _check_active(name: str, arg: ArgType, mode: Mode) -> None:
    if isinstance(arg, (ArrayArg, UniformArg, DictArg)) or (isinstance(arg, SequenceArg) and arg.kind == "list"):
        refuse(
            f"`{name}` is an array, a list or a dict: it can't be Active",
            help=f"ad.Duplicated({name}, shadow): its derivative is added to the shadow",
        )
    if mode.sweep == "forward":
        refuse(f"`{name}` is Active; forward mode needs its tangent", help=f"ad.Duplicated({name}, 1.0)")
    if not has_scalars(arg):
        what = {"i": "an integer", "u": "an integer", "b": "a bool"}.get(getattr(arg, "dtype", " ")[0], "no float")
        refuse(f"`{name}` is {what}: it has no derivative", help=f"pass float({name}), or ad.Const({name})")


def has_scalars(arg: ArgType) -> bool:
    """Whether there are floats in the argument that are in no array."""
    if isinstance(arg, RecordArg):
        return any(has_scalars(field) for _, field in arg.fields)
    if isinstance(arg, (SequenceArg, DictArg)):
        return any(map(has_scalars, arg.items))
    return isinstance(arg, ScalarArg) and arg.dtype[0] == "f"


def weakened(described: Signature, activities: Sequence[Activity]) -> Signature:
    """The signature with layouts that shadows have too: a strided shadow of a contiguous array makes both strided."""
    args = []
    for arg, activity in zip(described.args, activities, strict=True):
        shadows: Sequence[Any] = getattr(activity, "shadows", ())
        shadows = [activity.shadow] if isinstance(activity, Duplicated) else shadows
        for shadow in shadows:
            arg = _weaken(arg, shadow)
        args.append(arg)
    return replace(described, args=tuple(args))


def _weaken(arg: ArgType, shadow: Any) -> ArgType:
    if isinstance(arg, ArrayArg):
        plain = not isinstance(shadow, np.ndarray) or shadow.flags.c_contiguous
        return arg if plain else replace(arg, layout="S")
    if isinstance(arg, SequenceArg) and isinstance(shadow, (list, tuple)) and len(shadow) == len(arg.items):
        return replace(arg, items=tuple(map(_weaken, arg.items, shadow)))
    if isinstance(arg, DictArg) and isinstance(shadow, dict):
        pairs = zip(arg.keys, arg.items, strict=True)
        return replace(arg, items=tuple(_weaken(item, shadow.get(key)) for key, item in pairs))
    if isinstance(arg, RecordArg) and type(shadow) is arg.cls:
        fields = tuple((name, _weaken(field, getattr(shadow, name, None))) for name, field in arg.fields)
        return replace(arg, fields=fields)
    if isinstance(arg, UniformArg) and isinstance(shadow, (list, tuple)):
        item = arg.item
        for part in shadow:
            item = _weaken(item, part)
        return replace(arg, item=item)
    return arg


def add_numbers(path: str, arg: ArgType, shadow: Any, adjoint: Iterator[Any]) -> None:
    """Add adjoints of numbers inside records and lists to the shadow's own numbers."""
    if isinstance(arg, RecordArg):
        for name, field in arg.fields:
            if isinstance(field, ScalarArg):
                value = next(adjoint)
                if value is not None:
                    _put(path, shadow, name, getattr(shadow, name) + value)
            else:
                add_numbers(path, field, getattr(shadow, name), adjoint)
    elif isinstance(arg, (SequenceArg, DictArg)):
        for k, item in zip(arg.keys, arg.items, strict=True) if isinstance(arg, DictArg) else enumerate(arg.items):
            if isinstance(item, ScalarArg):
                value = next(adjoint)
                if value is not None:
                    _put(path, shadow, k, shadow[k] + value)
            else:
                add_numbers(path, item, shadow[k], adjoint)
    else:
        for _ in leaves(arg, path):
            next(adjoint)


def _put(path: str, target: Any, key: Any, value: Any) -> None:
    try:
        if isinstance(key, int) or isinstance(target, dict):
            target[key] = value
        else:
            setattr(target, key, value)
    except (AttributeError, TypeError):
        refuse(
            f"the shadow of {path} can't be changed in place ({type(target).__name__})",
            help="use ad.grad, which returns the derivative, or a mutable record",
        )


__all__ = ["add_numbers", "annotate", "check", "has_scalars", "weakened"]
