"""Attributes: of modules, arrays and records."""

from __future__ import annotations

import ast
import types

import numpy as np

from adcore.frontend.numpy.broadcasting import product
from adcore.frontend.numpy.elements import ARRAY_EXPRESSIONS
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.functions.shapes import transposed
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.python.globals_and_closures import from_python
from adcore.frontend.registry import METHODS
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import (
    NONE,
    Abstract,
    Array,
    Const,
    Items,
    ListRef,
    Method,
    Num,
    Poison,
    Record,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import materialise
from adcore.ir.types import BOOL, I64, NUMPY_NAMES

LIST_METHODS = frozenset({"append", "copy", "index", "count"})


def attribute(frame: Frame, node: ast.Attribute, owner: Abstract, name: str) -> Abstract:
    """`owner.name`."""
    if isinstance(owner, Poison):
        return owner
    if isinstance(owner, Const):
        return _constant_attribute(frame, node, owner, name)
    if (isinstance(owner, Array) and owner.literal is None) or is_array(owner):
        return array_attribute(frame, node, owner, name)
    if isinstance(owner, Record):
        return record_attribute(frame, node, owner, name)
    if isinstance(owner, ListRef) and name in LIST_METHODS:
        return Method(owner, name)
    if isinstance(owner, Num) and name in ("real", "item", "conjugate"):
        return _number_attribute(frame, node, owner, name)
    return frame.error(node, f"{describe(owner)} has no attribute `{name}` that can be compiled")


def _number_attribute(frame: Frame, node: ast.Attribute, owner: Num, name: str) -> Abstract:
    """`x.real`, `x.conjugate()`, and `x.item()`, which Python's own numbers don't have."""
    if name == "item":
        if owner.kind.numpy:
            return Method(owner, name)
        may = "may be" if owner.kind.mixed else "is"
        return frame.error(node, f"a number that {may} Python's own has no `item`", "write float(x), int(x) or bool(x)")
    if owner.type == BOOL and owner.kind.mixed:
        return frame.error(node, f"`.{name}` of a bool that may be NumPy's or Python's", "write int(x)")
    plain = Num(materialise(frame, owner, I64)) if owner.type == BOOL and owner.kind.python else owner
    return plain if name == "real" else Method(plain, name)


def _constant_attribute(frame: Frame, node: ast.Attribute, owner: Const, name: str) -> Abstract:
    value = owner.value
    if is_scalar(owner) or isinstance(value, str):
        return frame.error(node, f"attribute `{name}` of {describe(owner)} is not supported")
    if not isinstance(value, (types.ModuleType, type)) and type(value).__module__ != "numpy":
        return frame.error(
            node,
            f"attributes of {type(value).__name__} objects are not supported",
            "pass the numbers and arrays as arguments, or use a dataclass or a named tuple",
        )
    try:
        found = getattr(value, name)
    except AttributeError as error:
        return frame.error(node, str(error), "check the spelling")
    path = f"{getattr(value, '__name__', 'object')}.{name}"
    return from_python(frame, node, found, path, lambda: getattr(value, name), (id(value), name))


def array_attribute(frame: Frame, node: ast.Attribute, owner: Abstract, name: str) -> Abstract:
    """`x.shape`, `x.size`, `x.ndim`, `x.T`, `x.dtype`, methods."""
    if name in METHODS:
        return Method(owner, name)
    part = operand(frame, owner)
    if part is None:
        return in_memory(frame, node, owner)
    if name == "shape":
        return Items(part.shape)
    if name == "ndim":
        return Const(part.rank)
    if name == "size":
        return product(frame, part.shape)
    if name == "dtype":
        return Const(np.dtype(NUMPY_NAMES[part.element.name]))
    if name == "itemsize":
        return Const(part.element.bytes)
    if name == "T":
        return transposed(frame, node, owner, NONE)
    return frame.error(node, f"`.{name}` of an array is not supported", ARRAY_EXPRESSIONS)


def record_attribute(frame: Frame, node: ast.Attribute, owner: Record, name: str) -> Abstract:
    for field, value in owner.fields:
        if field == name:
            return value
    fields = ", ".join(field for field, _ in owner.fields)
    if hasattr(owner.cls, name):
        return frame.error(
            node,
            f"methods and properties of {owner.cls.__name__} are not supported",
            f"write a function that takes the fields it needs ({fields})",
        )
    return frame.error(node, f"{owner.cls.__name__} has no field `{name}`", f"it has {fields}")
