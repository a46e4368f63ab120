"""Shadows: the arrays beside the arguments in which derivatives are read and accumulated, checked before use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.errors import ArgumentError
from adcore.instances import BOUND, MISSING, instance_value
from adcore.runtime.alias_guard import alias_groups, extent, overlaps_itself, share_memory
from adcore.runtime.values.arguments import describe, refuse
from adcore.runtime.values.leaves import LeafValue, NDArray, arrays
from adcore.signature import (
    ArgType,
    ArrayArg,
    DictArg,
    ObjectArg,
    RecordArg,
    SameArg,
    ScalarArg,
    SequenceArg,
    StaticArg,
    UniformArg,
)


def check_structure(name: str, arg: ArgType, value: Any, shadow: Any, writes: bool = True) -> None:
    """Refuse a shadow that is not built like its primal: same containers, same lengths, arrays of the same shape and
    dtype, numbers for numbers; read-only ones if the call `writes` into it. Parts without a derivative (integers,
    strings, None) may hold anything."""
    _check(f"`{name}`", arg, value, shadow, writes, {})


Beside = dict[int, Any]
"""The shadow of each object and array that was met, by its identity."""


def _check(path: str, arg: ArgType, value: Any, shadow: Any, writes: bool, beside: Beside) -> None:
    if isinstance(arg, SameArg) and beside.get(id(value), shadow) is not shadow:
        refuse(
            f"the shadow of {path} is not the one of `{arg.path}`, which is the same",
            notes=("what stands at two places has one derivative",),
            help="use ad.zeros_like(...) of the whole argument",
        )
    beside[id(value)] = shadow
    if isinstance(arg, ObjectArg):
        _check_object(path, arg, value, shadow, writes, beside)
    elif isinstance(arg, ArrayArg):
        _check_array(path, arg, value, shadow, writes)
    elif isinstance(arg, ScalarArg):
        if arg.dtype[0] == "f" and not isinstance(shadow, (float, int, np.floating, np.integer)):
            refuse(f"the shadow of {path} is {_a(shadow)}; it must be a number, as {path} is")
    elif isinstance(arg, RecordArg):
        if type(shadow) is not arg.cls:
            refuse(f"the shadow of {path} is {_a(shadow)}; it must be {_a(value)}, as {path} is")
        for field, part in arg.fields:
            _check(_join(path, f".{field}"), part, getattr(value, field), getattr(shadow, field, None), writes, beside)
    elif isinstance(arg, DictArg):
        if not isinstance(shadow, dict) or any(key not in shadow for key in arg.keys):
            refuse(f"the shadow of {path} must be a dict with the keys that {path} has")
        for key, item in zip(arg.keys, arg.items, strict=True):
            _check(_join(path, f"[{key!r}]"), item, value[key], shadow[key], writes, beside)
    elif isinstance(arg, (SequenceArg, UniformArg)):
        if isinstance(shadow, np.ndarray) or not isinstance(shadow, (list, tuple)) or len(shadow) != len(value):
            found = f"{_a(shadow)} of {len(shadow)}" if hasattr(shadow, "__len__") and np.ndim(shadow) else _a(shadow)
            refuse(f"the shadow of {path} is {found}; it must be {_a(value)} of {len(value)}, as {path} is")
        for k, (part, other) in enumerate(zip(value, shadow, strict=True)):
            item = arg.item if isinstance(arg, UniformArg) else arg.items[k]
            _check(_join(path, f"[{k}]"), item, part, other, writes, beside)


def _check_object(path: str, arg: ObjectArg, value: Any, shadow: Any, writes: bool, beside: Beside) -> None:
    if arg.cls in BOUND:
        return
    if type(shadow) is not arg.cls or shadow is value:
        found = "the object itself" if shadow is value else _a(shadow)
        refuse(f"the shadow of {path} is {found}; it must be {_a(value)} of its own", help="use ad.zeros_like(...)")
    for name, field in arg.fields:
        if isinstance(field, StaticArg):
            continue
        own = instance_value(shadow, name)
        if own is MISSING:
            refuse(f"the shadow of {path} has no attribute `{name}`", help="use ad.zeros_like(...)")
        _check(_join(path, f".{name}"), field, instance_value(value, name), own, writes, beside)


def _join(path: str, suffix: str) -> str:
    return f"{path[:-1]}{suffix}`"


def _a(value: Any) -> str:
    return f"a {type(value).__name__}"


def _check_array(path: str, arg: ArrayArg, value: NDArray, shadow: Any, writes: bool) -> None:
    if arg.dtype[0] != "f":
        return
    if not isinstance(shadow, np.ndarray):
        refuse(f"the shadow of {path} is {_a(shadow)}; it must be an array, as {path} is")
    try:
        described = describe(shadow, "shadow")
    except ArgumentError as error:
        title = error.diagnostics[0].title.replace("argument `shadow`", f"the shadow of {path}")
        refuse(title, help=f"use np.zeros_like({path[1:-1]})")
    if shadow.shape != value.shape:
        refuse(f"the shadow of {path} has shape {shadow.shape}; {path} has shape {value.shape}")
    if shadow.dtype != value.dtype:
        refuse(f"the shadow of {path} has dtype {shadow.dtype}; {path} has dtype {value.dtype}")
    assert isinstance(described, ArrayArg)
    if writes and not described.writeable:
        refuse(
            f"the shadow of {path} is read-only; derivatives are written into it",
            help=f"use np.zeros_like({path[1:-1]}), or set shadow.flags.writeable = True",
        )
    if writes and overlaps_itself(shadow):
        refuse(f"the shadow of {path} overlaps itself: some of its elements share memory", help="use a copy of it")


def check_overlaps(
    names: Sequence[str], primals: Sequence[LeafValue], shadows: Sequence[LeafValue | None], written: frozenset[int]
) -> None:
    """Refuse shadows whose memory meets an argument, or meets another shadow otherwise than their arguments meet.

    Where two arguments share memory, their shadows may share memory in the same way, and must if the function writes
    there: it is one location, with one derivative.
    """
    # A sweep over sorted ranges first: comparing all pairs of a list of thousands of matrices takes seconds.
    if not alias_groups([*primals, *(shadow if shadow is not None else 0.0 for shadow in shadows)]):
        return
    flat = [(k, j, a) for k, value in enumerate(primals) for j, a in enumerate(arrays(value)) if a.size]
    own = [
        (k, j, a) for k, value in enumerate(shadows) if value is not None for j, a in enumerate(arrays(value)) if a.size
    ]
    for k, _, shadow in own:
        for m, _, primal in flat:
            if share_memory(shadow, primal):
                whose = f"`{names[k]}` itself" if k == m else f"the argument `{names[m]}`"
                refuse(f"the shadow of `{names[k]}` shares memory with {whose}", help="give it memory of its own")
    primal_of = {(k, j): a for k, j, a in flat}
    for position, (k, j, a) in enumerate(own):
        for m, i, b in own[position + 1 :]:
            _check_pair((names[k], a, primal_of[k, j]), (names[m], b, primal_of[m, i]), bool({k, m} & written))


def _check_pair(first: tuple[str, NDArray, NDArray], second: tuple[str, NDArray, NDArray], written: bool) -> None:
    (name, shadow, primal), (other_name, other_shadow, other_primal) = first, second
    together, shadows_together = share_memory(primal, other_primal), share_memory(shadow, other_shadow)
    what = f"the shadows of `{name}` and `{other_name}`"
    if shadows_together and not together:
        refuse(f"{what} share memory, and the arguments do not", help="give each shadow memory of its own")
    if together and written and not shadows_together:
        refuse(
            f"`{name}` and `{other_name}` share memory that the function writes; {what} do not",
            notes=("one location has one derivative",),
            help="lay out the shadows as the arguments are, for example as the same views of one array",
        )
    if together and shadows_together:
        distance = extent(other_primal)[0] - extent(primal)[0]
        if (extent(other_shadow)[0] - extent(shadow)[0], other_shadow.strides, shadow.strides) != (
            distance,
            other_primal.strides,
            primal.strides,
        ):
            refuse(f"{what} share memory in another way than the arguments", help="lay them out as the arguments are")
