"""Integer-array indexing: `x[k]` for an array of integers, stores to it, `np.add.at`."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.numpy.broadcasting import Extents, broadcast, fits, position
from adcore.frontend.numpy.elements import dims, load, nest, store
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.indexing.integers import normalised
from adcore.frontend.numpy.indexing.slices import element_or_view
from adcore.frontend.numpy.indexing.views import WHOLE, is_none, one_for_each_axis
from adcore.frontend.numpy.materialise import Target, allocate, clashes, computed, is_writeable, note_order
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    POISON,
    STRONG,
    Abstract,
    ArrayRef,
    Items,
    Lazy,
    ListRef,
    Num,
    SubscriptSlice,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.lists import in_memory as list_in_memory
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise, scalar_type
from adcore.ir.core import Value
from adcore.ir.types import I64


def index_array(scope: FunctionScope, node: ast.AST, part: Abstract) -> Abstract:
    """A part of a subscript; lists of integers, and array expressions, as arrays."""
    if isinstance(part, (Items, ListRef)):
        items = static_items(scope, part)
        if items and all(is_scalar(i) and scalar_type(i) == I64 for i in items):
            return list_in_memory(scope, items, I64, None)
        return scope.error(node, f"a subscript can't be {describe(part)}")
    if isinstance(part, Lazy):
        part = computed(scope, node, part)
    if is_array(part) and part.element.kind not in "iu":  # type: ignore[union-attr]
        return scope.error(node, "arrays used as indices must be of integer (or boolean) type")
    return part


class _Places:
    """Where `owner[parts]` reads or writes, for parts some of which are arrays of integers.

    `shape` is that of the result; `subscripts(index)` gives those of `array`, a view of the owner with slices done.
    """

    def __init__(self, scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract]) -> None:
        self.scope, self.node = scope, node
        full = one_for_each_axis(scope, node, owner, parts)
        self.array: ArrayRef | None = None
        if full is None:
            return
        if not isinstance(owner, ArrayRef) or any(map(is_none, full)):
            scope.error(node, "arrays of positions together with new or other axes are not supported", "copy first")
            return
        self.advanced = [k for k, p in enumerate(full) if not isinstance(p, SubscriptSlice)]
        sliced = element_or_view(scope, node, owner, [p if isinstance(p, SubscriptSlice) else WHOLE for p in full])
        if not isinstance(sliced, ArrayRef):
            return
        self.array = sliced
        own = dims(scope, sliced)
        self.parts = [operand(scope, full[k]) for k in self.advanced]
        if any(p is None for p in self.parts):
            scope.error(node, "this subscript is not supported")
            self.array = None
            return
        self.own = own
        self.broad: Extents = broadcast(scope, [p.shape for p in self.parts if p is not None])
        plain = [n for k, n in enumerate(own) if k not in self.advanced]
        # NumPy puts the axes of integer arrays where they stand, or in front if slices separate them.
        together = self.advanced == list(range(self.advanced[0], self.advanced[-1] + 1))
        self.start = self.advanced[0] if together else 0
        self.shape: Extents = (*plain[: self.start], *self.broad, *plain[self.start :])

    def subscripts(self, index: Sequence[Value]) -> list[Value]:
        """Normalised subscripts of `array` for an element of the result."""
        scope, rank = self.scope, len(self.broad)
        inner = index[self.start : self.start + rank]
        others = iter([*index[: self.start], *index[self.start + rank :]])
        found: list[Value] = []
        for axis, length in enumerate(self.own):
            if axis in self.advanced:
                part = self.parts[self.advanced.index(axis)]
                assert part is not None
                where = materialise(scope, part.at(position(scope, inner, part.shape)), I64)
                found.append(normalised(scope, where, length, axis))
            else:
                found.append(next(others))
        return found


def gathered(scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract]) -> Abstract:
    """`owner[index]`: a copy."""
    places = _Places(scope, node, owner, parts)
    array = places.array
    if array is None:
        return POISON
    copy = allocate(scope, places.shape, array.element)
    source = operand(scope, array)
    assert source is not None
    note_order(scope, copy, source)
    nest(scope, places.shape, lambda k: store(scope, node, load(scope, array, places.subscripts(k)), copy, k))
    return copy


def scatter(
    scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract], value: Abstract, adding: bool = False
) -> None:
    """`owner[index] = value`, of equal subscripts the last; `adding`: `np.add.at(owner, index, value)`."""
    places = _Places(scope, node, owner, [index_array(scope, node, p) for p in parts])
    array, source = places.array, operand(scope, value)
    if array is None:
        return
    if source is None:
        scope.error(node, f"{describe(value)} can't be stored into an array")
        return
    if not is_writeable(scope, owner):
        return
    text = "shape mismatch: value array of shape {} could not be broadcast to indexing result of shape {}"
    kept = fits(scope, places.shape, source.shape, text)
    if clashes(scope, array, source, aligned=False):
        found = operand(scope, computed(scope, node, source))
        assert found is not None
        source = found
    elements = source
    # All subscripts are looked at before the first store.
    nest(scope, places.shape, lambda k: void(places.subscripts(k)))

    def one(index: list[Value]) -> None:
        there = places.subscripts(index)
        new = elements.at([*[scope.const(0)] * (len(elements.shape) - len(kept)), *position(scope, index, kept)])
        if adding:
            new = _sum(scope, load(scope, array, there), new, array)
        store(scope, node, new, array, there)

    nest(scope, places.shape, one)


def void(values: Sequence[Value]) -> None:
    """What computing them raises is all that is wanted."""


def _sum(scope: FunctionScope, old: Abstract, new: Abstract, array: ArrayRef) -> Abstract:
    type_ = array.element if array.element.kind == "f" else I64
    return Num(scope.emit("add", materialise(scope, old, type_), materialise(scope, new, type_)), STRONG)
