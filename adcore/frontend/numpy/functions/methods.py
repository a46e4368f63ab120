"""Methods of arrays that are not a function of the same name."""

from __future__ import annotations

import ast

import numpy as np

from adcore.frontend.numpy.elements import fill, load
from adcore.frontend.numpy.elementwise import cast, operand
from adcore.frontend.numpy.functions.constructors import copied
from adcore.frontend.numpy.functions.dtypes import element_type
from adcore.frontend.numpy.functions.formulas import call_formula
from adcore.frontend.numpy.functions.joining import diagonal
from adcore.frontend.numpy.functions.shapes import transposed
from adcore.frontend.numpy.materialise import put_array
from adcore.frontend.numpy.reshaping import reshaped
from adcore.frontend.registry import Found, array_method, numpy_call, numpy_function
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    Abstract,
    Array,
    Const,
    Expanded,
    Items,
    ListRef,
    Num,
    Reshaped,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import materialise


@array_method("astype", takes="dtype", samples=("x, np.float32", "i, np.float64"), about="a copy of another type")
def _astype(frame: Frame, node: ast.Call, owner: Abstract, found: dict[str, Abstract]) -> Abstract:
    part = operand(frame, owner)
    element = element_type(frame, node, found["dtype"], part.element) if part else None
    if element is None or part is None:
        return POISON
    # A copy that nobody has yet: what reads it may as well compute it.
    converted = cast(frame, part, element)
    return POISON if converted is None else converted


@array_method("clip", takes="min max", samples=("x, 0.2, 0.5",), about="as np.clip")
def _clip(frame: Frame, node: ast.Call, owner: Abstract, found: Found) -> Abstract:
    return call_formula(frame, node, np.clip, [owner, found["min"], found["max"]])


@array_method("copy", samples=("A",), about="a copy")
def _copy(frame: Frame, node: ast.Call, owner: Abstract, found: Found) -> Abstract:
    return copied(frame, node, owner, ordered=True)


@array_method("item", samples=(), about="the number in an array without axes")
def _item(frame: Frame, node: ast.Call, owner: Abstract, found: Found) -> Abstract:
    if not isinstance(owner, Array) or owner.rank:
        return frame.error(node, "`.item()` of an array with axes is not supported", "index the element: x[0]")
    return Num(materialise(frame, load(frame, owner, ())))


@array_method("fill", takes="value", samples=(), about="stores one number into all elements")
def _fill(frame: Frame, node: ast.Call, owner: Abstract, found: Found) -> Abstract:
    value = found["value"]
    if not is_scalar(value):
        return frame.error(node, f"fill takes a number, not {describe(value)}")
    if isinstance(owner, Array):
        fill(frame, node, owner, value)
    elif isinstance(owner, (Expanded, Reshaped)):
        put_array(frame, node, owner, value)
    return NONE


@numpy_function(takes="a", samples=("S",), about="the diagonal of a matrix", method="diagonal")
def _diagonal(frame: Frame, node: ast.Call, found: Found) -> Abstract:
    return diagonal(frame, node, found["a"])


@numpy_function(takes="a", samples=("A",), about="a copy of all elements along one axis", method="flatten")
def _flatten(frame: Frame, node: ast.Call, found: Found) -> Abstract:
    return reshaped(frame, node, copied(frame, node, found["a"], ordered=True), (Const(-1),))


@numpy_call(samples=("A", "A, 1, 0", "A, (1, 0)"), about="a view with the axes in another order", method="transpose")
def _transpose(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    owner, *order = args
    axes = order[0] if len(order) == 1 and isinstance(order[0], (Items, ListRef)) else Items(tuple(order))
    return transposed(frame, node, owner, axes if order else NONE)
