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
from adcore.frontend.registry import BoundArguments, array_method, numpy_call, numpy_function
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    Abstract,
    ArrayRef,
    Constant,
    Expanded,
    Items,
    ListRef,
    Num,
    Reshaped,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise


@array_method("astype", takes="dtype", samples=("x, np.float32", "i, np.float64"), about="a copy of another type")
def _astype(scope: FunctionScope, node: ast.Call, owner: Abstract, found: dict[str, Abstract]) -> Abstract:
    part = operand(scope, owner)
    element = element_type(scope, node, found["dtype"], part.element) if part else None
    if element is None or part is None:
        return POISON
    # A copy that nobody has yet: what reads it may as well compute it.
    converted = cast(scope, part, element)
    return POISON if converted is None else converted


@array_method("clip", takes="min max", samples=("x, 0.2, 0.5",), about="as np.clip")
def _clip(scope: FunctionScope, node: ast.Call, owner: Abstract, found: BoundArguments) -> Abstract:
    return call_formula(scope, node, np.clip, [owner, found["min"], found["max"]])


@array_method("copy", samples=("A",), about="a copy")
def _copy(scope: FunctionScope, node: ast.Call, owner: Abstract, found: BoundArguments) -> Abstract:
    return copied(scope, node, owner, ordered=True)


@array_method("item", samples=(), about="the number in an array without axes")
def _item(scope: FunctionScope, node: ast.Call, owner: Abstract, found: BoundArguments) -> Abstract:
    if not isinstance(owner, ArrayRef) or owner.rank:
        return scope.error(node, "`.item()` of an array with axes is not supported", "index the element: x[0]")
    return Num(materialise(scope, load(scope, owner, ())))


@array_method("fill", takes="value", samples=(), about="stores one number into all elements")
def _fill(scope: FunctionScope, node: ast.Call, owner: Abstract, found: BoundArguments) -> Abstract:
    value = found["value"]
    if not is_scalar(value):
        return scope.error(node, f"fill takes a number, not {describe(value)}")
    if isinstance(owner, ArrayRef):
        fill(scope, node, owner, value)
    elif isinstance(owner, (Expanded, Reshaped)):
        put_array(scope, node, owner, value)
    return NONE


@numpy_function(takes="a", samples=("S",), about="the diagonal of a matrix", method="diagonal")
def _diagonal(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    return diagonal(scope, node, found["a"])


@numpy_function(takes="a", samples=("A",), about="a copy of all elements along one axis", method="flatten")
def _flatten(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    return reshaped(scope, node, copied(scope, node, found["a"], ordered=True), (Constant(-1),))


@numpy_call(samples=("A", "A, 1, 0", "A, (1, 0)"), about="a view with the axes in another order", method="transpose")
def _transpose(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    owner, *order = args
    axes = order[0] if len(order) == 1 and isinstance(order[0], (Items, ListRef)) else Items(tuple(order))
    return transposed(scope, node, owner, axes if order else NONE)
