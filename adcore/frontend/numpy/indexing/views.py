"""Elements and views that subscripts of an array select: integers, slices and new axes, of views of any kind."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.numpy.elements import dims, load
from adcore.frontend.numpy.indexing.integers import integer, normalised
from adcore.frontend.numpy.indexing.slices import element_or_view, locate, slice_bounds
from adcore.frontend.numpy.materialise import Target, base, target_shape
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    Abstract,
    ArrayRef,
    Constant,
    Expanded,
    Reshaped,
    SubscriptSlice,
)
from adcore.ir.core import Value

WHOLE = SubscriptSlice(NONE, NONE, NONE)


def view(scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract]) -> Abstract:
    """`owner[parts]` for integers, slices and new axes."""
    if isinstance(owner, ArrayRef) and not any(p is NONE or is_none(p) for p in parts):
        return element_or_view(scope, node, owner, parts)
    found = place(scope, node, owner, parts)
    if found is None:
        return POISON
    target, index = found
    return target if index is None else load(scope, base(target), index)


def is_none(part: Abstract) -> bool:
    return isinstance(part, Constant) and part.value is None


def place(
    scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract]
) -> tuple[Target, list[Value] | None] | None:
    """Where `owner[parts]` is: an element (of the base) if there are subscripts, otherwise a view."""
    if isinstance(owner, ArrayRef) and not any(map(is_none, parts)):
        return locate(scope, node, owner, parts)
    full = one_for_each_axis(scope, node, owner, parts)
    if full is None:
        return None
    if isinstance(owner, Reshaped):
        return _place_in_reshaped(scope, node, owner, full)
    inner: dict[int, Abstract] = dict.fromkeys(range(base(owner).rank), WHOLE)
    axes: list[tuple[int | None, Abstract]] = []
    own = owner.axes if isinstance(owner, Expanded) else tuple(range(owner.rank))
    lengths = target_shape(scope, owner)
    k = 0
    for part in full:
        if is_none(part):
            axes.append((None, Constant(1)))
            continue
        axis, length = own[k], lengths[k]
        k += 1
        if axis is not None:
            inner[axis] = part
            if isinstance(part, SubscriptSlice):
                axes.append((axis, length))
        elif isinstance(part, SubscriptSlice):
            if part.lo is not NONE or part.hi is not NONE or part.step is not NONE:
                scope.error(node, "a slice of a new axis is not supported", "write `:` for it")
                return None
            axes.append((None, length))
        elif (index := integer(scope, node, part)) is None:
            return None
        else:
            normalised(scope, index, length, k - 1)
    return _rebuilt(scope, node, owner, [inner[axis] for axis in sorted(inner)], axes)


def one_for_each_axis(
    scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract]
) -> list[Abstract] | None:
    """One subscript for each axis of `owner`, and new axes between them."""
    count = sum(not is_none(p) and not _is_dots(p) for p in parts)
    dots = [k for k, p in enumerate(parts) if _is_dots(p)]
    if len(dots) > 1 or count > owner.rank:
        scope.error(
            node,
            f"too many indices: the array has {owner.rank} axes, {count} were given",
            "pass an array of higher rank, or drop subscripts",
        )
        return None
    missing: list[Abstract] = [WHOLE] * (owner.rank - count)
    at = dots[0] if dots else len(parts)
    return [*parts[:at], *missing, *parts[at + len(dots) :]]


def _is_dots(part: Abstract) -> bool:
    return isinstance(part, Constant) and part.value is Ellipsis


def _rebuilt(
    scope: FunctionScope, node: ast.AST, owner: Target, inner: list[Abstract], axes: list[tuple[int | None, Abstract]]
) -> tuple[Target, list[Value] | None] | None:
    """The view with these subscripts of its base, and these axes (numbered as before) around them."""
    found = locate(scope, node, base(owner), inner)
    if found is None:
        return None
    array, index = found
    if index is not None:
        if not axes:
            return array, index
        # A view without axes of its own under new axes: an array of one element.
        array = _one_element(scope, array, index)
        kept: dict[int, int] = {}
    else:
        kept = {axis: k for k, axis in enumerate(a for a, p in enumerate(inner) if isinstance(p, SubscriptSlice))}
    lengths = dims(scope, array)
    shape = [length if axis is None else lengths[kept[axis]] for axis, length in axes]
    writeable = owner.writeable
    return Expanded(array, tuple(None if a is None else kept[a] for a, _ in axes), tuple(shape), writeable), None


def _one_element(scope: FunctionScope, array: ArrayRef, index: list[Value]) -> ArrayRef:
    value = scope.emit("view", array.value, *index, axes="i" * array.rank)
    return ArrayRef(value, array.root, array.writeable, array.weak, None, (), array.local)


def _place_in_reshaped(
    scope: FunctionScope, node: ast.AST, owner: Reshaped, full: list[Abstract]
) -> tuple[Target, list[Value] | None] | None:
    """A part of a view with other subscripts: an element, or a view whose subscripts go through both."""
    fixed: list[Value | None] = []
    cuts: list[tuple[Value, Value] | None] = []
    shape: list[Abstract] = []
    lengths = iter(enumerate(owner.shape))
    for part in full:
        if is_none(part):
            shape.append(Constant(1))
            cuts.append(None)
            continue
        axis, length = next(lengths)
        if isinstance(part, SubscriptSlice):
            bounds = slice_bounds(scope, node, part, length)
            if bounds is None:
                return None
            start, count, step, _ = bounds
            shape.append(count)
            cuts.append((start, step))
            fixed.append(None)
        elif (index := integer(scope, node, part)) is None:
            return None
        else:
            fixed.append(normalised(scope, index, length, axis))
    if not shape:
        return base(owner), owner.through([k for k in fixed if k is not None])

    def through(index: Sequence[Value]) -> list[Value]:
        moved = iter(_moved(scope, k, cut) for k, cut in zip(index, cuts, strict=True) if cut is not None)
        return owner.through([next(moved) if known is None else known for known in fixed])

    return Reshaped(owner.base, tuple(shape), through, owner.writeable, whole=False), None


def _moved(scope: FunctionScope, k: Value, cut: tuple[Value, Value]) -> Value:
    """The subscript in front of a slice (start, step)."""
    start, step = cut
    if step is not scope.const(1):
        k = scope.emit("mul", k, step, exact=True)
    return k if start is scope.const(0) else scope.emit("add", start, k, exact=True)
