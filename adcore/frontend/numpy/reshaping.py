"""np.reshape, np.ravel, np.squeeze: the same elements under other subscripts."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from adcore.frontend.numpy.broadcasting import Extents, described, product, same_length
from adcore.frontend.numpy.elements import dims
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.indexing.views import WHOLE, view
from adcore.frontend.numpy.materialise import computed
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    POISON,
    Abstract,
    ArrayRef,
    Constant,
    Expanded,
    Lazy,
    Num,
    Poison,
    Reshaped,
    is_array,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import I64


def reshaped(scope: FunctionScope, node: ast.AST, value: Abstract, wanted: Extents) -> Abstract:
    """`value.reshape(wanted)`, one length of which may be -1: a view, or a new array if `value` is not in memory."""
    source = _contiguous(scope, node, value)
    shape = None if source is None else _completed(scope, node, dims(scope, source), wanted)
    if source is None or shape is None:
        return POISON
    own = dims(scope, source)
    if len(own) == len(shape) and all(map(same_length, own, shape)):
        return source
    same = 0
    while same < min(len(own), len(shape)) and same_length(own[same], shape[same]):
        same += 1
    inner, outer = own[same:], shape[same:]

    def through(index: Sequence[Value]) -> list[Value]:
        rest = _unflattened(scope, inner, _flattened(scope, outer, index[same:])) if inner else []
        return [*index[:same], *rest]

    return Reshaped(source, shape, through, source.writeable)


def _contiguous(scope: FunctionScope, node: ast.AST, value: Abstract) -> ArrayRef | None:
    """`value` as an array whose elements lie one after the other, or of one axis."""
    if isinstance(value, Lazy):
        return computed(scope, node, value)
    if isinstance(value, Reshaped) and value.whole:
        return value.base
    if isinstance(value, ArrayRef) and value.literal is None:
        plain = value.type.layout == "C" and value.root not in scope.session.unordered
        if value.rank < 2 or plain:
            return value
    if is_array(value):
        scope.error(
            node,
            "whether this gives a view or a copy depends on the strides of the array",
            "copy it first: x.copy().reshape(...)",
        )
        return None
    if not isinstance(value, Poison):
        scope.error(node, f"{describe(value)} has no shape that could be changed", "pass an array")
    return None


def _completed(scope: FunctionScope, node: ast.AST, own: Extents, wanted: Extents) -> Extents | None:
    """`wanted` with its -1 replaced; ValueError at run time if the numbers of elements differ."""
    unknown = [k for k, n in enumerate(wanted) if as_static_int(n) == -1]
    if len(unknown) > 1 or any((as_static_int(n) or 0) < -1 for n in wanted):
        scope.error(node, "only one length may be left out of a shape", "write -1 once")
        return None
    size = product(scope, own)
    others = product(scope, [n for k, n in enumerate(wanted) if k not in unknown])
    a, b = as_static_int(size), as_static_int(others)
    shape = list(wanted)
    x, y = materialise(scope, size, I64), materialise(scope, others, I64)
    if not unknown:
        fits = None if same_length(size, others) else scope.emit("eq", x, y)
    elif a is not None and b:
        shape[unknown[0]] = Constant(a // b)
        fits = None if a % b == 0 else scope.const(False)
    elif b == 1:
        shape[unknown[0]] = size
        fits = None
    else:
        zero, one = scope.const(0), scope.const(1)
        divisor = scope.emit("maximum", y, one)
        shape[unknown[0]] = Num(scope.emit("floordiv", x, divisor))
        whole = scope.emit("eq", scope.emit("mod", x, divisor), zero)
        fits = whole if b else scope.emit("and", whole, scope.emit("gt", y, zero))
    if fits is not None:
        _check(scope, fits, size, wanted)
    return tuple(shape)


def _check(scope: FunctionScope, fits: Value, size: Abstract, wanted: Extents) -> None:
    parts = ["newaxis" if as_static_int(n) == -1 else "{}" for n in wanted]
    lengths = (size, *(n for n in wanted if as_static_int(n) != -1))
    text = "cannot reshape array of size {} into shape (" + ",".join(parts) + ("," if len(parts) == 1 else "") + ")"
    found = described(text, (), lengths)
    message, details = found or ("cannot reshape array of size {0} into this shape", [materialise(scope, size, I64)])
    scope.check(fits, "ValueError", message, *details)


def _flattened(scope: FunctionScope, shape: Extents, index: Sequence[Value]) -> Value:
    """The position in C order."""
    where = scope.const(0)
    for k, (length, position) in enumerate(zip(shape, index, strict=True)):
        if k:
            where = scope.emit("mul", where, materialise(scope, length, I64), exact=True)
        where = scope.emit("add", where, position, exact=True) if k else position
    return where


def _unflattened(scope: FunctionScope, shape: Extents, where: Value) -> list[Value]:
    """Subscripts of a position in C order."""
    found: list[Value] = []
    for length in shape[:0:-1]:
        # What is subscripted has elements: no length is 0.
        n = scope.emit("maximum", materialise(scope, length, I64), scope.const(1))
        found.append(scope.emit("mod", where, n))
        where = scope.emit("floordiv", where, n)
    return [where, *reversed(found)]


def squeezed(scope: FunctionScope, node: ast.AST, value: Abstract, axes: Sequence[int]) -> Abstract:
    """np.squeeze along axes: a view."""
    source = computed(scope, node, value) if isinstance(value, Lazy) else value
    part = operand(scope, source)
    if part is None or not isinstance(source, (ArrayRef, Expanded, Reshaped)):
        return scope.error(node, f"{describe(value)} has no axes")
    for axis in axes:
        length = part.shape[axis]
        if as_static_int(length) != 1:
            one = scope.emit("eq", materialise(scope, length, I64), scope.const(1))
            text = "cannot select an axis to squeeze out which has size not equal to one"
            scope.check(one, "ValueError", text)
    return view(scope, node, source, [Constant(0) if axis in axes else WHOLE for axis in range(part.rank)])
