"""Subscripts that go beyond elements and slices: new axes, masks, arrays of positions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from adcore.frontend.elementwise import operand, operation
from adcore.frontend.frame import Frame
from adcore.frontend.joins import describe, materialise, scalar_type
from adcore.frontend.lists import in_memory as list_in_memory
from adcore.frontend.memory import (
    Target,
    allocate,
    base,
    can_hold,
    clashes,
    computed,
    in_memory,
    is_writeable,
    put,
    put_array,
    settled,
    target_shape,
    update,
)
from adcore.frontend.sequences import static_items
from adcore.frontend.shapes import Shape, broadcast, fits, position, same_length
from adcore.frontend.subscripts import (
    dims,
    element_or_view,
    integer,
    load,
    locate,
    nest,
    normalised,
    slice_bounds,
    store,
)
from adcore.frontend.values import (
    NONE,
    POISON,
    Abstract,
    Array,
    Const,
    Expanded,
    Items,
    Lazy,
    ListRef,
    Masked,
    Num,
    Poison,
    Reshaped,
    Slice,
    is_array,
    is_scalar,
)
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64

WHOLE = Slice(NONE, NONE, NONE)


def selected(frame: Frame, node: ast.AST, owner: Abstract, parts: list[Abstract]) -> Abstract:
    """`owner[parts]` of an array in memory or not: a number, a view, or what a mask or positions select."""
    if isinstance(owner, Lazy):
        owner = computed(frame, node, owner)
    if isinstance(owner, Masked):
        return in_memory(frame, node, owner)
    assert isinstance(owner, (Array, Expanded, Reshaped))
    mask = mask_of(frame, node, owner, parts)
    if isinstance(mask, Poison):
        return POISON
    if mask is not None:
        source = operand(frame, owner)
        assert source is not None
        return Masked(source, mask)
    parts = [positions(frame, node, p) for p in parts]
    if any(map(is_array, parts)):
        return _gathered(frame, node, owner, parts)
    return view(frame, node, owner, parts)


def view(frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract]) -> Abstract:
    """`owner[parts]` for integers, slices and new axes."""
    if isinstance(owner, Array) and not any(p is NONE or _is_none(p) for p in parts):
        return element_or_view(frame, node, owner, parts)
    found = place(frame, node, owner, parts)
    if found is None:
        return POISON
    target, index = found
    return target if index is None else load(frame, base(target), index)


def _is_none(part: Abstract) -> bool:
    return isinstance(part, Const) and part.value is None


def place(
    frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract]
) -> tuple[Target, list[Value] | None] | None:
    """Where `owner[parts]` is: an element (of the base) if there are subscripts, otherwise a view."""
    if isinstance(owner, Array) and not any(map(_is_none, parts)):
        return locate(frame, node, owner, parts)
    full = _one_for_each_axis(frame, node, owner, parts)
    if full is None:
        return None
    if isinstance(owner, Reshaped):
        return _place_in_reshaped(frame, node, owner, full)
    inner: dict[int, Abstract] = dict.fromkeys(range(base(owner).rank), WHOLE)
    axes: list[tuple[int | None, Abstract]] = []
    own = owner.axes if isinstance(owner, Expanded) else tuple(range(owner.rank))
    lengths = target_shape(frame, owner)
    k = 0
    for part in full:
        if _is_none(part):
            axes.append((None, Const(1)))
            continue
        axis, length = own[k], lengths[k]
        k += 1
        if axis is not None:
            inner[axis] = part
            if isinstance(part, Slice):
                axes.append((axis, length))
        elif isinstance(part, Slice):
            if part.lo is not NONE or part.hi is not NONE or part.step is not NONE:
                frame.error(node, "a slice of a new axis is not supported", "write `:` for it")
                return None
            axes.append((None, length))
        elif (index := integer(frame, node, part)) is None:
            return None
        else:
            normalised(frame, index, length, k - 1)
    return _rebuilt(frame, node, owner, [inner[axis] for axis in sorted(inner)], axes)


def _one_for_each_axis(frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract]) -> list[Abstract] | None:
    """One subscript for each axis of `owner`, and new axes between them."""
    count = sum(not _is_none(p) and not _is_dots(p) for p in parts)
    dots = [k for k, p in enumerate(parts) if _is_dots(p)]
    if len(dots) > 1 or count > owner.rank:
        frame.error(
            node,
            f"too many indices: the array has {owner.rank} axes, {count} were given",
            "pass an array of higher rank, or drop subscripts",
        )
        return None
    missing: list[Abstract] = [WHOLE] * (owner.rank - count)
    at = dots[0] if dots else len(parts)
    return [*parts[:at], *missing, *parts[at + len(dots) :]]


def _is_dots(part: Abstract) -> bool:
    return isinstance(part, Const) and part.value is Ellipsis


def _rebuilt(
    frame: Frame, node: ast.AST, owner: Target, inner: list[Abstract], axes: list[tuple[int | None, Abstract]]
) -> tuple[Target, list[Value] | None] | None:
    """The view with these subscripts of its base, and these axes (numbered as before) around them."""
    found = locate(frame, node, base(owner), inner)
    if found is None:
        return None
    array, index = found
    if index is not None:
        if not axes:
            return array, index
        # A view without axes of its own under new axes: an array of one element.
        array = _one_element(frame, array, index)
        kept: dict[int, int] = {}
    else:
        kept = {axis: k for k, axis in enumerate(a for a, p in enumerate(inner) if isinstance(p, Slice))}
    lengths = dims(frame, array)
    shape = [length if axis is None else lengths[kept[axis]] for axis, length in axes]
    writeable = owner.writeable
    return Expanded(array, tuple(None if a is None else kept[a] for a, _ in axes), tuple(shape), writeable), None


def _one_element(frame: Frame, array: Array, index: list[Value]) -> Array:
    value = frame.emit("view", array.value, *index, axes="i" * array.rank)
    return Array(value, array.root, array.writeable, array.weak, None, (), array.local)


def _place_in_reshaped(
    frame: Frame, node: ast.AST, owner: Reshaped, full: list[Abstract]
) -> tuple[Target, list[Value] | None] | None:
    """A part of a view with other subscripts: an element, or a view whose subscripts go through both."""
    fixed: list[Value | None] = []
    cuts: list[tuple[Value, Value] | None] = []
    shape: list[Abstract] = []
    lengths = iter(enumerate(owner.shape))
    for part in full:
        if _is_none(part):
            shape.append(Const(1))
            cuts.append(None)
            continue
        axis, length = next(lengths)
        if isinstance(part, Slice):
            bounds = slice_bounds(frame, node, part, length)
            if bounds is None:
                return None
            start, count, step, _ = bounds
            shape.append(count)
            cuts.append((start, step))
            fixed.append(None)
        elif (index := integer(frame, node, part)) is None:
            return None
        else:
            fixed.append(normalised(frame, index, length, axis))
    if not shape:
        return base(owner), owner.through([k for k in fixed if k is not None])

    def through(index: Sequence[Value]) -> list[Value]:
        moved = iter(_moved(frame, k, cut) for k, cut in zip(index, cuts, strict=True) if cut is not None)
        return owner.through([next(moved) if known is None else known for known in fixed])

    return Reshaped(owner.base, tuple(shape), through, owner.writeable, whole=False), None


def _moved(frame: Frame, k: Value, cut: tuple[Value, Value]) -> Value:
    """The subscript in front of a slice (start, step)."""
    start, step = cut
    if step is not frame.const(1):
        k = frame.emit("mul", k, step, exact=True)
    return k if start is frame.const(0) else frame.emit("add", start, k, exact=True)


# Masks ----------------------------------------------------------------------------------------------------------------


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


# Arrays of positions --------------------------------------------------------------------------------------------------


def positions(frame: Frame, node: ast.AST, part: Abstract) -> Abstract:
    """A part of a subscript; lists of integers, and array expressions, as arrays."""
    if isinstance(part, (Items, ListRef)):
        items = static_items(frame, part)
        if items and all(is_scalar(i) and scalar_type(i)[0] == I64 for i in items):
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
        full = _one_for_each_axis(frame, node, owner, parts)
        self.array: Array | None = None
        if full is None:
            return
        if not isinstance(owner, Array) or any(map(_is_none, full)):
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


def _gathered(frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract]) -> Abstract:
    """`owner[positions]`: a copy."""
    places = _Places(frame, node, owner, parts)
    array = places.array
    if array is None:
        return POISON
    copy = allocate(frame, places.shape, array.element)
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
    return Num(frame.emit("add", materialise(frame, old, type_), materialise(frame, new, type_)), False)


# Stores ---------------------------------------------------------------------------------------------------------------


def is_special(owner: Abstract, parts: list[Abstract]) -> bool:
    """Whether `owner[parts]` is for this module."""
    return isinstance(owner, (Expanded, Reshaped, Lazy, Masked)) or any(
        _is_none(p) or is_array(p) or isinstance(p, (Items, ListRef)) for p in parts
    )


def put_selected(frame: Frame, node: ast.AST, owner: Target, parts: list[Abstract], value: Abstract) -> None:
    """`owner[parts] = value`."""
    mask = mask_of(frame, node, owner, parts)
    if isinstance(mask, Poison):
        return
    if mask is not None:
        put_masked(frame, node, owner, mask, value)
        return
    if isinstance(value, Masked):
        in_memory(frame, node, value)
        return
    parts = [positions(frame, node, p) for p in parts]
    if any(isinstance(p, Poison) for p in parts):
        return
    if any(map(is_array, parts)):
        scatter(frame, node, owner, parts, value)
        return
    found = place(frame, node, owner, parts)
    if found is None:
        return
    target, index = found
    if index is None:
        put_array(frame, node, target, value)
    elif not is_scalar(value):
        frame.error(node, f"{describe(value)} can't be stored into an element", "store a number")
    elif is_writeable(frame, target):
        store(frame, node, value, base(target), index)


def update_selected(
    frame: Frame,
    node: ast.AST,
    kind: type[ast.operator],
    owner: Target,
    parts: list[Abstract],
    later: ast.AST,
    evaluate: Callable[[], Abstract],
) -> None:
    """`owner[parts] OP= value` for masks and positions: taken out, changed, put back; `evaluate` gives the value."""
    mask = mask_of(frame, node, owner, parts)
    parts = [positions(frame, node, p) for p in parts] if mask is None else []
    if isinstance(mask, Poison) or any(isinstance(p, Poison) for p in parts):
        evaluate()
    elif mask is not None:
        old, value = settled(frame, node, selected(frame, node, owner, [mask]), later, evaluate)
        new = operation(frame, node, kind, old, value)
        if isinstance(new, Masked) and can_hold(frame, node, base(owner).element, new.source.element):
            put_masked(frame, node, owner, mask, new)
    elif any(map(is_array, parts)):
        old = _gathered(frame, node, owner, parts)
        new = operation(frame, node, kind, old, evaluate())
        if isinstance(new, Lazy) and can_hold(frame, node, base(owner).element, new.element):
            scatter(frame, node, owner, parts, new)
    else:
        _update_view(frame, node, kind, place(frame, node, owner, parts), evaluate())


def _update_view(
    frame: Frame,
    node: ast.AST,
    kind: type[ast.operator],
    found: tuple[Target, list[Value] | None] | None,
    value: Abstract,
) -> None:
    if found is None:
        return
    target, index = found
    if index is None:
        update(frame, node, kind, target, value)
    else:
        frame.error(node, "an element of a view with new axes is changed in place", "change the element of the array")
