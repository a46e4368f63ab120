"""Boolean indexing: `x[m]` for an array of bools, read and stored to."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.numpy.broadcasting import fits, position, same_length
from adcore.frontend.numpy.compression import counted, positions
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
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    BooleanIndexed,
    Expanded,
    Lazy,
    Poison,
    Reshaped,
    is_array,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64


def boolean_index_of(
    scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract]
) -> ArrayRef | Poison | None:
    """The array of bools in `owner[m]`, its shape checked; None if there is none."""
    if len(parts) != 1 or not is_mask(parts[0]):
        return None
    found = mask_in_memory(scope, node, parts[0])
    if found.rank > owner.rank:
        return scope.error(node, f"too many indices: the array has {owner.rank} axes, the mask {found.rank}")
    for axis, (length, own) in enumerate(zip(target_shape(scope, owner), dims(scope, found), strict=False)):
        if not same_length(length, own):
            x, y = materialise(scope, length, I64), materialise(scope, own, I64)
            text = f"boolean index did not match indexed array along axis {axis}; size of axis is {{0}} but size of "
            text += "corresponding boolean axis is {1}"
            scope.check(scope.emit("eq", x, y), "IndexError", text, x, y)
    return found


def is_mask(part: Abstract) -> bool:
    """Whether a subscript is an array of bools."""
    return is_array(part) and not isinstance(part, BooleanIndexed) and part.element == BOOL  # type: ignore[union-attr]


def mask_in_memory(scope: FunctionScope, node: ast.AST, part: Abstract) -> ArrayRef:
    found = in_memory(scope, node, part)
    if isinstance(found, (Expanded, Reshaped)):
        whole = operand(scope, found)
        assert whole is not None
        found = computed(scope, node, whole)
    assert isinstance(found, ArrayRef)
    return found


def masks_as_positions(scope: FunctionScope, node: ast.AST, parts: list[Abstract]) -> list[Abstract]:
    """Subscripts with the positions where they hold in place of masks: what NumPy takes them for beside others."""
    found: list[Abstract] = []
    for part in parts:
        part = in_memory(scope, node, part) if isinstance(part, BooleanIndexed) else part
        found += positions(scope, node, mask_in_memory(scope, node, part)) if is_mask(part) else [part]
    return found


def is_selected(scope: FunctionScope, selects: ArrayRef, index: Sequence[Value]) -> Value:
    """Whether the element at `index` is selected."""
    return materialise(scope, load(scope, selects, index[: selects.rank]))


def put_boolean(scope: FunctionScope, node: ast.AST, target: Target, selects: ArrayRef, value: Abstract) -> None:
    """`target[selects] = value` for a number, for elements that the same mask selects, or for as many as it selects."""
    if isinstance(value, BooleanIndexed) and value.selects.value is not selects.value:
        value = in_memory(scope, node, value)
    source = value.source if isinstance(value, BooleanIndexed) else operand(scope, value)
    if source is None:
        if not isinstance(value, Poison):
            scope.error(node, f"{describe(value)} can't be stored under a mask", "store a number or an array")
        return
    if source.rank and not isinstance(value, BooleanIndexed):
        _put_in_order(scope, node, target, selects, source)
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


def _put_in_order(scope: FunctionScope, node: ast.AST, target: Target, selects: ArrayRef, source: Lazy) -> None:
    """`target[selects] = source`: one element, or row, after the other; there have to be as many as are selected."""
    if not is_writeable(scope, target):
        return
    shape = target_shape(scope, target)
    inner = shape[selects.rank :]
    if source.rank > 1 + len(inner):
        scope.error(
            node, f"an array of rank {source.rank} is stored under a mask", f"store one of rank {1 + len(inner)}"
        )
        return
    if clashes(scope, target, source, aligned=False):
        source = part_of(scope, computed(scope, node, source))
    if clashes(scope, target, part_of(scope, selects), aligned=True):
        selects = computed(scope, node, part_of(scope, selects))
    one_by_one = source.rank == 1 + len(inner) and as_static_int(source.shape[0]) != 1
    only: Value | None = None
    if one_by_one:
        count, given = counted(scope, selects, lambda index, k: None), materialise(scope, source.shape[0], I64)
        only = scope.emit("eq", given, scope.const(1))
        fitting = scope.emit("or", only, scope.emit("eq", count, given))
        text = (
            "NumPy boolean array indexing assignment cannot assign {0} input values to the {1} output values where the "
        )
        scope.check(fitting, "ValueError", text + "mask is true", given, count)
    text = "could not broadcast input array from shape {} into shape {}"
    kept = fits(scope, inner, source.shape[source.rank - len(inner) :], text) if inner else ()

    def one(index: Sequence[Value], k: Value) -> None:
        leading = [] if only is None else [scope.emit("select", only, scope.const(0), k)]
        leading += [scope.const(0)] * (source.rank - len(kept) - len(leading))

        def element(rest: list[Value]) -> None:
            put(scope, node, source.at([*leading, *position(scope, rest, kept)]), target, [*index, *rest])

        nest(scope, inner, element)

    counted(scope, selects, one)


def part_of(scope: FunctionScope, array: ArrayRef) -> Lazy:
    part = operand(scope, array)
    assert part is not None
    return part


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
    return part_of(scope, copy)
