"""Shapes of array expressions: what NumPy's broadcasting makes of them, and the checks that this needs at run time."""

from __future__ import annotations

from collections.abc import Sequence

from adcore.frontend.frame import Frame, as_static_int
from adcore.frontend.joins import materialise
from adcore.frontend.values import Abstract, Const, Num
from adcore.ir.core import Value
from adcore.ir.types import I64

Shape = tuple[Abstract, ...]

RUNS_INTO_ONE = (
    "an axis of length 1 would have to stretch to another length; that is supported for arguments of that length and "
    "where the length is known while compiling"
)


def same_length(a: Abstract, b: Abstract) -> bool:
    """Whether two lengths are known to agree."""
    if isinstance(a, Num) and isinstance(b, Num):
        return a.value is b.value
    return as_static_int(a) is not None and as_static_int(a) == as_static_int(b)


def broadcast(frame: Frame, shapes: Sequence[Shape]) -> Shape:
    """The shape that arrays of these shapes have together; ValueError at run time if they don't fit."""
    rank = max(map(len, shapes))
    message, details = _text("operands could not be broadcast together with shapes ", shapes)
    result: list[Abstract] = []
    for axis in range(rank):
        lengths = [s[axis - rank + len(s)] for s in shapes if axis - rank + len(s) >= 0]
        result.append(_one_length(frame, lengths, message, details))
    return tuple(result)


def _one_length(frame: Frame, lengths: Sequence[Abstract], message: str, details: Sequence[Value]) -> Abstract:
    """What lengths of one axis become; where one of them is known, it stands for all."""
    wide = [n for n in lengths if as_static_int(n) != 1]
    if not wide:
        return Const(1)
    chosen = next((n for n in wide if as_static_int(n) is not None), wide[0])
    for other in wide:
        if not same_length(chosen, other):
            _check_lengths(frame, chosen, other, message, details)
    return chosen


def _check_lengths(frame: Frame, a: Abstract, b: Abstract, message: str, details: Sequence[Value]) -> None:
    """Equal lengths, or an error; also where NumPy would stretch one of them, because then subscripts would depend on
    lengths and hide from every later pass which element is read."""
    x, y = materialise(frame, a, I64), materialise(frame, b, I64)
    equal = frame.emit("eq", x, y)
    one = frame.const(1)
    unknown = [v for n, v in ((a, x), (b, y)) if not isinstance(n, Const)]
    if unknown:
        wide = frame.emit("ne", unknown[0], one)
        for value in unknown[1:]:
            wide = frame.emit("and", wide, frame.emit("ne", value, one))
        frame.check(frame.emit("or", equal, wide), "NotImplementedError", RUNS_INTO_ONE)
    frame.check(equal, "ValueError", message, *details)


def fits(frame: Frame, target: Shape, source: Shape, text: str) -> Shape:
    """Check that `source` can be put into `target`; the axes of `source` without leading ones that have no place.

    `text` has fields for both shapes, of `source` first."""
    message, details = described(text, (source, target))
    extra = len(source) - len(target)
    for length in source[: max(extra, 0)]:
        if as_static_int(length) != 1:
            value = materialise(frame, length, I64)
            frame.check(frame.emit("eq", value, frame.const(1)), "ValueError", message, *details)
    kept = source[max(extra, 0) :]
    for wanted, length in zip(target[len(target) - len(kept) :], kept, strict=True):
        if as_static_int(length) != 1 and not same_length(wanted, length):
            _check_lengths(frame, wanted, length, message, details)
    return kept


def position(frame: Frame, index: Sequence[Value], shape: Shape) -> list[Value]:
    """The subscripts of an operand of this shape, from those of the whole expression."""
    own = index[len(index) - len(shape) :]
    return [frame.const(0) if as_static_int(n) == 1 else k for k, n in zip(own, shape, strict=True)]


def stretches(shape: Shape, whole: Shape) -> bool:
    """Whether elements of an operand are used more than once."""
    same = len(shape) == len(whole)
    return not same or any(as_static_int(n) == 1 != as_static_int(w) for n, w in zip(shape, whole, strict=True))


def product(frame: Frame, shape: Sequence[Abstract]) -> Abstract:
    """The number of elements; it fits, because they are in memory or could be."""
    total: Abstract = Const(1)
    for length in shape:
        if isinstance(total, Const) and isinstance(length, Const):
            total = Const(total.value * length.value)
        elif isinstance(total, Const) and total.value == 1:
            total = length
        else:
            total = Num(frame.emit("mul", materialise(frame, total, I64), materialise(frame, length, I64), exact=True))
    return total


MOST_DETAILS = 2
"""Numbers that the text of an error can have (the words of a frame that are kept for them)."""


def _text(start: str, shapes: Sequence[Shape]) -> tuple[str, list[Value]]:
    """NumPy's text with shapes one after the other (and its space at the end)."""
    return described(start + "{} " * len(shapes), shapes)


def described(text: str, shapes: Sequence[Shape], lengths: Sequence[Abstract] = ()) -> tuple[str, list[Value]]:
    """`text` with shapes and lengths filled in, and the numbers that are only known at run time as its details."""
    details: list[Value] = []
    for length in (*(n for shape in shapes for n in shape), *lengths):
        if isinstance(length, Num) and length.value not in details:
            details.append(length.value)
    if len(details) > MOST_DETAILS:
        ranks = [f"({', '.join('?' * len(shape))}{',' * (len(shape) == 1)})" for shape in shapes]
        return text.format(*ranks, *["?"] * len(lengths)), []

    def one(length: Abstract) -> str:
        return f"{{{details.index(length.value)}}}" if isinstance(length, Num) else str(as_static_int(length))

    def several(shape: Shape) -> str:
        return "(" + ",".join(map(one, shape)) + ("," if len(shape) == 1 else "") + ")"

    return text.format(*map(several, shapes), *map(one, lengths)), details
