"""Functions of `math` that are no op: distances, comparisons, sums without rounding, numbers of combinations."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from typing import Any

from adcore.frontend.python.functions.builtin import builtin
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import POISON, Abstract, Constant, Num, is_scalar
from adcore.frontend.values.containers.iterables import iterable_of
from adcore.frontend.values.containers.lengths import items_of
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import fail, folded
from adcore.ir.core import Value
from adcore.ir.types import F64

MOST_COORDINATES = 64


@builtin(math.dist, 2, 2, samples=("(a, 0.5), (0.2, a * a)",), about="the distance of two points")
def _dist(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    points = [_numbers(scope, node, value) for value in args]
    if any(point is None for point in points):
        return POISON
    p, q = (point or [] for point in points)
    if len(p) != len(q):
        fail(scope, "ValueError", "both points must have the same number of dimensions")
        return POISON
    total: Value = scope.const(0.0)
    for a, b in zip(p, q, strict=True):
        total = scope.emit("hypot", total, scope.emit("sub", a, b))
    return Num(total)


def _numbers(scope: FunctionScope, node: ast.Call, value: Abstract) -> list[Value] | None:
    """The items of a sequence of known length, as floats."""
    iterable = iterable_of(scope, node, value)
    title = f"{ast.unparse(node.func)} needs a length that is known while compiling"
    items = items_of(scope, node, iterable, title, "write a loop")
    if items is None:
        return None
    for item in items:
        if not is_scalar(item):
            scope.error(node, f"{ast.unparse(node.func)} does not take {describe(item)}")
            return None
    return [materialise(scope, item, F64) for item in items]


@builtin(
    math.isclose,
    2,
    2,
    "rel_tol",
    "abs_tol",
    samples=("a, 0.45", "a, 0.5, rel_tol=0.2"),
    about="whether two numbers are close",
)
def _isclose(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    rel, absolute = named.get("rel_tol", Constant(1e-9)), named.get("abs_tol", Constant(0.0))
    values = [*args, rel, absolute]
    if not all(map(is_scalar, values)):
        return scope.error(node, "math.isclose takes numbers")
    if all(isinstance(value, Constant) for value in values):
        return folded(scope, node, lambda a, b, r, t: math.isclose(a, b, rel_tol=r, abs_tol=t), *values)
    a, b, r, t = (materialise(scope, value, F64) for value in values)
    for tolerance in (r, t):
        scope.check(scope.emit("not", scope.emit("lt", tolerance, scope.const(0.0))), "ValueError",
                    "tolerances must be non-negative")  # fmt: skip
    difference = scope.emit("abs", scope.emit("sub", a, b))
    size = scope.emit("maximum", scope.emit("abs", a), scope.emit("abs", b))
    near = scope.emit("or", scope.emit("le", difference, scope.emit("mul", r, size)), scope.emit("le", difference, t))
    finite = scope.emit("lt", size, scope.const(math.inf))
    return Num(scope.emit("or", scope.emit("eq", a, b), scope.emit("and", near, finite)))


def _of_constants(function: Callable[..., Any], most: int | None, about: str, sample: str) -> None:
    """A function that only takes what is known while compiling."""

    @builtin(function, 1, most, samples=(sample,), about=about)
    def rule(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        if not all(isinstance(value, Constant) for value in args):
            name = f"math.{function.__name__}"
            return scope.error(node, f"{name} of numbers that are not known while compiling", "write it out in a loop")
        return folded(scope, node, function, *args)


_of_constants(math.comb, 2, "how many choices of k out of n there are (constants)", "5, 2")
_of_constants(math.perm, 2, "how many arrangements of k out of n there are (constants)", "5, 2")
_of_constants(math.factorial, 1, "n! (a constant)", "5")
_of_constants(math.gcd, None, "the greatest common divisor (constants)", "12, 18")
_of_constants(math.isqrt, 1, "the square root of an integer, rounded down (a constant)", "17")
_of_constants(math.nextafter, 2, "the next float towards another (constants)", "1.0, 2.0")
_of_constants(math.ulp, 1, "the distance to the next float (a constant)", "1.0")


@builtin(math.fsum, samples=("(0.1, a, 0.3)",), about="the sum of items, without rounding in between")
def _fsum(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """With the rounding errors of all additions kept beside the sum, which is exact to about 48 digits."""
    from adcore.frontend.numpy.elements import accumulate

    iterable = iterable_of(scope, node, args[0])
    if iterable is None:
        return POISON
    source = iterable
    sound = True

    def one(index: list[Value], carried: Sequence[Value]) -> Sequence[Value]:
        nonlocal sound
        item = source.item(Num(index[0]))
        if not is_scalar(item):
            if sound:
                scope.error(node, f"math.fsum does not take {describe(item)}")
            sound = False
            return carried
        return _two_sums(scope, carried, materialise(scope, item, F64))

    sums: Sequence[Value] = [scope.const(0.0)] * 3
    known = as_static_int(iterable.length)
    if known is not None and known <= MOST_COORDINATES:
        for k in range(known):
            item = iterable.item(Constant(k))
            if not is_scalar(item):
                return scope.error(node, f"math.fsum does not take {describe(item)}")
            sums = _two_sums(scope, sums, materialise(scope, item, F64))
    else:
        sums = accumulate(scope, (iterable.length,), sums, one)
    total, error, rest = sums
    return Num(scope.emit("add", total, scope.emit("add", error, rest))) if sound else POISON


def _two_sums(scope: FunctionScope, carried: Sequence[Value], x: Value) -> list[Value]:
    """`carried` is a sum, the error of it, and the error of that one."""
    total, error, rest = carried
    new, lost = _with_error(scope, total, x)
    errors, more = _with_error(scope, error, lost)
    return [new, errors, scope.emit("add", rest, more)]


def _with_error(scope: FunctionScope, a: Value, b: Value) -> tuple[Value, Value]:
    """A sum and what rounding took from it, which is a float itself (Knuth, TAOCP 2, 4.2.2)."""
    new = scope.emit("add", a, b)
    rounded = scope.emit("sub", new, a)
    lost = scope.emit("add", scope.emit("sub", a, scope.emit("sub", new, rounded)), scope.emit("sub", b, rounded))
    return new, lost
