"""Powers: C's `pow` for floats, exact integers by squaring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.ir.core import Attributes
from adcore.ir.types import Scalar, Type
from adcore.ops.define import Emitter, Op, number, same
from adcore.ops.effects import EXACT
from adcore.ops.scalars import by_kind
from adcore.ops.slopes import power_slopes


def _integer_power(x: int, y: int) -> int:
    if y < 0:
        raise ValueError("an integer to a negative integer power is a float: write float(x) ** n")
    if abs(x) > 1 and y > 64:
        raise OverflowError("integer result does not fit in 64 bits")
    return int(x**y)


def _float_power(x: Any, y: Any) -> Any:
    """C's pow. NumPy takes a square root for a scalar exponent of 0.5, which differs at -0.0 and minus infinity."""
    return np.power(np.array([x, x]), np.array([y, y]))[0]


INTEGER_POWER = """define internal {i64, i64} @adcore.ipow(i64 %x, i64 %n) alwaysinline {
entry:
  br label %loop
loop:
  %r = phi i64 [1, %entry], [%r2, %next]
  %b = phi i64 [%x, %entry], [%b2, %next]
  %k = phi i64 [%n, %entry], [%k2, %next]
  %bad = phi i1 [false, %entry], [%bad4, %next]
  %done = icmp eq i64 %k, 0
  br i1 %done, label %exit, label %next
next:
  %odd = trunc i64 %k to i1
  %m = call {i64, i1} @llvm.smul.with.overflow.i64(i64 %r, i64 %b)
  %mv = extractvalue {i64, i1} %m, 0
  %mo = extractvalue {i64, i1} %m, 1
  %r2 = select i1 %odd, i64 %mv, i64 %r
  %mo2 = and i1 %odd, %mo
  %bad2 = or i1 %bad, %mo2
  %k2 = lshr i64 %k, 1
  %s = call {i64, i1} @llvm.smul.with.overflow.i64(i64 %b, i64 %b)
  %b2 = extractvalue {i64, i1} %s, 0
  %so = extractvalue {i64, i1} %s, 1
  %more = icmp ne i64 %k2, 0
  %bad3 = and i1 %so, %more
  %bad4 = or i1 %bad2, %bad3
  br label %loop
exit:
  %f = zext i1 %bad to i64
  %p0 = insertvalue {i64, i64} undef, i64 %r, 0
  %p1 = insertvalue {i64, i64} %p0, i64 %f, 1
  ret {i64, i64} %p1
}"""


def lower_pow(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    assert isinstance(result, Scalar)
    if result.kind == "f":
        return e.libm("pow", result, operands)
    e.fail_if(e.let(f"icmp slt i64 {operands[1]}, 0"), "negative integer power")
    e.helper("llvm.smul", "declare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)")
    e.helper("adcore.ipow", INTEGER_POWER)
    pair = e.let(f"call {{i64, i64}} @adcore.ipow(i64 {operands[0]}, i64 {operands[1]})")
    e.fail_if(e.let(f"icmp ne i64 {e.let(f'extractvalue {{i64, i64}} {pair}, 1')}, 0"), "integer overflow")
    return e.let(f"extractvalue {{i64, i64}} {pair}, 0")


OPS = (
    Op("pow", same(number, 2), by_kind(_float_power, _integer_power), power_slopes, lower=lower_pow,
       samples=((0.7, 1.9), (1.3, -0.4), (2.5, 3.0)), cost=60.0, effects=EXACT,
       singular=lambda x, y: y is None or y < 1),
)  # fmt: skip
