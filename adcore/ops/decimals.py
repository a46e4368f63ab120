"""Rounding to decimal places as Python's `round(x, n)` does it: the float that is nearest to the rounded decimal.

Scaling, rounding and scaling back, as NumPy does it, errs where the scaled number is rounded onto a half: 2.675 lies
below its decimal, but 100 * 2.675 is 267.5. Here the error of the first step is known, from a fused multiply-add
(Ogita, Rump and Oishi, Accurate sum and dot product, 2005, section 2). From 2**53 on, neighbouring floats are at least
as far apart as decimals, and the number is its own answer. Powers of ten up to 10**22 are floats, which the rest needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adcore.ir.core import Attributes
from adcore.ir.types import Scalar, Type, is_float
from adcore.ops.define import Emitter, Op, same
from adcore.ops.effects import VALUE

MOST_PLACES = 22
"""Powers of ten up to this one are floats."""


def evaluate_round(x: Any, places: int) -> Any:
    return type(x)(round(float(x), places))


def lower_round(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    """One internal function per number of places."""
    assert isinstance(result, Scalar)
    places = attrs["places"]
    name = f"adcore.round{'.tens' if places < 0 else ''}{abs(places)}"
    for function, count in (("fma", 3), ("rint", 1), ("fabs", 1), ("copysign", 2)):
        symbol = f"llvm.{function}.f64"
        e.helper(symbol, f"declare double @{symbol}({', '.join(['double'] * count)})")
    e.helper(name, round_text(name, places))
    single = result.bytes == 4
    x = e.let(f"fpext float {operands[0]} to double") if single else operands[0]
    y = e.let(f"call double @{name}(double {x})")
    return e.let(f"fptrunc double {y} to float") if single else y


def round_text(name: str, places: int) -> str:
    """LLVM text of `round(x, places)`. The calls carry no flags: the errors must survive `fastmath`."""
    lines = (_decimals if places > 0 else _tens)(f"{10.0 ** abs(places):.1f}")
    return "\n".join(
        [
            f"define internal double @{name}(double %x) {{", *lines,
            "  %signed = call double @llvm.copysign.f64(double %back, double %x)",
            "  %size = call double @llvm.fabs.f64(double %y)",
            f"  %itself = fcmp uge double %size, {2.0**53:.1f}",  # NaN too
            "  %result = select i1 %itself, double %x, double %signed", "  ret double %result", "}",
        ]
    )  # fmt: skip


def _decimals(power: str) -> list[str]:
    """`%y`, the scaled number, and `%back`. Exactly, the scaled number is `%y + %low`: `%low` breaks ties of `%y`."""
    return [
        f"  %y = fmul double %x, {power}", "  %minus = fneg double %y",
        f"  %low = call double @llvm.fma.f64(double %x, double {power}, double %minus)",
        "  %whole = call double @llvm.rint.f64(double %y)", "  %part = fsub double %y, %whole",
        "  %distance = call double @llvm.fabs.f64(double %part)", "  %half = fcmp oeq double %distance, 0.5",
        "  %uneven = fcmp one double %low, 0.0", "  %broken = and i1 %half, %uneven",
        "  %side = call double @llvm.copysign.f64(double 0.5, double %low)", "  %moved = fadd double %y, %side",
        "  %nearest = select i1 %broken, double %moved, double %whole", f"  %back = fdiv double %nearest, {power}",
    ]  # fmt: skip


def _tens(power: str) -> list[str]:
    """`%y`, the scaled number, and `%back`: `%rest`, exactly what is left of x, tells whether one more is nearer."""
    return [
        f"  %y = fdiv double %x, {power}", "  %whole = call double @llvm.rint.f64(double %y)",
        "  %minus = fneg double %whole",
        f"  %rest = call double @llvm.fma.f64(double %minus, double {power}, double %x)",
        "  %distance = call double @llvm.fabs.f64(double %rest)",
        f"  %far = fcmp ogt double %distance, {float(power) / 2:.1f}",
        "  %side = call double @llvm.copysign.f64(double 1.0, double %rest)", "  %moved = fadd double %whole, %side",
        "  %nearest = select i1 %far, double %moved, double %whole", f"  %back = fmul double %nearest, {power}",
    ]  # fmt: skip


OPS = (
    Op("round_decimal", same(is_float, 1), evaluate_round, None, lower=lower_round, samples=((0.3,), (-1.7,), (2.675,)),
       cost=8.0, effects=VALUE),
)  # fmt: skip
