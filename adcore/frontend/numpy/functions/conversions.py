"""Whatever NumPy takes for an array as one: np.asarray, np.atleast_1d and the like."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np

from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.functions.constructors import copied, np_array
from adcore.frontend.numpy.functions.dtypes import element_type
from adcore.frontend.numpy.functions.joining import as_rows, as_view
from adcore.frontend.numpy.indexing.views import WHOLE, view
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.registry import BoundArguments, numpy_function
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    Abstract,
    ArrayRef,
    Constant,
    Poison,
    is_array,
    is_scalar,
)


@numpy_function(
    np.asarray,
    np.asanyarray,
    takes="a dtype",
    samples=("x", "[a, 2.0]", "a", "i, np.float64", "x, float"),
    about="an array as it is, anything else as np.array makes it",
)
def _as_array(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = in_memory(scope, node, found["a"])
    own = isinstance(value, ArrayRef) and value.literal is None
    part = operand(scope, value) if own or is_array(value) else None
    element = None if part is None else element_type(scope, node, found.get("dtype"), part.element)
    if part is not None and element is None:
        return POISON
    return value if part is not None and element == part.element else np_array(scope, node, value, found.get("dtype"))


@numpy_function(
    np.ascontiguousarray,
    takes="a dtype",
    samples=("A", "A.T", "[a, 2.0]"),
    about="an array with its elements in C order, one after the other",
)
def _contiguous(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    """NumPy gives the array itself where its elements lie so. Where only a run tells, it is a copy, and neither may be
    changed in place: nobody can see then which it was."""
    value = _as_array(scope, node, found)
    if isinstance(value, ArrayRef) and value.rank == 0:
        return _at_least_1(scope, node, value)
    if isinstance(value, Poison) or (isinstance(value, ArrayRef) and value.type.layout == "C"):
        return value
    copy = copied(scope, node, value, ordered=True)
    for array in (value, copy):
        root = getattr(array, "base", array)
        if isinstance(root, ArrayRef):
            scope.session.frozen.add(root.root)
    return copy


@numpy_function(np.isscalar, takes="element", samples=("a", "x", "x[0]"), about="whether it is a number, and no array")
def _is_scalar(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = found["element"]
    return Constant(is_scalar(value) or (isinstance(value, Constant) and isinstance(value.value, (str, bytes))))


def _at_least_1(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    source = as_rows(scope, node, value)
    part = operand(scope, value)
    if isinstance(source, Poison) or (part is not None and part.rank):
        return source if isinstance(source, Poison) else as_view(scope, node, value) or POISON
    return view(scope, node, source, [Constant(0)])


def _at_least_3(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    part = operand(scope, value)
    source = as_rows(scope, node, value) if part is None or part.rank < 2 else as_view(scope, node, value)
    if source is None or isinstance(source, Poison):
        return POISON
    return source if source.rank > 2 else view(scope, node, source, [WHOLE, WHOLE, NONE])


def _at_least(rule: Callable[[FunctionScope, ast.AST, Abstract], Abstract]) -> Callable[..., Abstract]:
    return lambda scope, node, found: rule(scope, node, found["arys"])


for _function, _rule, _about in (
    (np.atleast_1d, _at_least_1, "as an array of one axis or more"),
    (np.atleast_2d, as_rows, "as an array of two axes or more, a vector as a row"),
    (np.atleast_3d, _at_least_3, "as an array of three axes or more"),
):
    numpy_function(_function, takes="arys", samples=("x", "a", "A"), about=_about)(_at_least(_rule))
