"""Arrays of positions as subscripts: `x[k]`, stores to it, `np.add.at`."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.numpy.broadcasting import Shape, broadcast, fits, position
from adcore.frontend.numpy.elements import dims, load, nest, store
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.indexing.integers import normalised
from adcore.frontend.numpy.indexing.slices import element_or_view
from adcore.frontend.numpy.indexing.views import WHOLE, is_none, one_for_each_axis
from adcore.frontend.numpy.materialise import Target, allocate, clashes, computed, is_writeable, note_order
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import (
    NUMPY,
    POISON,
    Abstract,
    Array,
    Items,
    Lazy,
    ListRef,
    Num,
    Slice,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.lists import in_memory as list_in_memory
from adcore.frontend.values.numbers import materialise, scalar_type
from adcore.frontend.values.sequences import static_items
from adcore.ir.core import Value
from adcore.ir.types import I64


def positions(frame: Frame, node: ast.AST, part: Abstract) -> Abstract:
    """A part of a subscript; lists of integers, and array expressions, as arrays."""
    if isinstance(part, (Items, ListRef)):
        items = static_items(frame, part)
        if items and all(is_scalar(i) and scalar_type(i) == I64 for i in items):
            return list_in_memory(frame, items, I64, None)
        return frame.error(node, f"a subscript can't be {describe(part)}")
    if isinstance(part, Lazy):
        part = computed(frame, node, part)
    if is_array(part) and part.element.kind not in "iu":  # type: ignore[union-attr]
        return frame.error(node, "arrays used as indices must be of integer (or boolean) type")
    return part


class _Places:
    """Where `owner[parts]` reads or writes, for parts some of which are arrays of positions.

    `shape` is that of the result; `subscripts(index)` gives those of `array`, a view of the owner with slices done.
    """

    def __init__(self, frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract]) -> None:
        self.frame, self.node = frame, node
        full = one_for_each_axis(frame, node, owner, parts)
        self.array: Array | None = None
        if full is None:
            return
        if not isinstance(owner, Array) or any(map(is_none, full)):
            frame.error(node, "arrays of positions together with new or other axes are not supported", "copy first")
            return
        self.advanced = [k for k, p in enumerate(full) if not isinstance(p, Slice)]
        sliced = element_or_view(frame, node, owner, [p if isinstance(p, Slice) else WHOLE for p in full])
        if not isinstance(sliced, Array):
            return
        self.array = sliced
        own = dims(frame, sliced)
        self.parts = [operand(frame, full[k]) for k in self.advanced]
        if any(p is None for p in self.parts):
            frame.error(node, "this subscript is not supported")
            self.array = None
            return
        self.own = own
        self.broad: Shape = broadcast(frame, [p.shape for p in self.parts if p is not None])
        plain = [n for k, n in enumerate(own) if k not in self.advanced]
        # NumPy puts the axes of the positions where they stand, or in front if slices separate them.
        together = self.advanced == list(range(self.advanced[0], self.advanced[-1] + 1))
        self.start = self.advanced[0] if together else 0
        self.shape: Shape = (*plain[: self.start], *self.broad, *plain[self.start :])

    def subscripts(self, index: Sequence[Value]) -> list[Value]:
        """Normalised subscripts of `array` for an element of the result."""
        frame, rank = self.frame, len(self.broad)
        inner = index[self.start : self.start + rank]
        others = iter([*index[: self.start], *index[self.start + rank :]])
        found: list[Value] = []
        for axis, length in enumerate(self.own):
            if axis in self.advanced:
                part = self.parts[self.advanced.index(axis)]
                assert part is not None
                where = materialise(frame, part.at(position(frame, inner, part.shape)), I64)
                found.append(normalised(frame, where, length, axis))
            else:
                found.append(next(others))
        return found


def gathered(frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract]) -> Abstract:
    """`owner[positions]`: a copy."""
    places = _Places(frame, node, owner, parts)
    array = places.array
    if array is None:
        return POISON
    copy = allocate(frame, places.shape, array.element)
    source = operand(frame, array)
    assert source is not None
    note_order(frame, copy, source)
    nest(frame, places.shape, lambda k: store(frame, node, load(frame, array, places.subscripts(k)), copy, k))
    return copy


def scatter(
    frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract], value: Abstract, adding: bool = False
) -> None:
    """`owner[positions] = value`, of equal positions the last; `adding`: `np.add.at(owner, positions, value)`."""
    places = _Places(frame, node, owner, [positions(frame, node, p) for p in parts])
    array, source = places.array, operand(frame, value)
    if array is None:
        return
    if source is None:
        frame.error(node, f"{describe(value)} can't be stored into an array")
        return
    if not is_writeable(frame, owner):
        return
    text = "shape mismatch: value array of shape {} could not be broadcast to indexing result of shape {}"
    kept = fits(frame, places.shape, source.shape, text)
    if clashes(frame, array, source, aligned=False):
        found = operand(frame, computed(frame, node, source))
        assert found is not None
        source = found
    elements = source
    # All subscripts are looked at before the first store.
    nest(frame, places.shape, lambda k: void(places.subscripts(k)))

    def one(index: list[Value]) -> None:
        there = places.subscripts(index)
        new = elements.at([*[frame.const(0)] * (len(elements.shape) - len(kept)), *position(frame, index, kept)])
        if adding:
            new = _sum(frame, load(frame, array, there), new, array)
        store(frame, node, new, array, there)

    nest(frame, places.shape, one)


def void(values: Sequence[Value]) -> None:
    """What computing them raises is all that is wanted."""


def _sum(frame: Frame, old: Abstract, new: Abstract, array: Array) -> Abstract:
    type_ = array.element if array.element.kind == "f" else I64
    return Num(frame.emit("add", materialise(frame, old, type_), materialise(frame, new, type_)), NUMPY)
