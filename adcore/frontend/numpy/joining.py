"""Arrays made of parts of others: np.concatenate, np.stack, np.roll, np.flip, np.diff and the like."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.numpy.broadcasting import Shape, same_length
from adcore.frontend.numpy.elementwise import chosen_type, operand, operation
from adcore.frontend.numpy.materialise import allocate, computed, note_order, put_array
from adcore.frontend.numpy.subscripts import element_or_view, store
from adcore.frontend.numpy.views import WHOLE, view
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    NUMPY,
    POISON,
    Abstract,
    Array,
    Const,
    Expanded,
    Lazy,
    Num,
    Poison,
    Reshaped,
    Slice,
)
from adcore.frontend.values.joins import describe, materialise
from adcore.ir.core import Value
from adcore.ir.types import I64

View = Array | Expanded | Reshaped


def as_view(frame: Frame, node: ast.AST, value: Abstract) -> View | None:
    """`value` as something in memory that has views; reports what is no array."""
    if isinstance(value, (Array, Expanded, Reshaped)):
        return value
    part = operand(frame, value)
    if part is not None and part.shape:
        return computed(frame, node, part)
    if not isinstance(value, Poison):
        frame.error(node, f"{describe(value)} is no array", "pass an array")
    return None


def shape_of(view: View, frame: Frame) -> Shape:
    part = operand(frame, view)
    assert part is not None
    return part.shape


def at_axis(rank: int, axis: int, part: Abstract) -> list[Abstract]:
    """Subscripts that select `part` along one axis and everything along the others."""
    return [part if k == axis else WHOLE for k in range(rank)]


def added(frame: Frame, a: Abstract, b: Abstract) -> Abstract:
    """The sum of two lengths."""
    if isinstance(a, Const) and isinstance(b, Const):
        return Const(a.value + b.value)
    return Num(frame.emit("add", materialise(frame, a, I64), materialise(frame, b, I64), exact=True))


def joined(frame: Frame, node: ast.AST, values: Sequence[Abstract], axis: int, new_axis: bool = False) -> Abstract:
    """np.concatenate along `axis`; np.stack along a new one."""
    parts = [operand(frame, v) for v in values]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts) or not known:
        return frame.error(node, "only arrays can be joined", "pass a tuple or list of arrays")
    rank = known[0].rank + new_axis
    if any(p.rank != known[0].rank for p in known) or not (new_axis or rank):
        return frame.error(node, "all the input array dimensions except for the concatenation axis must match exactly")
    if not -rank <= axis < rank:
        return frame.error(node, f"axis {axis} is out of bounds for array of dimension {rank}")
    axis %= rank
    element = chosen_type(frame, node, values, known)
    if element is None:
        return POISON
    shapes = [(*p.shape[:axis], Const(1), *p.shape[axis:]) if new_axis else p.shape for p in known]
    _others_agree(frame, shapes, axis, new_axis)
    length: Abstract = Const(0)
    starts: list[Abstract] = []
    for shape in shapes:
        starts.append(length)
        length = added(frame, length, shape[axis])
    result = allocate(frame, [length if k == axis else n for k, n in enumerate(shapes[0])], element)
    note_order(frame, result, *known)
    for start, shape, part in zip(starts, shapes, known, strict=True):
        where = start if new_axis else Slice(start, added(frame, start, shape[axis]), NONE)
        place = element_or_view_of(frame, node, result, at_axis(rank, axis, where))
        if isinstance(place, Array):
            put_array(frame, node, place, part)
        else:
            # Numbers side by side.
            store(frame, node, part.at([]), result, [materialise(frame, start, I64)])
    return result


def element_or_view_of(frame: Frame, node: ast.AST, array: Array, parts: list[Abstract]) -> Abstract:
    if array.rank == 1 and not isinstance(parts[0], Slice):
        return NONE
    return element_or_view(frame, node, array, parts)


def _others_agree(frame: Frame, shapes: Sequence[Shape], axis: int, new_axis: bool) -> None:
    first = shapes[0]
    for number, shape in enumerate(shapes[1:], 1):
        for k, (a, b) in enumerate(zip(first, shape, strict=True)):
            if k == axis or same_length(a, b):
                continue
            x, y = materialise(frame, a, I64), materialise(frame, b, I64)
            text = "all input arrays must have the same shape"
            if not new_axis:
                text = "all the input array dimensions except for the concatenation axis must match exactly, but along "
                text += (
                    f"dimension {k}, the array at index 0 has size {{0}} and the array at index {number} has size {{1}}"
                )
            frame.check(frame.emit("eq", x, y), "ValueError", text, *(() if new_axis else (x, y)))


def flipped(frame: Frame, node: ast.AST, value: Abstract, axes: Sequence[int]) -> Abstract:
    """np.flip: a view."""
    source = as_view(frame, node, value)
    if source is None:
        return POISON
    back = Slice(NONE, NONE, Const(-1))
    return view(frame, node, source, [back if k in axes else WHOLE for k in range(source.rank)])


def rolled(frame: Frame, node: ast.AST, value: Abstract, shift: Value, axis: int) -> Abstract:
    """np.roll along one axis: two parts change places."""
    source = as_view(frame, node, value)
    if source is None:
        return POISON
    shape = shape_of(source, frame)
    result = allocate(frame, shape, source.element)
    own = operand(frame, source)
    assert own is not None
    note_order(frame, result, own)
    n = materialise(frame, shape[axis], I64)
    # Of an empty axis nothing is moved; `mod` needs a divisor all the same.
    back = frame.emit("mod", shift, frame.emit("maximum", n, frame.const(1)))
    kept = Num(frame.emit("sub", n, back, exact=True))
    moved = Num(back)
    for there, here in (
        (Slice(moved, NONE, NONE), Slice(NONE, kept, NONE)),
        (Slice(NONE, moved, NONE), Slice(kept, NONE, NONE)),
    ):
        target = element_or_view(frame, node, result, at_axis(source.rank, axis, there))
        part = view(frame, node, source, at_axis(source.rank, axis, here))
        if isinstance(target, Array):
            put_array(frame, node, target, part)
    return result


def differences(frame: Frame, node: ast.AST, value: Abstract, times: int, axis: int) -> Abstract:
    """np.diff."""
    for _ in range(times):
        source = as_view(frame, node, value)
        if source is None:
            return POISON
        upper = view(frame, node, source, at_axis(source.rank, axis, Slice(Const(1), NONE, NONE)))
        lower = view(frame, node, source, at_axis(source.rank, axis, Slice(NONE, Const(-1), NONE)))
        value = operation(frame, node, ast.Sub, upper, lower)
    return value


def permuted(frame: Frame, value: View, order: Sequence[int]) -> View:
    """The view with axis k of the result being axis `order[k]`."""
    if tuple(order) == tuple(range(value.rank)):
        return value
    if isinstance(value, Expanded):
        return Expanded(
            value.base, tuple(value.axes[k] for k in order), tuple(value.shape[k] for k in order), value.writeable
        )
    if isinstance(value, Reshaped):
        view, back = value, [list(order).index(k) for k in range(value.rank)]
        lengths = tuple(value.shape[k] for k in order)
        through = lambda index: view.through([index[k] for k in back])  # noqa: E731
        return Reshaped(value.base, lengths, through, value.writeable, whole=False)
    turned = frame.emit("transpose", value.value, permutation=tuple(order))
    shape = None if value.shape is None else tuple(value.shape[k] for k in order)
    return Array(turned, value.root, value.writeable, value.kind, None, shape, value.local)


def triangle(frame: Frame, node: ast.AST, value: Abstract, k: int, upper: bool) -> Abstract:
    """np.triu and np.tril: zero outside."""
    part = operand(frame, value)
    if part is None or part.rank < 2:
        return frame.error(node, f"np.tri{'u' if upper else 'l'} takes a matrix, not {describe(value)}")
    source = part

    def at(index: Sequence[Value]) -> Abstract:
        row = frame.emit("add", index[-2], frame.const(k), exact=True)
        inside = frame.emit("le" if upper else "ge", row, index[-1])
        found = materialise(frame, source.at(index))
        zero = frame.const({"f": 0.0, "b": False}.get(source.element.kind, 0), found.type)  # type: ignore[arg-type]
        return Num(frame.emit("select", inside, found, zero), NUMPY)

    return Lazy(source.shape, source.element, at, source.reads)


def diagonal(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    """np.diag: the matrix with this diagonal, or the diagonal of a matrix."""
    part = operand(frame, value)
    if part is None or part.rank not in (1, 2):
        return frame.error(node, f"np.diag takes a vector or a matrix, not {describe(value)}")
    source = part
    if source.rank == 2:
        length = source.shape[0]
        if not same_length(*source.shape):
            both = (materialise(frame, n, I64) for n in source.shape)
            length = Num(frame.emit("minimum", *both))
        reads = source.reads
        return computed(frame, node, Lazy((length,), source.element, lambda i: source.at([i[0], i[0]]), reads))

    def at(index: Sequence[Value]) -> Abstract:
        found = materialise(frame, source.at([index[0]]))
        zero = frame.const({"f": 0.0, "b": False}.get(source.element.kind, 0), found.type)  # type: ignore[arg-type]
        return Num(frame.emit("select", frame.emit("eq", index[0], index[1]), found, zero), NUMPY)

    return computed(frame, node, Lazy((source.shape[0], source.shape[0]), source.element, at, source.reads))


def constant(frame: Frame, node: ast.AST, value: Abstract | None, default: int, what: str) -> int | None:
    """An integer argument that must be known while compiling."""
    if value is None or value is NONE:
        return default
    found = as_static_int(value)
    if found is None:
        frame.error(node, f"`{what}` must be known while compiling", "write it as a number")
    return found
