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
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import POISON, Abstract, Const, Num
from adcore.frontend.values.describe import describe
from adcore.frontend.values.number_arguments import scalar_arguments
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.scalars import folded, python_message, to_int
from adcore.frontend.values.weak_types import check_numpy, flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, F64, I64

Bad = Callable[[Frame, Value], Value]
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


def _number(frame: Frame, x: Value, value: float) -> Value:
    return frame.const(value, x.type)  # type: ignore[arg-type]


def below(limit: float) -> Bad:
    return lambda frame, x: frame.emit("lt", x, _number(frame, x, limit))


def at_most(limit: float) -> Bad:
    return lambda frame, x: frame.emit("le", x, _number(frame, x, limit))


def magnitude_above(limit: float) -> Bad:
    return lambda frame, x: frame.emit("gt", frame.emit("abs", x), _number(frame, x, limit))


def magnitude_at_least(limit: float) -> Bad:
    return lambda frame, x: frame.emit("ge", frame.emit("abs", x), _number(frame, x, limit))


def infinite(frame: Frame, x: Value) -> Value:
    return frame.emit("eq", frame.emit("abs", x), _number(frame, x, math.inf))


def pole_of_gamma(frame: Frame, x: Value) -> Value:
    """Zero, negative whole numbers, minus infinity."""
    whole = frame.emit("eq", frame.emit("floor", x), x)
    return frame.emit("and", whole, frame.emit("le", x, _number(frame, x, 0.0)))


def pole_of_lgamma(frame: Frame, x: Value) -> Value:
    """As for gamma, but log|gamma| of minus infinity is infinity."""
    return frame.emit("and", pole_of_gamma(frame, x), frame.emit("gt", x, _number(frame, x, -math.inf)))


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


def call_math(frame: Frame, node: ast.Call, function: Callable[..., Any], arguments: list[Abstract]) -> Abstract:
    """A function of the `math` module."""
    name = f"math.{function.__name__}"
    values = scalar_arguments(frame, node, name, arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Const) for v in values):
        return folded(frame, node, function, *values)
    if function in ROUNDING:
        return _rounded(frame, node, function, values[0]) if len(values) == 1 else wrong_number(frame, node, name)
    floats = [materialise(frame, v, F64) for v in values]
    if function in SPECIAL:
        numbers, _, rule = SPECIAL[function]
        return rule(frame, floats) if len(floats) == numbers else wrong_number(frame, node, name)
    if function is math.log and len(floats) == 2:
        logs = [_checked(frame, MATH[math.log], math.log, [x]) for x in floats]
        frame.check(frame.emit("ne", logs[1], frame.const(0.0)), *python_message(lambda: 1.0 / 0.0))
        return Num(frame.emit("div", *logs))
    if function is math.hypot and len(floats) in (1, 3, 4):
        return _long_hypot(frame, floats)
    entry = MATH[function]
    if len(floats) != entry.numbers:
        return wrong_number(frame, node, name)
    return Num(_checked(frame, entry, function, floats))


def _checked(frame: Frame, entry: MathFunction, function: Callable[..., Any], operands: list[Value]) -> Value:
    if entry.outside is not None:
        assert entry.outside_example is not None
        outside = entry.outside(frame, operands[0])
        frame.check(frame.emit("not", outside), *python_message(function, entry.outside_example))
    result = frame.emit(entry.op, *operands)
    if entry.overflow_example is not None:
        _check_overflow(frame, result, operands, *python_message(function, *entry.overflow_example))
    return result


def _check_overflow(frame: Frame, result: Value, operands: list[Value], error: str, message: str) -> None:
    """Raise if the result is infinite although no operand is."""
    infinite = frame.const(math.inf)
    ok = frame.emit("ne", frame.emit("abs", result), infinite)
    for value in operands:
        ok = frame.emit("or", ok, frame.emit("eq", frame.emit("abs", value), infinite))
    frame.check(ok, error, message)


def _rounded(frame: Frame, node: ast.Call, function: Callable[..., Any], value: Abstract) -> Abstract:
    assert isinstance(value, Num)
    if function is math.trunc and not _truncates(frame, node, value):
        return POISON
    if value.type == I64 and function is not math.trunc and not value.kind.python:
        # NumPy's integers have no `__floor__`: Python takes them for floats.
        through = frame.emit("cast", frame.emit("cast", value.value, type="f64"), type="i64")
        return Num(frame.emit("select", flag(frame, value.kind), value.value, through) if value.kind.mixed else through)
    if value.type.kind != "f":
        return to_int(frame, node, Num(value.value))
    op, _ = ROUNDING[function]
    x = value.value
    return Num(frame.emit("cast", x if op == "trunc" else frame.emit(op, x), type="i64"))


def _truncates(frame: Frame, node: ast.Call, value: Num) -> bool:
    """Whether `math.trunc` goes on: of NumPy's numbers float64 alone says how it is truncated."""
    sample = {BOOL: np.True_, I64: np.int64(1), F32: np.float32(1.0), F64: np.float64(1.0)}[value.type]
    if value.kind.python or hasattr(sample, "__trunc__"):
        return True
    if value.kind.numpy:
        frame.error(node, f"math.trunc does not take {describe(value)}", "write int(...)")
        return False
    check_numpy(frame, value.kind, *python_message(math.trunc, sample))
    return True


def _pow(frame: Frame, operands: list[Value]) -> Abstract:
    """math.pow: like `**`, but what is no real number is a ValueError."""
    x, y = operands
    zero = frame.const(0.0)
    pole = frame.emit("and", frame.emit("eq", x, zero), frame.emit("lt", y, zero))
    if sys.version_info >= (3, 11):
        # Since then zero to minus infinity is infinity.
        pole = frame.emit("and", pole, frame.emit("lt", frame.emit("abs", y), frame.const(math.inf)))
    negative = frame.emit("and", frame.emit("lt", x, zero), frame.emit("gt", x, frame.const(-math.inf)))
    fraction = frame.emit("lt", frame.emit("floor", y), y)
    bad = frame.emit("or", pole, frame.emit("and", negative, fraction))
    frame.check(frame.emit("not", bad), *python_message(math.pow, -1.0, 0.5))
    result = frame.emit("pow", x, y)
    _check_overflow(frame, result, operands, *python_message(math.pow, 10.0, 1e3))
    return Num(result)


def _fmod(frame: Frame, operands: list[Value]) -> Abstract:
    x, y = operands
    infinite = frame.emit("eq", frame.emit("abs", x), frame.const(math.inf))
    known = frame.emit("eq", y, y)
    bad = frame.emit("or", frame.emit("and", infinite, known), frame.emit("eq", y, frame.const(0.0)))
    # NaN in x passes, even with y = 0.
    bad = frame.emit("and", bad, frame.emit("eq", x, x))
    frame.check(frame.emit("not", bad), *python_message(math.fmod, 1.0, 0.0))
    return Num(frame.emit("fmod", x, y))


def _radians(frame: Frame, operands: list[Value]) -> Abstract:
    return Num(frame.emit("mul", operands[0], frame.const(math.pi / 180.0)))


def _degrees(frame: Frame, operands: list[Value]) -> Abstract:
    return Num(frame.emit("mul", operands[0], frame.const(180.0 / math.pi)))


def _long_hypot(frame: Frame, operands: list[Value]) -> Abstract:
    result = frame.emit("abs", operands[0])
    for value in operands[1:]:
        result = frame.emit("hypot", result, value)
    return Num(result)


def _truth(test: Callable[[Frame, Value], Value]) -> Callable[[Frame, list[Value]], Abstract]:
    return lambda frame, operands: Num(test(frame, operands[0]))


SPECIAL: dict[Callable[..., Any], tuple[int, str, Callable[[Frame, list[Value]], Abstract]]] = {
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
