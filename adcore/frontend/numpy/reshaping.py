"""np.reshape, np.ravel, np.squeeze: the same elements under other subscripts."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.numpy.broadcasting import Shape, described, product, same_length
from adcore.frontend.numpy.elements import dims
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.indexing.views import WHOLE, view
from adcore.frontend.numpy.materialise import computed
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    POISON,
    Abstract,
    Array,
    Const,
    Expanded,
    Lazy,
    Num,
    Poison,
    Reshaped,
    is_array,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import I64


def reshaped(frame: Frame, node: ast.AST, value: Abstract, wanted: Shape) -> Abstract:
    """`value.reshape(wanted)`, one length of which may be -1: a view, or a new array if `value` is not in memory."""
    source = _contiguous(frame, node, value)
    shape = None if source is None else _completed(frame, node, dims(frame, source), wanted)
    if source is None or shape is None:
        return POISON
    own = dims(frame, source)
    if len(own) == len(shape) and all(map(same_length, own, shape)):
        return source
    same = 0
    while same < min(len(own), len(shape)) and same_length(own[same], shape[same]):
        same += 1
    inner, outer = own[same:], shape[same:]

    def through(index: Sequence[Value]) -> list[Value]:
        rest = _unflattened(frame, inner, _flattened(frame, outer, index[same:])) if inner else []
        return [*index[:same], *rest]

    return Reshaped(source, shape, through, source.writeable)


def _contiguous(frame: Frame, node: ast.AST, value: Abstract) -> Array | None:
    """`value` as an array whose elements lie one after the other, or of one axis."""
    if isinstance(value, Lazy):
        return computed(frame, node, value)
    if isinstance(value, Reshaped) and value.whole:
        return value.base
    if isinstance(value, Array) and value.literal is None:
        plain = value.type.layout == "C" and value.root not in frame.session.unordered
        if value.rank < 2 or plain:
            return value
    if is_array(value):
        frame.error(
            node,
            "whether this gives a view or a copy depends on the strides of the array",
            "copy it first: x.copy().reshape(...)",
        )
        return None
    if not isinstance(value, Poison):
        frame.error(node, f"{describe(value)} has no shape that could be changed", "pass an array")
    return None


def _completed(frame: Frame, node: ast.AST, own: Shape, wanted: Shape) -> Shape | None:
    """`wanted` with its -1 replaced; ValueError at run time if the numbers of elements differ."""
    unknown = [k for k, n in enumerate(wanted) if as_static_int(n) == -1]
    if len(unknown) > 1 or any((as_static_int(n) or 0) < -1 for n in wanted):
        frame.error(node, "only one length may be left out of a shape", "write -1 once")
        return None
    size = product(frame, own)
    others = product(frame, [n for k, n in enumerate(wanted) if k not in unknown])
    a, b = as_static_int(size), as_static_int(others)
    shape = list(wanted)
    x, y = materialise(frame, size, I64), materialise(frame, others, I64)
    if not unknown:
        fits = None if same_length(size, others) else frame.emit("eq", x, y)
    elif a is not None and b:
        shape[unknown[0]] = Const(a // b)
        fits = None if a % b == 0 else frame.const(False)
    elif b == 1:
        shape[unknown[0]] = size
        fits = None
    else:
        zero, one = frame.const(0), frame.const(1)
        divisor = frame.emit("maximum", y, one)
        shape[unknown[0]] = Num(frame.emit("floordiv", x, divisor))
        whole = frame.emit("eq", frame.emit("mod", x, divisor), zero)
        fits = whole if b else frame.emit("and", whole, frame.emit("gt", y, zero))
    if fits is not None:
        _check(frame, fits, size, wanted)
    return tuple(shape)


def _check(frame: Frame, fits: Value, size: Abstract, wanted: Shape) -> None:
    parts = ["newaxis" if as_static_int(n) == -1 else "{}" for n in wanted]
    lengths = (size, *(n for n in wanted if as_static_int(n) != -1))
    text = "cannot reshape array of size {} into shape (" + ",".join(parts) + ("," if len(parts) == 1 else "") + ")"
    found = described(text, (), lengths)
    message, details = found or ("cannot reshape array of size {0} into this shape", [materialise(frame, size, I64)])
    frame.check(fits, "ValueError", message, *details)


def _flattened(frame: Frame, shape: Shape, index: Sequence[Value]) -> Value:
    """The position in C order."""
    where = frame.const(0)
    for k, (length, position) in enumerate(zip(shape, index, strict=True)):
        if k:
            where = frame.emit("mul", where, materialise(frame, length, I64), exact=True)
        where = frame.emit("add", where, position, exact=True) if k else position
    return where


def _unflattened(frame: Frame, shape: Shape, where: Value) -> list[Value]:
    """Subscripts of a position in C order."""
    found: list[Value] = []
    for length in shape[:0:-1]:
        # What is subscripted has elements: no length is 0.
        n = frame.emit("maximum", materialise(frame, length, I64), frame.const(1))
        found.append(frame.emit("mod", where, n))
        where = frame.emit("floordiv", where, n)
    return [where, *reversed(found)]


def squeezed(frame: Frame, node: ast.AST, value: Abstract, axes: Sequence[int]) -> Abstract:
    """np.squeeze along axes: a view."""
    source = computed(frame, node, value) if isinstance(value, Lazy) else value
    part = operand(frame, source)
    if part is None or not isinstance(source, (Array, Expanded, Reshaped)):
        return frame.error(node, f"{describe(value)} has no axes")
    for axis in axes:
        length = part.shape[axis]
        if as_static_int(length) != 1:
            one = frame.emit("eq", materialise(frame, length, I64), frame.const(1))
            text = "cannot select an axis to squeeze out which has size not equal to one"
            frame.check(one, "ValueError", text)
    return view(frame, node, source, [Const(0) if axis in axes else WHOLE for axis in range(part.rank)])
