"""Attributes: of modules, arrays and records."""

from __future__ import annotations

import ast
import enum
import logging
import sys
import types

import numpy as np

from adcore.captures import Probe
from adcore.frontend.numpy.broadcasting import product
from adcore.frontend.numpy.elements import ARRAY_EXPRESSIONS
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.functions.shapes import transposed
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.objects.attributes import object_attribute
from adcore.frontend.python.containers.dicts import NAMES as DICT_METHODS
from adcore.frontend.python.containers.list_methods import LIST_METHODS
from adcore.frontend.python.globals_and_closures import from_python
from adcore.frontend.registry import METHODS
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    NONE,
    Abstract,
    ArrayRef,
    Constant,
    DeferredText,
    Items,
    ListRef,
    Method,
    Num,
    ObjectRef,
    Poison,
    Record,
    Super,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.dicts import is_dict
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.instances import HEAP_TYPE
from adcore.ir.messages import StandardFile
from adcore.ir.types import BOOL, I64, NUMPY_NAMES


def attribute(scope: FunctionScope, node: ast.Attribute, owner: Abstract, name: str) -> Abstract:
    """`owner.name`."""
    if isinstance(owner, Poison):
        return owner
    if isinstance(owner, (ObjectRef, Super)) or (isinstance(owner, Record) and name not in dict(owner.fields)):
        return object_attribute(scope, node, owner, name)
    if isinstance(owner, Constant) and is_written_class(owner.value):
        return object_attribute(scope, node, owner, name)
    if isinstance(owner, Constant):
        return _constant_attribute(scope, node, owner, name)
    if (isinstance(owner, ArrayRef) and owner.literal is None) or is_array(owner):
        return array_attribute(scope, node, owner, name)
    if isinstance(owner, Record):
        return dict(owner.fields)[name]
    if isinstance(owner, ListRef) and name in LIST_METHODS:
        return Method(owner, name)
    if isinstance(owner, DeferredText) and name == "format":
        return Method(owner, name)
    if is_dict(owner) and name in DICT_METHODS:
        return Method(owner, name)
    if isinstance(owner, Num) and name in ("real", "item", "conjugate"):
        return _number_attribute(scope, node, owner, name)
    return scope.error(node, f"{describe(owner)} has no attribute `{name}` that can be compiled")


def _number_attribute(scope: FunctionScope, node: ast.Attribute, owner: Num, name: str) -> Abstract:
    """`x.real`, `x.conjugate()`, and `x.item()`, which Python's own numbers don't have."""
    if name == "item":
        if owner.weak.never:
            return Method(owner, name)
        may = "may be" if owner.weak.mixed else "is"
        return scope.error(node, f"a number that {may} Python's own has no `item`", "write float(x), int(x) or bool(x)")
    if owner.type == BOOL and owner.weak.mixed:
        return scope.error(node, f"`.{name}` of a bool that may be NumPy's or Python's", "write int(x)")
    plain = Num(materialise(scope, owner, I64)) if owner.type == BOOL and owner.weak.always else owner
    return plain if name == "real" else Method(plain, name)


def is_written_class(value: object) -> bool:
    """Whether a constant is a class that was written in Python, whose methods are looked up as those of instances."""
    return isinstance(value, type) and bool(value.__flags__ & HEAP_TYPE) and not issubclass(value, (tuple, enum.Enum))


def _constant_attribute(scope: FunctionScope, node: ast.Attribute, owner: Constant, name: str) -> Abstract:
    value = owner.value
    if isinstance(value, str) and callable(getattr(value, name, None)):
        return Method(owner, name)
    if is_scalar(owner) or isinstance(value, str):
        return scope.error(node, f"attribute `{name}` of {describe(owner)} is not supported")
    if isinstance(value, logging.Logger) and callable(getattr(value, name, None)):
        return Constant(getattr(value, name))  # the call says whether it is one that sends a message
    if not isinstance(value, (types.ModuleType, type)) and type(value).__module__ != "numpy":
        return scope.error(
            node,
            f"attributes of {type(value).__name__} objects are not supported",
            "pass the numbers and arrays as arguments, or use a dataclass or a named tuple",
        )
    if value is sys and name in (file.value for file in StandardFile):
        return Constant(StandardFile(name))
    try:
        found = getattr(value, name)
    except AttributeError as error:
        return scope.error(node, str(error), "check the spelling")
    path = f"{getattr(value, '__name__', 'object')}.{name}"
    probe = Probe(vars(value), name) if isinstance(value, types.ModuleType) else None
    return from_python(scope, node, found, path, lambda: getattr(value, name), (id(value), name), probe)


def array_attribute(scope: FunctionScope, node: ast.Attribute, owner: Abstract, name: str) -> Abstract:
    """`x.shape`, `x.size`, `x.ndim`, `x.T`, `x.dtype`, methods."""
    if name in METHODS:
        return Method(owner, name)
    part = operand(scope, owner)
    if part is None:
        return in_memory(scope, node, owner)
    if name == "shape":
        return Items(part.shape)
    if name == "ndim":
        return Constant(part.rank)
    if name == "size":
        return product(scope, part.shape)
    if name == "dtype":
        return Constant(np.dtype(NUMPY_NAMES[part.element.name]))
    if name == "itemsize":
        return Constant(part.element.bytes)
    if name == "T":
        return transposed(scope, node, owner, NONE)
    return scope.error(node, f"`.{name}` of an array is not supported", ARRAY_EXPRESSIONS)
