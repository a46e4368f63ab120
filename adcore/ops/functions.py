"""Elementary and special functions of floats. Outside their domain they give NaN or infinity, as in C."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.ir.core import Attributes
from adcore.ir.types import Scalar, Type, is_float
from adcore.ops.define import Emitter, LoweringRule, Op, everywhere, same
from adcore.ops.effects import VALUE
from adcore.ops.expr import Expr, cos, cosh, exp, polygamma, sin, sinh
from adcore.ops.scalars import llvm_type
from adcore.ops.slopes import (
    acosh_slope,
    asin_slope,
    asinh_slope,
    atan2_slopes,
    atan_slope,
    atanh_slope,
    copysign_slopes,
    fmod_slopes,
    hypot_slopes,
    logaddexp_slopes,
    tanh_slope,
)

LN2 = math.log(2.0)
LN10 = math.log(10.0)
TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)

ANY = ((0.3,), (-1.7,), (2.2,))
POSITIVE = ((0.3,), (1.7,), (4.0,))
UNIT = ((0.3,), (-0.6,), (0.05,))
PAIRS = ((0.7, 1.9), (-1.3, 0.4), (2.5, -0.6))

_one = same(is_float, 1)
_two = same(is_float, 2)


def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` without floating-point warnings; Python's domain errors become NaN, overflow infinity."""

    def evaluate(*operands: Any, **attrs: Any) -> Any:
        with np.errstate(all="ignore"):
            try:
                return function(*operands, **attrs)
            except ValueError:
                return np.float64(np.nan)
            except OverflowError:
                return np.float64(np.inf)

    return evaluate


def libm(name: str) -> LoweringRule:
    def lower(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
        assert isinstance(result, Scalar)
        return e.libm(name, result, operands)

    return lower


def intrinsic(name: str) -> LoweringRule:
    def lower(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
        assert isinstance(result, Scalar)
        return e.intrinsic(name, result, operands)

    return lower


def unary(
    name: str,
    evaluate: Callable[..., Any],
    partial: Callable[[Expr, Expr], Expr] | None,
    samples: tuple[tuple[float, ...], ...],
    cost: float = 20.0,
    lower: LoweringRule | None = None,
    singular: Callable[..., bool] | None = None,
) -> Op:
    """A function of one float with derivative `partial(x, result)` (None: zero wherever it exists)."""
    partials = (lambda x, r: (partial(x, r),)) if partial else None
    return Op(name, _one, quiet(evaluate), partials, lower=lower or libm(name), samples=samples, cost=cost,
              effects=VALUE, singular=singular)  # fmt: skip


def lower_sign(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    """NumPy's sign: 0 at 0, NaN at NaN."""
    assert isinstance(result, Scalar)
    (x,) = operands
    ty = llvm_type(result)
    ordered = e.let(f"fcmp one {ty} {x}, 0.0")
    other = e.let(f"fadd {ty} {x}, 0.0")  # makes 0.0 of -0.0, keeps NaN
    return e.let(f"select i1 {ordered}, {ty} {e.intrinsic('copysign', result, ('1.0', x))}, {ty} {other}")


def lower_logaddexp(
    e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes
) -> str:
    """max(x, y) + log1p(exp(-|x - y|)), which does not overflow; x + log(2) where x = y, infinities included."""
    assert isinstance(result, Scalar)
    (x, y), ty = operands, llvm_type(result)
    difference = e.let(f"fsub {ty} {x}, {y}")
    apart = e.let(f"fneg {ty} {e.intrinsic('fabs', result, (difference,))}")
    rest = e.libm("log1p", result, (e.libm("exp", result, (apart,)),))
    larger = e.let(f"select i1 {e.let(f'fcmp ogt {ty} {x}, {y}')}, {ty} {x}, {ty} {y}")
    apart_sum = e.let(f"fadd {ty} {larger}, {rest}")
    equal_sum = e.let(f"fadd {ty} {x}, {_hex(float(np.float32(LN2)) if result.bytes == 4 else LN2)}")
    return e.let(f"select i1 {e.let(f'fcmp oeq {ty} {x}, {y}')}, {ty} {equal_sum}, {ty} {apart_sum}")


BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
"""B2, B4, ..., B16."""


def evaluate_polygamma(x: float, order: int) -> float:
    """Derivative of order `order` of digamma: upward recurrence, then the asymptotic series (Abramowitz & Stegun
    6.3.5, 6.3.18, 6.4.6, 6.4.11)."""
    x = np.float64(x)
    if math.isnan(x) or x < -1e6 or (x <= 0 and x == math.floor(x)):
        return math.nan
    sign = 1.0 if order % 2 else -1.0
    factorial = float(math.factorial(order))
    total = 0.0
    while x < 12.0 + order:
        total += sign * factorial / x ** (order + 1)
        x += 1.0
    if order == 0:
        tail = math.log(x) - 0.5 / x
    else:
        tail = sign * (math.factorial(order - 1) / x**order + 0.5 * factorial / x ** (order + 1))
    for coefficient, exponent in polygamma_series(order):
        tail += coefficient / x**exponent
    return float(total + tail)


def polygamma_series(order: int) -> list[tuple[float, int]]:
    """(coefficient, power of 1/x) of the asymptotic series beyond its leading terms."""
    sign = 1.0 if order % 2 else -1.0
    return [
        (sign * b * math.factorial(2 * k + order - 1) / math.factorial(2 * k), 2 * k + order)
        for k, b in enumerate(BERNOULLI, start=1)
    ]


def lower_polygamma(
    e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes
) -> str:
    """One internal function per order, with the recurrence as a loop and the series unrolled."""
    assert isinstance(result, Scalar)
    order = attrs["order"]
    name = f"adcore.polygamma{order}"
    e.helper("llvm.log.f64", "declare double @llvm.log.f64(double)")
    e.helper("llvm.floor.f64", "declare double @llvm.floor.f64(double)")
    e.helper(name, polygamma_text(name, order))
    single = result.bytes == 4
    x = e.let(f"fpext float {operands[0]} to double") if single else operands[0]
    y = e.let(f"call double @{name}(double {x})")
    return e.let(f"fptrunc double {y} to float") if single else y


def polygamma_text(name: str, order: int) -> str:
    """LLVM text of `evaluate_polygamma` for one order."""
    sign = 1.0 if order % 2 else -1.0
    lines = [
        f"define internal double @{name}(double %x0) {{", "entry:", "  %low = fcmp olt double %x0, -1.0e6",
        "  %floor = call double @llvm.floor.f64(double %x0)", "  %whole = fcmp oeq double %floor, %x0",
        "  %nonpositive = fcmp ole double %x0, 0.0", "  %pole = and i1 %whole, %nonpositive",
        "  %bad = or i1 %low, %pole", "  br i1 %bad, label %nan, label %loop", "nan:",
        "  ret double 0x7FF8000000000000", "loop:", "  %x = phi double [%x0, %entry], [%x1, %step]",
        "  %t = phi double [0.0, %entry], [%t1, %step]",
        f"  %small = fcmp olt double %x, {12.0 + order:.1f}", "  br i1 %small, label %step, label %tail", "step:",
    ]  # fmt: skip
    lines += _powers("s", order + 1)
    lines += [
        f"  %term = fdiv double {sign * math.factorial(order):.1f}, %s{order + 1}",
        "  %t1 = fadd double %t, %term", "  %x1 = fadd double %x, 1.0", "  br label %loop", "tail:",
    ]  # fmt: skip
    series = polygamma_series(order)
    lines += _powers("p", series[-1][1])
    if order == 0:
        lines += ["  %ln = call double @llvm.log.f64(double %x)", "  %h = fdiv double 0.5, %x",
                  "  %a0 = fsub double %ln, %h"]  # fmt: skip
    else:
        lines += [f"  %u = fdiv double {_hex(sign * math.factorial(order - 1))}, %p{order}",
                  f"  %v = fdiv double {_hex(sign * 0.5 * math.factorial(order))}, %p{order + 1}",
                  "  %a0 = fadd double %u, %v"]  # fmt: skip
    for i, (coefficient, exponent) in enumerate(series):
        lines += [f"  %q{i} = fdiv double {_hex(coefficient)}, %p{exponent}",
                  f"  %a{i + 1} = fadd double %a{i}, %q{i}"]  # fmt: skip
    return "\n".join([*lines, f"  %y = fadd double %t, %a{len(series)}", "  ret double %y", "}"])


def _powers(prefix: str, highest: int) -> list[str]:
    lines = [f"  %{prefix}1 = fadd double %x, 0.0"]
    return lines + [f"  %{prefix}{k} = fmul double %{prefix}{k - 1}, %x" for k in range(2, highest + 1)]


def _hex(value: float) -> str:
    return f"0x{np.float64(value).view(np.uint64):016X}"


def _gamma(x: float) -> float:
    return math.copysign(math.inf, x) if x == 0 else math.gamma(x)


def _lgamma(x: float) -> float:
    return math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x)


OPS = (
    unary("sqrt", np.sqrt, lambda x, r: 0.5 / r, POSITIVE, 12, intrinsic("sqrt"), singular=everywhere),
    unary("cbrt", np.cbrt, lambda x, r: 1.0 / (3.0 * (r * r)), POSITIVE, 40, singular=everywhere),
    unary("exp", np.exp, lambda x, r: r, ANY, singular=everywhere),
    unary("exp2", np.exp2, lambda x, r: LN2 * r, ANY, singular=everywhere),
    unary("expm1", np.expm1, lambda x, r: exp(x), ANY, 30, singular=everywhere),
    unary("log", np.log, lambda x, r: 1.0 / x, POSITIVE, singular=everywhere),
    unary("log1p", np.log1p, lambda x, r: 1.0 / (1.0 + x), POSITIVE, 30, singular=everywhere),
    unary("log2", np.log2, lambda x, r: (1.0 / LN2) / x, POSITIVE, singular=everywhere),
    unary("log10", np.log10, lambda x, r: (1.0 / LN10) / x, POSITIVE, singular=everywhere),
    unary("sin", np.sin, lambda x, r: cos(x), ANY),
    unary("cos", np.cos, lambda x, r: -sin(x), ANY),
    unary("tan", np.tan, lambda x, r: 1.0 + r * r, ((0.3,), (-1.1,), (2.2,)), 40, singular=everywhere),
    unary("asin", np.arcsin, lambda x, r: asin_slope(x), UNIT, 30, singular=everywhere),
    unary("acos", np.arccos, lambda x, r: -asin_slope(x), UNIT, 30, singular=everywhere),
    unary("atan", np.arctan, lambda x, r: atan_slope(x), ANY, 30),
    unary("sinh", np.sinh, lambda x, r: cosh(x), ANY, 40, singular=everywhere),
    unary("cosh", np.cosh, lambda x, r: sinh(x), ANY, 40, singular=everywhere),
    unary("tanh", np.tanh, lambda x, r: tanh_slope(x), ANY, 40),
    unary("asinh", np.arcsinh, lambda x, r: asinh_slope(x), ANY, 40),
    unary("acosh", np.arccosh, lambda x, r: acosh_slope(x), ((1.3,), (2.5,)), 40, singular=everywhere),
    unary("atanh", np.arctanh, lambda x, r: atanh_slope(x), UNIT, 40, singular=everywhere),
    unary("erf", math.erf, lambda x, r: TWO_OVER_SQRT_PI * exp(-(x * x)), ANY, 40),
    unary("erfc", math.erfc, lambda x, r: -TWO_OVER_SQRT_PI * exp(-(x * x)), ANY, 40),
    unary("gamma", _gamma, lambda x, r: r * polygamma(0, x), POSITIVE, 120, libm("tgamma"), singular=everywhere),
    unary("lgamma", _lgamma, lambda x, r: polygamma(0, x), POSITIVE, 80, libm("lgamma"), singular=everywhere),
    Op("polygamma", _one, quiet(evaluate_polygamma), lambda x, r, order: (polygamma(order + 1, x),),
       lower=lower_polygamma, samples=POSITIVE, cost=120.0, effects=VALUE, singular=everywhere),
    unary("floor", np.floor, None, ANY, 1, intrinsic("floor")),
    unary("ceil", np.ceil, None, ANY, 1, intrinsic("ceil")),
    unary("trunc", np.trunc, None, ANY, 1, intrinsic("trunc")),
    unary("rint", np.rint, None, ANY, 1, intrinsic("rint")),
    unary("sign", np.sign, None, ANY, 2, lower_sign),
    Op("atan2", _two, quiet(np.arctan2), atan2_slopes, lower=libm("atan2"), samples=PAIRS, cost=50.0, effects=VALUE,
       singular=everywhere),
    Op("hypot", _two, quiet(np.hypot), hypot_slopes, lower=libm("hypot"), samples=PAIRS, cost=40.0, effects=VALUE,
       singular=everywhere),
    Op("logaddexp", _two, quiet(np.logaddexp), logaddexp_slopes, lower=lower_logaddexp, samples=PAIRS, cost=60.0,
       commutative=True, effects=VALUE),
    Op("fmod", _two, quiet(np.fmod), fmod_slopes, lower=libm("fmod"), samples=PAIRS, cost=40.0, effects=VALUE),
    Op("copysign", _two, quiet(np.copysign), copysign_slopes, lower=intrinsic("copysign"), samples=PAIRS,
       effects=VALUE),
)  # fmt: skip
