"""Shapes and views: np.reshape, np.transpose, np.expand_dims and the like."""

from __future__ import annotations

import ast

import numpy as np

from adcore.frontend.numpy.broadcasting import fits, product
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.folds import axes_of
from adcore.frontend.numpy.functions.dtypes import sizes
from adcore.frontend.numpy.functions.joining import as_view, flipped, permuted
from adcore.frontend.numpy.indexing.views import WHOLE, view
from adcore.frontend.numpy.reshaping import reshaped, squeezed
from adcore.frontend.registry import BoundArguments, numpy_call, numpy_function, parameters
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    Abstract,
    ArrayRef,
    Constant,
    Expanded,
    Items,
    ListRef,
    Reshaped,
)
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe


@numpy_function(np.shape, takes="a", samples=("A",), about="the lengths of the axes")
def _shape(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = found["a"]
    part = operand(scope, value)
    return scope.error(node, f"{describe(value)} has no shape") if part is None else Items(part.shape)


@numpy_function(np.size, takes="a", samples=("A",), about="how many elements there are")
def _size(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = found["a"]
    part = operand(scope, value)
    return scope.error(node, f"{describe(value)} has no size") if part is None else product(scope, part.shape)


@numpy_function(np.ndim, takes="a", samples=("A",), about="how many axes there are")
def _ndim(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = found["a"]
    part = operand(scope, value)
    return scope.error(node, f"{describe(value)} has no axes") if part is None else Constant(part.rank)


@numpy_function(np.transpose, takes="a axes", samples=("A", "A, (1, 0)"), about="a view with the axes in another order")
def _transpose(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    return transposed(scope, node, found["a"], found.get("axes", NONE))


def transposed(scope: FunctionScope, node: ast.AST, value: Abstract, axes: Abstract) -> Abstract:
    """np.transpose: a view."""
    if isinstance(value, ArrayRef) and value.rank < 2:
        return value
    source = as_view(scope, node, value)
    if source is None:
        return POISON
    rank = source.rank
    if axes is NONE or (isinstance(axes, Constant) and axes.value is None):
        return permuted(scope, source, range(rank)[::-1])
    order = [as_static_int(a) for a in static_items(scope, axes)] if isinstance(axes, (Items, ListRef)) else []
    known = [a % rank for a in order if a is not None and -rank <= a < rank]
    if sorted(known) != list(range(rank)):
        return scope.error(node, "axes don't match array", "name each axis once, as a number")
    return permuted(scope, source, known)


@numpy_function(
    np.swapaxes,
    takes="a axis1 axis2",
    least=3,
    samples=("A, 0, 1",),
    about="a view, two axes swapped",
    method="swapaxes",
)
def _swapaxes(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    source = as_view(scope, node, found["a"])
    if source is None:
        return POISON
    pair = axes_of(scope, node, Items((found["axis1"], found["axis2"])), source.rank)
    if pair is None:
        return POISON
    order = list(range(source.rank))
    order[pair[0]], order[pair[-1]] = pair[-1], pair[0]
    return permuted(scope, source, order)


@numpy_function(np.flip, takes="m axis", samples=("x", "A", "A, 0", "A, axis=(0, 1)"), about="a view, axes backwards")
def _flip(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    source = as_view(scope, node, found["m"])
    if source is None:
        return POISON
    axes = axes_of(scope, node, found.get("axis"), source.rank)
    return POISON if axes is None else flipped(scope, node, source, axes)


@numpy_function(
    np.expand_dims, takes="a axis", least=2, samples=("x, 0", "A, (0, 2)"), about="a view with new axes of length 1"
)
def _expand_dims(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    source = as_view(scope, node, found["a"])
    if source is None:
        return POISON
    axes = axes_of(scope, node, found["axis"], source.rank + 1)
    if axes is None:
        return POISON
    return view(scope, node, source, [NONE if k in axes else WHOLE for k in range(source.rank + len(axes))])


@numpy_function(
    np.broadcast_to,
    takes="array shape",
    least=2,
    samples=("x, (3, 4)",),
    about="a view that repeats an array along new axes",
)
def _broadcast_to(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    """np.broadcast_to: a view that can't be written to."""
    source = as_view(scope, node, found["array"])
    shape = sizes(scope, node, found["shape"])
    if source is None or shape is None:
        return POISON
    if isinstance(source, Reshaped):
        return scope.error(node, "np.broadcast_to of a reshaped array is not supported", "use the array as it is")
    own = operand(scope, source)
    assert own is not None
    if own.rank > len(shape):
        return scope.error(node, "input operand has more dimensions than allowed by the axis remapping")
    fits(scope, shape, own.shape, "operands could not be broadcast together with remapped shapes [original->remapped]: "
         "{} and requested shape {}")  # fmt: skip
    inner = source.axes if isinstance(source, Expanded) else tuple(range(source.rank))
    new: list[int | None] = [None] * (len(shape) - own.rank)
    base = source.base if isinstance(source, Expanded) else source
    for axis, length in zip(inner, own.shape, strict=True):
        if axis is not None and as_static_int(length) == 1:
            return scope.error(node, "an axis of length 1 can't be stretched in a view", "use the array as it is")
        new.append(axis)
    return Expanded(base, tuple(new), shape, writeable=False)


@numpy_call(
    np.reshape,
    samples=("A, (4, 3)", "A, -1", "A, (2, -1)"),
    about="the same elements under another shape",
    method="reshape",
)
def _reshape(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.reshape(a, shape), x.reshape(shape), x.reshape(n, m)."""
    if len(args) > 2 or (len(args) == 2 and not isinstance(args[1], (Items, ListRef))):
        args = [args[0], Items(tuple(args[1:]))]
    found = parameters(scope, node, ("a", "shape"), args, named, 2)
    shape = sizes(scope, node, found["shape"]) if found else None
    return POISON if not found or shape is None else reshaped(scope, node, found["a"], shape)


@numpy_function(np.ravel, takes="a", samples=("A",), about="all elements along one axis", method="ravel")
def _ravel(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    return reshaped(scope, node, found["a"], (Constant(-1),))


@numpy_function(
    np.squeeze, takes="a axis", samples=("A[:1], 0",), about="a view without axes of length 1", method="squeeze"
)
def _squeeze(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    part = operand(scope, found["a"])
    if part is None:
        return POISON
    if "axis" not in found:
        return scope.error(node, "which axes are squeezed out must be known", "write `axis=`")
    axes = axes_of(scope, node, found["axis"], part.rank)
    return POISON if axes is None else squeezed(scope, node, found["a"], axes)
