"""Taylor coefficients of elementary functions at a number: f(c + z) = f0 + f1 z + f2 z^2 + ...

All of them by textbook recurrences (Griewank and Walther, Evaluating Derivatives, 2008, chapter 13): a function whose
derivative is algebraic is the integral of a binomial series, exp of a series follows from y' = y u', tan and tanh from
y' = 1 +- y^2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.jets import elementary
from adcore.jets.elementary import LN2, LN10, TWO_OVER_ROOT_PI, WIDE, factorials

Coefficients = list[Any]


def power(a: Sequence[Any], exponent: Any, count: int) -> Coefficients:
    """A series whose first coefficient is not 0, to a power: y' a = exponent a' y."""
    y = [np.power(a[0], exponent)]
    for k in range(1, count):
        terms = ((exponent * i - (k - i)) * a[i] * y[k - i] for i in range(1, k + 1) if i < len(a))
        y.append(sum(terms, WIDE(0)) / (k * a[0]))
    return y


def exponential(a: Sequence[Any], count: int) -> Coefficients:
    y = [np.exp(a[0])]
    for k in range(1, count):
        y.append(sum((i * a[i] * y[k - i] for i in range(1, k + 1) if i < len(a)), WIDE(0)) / k)
    return y


def integral(first: Any, a: Sequence[Any], count: int) -> Coefficients:
    return [first, *(a[k - 1] / k for k in range(1, count))]


def _by_square(first: Any, sign: int, count: int) -> Coefficients:
    """y' = 1 + sign y^2: tan (1) and tanh (-1)."""
    y = [first]
    for k in range(count - 1):
        square = sum((y[i] * y[k - i] for i in range(k + 1)), WIDE(0))
        y.append(((k == 0) + sign * square) / (k + 1))
    return y


def _cycle(values: Sequence[Any], count: int) -> Coefficients:
    """From the derivatives at the point, which repeat."""
    return [values[k % len(values)] / f for k, f in enumerate(factorials(count))]


def _logarithm(c: Any, scale: Any, first: Any, count: int) -> Coefficients:
    return [first, *((-1) ** (k + 1) / (k * c**k * scale) for k in range(1, count))]


def _algebraic(op: str, polynomial: Callable[[Any], Sequence[Any]], exponent: Any, sign: int = 1) -> Any:
    """A function whose slope is a polynomial of c + z to a power."""

    def of(c: Any, count: int) -> Coefficients:
        slope = power([WIDE(p) for p in polynomial(c)], WIDE(exponent), count)
        return integral(elementary.value(op, c), [sign * s for s in slope], count)

    return of


def _error_function(op: str, sign: int) -> Any:
    def of(c: Any, count: int) -> Coefficients:
        bell = exponential([-c * c, -2 * c, WIDE(-1)], count)
        return integral(elementary.value(op, c), [sign * TWO_OVER_ROOT_PI * b for b in bell], count)

    return of


def _polygamma(c: Any, count: int, order: int) -> Coefficients:
    return [elementary.polygamma(order + k, c) / f for k, f in enumerate(factorials(count))]


def _lgamma(c: Any, count: int) -> Coefficients:
    return integral(elementary.value("lgamma", c), _polygamma(c, count, 0), count)


def _gamma(c: Any, count: int) -> Coefficients:
    first = elementary.value("gamma", c)
    grown = exponential([WIDE(0), *_lgamma(c, count)[1:]], count)
    return [first * g for g in grown]


FUNCTIONS: dict[str, Callable[[Any, int], Coefficients]] = {
    "exp": lambda c, n: _cycle([np.exp(c)], n),
    "expm1": lambda c, n: [np.expm1(c), *_cycle([np.exp(c)], n)[1:]],
    "exp2": lambda c, n: [b * LN2**k for k, b in enumerate(_cycle([np.exp2(c)], n))],
    "log": lambda c, n: _logarithm(c, WIDE(1), np.log(c), n),
    "log1p": lambda c, n: _logarithm(1 + c, WIDE(1), np.log1p(c), n),
    "log2": lambda c, n: _logarithm(c, LN2, np.log2(c), n),
    "log10": lambda c, n: _logarithm(c, LN10, np.log10(c), n),
    "sin": lambda c, n: _cycle([np.sin(c), np.cos(c), -np.sin(c), -np.cos(c)], n),
    "cos": lambda c, n: _cycle([np.cos(c), -np.sin(c), -np.cos(c), np.sin(c)], n),
    "sinh": lambda c, n: _cycle([np.sinh(c), np.cosh(c)], n),
    "cosh": lambda c, n: _cycle([np.cosh(c), np.sinh(c)], n),
    "tan": lambda c, n: _by_square(np.tan(c), 1, n),
    "tanh": lambda c, n: _by_square(np.tanh(c), -1, n),
    "asin": _algebraic("asin", lambda c: (1 - c * c, -2 * c, -1), -0.5),
    "acos": _algebraic("acos", lambda c: (1 - c * c, -2 * c, -1), -0.5, -1),
    "atan": _algebraic("atan", lambda c: (1 + c * c, 2 * c, 1), -1),
    "asinh": _algebraic("asinh", lambda c: (1 + c * c, 2 * c, 1), -0.5),
    "acosh": _algebraic("acosh", lambda c: (c * c - 1, 2 * c, 1), -0.5),
    "atanh": _algebraic("atanh", lambda c: (1 - c * c, -2 * c, -1), -1),
    "erf": _error_function("erf", 1),
    "erfc": _error_function("erfc", -1),
    "gamma": _gamma,
    "lgamma": _lgamma,
}


def coefficients(op: str, c: Any, count: int, order: int | None = None) -> Coefficients:
    """The first `count` coefficients of `op` at the long double `c`."""
    if order is not None:
        return _polygamma(c, count, order)
    return FUNCTIONS[op](c, count)


def finite(found: Sequence[Any]) -> bool:
    return all(elementary.finite(c) for c in found)


__all__ = ["Coefficients", "coefficients", "finite", "power"]
