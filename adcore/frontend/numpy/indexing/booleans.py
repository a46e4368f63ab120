"""Masks: `x[m]` for an array of bools, read and stored to."""

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
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import (
    Abstract,
    Array,
    Expanded,
    Lazy,
    Masked,
    Poison,
    Reshaped,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64


def mask_of(frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract]) -> Array | Poison | None:
    """The mask in `owner[mask]`, its shape checked; None if there is none."""
    masks = [p for p in parts if is_array(p) and not isinstance(p, Masked) and p.element == BOOL]  # type: ignore[union-attr]
    if any(isinstance(p, Masked) for p in parts):
        return frame.error(node, "a selection by a mask can't be a subscript", "write a loop")
    if not masks:
        return None
    if len(parts) > 1:
        return frame.error(node, "a mask together with other subscripts is not supported", "write a loop")
    found = in_memory(frame, node, masks[0])
    if isinstance(found, (Expanded, Reshaped)):
        whole = operand(frame, found)
        assert whole is not None
        found = computed(frame, node, whole)
    assert isinstance(found, Array)
    if found.rank > owner.rank:
        return frame.error(node, f"too many indices: the array has {owner.rank} axes, the mask {found.rank}")
    for axis, (length, own) in enumerate(zip(target_shape(frame, owner), dims(frame, found), strict=False)):
        if not same_length(length, own):
            x, y = materialise(frame, length, I64), materialise(frame, own, I64)
            text = f"boolean index did not match indexed array along axis {axis}; size of axis is {{0}} but size of "
            text += "corresponding boolean axis is {1}"
            frame.check(frame.emit("eq", x, y), "IndexError", text, x, y)
    return found


def under_mask(frame: Frame, mask: Array, index: Sequence[Value]) -> Value:
    """Whether the element at `index` is selected."""
    return materialise(frame, load(frame, mask, index[: mask.rank]))


def put_masked(frame: Frame, node: ast.AST, target: Target, mask: Array, value: Abstract) -> None:
    """`target[mask] = value` for a number or for elements under the same mask."""
    source = value.source if isinstance(value, Masked) else operand(frame, value) if is_scalar(value) else None
    if source is None or (isinstance(value, Masked) and value.mask.value is not mask.value):
        frame.error(
            node,
            f"{describe(value)} is stored under a mask",
            "store a number, or elements under the same mask by its name: `m = x > 0`, then `x[m] = y[m]`",
        )
        return
    if not is_writeable(frame, target):
        return
    shape = target_shape(frame, target)
    if isinstance(value, Masked):
        if len(shape) != len(source.shape):
            frame.error(node, "elements are stored under a mask into an array of another rank", "write a loop")
            return
        # Along the axes of the mask both have its lengths.
        text = "shape mismatch: value array of shape {} could not be broadcast to indexing result of shape {}"
        fits(frame, shape[mask.rank :], source.shape[mask.rank :], text)
    if clashes(frame, target, source, aligned=True):
        source = _selected_copy(frame, node, source, mask)
    mask_part = operand(frame, mask)
    assert mask_part is not None
    if clashes(frame, target, mask_part, aligned=True):
        mask = computed(frame, node, mask_part)
    elements = source

    def one(index: list[Value]) -> None:
        with frame.builder.region() as inside:
            put(frame, node, elements.at(index if elements.shape else []), target, index)
        with frame.builder.region() as outside:
            pass
        frame.builder.emit_many("if", (under_mask(frame, mask, index),), {}, (inside.region, outside.region), ())

    nest(frame, shape, one)


def _selected_copy(frame: Frame, node: ast.AST, source: Lazy, mask: Array) -> Lazy:
    """The elements under the mask in an array of their own; what is not selected is not computed."""
    copy = allocate(frame, source.shape, source.element, zero=True)

    def one(index: list[Value]) -> None:
        with frame.builder.region() as inside:
            store(frame, node, source.at(index), copy, index)
        with frame.builder.region() as outside:
            pass
        frame.builder.emit_many("if", (under_mask(frame, mask, index),), {}, (inside.region, outside.region), ())

    nest(frame, source.shape, one)
    found = operand(frame, copy)
    assert found is not None
    return found
