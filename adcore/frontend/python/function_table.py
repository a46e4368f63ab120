"""The functions that programs may call, by object: one table for `math`, one for NumPy's scalar functions.

A `math` function raises outside its domain, a NumPy function gives NaN or infinity, as the op does. What `math` raises
is asked of the running Python, because the wording changes between versions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.frontend.session import Frame
from adcore.ir.core import Value

Bad = Callable[[Frame, Value], Value]
"""Emits whether an operand is outside the domain."""


@dataclass(frozen=True)
class MathFunction:
    """A `math` function: its op, operands outside its domain, an example of one, an example of an overflow."""

    op: str
    outside: Bad | None = None
    outside_example: float | None = None
    overflow_example: tuple[float, ...] | None = None


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
    math.sqrt: MathFunction("sqrt", below(0.0), -1.0),
    math.exp: MathFunction("exp", overflow_example=(1e5,)),
    math.expm1: MathFunction("expm1", overflow_example=(1e5,)),
    math.log: MathFunction("log", at_most(0.0), -1.0),
    math.log1p: MathFunction("log1p", at_most(-1.0), -2.0),
    math.log2: MathFunction("log2", at_most(0.0), -1.0),
    math.log10: MathFunction("log10", at_most(0.0), -1.0),
    math.sin: MathFunction("sin", infinite, math.inf),
    math.cos: MathFunction("cos", infinite, math.inf),
    math.tan: MathFunction("tan", infinite, math.inf),
    math.asin: MathFunction("asin", magnitude_above(1.0), 2.0),
    math.acos: MathFunction("acos", magnitude_above(1.0), 2.0),
    math.atan: MathFunction("atan"),
    math.sinh: MathFunction("sinh", overflow_example=(1e5,)),
    math.cosh: MathFunction("cosh", overflow_example=(1e5,)),
    math.tanh: MathFunction("tanh"),
    math.asinh: MathFunction("asinh"),
    math.acosh: MathFunction("acosh", below(1.0), 0.0),
    math.atanh: MathFunction("atanh", magnitude_at_least(1.0), 1.0),
    math.erf: MathFunction("erf"),
    math.erfc: MathFunction("erfc"),
    math.gamma: MathFunction("gamma", pole_of_gamma, -1.0, (1e5,)),
    math.lgamma: MathFunction("lgamma", pole_of_lgamma, -1.0, (1e306,)),
    math.fabs: MathFunction("abs"),
    math.atan2: MathFunction("atan2"),
    math.copysign: MathFunction("copysign"),
    math.hypot: MathFunction("hypot"),
}
for _name in ("cbrt", "exp2"):
    # New in Python 3.11.
    if hasattr(math, _name):
        MATH[getattr(math, _name)] = MathFunction(_name, overflow_example=(1e5,) if _name == "exp2" else None)

ROUNDING: dict[Callable[..., Any], str] = {math.floor: "floor", math.ceil: "ceil", math.trunc: "trunc"}
"""`math` functions that give an integer."""

NUMPY: dict[Callable[..., Any], str] = {
    np.sqrt: "sqrt", np.cbrt: "cbrt", np.exp: "exp", np.exp2: "exp2", np.expm1: "expm1", np.log: "log",
    np.log1p: "log1p", np.log2: "log2", np.log10: "log10", np.sin: "sin", np.cos: "cos", np.tan: "tan",
    np.arcsin: "asin", np.arccos: "acos", np.arctan: "atan", np.sinh: "sinh", np.cosh: "cosh", np.tanh: "tanh",
    np.arcsinh: "asinh", np.arccosh: "acosh", np.arctanh: "atanh", np.floor: "floor", np.ceil: "ceil",
    np.trunc: "trunc", np.rint: "rint", np.fabs: "abs", np.arctan2: "atan2", np.hypot: "hypot",
    np.copysign: "copysign", np.fmod: "fmod", np.logaddexp: "logaddexp",
}  # fmt: skip
"""NumPy functions of floats; integers become float64 first."""

NUMPY_ANY: dict[Callable[..., Any], str] = {
    np.absolute: "abs", np.negative: "neg", np.minimum: "minimum", np.maximum: "maximum", np.add: "add",
    np.subtract: "sub", np.multiply: "mul", np.sign: "sign",
}  # fmt: skip
"""NumPy functions that keep integers integers."""

NUMPY_OPERATORS: dict[Callable[..., Any], str] = {
    np.divide: "Div", np.power: "Pow", np.floor_divide: "FloorDiv", np.remainder: "Mod",
}  # fmt: skip
"""NumPy functions that are an operator on NumPy scalars."""

NUMPY_LOGIC: dict[Callable[..., Any], int] = {
    np.equal: 2, np.not_equal: 2, np.less: 2, np.less_equal: 2, np.greater: 2, np.greater_equal: 2, np.logical_and: 2,
    np.logical_or: 2, np.logical_xor: 2, np.logical_not: 1,
}  # fmt: skip
"""NumPy functions that give truths, and how many numbers they take."""

NUMPY_FORMULAS: dict[Callable[..., Any], int] = {
    np.square: 1, np.deg2rad: 1, np.rad2deg: 1, np.clip: 3, np.where: 3,
    np.positive: 1, np.reciprocal: 1, np.round: 1,
}  # fmt: skip
"""NumPy functions that are short formulas of ops, and how many numbers they take."""

ARITY = {
    "atan2": 2, "hypot": 2, "copysign": 2, "fmod": 2, "logaddexp": 2, "minimum": 2, "maximum": 2, "add": 2, "sub": 2,
    "mul": 2,
}  # fmt: skip
"""Operands of an op, where it is not one."""

MATH_SPECIAL: dict[Callable[..., Any], str] = {
    math.pow: "pow", math.fmod: "fmod", math.isnan: "isnan", math.isinf: "isinf", math.isfinite: "isfinite",
    math.radians: "radians", math.degrees: "degrees",
}  # fmt: skip
"""`math` functions with rules of their own."""
