"""Boolean indexing: `x[m]` for an array of bools, read and stored to."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.numpy.broadcasting import fits, same_length
from adcore.frontend.numpy.elements import dims, load, nest, store
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.materialise import (
    Target,
    allocate,
    clashes,
    computed,
    in_memory,
    is_writeable,
    put,
    target_shape,
)
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    BooleanIndexed,
    Expanded,
    Lazy,
    Poison,
    Reshaped,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64


def boolean_index_of(
    scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract]
) -> ArrayRef | Poison | None:
    """The array of bools in `owner[m]`, its shape checked; None if there is none."""
    bool_arrays = [p for p in parts if is_array(p) and not isinstance(p, BooleanIndexed) and p.element == BOOL]  # type: ignore[union-attr]
    if any(isinstance(p, BooleanIndexed) for p in parts):
        return scope.error(node, "a selection by a mask can't be a subscript", "write a loop")
    if not bool_arrays:
        return None
    if len(parts) > 1:
        return scope.error(node, "a mask together with other subscripts is not supported", "write a loop")
    found = in_memory(scope, node, bool_arrays[0])
    if isinstance(found, (Expanded, Reshaped)):
        whole = operand(scope, found)
        assert whole is not None
        found = computed(scope, node, whole)
    assert isinstance(found, ArrayRef)
    if found.rank > owner.rank:
        return scope.error(node, f"too many indices: the array has {owner.rank} axes, the mask {found.rank}")
    for axis, (length, own) in enumerate(zip(target_shape(scope, owner), dims(scope, found), strict=False)):
        if not same_length(length, own):
            x, y = materialise(scope, length, I64), materialise(scope, own, I64)
            text = f"boolean index did not match indexed array along axis {axis}; size of axis is {{0}} but size of "
            text += "corresponding boolean axis is {1}"
            scope.check(scope.emit("eq", x, y), "IndexError", text, x, y)
    return found


def is_selected(scope: FunctionScope, selects: ArrayRef, index: Sequence[Value]) -> Value:
    """Whether the element at `index` is selected."""
    return materialise(scope, load(scope, selects, index[: selects.rank]))


def put_boolean(scope: FunctionScope, node: ast.AST, target: Target, selects: ArrayRef, value: Abstract) -> None:
    """`target[selects] = value` for a number or for elements that the same array selects."""
    source = value.source if isinstance(value, BooleanIndexed) else operand(scope, value) if is_scalar(value) else None
    if source is None or (isinstance(value, BooleanIndexed) and value.selects.value is not selects.value):
        scope.error(
            node,
            f"{describe(value)} is stored under a mask",
            "store a number, or elements under the same mask by its name: `m = x > 0`, then `x[m] = y[m]`",
        )
        return
    if not is_writeable(scope, target):
        return
    shape = target_shape(scope, target)
    if isinstance(value, BooleanIndexed):
        if len(shape) != len(source.shape):
            scope.error(node, "elements are stored under a mask into an array of another rank", "write a loop")
            return
        # Along the axes of `selects` both have its lengths.
        text = "shape mismatch: value array of shape {} could not be broadcast to indexing result of shape {}"
        fits(scope, shape[selects.rank :], source.shape[selects.rank :], text)
    if clashes(scope, target, source, aligned=True):
        source = _selected_copy(scope, node, source, selects)
    selects_part = operand(scope, selects)
    assert selects_part is not None
    if clashes(scope, target, selects_part, aligned=True):
        selects = computed(scope, node, selects_part)
    elements = source

    def one(index: list[Value]) -> None:
        with scope.builder.region() as inside:
            put(scope, node, elements.at(index if elements.shape else []), target, index)
        with scope.builder.region() as outside:
            pass
        scope.builder.emit_many("if", (is_selected(scope, selects, index),), {}, (inside.region, outside.region), ())

    nest(scope, shape, one)


def _selected_copy(scope: FunctionScope, node: ast.AST, source: Lazy, selects: ArrayRef) -> Lazy:
    """The selected elements in an array of their own; what is not selected is not computed."""
    copy = allocate(scope, source.shape, source.element, zero=True)

    def one(index: list[Value]) -> None:
        with scope.builder.region() as inside:
            store(scope, node, source.at(index), copy, index)
        with scope.builder.region() as outside:
            pass
        scope.builder.emit_many("if", (is_selected(scope, selects, index),), {}, (inside.region, outside.region), ())

    nest(scope, source.shape, one)
    found = operand(scope, copy)
    assert found is not None
    return found
