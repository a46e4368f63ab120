"""Which kind of argument a Python value is: `describe` turns values into the trees of `adcore.signature`.

    describe(2.0, "k")                          ScalarArg("f64", weak=True)
    describe(np.zeros((3, 4)), "A")             ArrayArg("f64", 2, "C")
    describe([A, A.T], "ms")                    UniformArg("list", ArrayArg("f64", 2, "S"))

Whatever has no place in those trees is refused here, with what to pass instead; so everything behind this module may
trust that arrays are aligned, native-endian and of a type that the IR has.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NoReturn

import numpy as np

from adcore.errors import ArgumentError, Diagnostic, ObjectsNeeded
from adcore.instances import is_bound, is_dataclass_type, is_mutable_record, is_object
from adcore.ir.types import NUMPY_NAMES
from adcore.runtime.values.objects import LiveObjects
from adcore.signature import (
    ArgType,
    ArrayArg,
    DictArg,
    ObjectArg,
    RecordArg,
    ScalarArg,
    SequenceArg,
    Signature,
    StaticArg,
    UniformArg,
    classes_of,
)

DTYPES: Mapping[np.dtype[Any], str] = {np.dtype(name): ours for ours, name in NUMPY_NAMES.items()}
"""NumPy dtypes that the IR has, to its names. `longlong` and `long` compare (and hash) equal where they are alike."""

PYTHON_SCALARS: Mapping[type, str] = {float: "f64", int: "i64", bool: "bool"}

STATIC = (logging.Logger, type(None), str, bytes, type, types.ModuleType, enum.Enum, type(Ellipsis))

LONGEST_UNROLLED = 256
"""Unlike items become one IR parameter per leaf; more of them than this is surely a mistake."""

WIDEST = (-(2**63), 2**63 - 1)


def signature(names: Sequence[str], values: Sequence[Any], aliases: tuple[tuple[int, ...], ...] = ()) -> Signature:
    """The signature of a call with `values`.

    Raises ArgumentError with a finding for every argument that cannot be passed.
    """
    classes: frozenset[type] = frozenset()
    while True:
        try:
            return replace(described_call(names, values, None, classes)[0], aliases=aliases)
        except ObjectsNeeded as needed:
            classes |= needed.classes


def described_call(
    names: Sequence[str], values: Sequence[Any], like: Signature | None = None, classes: frozenset[type] = frozenset()
) -> tuple[Signature, LiveObjects]:
    """The signature of a call, and the objects in it, whose attributes are described as far as `like` has them.

    `classes`: dataclasses whose instances are objects, besides those of `like`. Raises ObjectsNeeded where that has to
    be so for others."""
    if like is not None:
        objects = (cls for arg in like.args for cls in classes_of(arg, ObjectArg))
        classes = classes.union(cls for cls in objects if is_dataclass_type(cls))
    live = LiveObjects(describe, classes)
    kinds = like.args if like is not None else (None,) * len(names)
    described: list[ArgType] = []
    findings: list[Diagnostic] = []
    for name, value, kind in zip(names, values, kinds, strict=True):
        try:
            described.append(describe(value, name, live, kind))
        except ArgumentError as error:
            findings += error.diagnostics
    if findings:
        raise ArgumentError(findings)
    return Signature(tuple(names), tuple(described)), live


def describe(value: Any, path: str, live: LiveObjects | None = None, like: ArgType | None = None) -> ArgType:
    """The kind of one argument; `path` names it in errors. Raises ArgumentError.

    Objects are noted in `live`, and described as far as those of `like` are."""
    kind = type(value)
    live = LiveObjects(describe) if live is None else live
    if kind in PYTHON_SCALARS:
        return _python_scalar(value, path)
    if isinstance(value, np.ndarray):
        return _array(value, path)
    if isinstance(value, np.generic):
        return ScalarArg(_dtype(value.dtype, path, "scalar"), weak=False)
    if kind in live.classes:
        return live.object(value, path, like)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if is_mutable_record(kind):
            live.met_record(value, path)
        return _record(value, [field.name for field in dataclasses.fields(value)], path, live, like)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _record(value, value._fields, path, live, like)
    if isinstance(value, (list, tuple)):
        return _items(value, path, live, like)
    if type(value) is dict:
        return _dict(value, path, live, like)
    if is_object(value):
        return live.object(value, path, like)
    if is_bound(value):
        return live.bound(value, path, like)
    if isinstance(value, STATIC) or callable(value):
        return StaticArg(value)
    if isinstance(value, (float, int)):  # subclasses: IntEnum was caught above, others behave as numbers
        return _python_scalar(value, path)
    title = f"argument `{path}` is {_article(kind.__name__)}, which can't be compiled"
    raise ArgumentError([Diagnostic(title, None, help=_instead(value))])


def refuse(title: str, notes: tuple[str, ...] = (), help: str = "") -> NoReturn:
    """Raise an ArgumentError with one finding."""
    raise ArgumentError([Diagnostic(title, None, notes=notes, help=help)])


def dtype_name(dtype: np.dtype[Any]) -> str | None:
    """The IR's name for a dtype, or None where it has none."""
    if not dtype.isnative:
        return None
    return DTYPES.get(dtype) or (DTYPES.get(np.dtype(f"{dtype.kind}{dtype.itemsize}")) if dtype.kind in "iuf" else None)


def _python_scalar(value: float, path: str) -> ScalarArg:
    if isinstance(value, bool):
        return ScalarArg("bool")
    if isinstance(value, int):
        if not WIDEST[0] <= value <= WIDEST[1]:
            refuse(f"argument `{path}` is an integer beyond 64 bits: {value}", help=f"pass float({path})")
        return ScalarArg("i64")
    return ScalarArg("f64")


def _dtype(dtype: np.dtype[Any], path: str, what: str) -> str:
    name = dtype_name(dtype)
    if name is not None:
        return name
    if not dtype.isnative:
        instead = f"pass {path}.astype({path}.dtype.newbyteorder('='))"
        refuse(f"argument `{path}` is {_article(what)} of swapped byte order ({dtype})", help=instead)
    if dtype.kind == "c":
        notes = ("the gradient of a complex function needs a choice of convention that real code does not",)
        refuse(
            f"argument `{path}` is a complex {what} ({dtype})",
            notes,
            f"pass {path}.real and {path}.imag as two arguments",
        )
    if dtype.kind == "O":
        refuse(
            f"argument `{path}` is {_article(what)} of Python objects",
            help="give it a numeric dtype, as in np.asarray(x, dtype=float); ragged data: pass a list of arrays",
        )
    refuse(f"argument `{path}` is {_article(what)} of {dtype}", help=f"pass {path}.astype(np.float64)")


def _array(value: np.ndarray[Any, Any], path: str) -> ArrayArg:
    if type(value) is not np.ndarray and not isinstance(value, np.memmap):
        refuse(
            f"argument `{path}` is {_article(type(value).__name__)}, whose operators need not mean what an array's do",
            help=f"pass np.asarray({path})",
        )
    dtype = _dtype(value.dtype, path, "array")
    flags = value.flags
    if not flags.aligned:
        refuse(f"argument `{path}` is not aligned to its {value.dtype} elements", help=f"pass {path}.copy()")
    return ArrayArg(dtype, value.ndim, "C" if flags.c_contiguous else "S", bool(flags.writeable))


def _record(value: Any, names: Iterable[str], path: str, live: LiveObjects, like: ArgType | None) -> RecordArg:
    fields = []
    known = dict(like.fields) if isinstance(like, RecordArg) else {}
    for name in names:
        if not hasattr(value, name):
            refuse(f"argument `{path}`: {type(value).__name__} has no value for its field `{name}`")
        fields.append((name, describe(getattr(value, name), f"{path}.{name}", live, known.get(name))))
    return RecordArg(type(value), tuple(fields))


def _items(value: Sequence[Any], path: str, live: LiveObjects, like: ArgType | None) -> UniformArg | SequenceArg:
    kind: Literal["list", "tuple"] = "list" if isinstance(value, list) else "tuple"
    if kind == "list" and value and type(value[0]) in PYTHON_SCALARS and len(set(map(type, value))) == 1:
        return UniformArg("list", _uniform_numbers(value, path))
    if len(value) > LONGEST_UNROLLED and type(value[0]) in live.classes:
        cls = type(value[0]).__name__
        refuse(
            f"argument `{path}` is a {kind} of {len(value)} instances of {cls}, whose fields the function assigns",
            help=f"pass one {cls} with an array for each field",
        )
    if len(value) > LONGEST_UNROLLED and not isinstance(value[0], np.ndarray) and not _is_record(value[0]):
        refuse(
            f"argument `{path}` is a {kind} of {len(value)} items that are not all of one kind",
            help="pass an array, or a list of numbers of one type",
        )
    known: Sequence[ArgType | None] = like.items if isinstance(like, SequenceArg) else ()
    known = known if len(known) == len(value) else (None,) * len(value)
    items = tuple(describe(item, f"{path}[{k}]", live, known[k]) for k, item in enumerate(value))
    item = None if _are_layers(value) else _common(items)
    if item is not None and (isinstance(item, (ArrayArg, RecordArg)) or (kind == "list" and _lifts(item))):
        return UniformArg(kind, item)
    return SequenceArg(kind, items)


def _dict(value: Mapping[Any, Any], path: str, live: LiveObjects, like: ArgType | None) -> DictArg:
    known = dict(zip(like.keys, like.items, strict=True)) if isinstance(like, DictArg) else {}
    items = tuple(describe(item, f"{path}[{key!r}]", live, known.get(key)) for key, item in value.items())
    return DictArg(tuple(value), items)


MOST_LAYERS = 32
"""Lists of more items are never taken apart because of their shapes."""


def _are_layers(value: Sequence[Any]) -> bool:
    """Whether items hold matrices with different numbers of columns, as the layers of a network do: a program for this
    length, its loops unrolled, can give them different shapes. Data sets, and series of any length, agree in it."""
    if not 1 < len(value) <= MOST_LAYERS:
        return False
    return len({_columns(item) for item in value}) > 1


def _columns(item: Any) -> tuple[int, ...]:
    """The last lengths of the matrices in an item."""
    if isinstance(item, np.ndarray):
        return item.shape[-1:] if item.ndim > 1 else ()
    names: Iterable[str] = ()
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        names = item._fields
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        names = (field.name for field in dataclasses.fields(item))
    return tuple(n for name in names for n in _columns(getattr(item, name, None)))


def _uniform_numbers(value: Sequence[Any], path: str) -> ScalarArg:
    dtype = PYTHON_SCALARS[type(value[0])]
    if dtype == "i64":
        for k in (value.index(max(value)), value.index(min(value))):
            _python_scalar(value[k], f"{path}[{k}]")
    return ScalarArg(dtype)


def _is_record(value: Any) -> bool:
    return hasattr(value, "_fields") or dataclasses.is_dataclass(value)


def _common(items: tuple[ArgType, ...]) -> ArgType | None:
    """The one kind that describes all items, if there is one that can be lifted to a list."""
    if not items or not _lifts(items[0]):
        return None
    common: ArgType | None = items[0]
    for item in items[1:]:
        common = _join(common, item) if common is not None else None
    return common


def _lifts(item: ArgType) -> bool:
    """Whether a list of such items is one leaf per leaf of the item (see `adcore.signature.lifted`)."""
    if isinstance(item, RecordArg):
        return all(_lifts(field) or isinstance(field, StaticArg) for _, field in item.fields)
    return isinstance(item, (ScalarArg, ArrayArg))


def _join(a: ArgType, b: ArgType) -> ArgType | None:
    """The kind of both, or None: arrays agree in dtype and rank, the weaker layout and access wins."""
    if isinstance(a, ArrayArg) and isinstance(b, ArrayArg):
        if (a.dtype, a.rank) != (b.dtype, b.rank):
            return None
        return ArrayArg(a.dtype, a.rank, "C" if a.layout == b.layout == "C" else "S", a.writeable and b.writeable)
    if isinstance(a, RecordArg) and isinstance(b, RecordArg) and a.cls is b.cls:
        fields = [(name, _join(x, y)) for (name, x), (_, y) in zip(a.fields, b.fields, strict=True)]
        joined = tuple((name, field) for name, field in fields if field is not None)
        return RecordArg(a.cls, joined) if len(joined) == len(fields) else None
    return a if a == b else None


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _instead(value: Any) -> str:
    if isinstance(value, dict):
        return "pass a plain dict of it, a dataclass or a named tuple"
    if isinstance(value, (set, frozenset)):
        return "pass a sorted list or an array instead of a set"
    if isinstance(value, complex):
        return "pass the real and the imaginary part as two arguments"
    if hasattr(value, "__array__"):
        return "pass np.asarray(...) of it"
    return "pass floats, ints, bools, NumPy arrays, or lists, tuples, dicts, named tuples and dataclasses of them"
