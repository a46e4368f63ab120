"""Python's `round`: to whole numbers, to decimal places and to tens."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.functions.rounding import round_floats
from adcore.frontend.python.functions.builtin import builtin
from adcore.frontend.python.functions.numbers import not_a_number
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import NONE, Abstract, Constant, Num, is_scalar
from adcore.frontend.values.numeric.narrow import narrow_of
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import binary, folded, refused_bool, to_int
from adcore.frontend.values.numeric.weak_types import flag
from adcore.ir.types import BOOL, F32
from adcore.ops.decimals import MOST_PLACES

MOST_TENS = 18
"""Powers of ten up to this one are 64-bit integers."""


@builtin(
    round,
    1,
    2,
    "ndigits",
    samples=("10.0 * a", "a, 2", "100.0 * a, -1", "10.0 * a, None", "7 * k, -1"),
    about="the nearest integer, or float of so many decimals, halves to even",
)
def _round(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """How many decimals is part of the program: the power of ten is a constant of it."""
    value, places = args[0], named.get("ndigits", args[1] if len(args) > 1 else NONE)
    if not is_scalar(value):
        return not_a_number(scope, node, value)
    if isinstance(value, Constant) and isinstance(places, Constant):
        return folded(scope, node, round, value, places)
    if not (isinstance(places, Constant) and places.value is None):
        return _to_places(scope, node, value, places)
    if scalar_type(value).kind != "f":
        return refused_bool(scope, node, "round does not take", value) or to_int(scope, node, value)
    return Num(scope.emit("cast", scope.emit("rint", materialise(scope, value)), type="i64"))


def _to_places(scope: FunctionScope, node: ast.Call, value: Abstract, places: Abstract) -> Abstract:
    if not isinstance(places, Constant):
        help = "for decimals known at run time only write `p = 10.0**n`, then `np.rint(x * p) / p`"
        return scope.error(node, "the decimal places of round are not known while compiling", help)
    number = places.value
    if not hasattr(type(number), "__index__"):
        return scope.error(node, f"the decimal places of round are a whole number, not {number!r}")
    count = int(number)
    if scalar_type(value).kind != "f":
        return _integer(scope, node, value, count)
    if abs(count) > MOST_PLACES:
        return scope.error(node, f"round to more than {MOST_PLACES} places is not supported", "leave the rounding out")
    weak = weak_type_of(value)
    if weak.never:
        return round_floats(scope, node, value, count)
    if scalar_type(value) == F32:
        return scope.error(node, "round of a number that may be a float32 of NumPy's", "write float(...) around it")
    x = materialise(scope, value)
    if not count:
        return Num(scope.emit("rint", x), weak)
    exact = scope.emit("round_decimal", x, places=count)
    if weak.mixed:
        # NumPy's floats are rounded as np.round does it, which may give another float.
        other = materialise(scope, round_floats(scope, node, value, count))
        exact = scope.emit("select", flag(scope, weak), exact, other)
    return Num(exact, weak)


def _integer(scope: FunctionScope, node: ast.Call, value: Abstract, places: int) -> Abstract:
    """Integers have no decimals; to tens, the quotient is rounded, halves to even."""
    refused = refused_bool(scope, node, "round does not take", value)
    if refused is not None:
        return refused
    if scalar_type(value) == BOOL:
        value = to_int(scope, node, value)
    if places >= 0:
        return value
    if narrow_of(value) is not None or not weak_type_of(value).always:
        return scope.error(node, "round of NumPy's integers to tens is not supported", "write int(...) around it")
    if places < -MOST_TENS:
        return scope.error(node, f"round to more than {MOST_TENS} tens is not supported", "leave the rounding out")
    power = Constant(10**-places)
    quotient, rest = (binary(scope, node, kind, value, power) for kind in (ast.FloorDiv, ast.Mod))
    # What is left decides, and where it is a half whether the quotient is odd: then it is one more.
    odd = binary(scope, node, ast.Mod, quotient, Constant(2))
    more = binary(scope, node, ast.Add, binary(scope, node, ast.Mult, Constant(2), rest), odd)
    one = scope.emit("gt", materialise(scope, more), materialise(scope, power))
    nearest = binary(scope, node, ast.Add, quotient, Num(scope.emit("cast", one, type="i64")))
    return binary(scope, node, ast.Mult, nearest, power)
