"""Elementary functions and their textbook slopes, in three widths; nothing here knows the compiler's derivative rules.

`value(op, x)` and `slope(op, x, y)` work on scalars of NumPy (long double, float64, float32). NumPy's functions have
the width of their argument; error functions and gamma functions have 64 bits at most.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.ops.functions import evaluate_polygamma

WIDE = np.longdouble
DIGITS_OF_WIDE = int(np.finfo(WIDE).nmant) + 1
"""64 on x86, 113 on some others; 53 where long double is double (macOS on ARM, Windows)."""

LN2, LN10, TWO_OVER_ROOT_PI = np.log(WIDE(2)), np.log(WIDE(10)), WIDE(2) / np.sqrt(np.arccos(WIDE(-1)))


def _by_double(function: Callable[[float], float]) -> Callable[[Any], Any]:
    def of(x: Any) -> Any:
        try:
            return type(x)(function(float(x)))
        except ValueError:
            return type(x)(math.nan)
        except OverflowError:
            return type(x)(math.inf)

    return of


VALUES: dict[str, Callable[[Any], Any]] = {
    "sqrt": np.sqrt, "cbrt": np.cbrt, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log,
    "log1p": np.log1p, "log2": np.log2, "log10": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "erf": _by_double(math.erf),
    "erfc": _by_double(math.erfc), "gamma": _by_double(math.gamma), "lgamma": _by_double(math.lgamma),
}  # fmt: skip

SLOPES: dict[str, Callable[[Any, Any], Any]] = {
    "sqrt": lambda x, y: 1 / (y + y),
    "cbrt": lambda x, y: 1 / (3 * y * y),
    "exp": lambda x, y: y,
    "exp2": lambda x, y: y * type(x)(LN2),
    "expm1": lambda x, y: np.exp(x),
    "log": lambda x, y: 1 / x,
    "log1p": lambda x, y: 1 / (1 + x),
    "log2": lambda x, y: 1 / (x * type(x)(LN2)),
    "log10": lambda x, y: 1 / (x * type(x)(LN10)),
    "sin": lambda x, y: np.cos(x),
    "cos": lambda x, y: -np.sin(x),
    "tan": lambda x, y: 1 / np.cos(x) ** 2,
    "asin": lambda x, y: 1 / np.sqrt((1 - x) * (1 + x)),
    "acos": lambda x, y: -1 / np.sqrt((1 - x) * (1 + x)),
    "atan": lambda x, y: 1 / (1 + x * x),
    "sinh": lambda x, y: np.cosh(x),
    "cosh": lambda x, y: np.sinh(x),
    "tanh": lambda x, y: 1 / np.cosh(x) ** 2,
    "asinh": lambda x, y: 1 / np.sqrt(x * x + 1),
    "acosh": lambda x, y: 1 / np.sqrt((x - 1) * (x + 1)),
    "atanh": lambda x, y: 1 / ((1 - x) * (1 + x)),
    "erf": lambda x, y: type(x)(TWO_OVER_ROOT_PI) * np.exp(-x * x),
    "erfc": lambda x, y: -type(x)(TWO_OVER_ROOT_PI) * np.exp(-x * x),
    "gamma": lambda x, y: y * polygamma(0, x),
    "lgamma": lambda x, y: polygamma(0, x),
}


GROWING = frozenset({"exp", "exp2", "expm1", "sinh", "cosh"})
"""Functions that are finite everywhere; where their numbers are not, they only overflow."""


def finite(x: Any) -> bool:
    """Whether `x` is finite, in its own width: math.isfinite takes the larger half of long doubles for infinite."""
    return bool(x - x == 0)


def polygamma(order: int, x: Any) -> Any:
    """The derivative of order `order` of digamma, by the op's meaning: 64 bits, whatever the width of `x`."""
    return type(x)(evaluate_polygamma(float(x), order))


def value(op: str, x: Any, order: int | None = None) -> Any:
    """The function at `x`, in the width of `x`."""
    return VALUES[op](x) if order is None else polygamma(order, x)


def slope(op: str, x: Any, y: Any, order: int | None = None) -> Any:
    """Its derivative there; `y` is its value."""
    return SLOPES[op](x, y) if order is None else polygamma(order + 1, x)


def known(op: str) -> bool:
    """Whether there is a function of that name here."""
    return op in VALUES or op == "polygamma"


@functools.cache
def factorials(count: int) -> tuple[Any, ...]:
    """k! for k below `count`, wide."""
    return tuple(WIDE(math.factorial(k)) for k in range(count))


__all__ = ["DIGITS_OF_WIDE", "GROWING", "WIDE", "factorials", "finite", "known", "polygamma", "slope", "value"]
