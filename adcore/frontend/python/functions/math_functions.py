"""The functions of `math`: they raise outside their domain, where NumPy's give NaN or infinity, as the ops do.

What they raise is asked of the running Python, because the wording changes between versions.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.frontend.numpy.functions.ufuncs import is_finite, is_infinite, is_nan
from adcore.frontend.registry import number_function, wrong_number
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import POISON, Abstract, Constant, Num
from adcore.frontend.values.describe import describe
from adcore.frontend.values.messages import python_message
from adcore.frontend.values.numeric.number_arguments import scalar_arguments
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import folded, to_int
from adcore.frontend.values.numeric.weak_types import check_numpy, flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, F64, I64

Bad = Callable[[FunctionScope, Value], Value]
"""Emits whether an operand is outside the domain."""


@dataclass(frozen=True)
class MathFunction:
    """A `math` function: its op, what it gives, operands outside its domain, an example of one, an example of an
    overflow, how many numbers it takes."""

    op: str
    about: str
    outside: Bad | None = None
    outside_example: float | None = None
    overflow_example: tuple[float, ...] | None = None
    numbers: int = 1


def _number(scope: FunctionScope, x: Value, value: float) -> Value:
    return scope.const(value, x.type)  # type: ignore[arg-type]


def below(limit: float) -> Bad:
    return lambda scope, x: scope.emit("lt", x, _number(scope, x, limit))


def at_most(limit: float) -> Bad:
    return lambda scope, x: scope.emit("le", x, _number(scope, x, limit))


def magnitude_above(limit: float) -> Bad:
    return lambda scope, x: scope.emit("gt", scope.emit("abs", x), _number(scope, x, limit))


def magnitude_at_least(limit: float) -> Bad:
    return lambda scope, x: scope.emit("ge", scope.emit("abs", x), _number(scope, x, limit))


def infinite(scope: FunctionScope, x: Value) -> Value:
    return scope.emit("eq", scope.emit("abs", x), _number(scope, x, math.inf))


def pole_of_gamma(scope: FunctionScope, x: Value) -> Value:
    """Zero, negative whole numbers, minus infinity."""
    whole = scope.emit("eq", scope.emit("floor", x), x)
    return scope.emit("and", whole, scope.emit("le", x, _number(scope, x, 0.0)))


def pole_of_lgamma(scope: FunctionScope, x: Value) -> Value:
    """As for gamma, but log|gamma| of minus infinity is infinity."""
    return scope.emit("and", pole_of_gamma(scope, x), scope.emit("gt", x, _number(scope, x, -math.inf)))


MATH: dict[Callable[..., Any], MathFunction] = {
    math.sqrt: MathFunction("sqrt", "square root", below(0.0), -1.0),
    math.exp: MathFunction("exp", "e to a power", overflow_example=(1e5,)),
    math.expm1: MathFunction("expm1", "exp(x) - 1, exact near 0", overflow_example=(1e5,)),
    math.log: MathFunction("log", "natural logarithm, or to a base", at_most(0.0), -1.0),
    math.log1p: MathFunction("log1p", "log(1 + x), exact near 0", at_most(-1.0), -2.0),
    math.log2: MathFunction("log2", "logarithm to the base 2", at_most(0.0), -1.0),
    math.log10: MathFunction("log10", "logarithm to the base 10", at_most(0.0), -1.0),
    math.sin: MathFunction("sin", "sine", infinite, math.inf),
    math.cos: MathFunction("cos", "cosine", infinite, math.inf),
    math.tan: MathFunction("tan", "tangent", infinite, math.inf),
    math.asin: MathFunction("asin", "inverse sine", magnitude_above(1.0), 2.0),
    math.acos: MathFunction("acos", "inverse cosine", magnitude_above(1.0), 2.0),
    math.atan: MathFunction("atan", "inverse tangent"),
    math.sinh: MathFunction("sinh", "hyperbolic sine", overflow_example=(1e5,)),
    math.cosh: MathFunction("cosh", "hyperbolic cosine", overflow_example=(1e5,)),
    math.tanh: MathFunction("tanh", "hyperbolic tangent"),
    math.asinh: MathFunction("asinh", "inverse hyperbolic sine"),
    math.acosh: MathFunction("acosh", "inverse hyperbolic cosine", below(1.0), 0.0),
    math.atanh: MathFunction("atanh", "inverse hyperbolic tangent", magnitude_at_least(1.0), 1.0),
    math.erf: MathFunction("erf", "error function"),
    math.erfc: MathFunction("erfc", "1 - erf(x)"),
    math.gamma: MathFunction("gamma", "gamma function", pole_of_gamma, -1.0, (1e5,)),
    math.lgamma: MathFunction("lgamma", "log of the magnitude of the gamma function", pole_of_lgamma, -1.0, (1e306,)),
    math.fabs: MathFunction("abs", "magnitude, as a float"),
    math.atan2: MathFunction("atan2", "the angle of a point", numbers=2),
    math.copysign: MathFunction("copysign", "a magnitude with the sign of another number", numbers=2),
    math.hypot: MathFunction("hypot", "the length of a vector of up to four", numbers=2),
}
if sys.version_info >= (3, 11):
    MATH[math.cbrt] = MathFunction("cbrt", "cube root")
    MATH[math.exp2] = MathFunction("exp2", "2 to a power", overflow_example=(1e5,))

ROUNDING: dict[Callable[..., Any], tuple[str, str]] = {
    math.floor: ("floor", "the next integer below"),
    math.ceil: ("ceil", "the next integer above"),
    math.trunc: ("trunc", "the next integer towards 0"),
}


def call_math(
    scope: FunctionScope, node: ast.Call, function: Callable[..., Any], arguments: list[Abstract]
) -> Abstract:
    """A function of the `math` module."""
    name = f"math.{function.__name__}"
    values = scalar_arguments(scope, node, name, arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Constant) for v in values):
        return folded(scope, node, function, *values)
    if function in ROUNDING:
        return _rounded(scope, node, function, values[0]) if len(values) == 1 else wrong_number(scope, node, name)
    floats = [materialise(scope, v, F64) for v in values]
    if function in SPECIAL:
        numbers, _, rule = SPECIAL[function]
        return rule(scope, floats) if len(floats) == numbers else wrong_number(scope, node, name)
    if function is math.log and len(floats) == 2:
        logs = [_checked(scope, MATH[math.log], math.log, [x]) for x in floats]
        scope.check(scope.emit("ne", logs[1], scope.const(0.0)), *python_message(lambda: 1.0 / 0.0))
        return Num(scope.emit("div", *logs))
    if function is math.hypot and len(floats) in (1, 3, 4):
        return _long_hypot(scope, floats)
    entry = MATH[function]
    if len(floats) != entry.numbers:
        return wrong_number(scope, node, name)
    return Num(_checked(scope, entry, function, floats))


def _checked(scope: FunctionScope, entry: MathFunction, function: Callable[..., Any], operands: list[Value]) -> Value:
    if entry.outside is not None:
        assert entry.outside_example is not None
        outside = entry.outside(scope, operands[0])
        scope.check(scope.emit("not", outside), *python_message(function, entry.outside_example))
    result = scope.emit(entry.op, *operands)
    if entry.overflow_example is not None:
        _check_overflow(scope, result, operands, *python_message(function, *entry.overflow_example))
    return result


def _check_overflow(scope: FunctionScope, result: Value, operands: list[Value], error: str, message: str) -> None:
    """Raise if the result is infinite although no operand is."""
    infinite = scope.const(math.inf)
    ok = scope.emit("ne", scope.emit("abs", result), infinite)
    for value in operands:
        ok = scope.emit("or", ok, scope.emit("eq", scope.emit("abs", value), infinite))
    scope.check(ok, error, message)


def _rounded(scope: FunctionScope, node: ast.Call, function: Callable[..., Any], value: Abstract) -> Abstract:
    assert isinstance(value, Num)
    if function is math.trunc and not _truncates(scope, node, value):
        return POISON
    if value.type == I64 and function is not math.trunc and not value.weak.always:
        # NumPy's integers have no `__floor__`: Python takes them for floats.
        through = scope.emit("cast", scope.emit("cast", value.value, type="f64"), type="i64")
        return Num(scope.emit("select", flag(scope, value.weak), value.value, through) if value.weak.mixed else through)
    if value.type.kind != "f":
        return to_int(scope, node, Num(value.value))
    op, _ = ROUNDING[function]
    x = value.value
    return Num(scope.emit("cast", x if op == "trunc" else scope.emit(op, x), type="i64"))


def _truncates(scope: FunctionScope, node: ast.Call, value: Num) -> bool:
    """Whether `math.trunc` goes on: of NumPy's numbers float64 alone says how it is truncated."""
    sample = {BOOL: np.True_, I64: np.int64(1), F32: np.float32(1.0), F64: np.float64(1.0)}[value.type]
    if value.weak.always or hasattr(sample, "__trunc__"):
        return True
    if value.weak.never:
        scope.error(node, f"math.trunc does not take {describe(value)}", "write int(...)")
        return False
    check_numpy(scope, value.weak, *python_message(math.trunc, sample))
    return True


def _pow(scope: FunctionScope, operands: list[Value]) -> Abstract:
    """math.pow: like `**`, but what is no real number is a ValueError."""
    x, y = operands
    zero = scope.const(0.0)
    pole = scope.emit("and", scope.emit("eq", x, zero), scope.emit("lt", y, zero))
    if sys.version_info >= (3, 11):
        # Since then zero to minus infinity is infinity.
        pole = scope.emit("and", pole, scope.emit("lt", scope.emit("abs", y), scope.const(math.inf)))
    negative = scope.emit("and", scope.emit("lt", x, zero), scope.emit("gt", x, scope.const(-math.inf)))
    fraction = scope.emit("lt", scope.emit("floor", y), y)
    bad = scope.emit("or", pole, scope.emit("and", negative, fraction))
    scope.check(scope.emit("not", bad), *python_message(math.pow, -1.0, 0.5))
    result = scope.emit("pow", x, y)
    _check_overflow(scope, result, operands, *python_message(math.pow, 10.0, 1e3))
    return Num(result)


def _fmod(scope: FunctionScope, operands: list[Value]) -> Abstract:
    x, y = operands
    infinite = scope.emit("eq", scope.emit("abs", x), scope.const(math.inf))
    known = scope.emit("eq", y, y)
    bad = scope.emit("or", scope.emit("and", infinite, known), scope.emit("eq", y, scope.const(0.0)))
    # NaN in x passes, even with y = 0.
    bad = scope.emit("and", bad, scope.emit("eq", x, x))
    scope.check(scope.emit("not", bad), *python_message(math.fmod, 1.0, 0.0))
    return Num(scope.emit("fmod", x, y))


def _radians(scope: FunctionScope, operands: list[Value]) -> Abstract:
    return Num(scope.emit("mul", operands[0], scope.const(math.pi / 180.0)))


def _degrees(scope: FunctionScope, operands: list[Value]) -> Abstract:
    return Num(scope.emit("mul", operands[0], scope.const(180.0 / math.pi)))


def _long_hypot(scope: FunctionScope, operands: list[Value]) -> Abstract:
    result = scope.emit("abs", operands[0])
    for value in operands[1:]:
        result = scope.emit("hypot", result, value)
    return Num(result)


def _truth(test: Callable[[FunctionScope, Value], Value]) -> Callable[[FunctionScope, list[Value]], Abstract]:
    return lambda scope, operands: Num(test(scope, operands[0]))


SPECIAL: dict[Callable[..., Any], tuple[int, str, Callable[[FunctionScope, list[Value]], Abstract]]] = {
    math.pow: (2, "`x ** y` of floats", _pow),
    math.fmod: (2, "remainder with the sign of the first number", _fmod),
    math.isnan: (1, "whether it is not a number", _truth(is_nan)),
    math.isinf: (1, "whether it is infinite", _truth(is_infinite)),
    math.isfinite: (1, "whether it is a finite number", _truth(is_finite)),
    math.radians: (1, "degrees as radians", _radians),
    math.degrees: (1, "radians as degrees", _degrees),
}
"""Functions with rules of their own, and how many numbers they take."""


def _register() -> None:
    for function, entry in MATH.items():
        inside = "1.0 + a" if function is math.acosh else "a"
        samples = ("a, 0.5",) if entry.numbers == 2 else (inside,)
        number_function(function, call_math, entry.numbers, entry.about, samples, lazy=False)
    for function, (_, about) in ROUNDING.items():
        number_function(function, call_math, 1, about, ("a",), lazy=False)
    for function, (numbers, about, _) in SPECIAL.items():
        number_function(function, call_math, numbers, about, ("a, 0.5",) if numbers == 2 else ("a",), lazy=False)


_register()
