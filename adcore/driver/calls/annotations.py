"""What annotations of arguments mean: whether they fit, the kinds of arguments that follow, and numbers in shadows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adcore.activities import Active, Activity, Const, Duplicated, Mode
from adcore.instances import instance_value
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import record
from adcore.runtime.values.shadows import check_structure
from adcore.signature import (
    ArgType,
    ArrayArg,
    DictArg,
    ObjectArg,
    RecordArg,
    SameArg,
    ScalarArg,
    SequenceArg,
    Signature,
    StaticArg,
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
    if isinstance(arg, ObjectArg):
        refuse(
            f"`{name}` is an object: it can't be Active",
            help=f"ad.Duplicated({name}, ad.zeros_like({name})): its derivatives are added to the shadow",
        )
    if mode.sweep == "forward":
        refuse(f"`{name}` is Active; forward mode needs its tangent", help=f"ad.Duplicated({name}, 1.0)")
    if not has_scalars(arg):
        what = {"i": "an integer", "u": "an integer", "b": "a bool"}.get(getattr(arg, "dtype", " ")[0], "no float")
        refuse(f"`{name}` is {what}: it has no derivative", help=f"pass float({name}), or ad.Const({name})")


def has_scalars(arg: ArgType) -> bool:
    """Whether there are floats in the argument that are in no array."""
    if isinstance(arg, (RecordArg, ObjectArg)):
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
    if isinstance(arg, ObjectArg) and type(shadow) is arg.cls:
        fields = tuple((name, _weaken(field, instance_value(shadow, name))) for name, field in arg.fields)
        return replace(arg, fields=fields)
    if isinstance(arg, UniformArg) and isinstance(shadow, (list, tuple)):
        item = arg.item
        for part in shadow:
            item = _weaken(item, part)
        return replace(arg, item=item)
    return arg


def add_numbers(path: str, arg: ArgType, shadow: Any, adjoint: Iterator[Any]) -> None:
    """Add adjoints of numbers inside records, objects and lists to the shadow's own numbers."""
    if _added(arg, shadow, adjoint) is not shadow:
        refuse(
            f"the shadow of {path} can't be changed in place ({type(shadow).__name__})",
            help="use ad.grad, which returns the derivative, or a mutable record",
        )


def _added(arg: ArgType, shadow: Any, adjoint: Iterator[Any]) -> Any:
    """The shadow with adjoints added: itself where it can change, a new one in its place otherwise."""
    if isinstance(arg, ScalarArg):
        value = next(adjoint)
        return shadow if value is None else shadow + value
    if isinstance(arg, SequenceArg):
        items = [_added(item, part, adjoint) for item, part in zip(arg.items, shadow, strict=True)]
        if isinstance(shadow, list):
            shadow[:] = items
            return shadow
        return shadow if all(x is y for x, y in zip(items, shadow, strict=True)) else tuple(items)
    if isinstance(arg, DictArg):
        for key, item in zip(arg.keys, arg.items, strict=True):
            shadow[key] = _added(item, shadow[key], adjoint)
        return shadow
    if isinstance(arg, RecordArg):
        pairs = [
            (name, getattr(shadow, name), _added(part, getattr(shadow, name), adjoint)) for name, part in arg.fields
        ]
        changed = [(name, new) for name, old, new in pairs if new is not old]
        if changed and (isinstance(shadow, tuple) or type(shadow).__dataclass_params__.frozen):
            return record(arg.cls, [(name, new) for name, _, new in pairs])
        for name, new in changed:
            setattr(shadow, name, new)
        return shadow
    if isinstance(arg, ObjectArg) and shadow is not None:
        for name, part in arg.fields:
            if not isinstance(part, (StaticArg, SameArg)):
                object.__setattr__(shadow, name, _added(part, instance_value(shadow, name), adjoint))
        return shadow
    for _ in leaves(arg, ""):
        next(adjoint)
    return shadow


__all__ = ["add_numbers", "annotate", "check", "has_scalars", "weakened"]
