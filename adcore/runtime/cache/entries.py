"""Entries of the cache: plain data classes as bytes, and back.

    checked by `adcore.runtime.cache.disk`:  magic, checksum over name and rest
    here:                               length of the header | header | object code

The header is data that `marshal` writes: numbers, texts, tuples of them. A data class becomes its name and its fields,
a Python class its module and name, which the reader finds among those that the function's own code reaches. Nothing in
an entry is ever executed but the object code.
"""

from __future__ import annotations

import builtins
import dataclasses
import marshal
from collections.abc import Mapping
from typing import Any

from adcore.abi.certificate import Certificate
from adcore.abi.faults import AssignedBefore, Deferred, Fault, FaultDetail, GivenObject, Raising
from adcore.abi.frame import FrameLayout
from adcore.abi.messages import Message, MessageSite
from adcore.ir.types import SCALARS, ArrayType, ListType, Scalar
from adcore.runtime.loading.native_code import CodePlace, NativeCode
from adcore.signature import ArrayArg, DictArg, Leaf, RecordArg, ScalarArg, SequenceArg, StaticArg, UniformArg
from adcore.source import Span

Classes = Mapping[tuple[str, str], type | None]

KNOWN: dict[str, Any] = {
    cls.__name__: cls
    for cls in (
        ArrayArg, ArrayType, AssignedBefore, Certificate, CodePlace, Deferred, DictArg, Fault, FaultDetail, FrameLayout,
        GivenObject, Leaf, ListType, Message, MessageSite, NativeCode, Raising, RecordArg, ScalarArg, SequenceArg,
        Span, StaticArg, UniformArg,
    )
}  # fmt: skip
"""What may stand in an entry."""

_LENGTH = 8


class NotPlain(Exception):
    """A value that no entry can hold."""


def packed(value: Any, code: bytes = b"") -> bytes:
    """`value`, made of plain values and of what is in `KNOWN`, and object code behind it. Raises NotPlain."""
    header = marshal.dumps(_plain(value))
    return len(header).to_bytes(_LENGTH, "little") + header + code


def unpacked(entry: bytes, classes: Classes) -> tuple[Any, bytes]:
    """What `packed` was given. Raises NotPlain where a class is not among `classes`."""
    size = int.from_bytes(entry[:_LENGTH], "little")
    return _made(marshal.loads(entry[_LENGTH : _LENGTH + size]), classes), entry[_LENGTH + size :]


def _plain(value: Any) -> Any:
    """Every value as a pair of what it is and what it holds."""
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if type(value) in (tuple, list):
        return ("tuple", tuple(map(_plain, value)))
    if type(value) is frozenset:
        return ("frozenset", tuple(sorted(value)))
    if isinstance(value, Scalar):
        return ("scalar", value.name)
    if isinstance(value, type):
        return ("class", value.__module__, value.__qualname__)
    if KNOWN.get(type(value).__name__) is type(value):
        # Some are named tuples, which are made faster than data classes, and each start makes them.
        names = getattr(value, "_fields", None) or [field.name for field in dataclasses.fields(value)]
        return (type(value).__name__, tuple(_plain(getattr(value, name)) for name in names))
    raise NotPlain(f"a value of type {type(value).__name__}")


def _made(plain: Any, classes: Classes) -> Any:
    if type(plain) is not tuple:
        return plain
    kind, *content = plain
    if kind == "tuple":
        return tuple(_made(item, classes) for item in content[0])
    if kind == "frozenset":
        return frozenset(content[0])
    if kind == "scalar":
        return SCALARS[content[0]]
    if kind == "class" and content[0] == "builtins":
        return getattr(builtins, content[1])
    if kind == "class":
        found = classes.get((content[0], content[1]))
        if found is None:
            raise NotPlain(f"the class {content[1]} is not reached")
        return found
    return KNOWN[kind](*(_made(item, classes) for item in content[0]))


def packed_code(code: NativeCode) -> bytes:
    """A kernel as an entry. Raises NotPlain for one that calls functions at addresses of this process."""
    if code.natives:
        raise NotPlain("functions at addresses of this process")
    return packed(dataclasses.replace(code, object_code=b""), code.object_code)


def unpacked_code(entry: bytes, classes: Classes) -> NativeCode:
    """The kernel of an entry; `classes`: those of the exceptions that it raises."""
    code, object_code = unpacked(entry, classes)
    if not isinstance(code, NativeCode):
        raise NotPlain("no kernel")
    return dataclasses.replace(code, object_code=object_code)


__all__ = ["KNOWN", "NotPlain", "packed", "packed_code", "unpacked", "unpacked_code"]
