"""Arithmetic of numbers.

Floats follow IEEE 754: nothing raises. Integers are exact or raise OverflowError (never wrap, as Python never does).
Where Python's floats raise, the frontend adds a `check`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adcore.ir.core import Attributes
from adcore.ir.types import Scalar, Type, is_float
from adcore.ops.define import Emitter, Op, number, same
from adcore.ops.effects import EXACT, VALUE
from adcore.ops.scalars import PAIRS, by_kind, llvm_type, lower_arithmetic


def lower_neg(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    if is_float(result):
        return e.let(f"fneg {e.flags}{llvm_type(result)} {operands[0]}")
    return str(lower_arithmetic("fsub", "ssub")(e, types * 2, result, ("0", operands[0]), attrs))


def lower_abs(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    assert isinstance(result, Scalar)
    if result.kind == "f":
        return e.intrinsic("fabs", result, operands)
    ty = llvm_type(result)
    negative = e.let(f"icmp slt {ty} {operands[0]}, 0")
    opposite = str(lower_arithmetic("fsub", "ssub")(e, types * 2, result, ("0", operands[0]), attrs))
    return e.let(f"select i1 {negative}, {ty} {opposite}, {ty} {operands[0]}")


def lower_div(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    return e.let(f"fdiv {e.flags}{llvm_type(result)} {', '.join(operands)}")


OPS = (
    Op("add", same(number, 2), by_kind(np.add, lambda x, y: x + y), lambda x, y, r: (r.lift(1.0), r.lift(1.0)),
       lower=lower_arithmetic("fadd", "sadd"), samples=PAIRS, effects=EXACT, commutative=True),
    Op("sub", same(number, 2), by_kind(np.subtract, lambda x, y: x - y), lambda x, y, r: (r.lift(1.0), r.lift(-1.0)),
       lower=lower_arithmetic("fsub", "ssub"), samples=PAIRS, effects=EXACT),
    Op("mul", same(number, 2), by_kind(np.multiply, lambda x, y: x * y), lambda x, y, r: (y, x),
       lower=lower_arithmetic("fmul", "smul"), samples=PAIRS, effects=EXACT, commutative=True),
    Op("div", same(is_float, 2), by_kind(np.divide, None), lambda x, y, r: (1.0 / y, -(r / y)), lower=lower_div,
       samples=PAIRS, cost=6.0, effects=VALUE, singular=lambda x, y: not y),
    Op("neg", same(number, 1), by_kind(np.negative, lambda x: -x), lambda x, r: (r.lift(-1.0),), lower=lower_neg,
       samples=((0.3,), (-2.0,)), effects=EXACT),
    Op("abs", same(number, 1), by_kind(np.abs, abs), lambda x, r: (x.apply("sign"),), lower=lower_abs,
       samples=((0.3,), (-2.0,)), effects=EXACT),
)  # fmt: skip
