"""Shapes of array expressions: what NumPy's broadcasting makes of them, and the checks that this needs at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import Abstract, Constant, Num
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import I64

Extents = tuple[Abstract, ...]

RUNS_INTO_ONE = (
    "an axis of length 1 would have to stretch to another length; that is supported where the length is known while "
    "compiling, and for arguments of that length (of a compiled handle: if it was compiled for such)"
)


def same_length(a: Abstract, b: Abstract) -> bool:
    """Whether two lengths are known to agree."""
    if isinstance(a, Num) and isinstance(b, Num):
        return a.value is b.value
    return as_static_int(a) is not None and as_static_int(a) == as_static_int(b)


def broadcast(scope: FunctionScope, shapes: Sequence[Extents], out: Sequence[Extents] = ()) -> Extents:
    """The shape that arrays of these shapes have together; ValueError at run time if they don't fit.

    `out`: the shape of where the result is put, which NumPy's message mentions as well."""
    rank = max(map(len, shapes))
    said = (*shapes, *out)
    text = Text("operands could not be broadcast together with shapes " + "{} " * len(said), said)
    result: list[Abstract] = []
    for axis in range(rank):
        lengths = [s[axis - rank + len(s)] for s in shapes if axis - rank + len(s) >= 0]
        result.append(_one_length(scope, lengths, text, axis))
    return tuple(result)


def is_one(scope: FunctionScope, length: Abstract) -> bool:
    """Whether an axis stretches: its length is 1, or 0 and then nothing is ever read."""
    return as_static_int(length) == 1 or (isinstance(length, Num) and length.value in scope.session.at_most_one)


def _one_length(scope: FunctionScope, lengths: Sequence[Abstract], text: Text, axis: int) -> Abstract:
    """What lengths of one axis become; where one of them is known, it stands for all."""
    short = [n for n in lengths if is_one(scope, n) and not isinstance(n, Constant)]
    wide = [n for n in lengths if not is_one(scope, n)] or short[:1]
    if not wide:
        return Constant(1)
    chosen = next((n for n in wide if as_static_int(n) is not None), wide[0])
    for other in wide:
        if not same_length(chosen, other):
            _check_lengths(scope, chosen, other, text, axis)
    for other in short:
        if not same_length(chosen, other):
            _check_short(scope, chosen, other, text, axis)
    return chosen


def _check_short(scope: FunctionScope, wanted: Abstract, length: Abstract, text: Text, axis: int) -> None:
    """An axis of 0 or 1 elements stretches unless it has none."""
    x, y = materialise(scope, wanted, I64), materialise(scope, length, I64)
    ok = scope.emit("or", scope.emit("eq", y, scope.const(1)), scope.emit("eq", x, y))
    scope.check(ok, "ValueError", *text.along(axis, x, y))


def _check_lengths(
    scope: FunctionScope, a: Abstract, b: Abstract, text: Text, axis: int, only: int | None = None
) -> None:
    """Equal lengths, or an error; also where NumPy would stretch one of them, because then subscripts would depend on
    lengths and hide from every later pass which element is read. `only`: which of them NumPy would stretch."""
    x, y = materialise(scope, a, I64), materialise(scope, b, I64)
    equal = scope.emit("eq", x, y)
    one = scope.const(1)
    stretchable = [(n, v) for k, (n, v) in enumerate(((a, x), (b, y))) if only in (None, k)]
    unknown = [v for n, v in stretchable if not isinstance(n, Constant)]
    scope.session.compared |= {scope.session.lengths[v] for v in unknown if v in scope.session.lengths}
    if unknown:
        wide = scope.emit("ne", unknown[0], one)
        for value in unknown[1:]:
            wide = scope.emit("and", wide, scope.emit("ne", value, one))
        scope.check(scope.emit("or", equal, wide), "NotImplementedError", RUNS_INTO_ONE)
    scope.check(equal, "ValueError", *text.along(axis, x, y))


def fits(scope: FunctionScope, target: Extents, source: Extents, template: str) -> Extents:
    """Check that `source` can be put into `target`; the axes of `source` without leading ones that have no place.

    `template` has fields for both shapes, of `source` first."""
    text = Text(template, (source, target))
    extra = max(len(source) - len(target), 0)
    for axis, length in enumerate(source[:extra]):
        if as_static_int(length) != 1:
            value, one = materialise(scope, length, I64), scope.const(1)
            scope.check(scope.emit("eq", value, one), "ValueError", *text.along(axis, value, one))
    kept = source[extra:]
    for axis, (wanted, length) in enumerate(zip(target[len(target) - len(kept) :], kept, strict=True)):
        if isinstance(length, Num) and is_one(scope, length) and not same_length(wanted, length):
            _check_short(scope, wanted, length, text, axis)
        elif as_static_int(length) != 1 and not same_length(wanted, length):
            _check_lengths(scope, wanted, length, text, axis, only=1)
    return kept


def position(scope: FunctionScope, index: Sequence[Value], shape: Extents) -> list[Value]:
    """The subscripts of an operand of this shape, from those of the whole expression."""
    own = index[len(index) - len(shape) :]
    return [scope.const(0) if is_one(scope, n) else k for k, n in zip(own, shape, strict=True)]


def stretches(scope: FunctionScope, shape: Extents, whole: Extents) -> bool:
    """Whether elements of an operand may be used more than once."""
    if len(shape) != len(whole):
        return True
    return any(is_one(scope, n) and not same_length(n, w) for n, w in zip(shape, whole, strict=True))


def product(scope: FunctionScope, shape: Sequence[Abstract]) -> Abstract:
    """The number of elements; it fits, because they are in memory or could be."""
    total: Abstract = Constant(1)
    for length in shape:
        if isinstance(total, Constant) and isinstance(length, Constant):
            total = Constant(total.value * length.value)
        elif isinstance(total, Constant) and total.value == 1:
            total = length
        else:
            total = Num(scope.emit("mul", materialise(scope, total, I64), materialise(scope, length, I64), exact=True))
    return total


MOST_DETAILS = 2
"""Numbers that the text of an error can have (the words of a frame that are kept for them)."""


class Text:
    """NumPy's text about shapes that don't fit: `template` with a field for each shape."""

    def __init__(self, template: str, shapes: Sequence[Extents]) -> None:
        self.template, self.shapes = template, shapes

    def along(self, axis: int, x: Value, y: Value) -> tuple[Any, ...]:
        """Message and details; where the shapes have too many numbers, only the lengths that differ."""
        found = described(self.template, self.shapes)
        if found is not None:
            return (found[0], *found[1])
        ranks = ("(" + ",".join("?" * len(shape)) + ("," if len(shape) == 1 else "") + ")" for shape in self.shapes)
        return (self.template.format(*ranks).rstrip() + f": lengths {{0}} and {{1}} along axis {axis}", x, y)


def described(text: str, shapes: Sequence[Extents], lengths: Sequence[Abstract] = ()) -> tuple[str, list[Value]] | None:
    """`text` with shapes and lengths filled in, and the numbers that are only known at run time as its details; None if
    there are too many of those."""
    details: list[Value] = []
    for length in (*(n for shape in shapes for n in shape), *lengths):
        if isinstance(length, Num) and length.value not in details:
            details.append(length.value)
    if len(details) > MOST_DETAILS:
        return None

    def one(length: Abstract) -> str:
        return f"{{{details.index(length.value)}}}" if isinstance(length, Num) else str(as_static_int(length))

    def several(shape: Extents) -> str:
        return "(" + ",".join(map(one, shape)) + ("," if len(shape) == 1 else "") + ")"

    return text.format(*map(several, shapes), *map(one, lengths)), details
