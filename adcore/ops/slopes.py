"""Partial derivatives that need more than one obvious formula, right over the whole range of floats.

Each is written so that neither it nor its own derivative over- or underflows, or cancels, where the true one is a
normal number: 1 - tanh(x)^2 is 2e-16 at x = 19, where 1.3e-16 is right, and x*x + y*y has no digits left at 1e-170. The
second derivative is given beside the first (`sloped`), as the chain rule would multiply the same factors in an order
that may leave the range: -2 x p p at x = 1e100, with p = 1e-200, is -2e-300 only if x p comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.ops.expr import Expr, exp, log, power, sloped, sqrt, tanh, where


def asin_slope(x: Expr) -> Expr:
    p = 1.0 / sqrt((1.0 - x) * (1.0 + x))
    return sloped(p, (x, (x * p) * (p * p)))


def atan_slope(x: Expr) -> Expr:
    p = 1.0 / (1.0 + x * x)
    return sloped(p, (x, -2.0 * ((x * p) * p)))


def tanh_slope(x: Expr) -> Expr:
    """1 / cosh(x)^2, from exp(-2 |x|), which does not overflow."""
    t = exp(-2.0 * x.apply("abs"))
    above = 1.0 + t
    p = (4.0 * t) / (above * above)
    return sloped(p, (x, -2.0 * (tanh(x) * p)))


def asinh_slope(x: Expr) -> Expr:
    """1 / sqrt(1 + x^2); the larger of 1 and |x| stands before the root."""
    size = x.apply("abs")
    larger, smaller = size.apply("maximum", 1.0), size.apply("minimum", 1.0)
    ratio = smaller / larger
    p = 1.0 / (larger * sqrt(1.0 + ratio * ratio))
    return sloped(p, (x, -((x * p) * (p * p))))


def acosh_slope(x: Expr) -> Expr:
    p = 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0))
    return sloped(p, (x, -((x * p) * (p * p))))


def atanh_slope(x: Expr) -> Expr:
    p = 1.0 / ((1.0 - x) * (1.0 + x))
    return sloped(p, (x, (2.0 * x) * (p * p)))


def atan2_slopes(y: Expr, x: Expr, r: Expr) -> Sequence[Expr]:
    """x / (x^2 + y^2) and its like, in units of the larger of the two."""
    unit = 1.0 / x.apply("abs").apply("maximum", y.apply("abs"))
    a, b = x * unit, y * unit
    scale = unit / (a * a + b * b)
    by_y, by_x = a * scale, -(b * scale)
    twice = 2.0 * (by_y * by_x)
    half_sum, half_difference = 0.5 * y + 0.5 * x, 0.5 * y - 0.5 * x  # halves, as the whole might overflow
    mixed = ((half_difference * unit) * scale) * ((4.0 * (half_sum * unit)) * scale)
    return sloped(by_y, (y, twice), (x, mixed)), sloped(by_x, (y, mixed), (x, -twice))


def hypot_slopes(x: Expr, y: Expr, r: Expr) -> Sequence[Expr]:
    """x / r and y / r; 0 at the origin, where there is no derivative: as of abs."""
    origin = r.equals(0.0)
    a, b = where(origin, 0.0, x / r), where(origin, 0.0, y / r)
    over_r = where(origin, 0.0, a / r), where(origin, 0.0, b / r)
    mixed = -(over_r[0] * b)
    return sloped(a, (x, over_r[1] * b), (y, mixed)), sloped(b, (x, mixed), (y, over_r[0] * a))


def logaddexp_slopes(x: Expr, y: Expr, r: Expr) -> Sequence[Expr]:
    """The share of exp(x) in exp(x) + exp(y). The result has fewer digits of x - r than x - y has."""
    by_x, by_y = 1.0 / (1.0 + exp(y - x)), 1.0 / (1.0 + exp(x - y))
    bend = by_x * by_y
    return sloped(by_x, (x, bend), (y, -bend)), sloped(by_y, (x, -bend), (y, bend))


def power_slopes(x: Expr, y: Expr, r: Expr) -> Sequence[Expr]:
    """y x^(y - 1) and x^y log(x). 0 by the base of x^0, and by the exponent where the base is not positive."""
    before = power(x, y - 1)
    by_base = where(y.equals(0), 0.0, y * before)
    # The power before the last is too large for a small exponent of a small base, the last too small for others.
    above = (y * (y - 1)) * power(x, y - 2)
    curve = where(y < 1, by_base * ((y - 1) / x), where(y.equals(1), 0.0, above))
    inside, logarithm = x > 0, log(x)
    by_exponent = where(inside, r * logarithm, 0.0)
    # x^(y - 1) (1 + y log x): of 0^1 it is the limit from above, minus infinity.
    mixed = where(inside, before + y * (before * logarithm), where(y.equals(1), before, 0.0))
    return (
        sloped(by_base, (x, curve), (y, mixed)),
        sloped(by_exponent, (x, mixed), (y, where(inside, (r * logarithm) * logarithm, 0.0))),
    )


def fmod_slopes(x: Expr, y: Expr, r: Expr) -> Sequence[Expr]:
    """1, and minus the whole quotient: from what is a multiple of y, as x / y may round up to the next whole number."""
    return r.lift(1.0), -((x - r) / y).apply("rint")


def copysign_slopes(x: Expr, y: Expr, r: Expr) -> Sequence[Expr | None]:
    """copysign(x, y) is |x| copysign(1, y)."""
    return x.apply("sign") * x.lift(1.0).apply("copysign", y), None
