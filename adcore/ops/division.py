"""Division of Python's that rounds down, and its remainder: `//` and `%`, of floats and of integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.ir.core import Attributes
from adcore.ir.types import Scalar, Type
from adcore.ops.define import Emitter, Op, number, same
from adcore.ops.effects import EXACT
from adcore.ops.scalars import PAIRS, by_kind, llvm_type


def _python_remainder(x: Any, y: Any) -> Any:
    if y == 0 or math.isnan(x) or math.isnan(y) or math.isinf(x):
        return np.fmod(x, y)  # NaN with the sign that the machine gives it, which copysign sees
    r = math.fmod(x, y)
    if r:
        return r + y if (y < 0) != (r < 0) else r
    return math.copysign(0.0, y)


def _python_floordiv(x: Any, y: Any) -> Any:
    if y == 0:
        return np.divide(x, y)
    if math.isnan(x) or math.isnan(y) or math.isinf(x):
        return np.float64(np.nan)
    r = math.fmod(x, y)
    quotient = (float(x) - r) / y
    if r and (y < 0) != (r < 0):
        quotient -= 1.0
    if not quotient or math.isinf(quotient):
        return quotient or math.copysign(0.0, x / y)
    floor = math.floor(quotient)
    return float(floor + 1) if quotient - floor > 0.5 else float(floor)


def _divides(check: Any) -> Any:
    def integer(x: int, y: int) -> int:
        if y == 0:
            raise ZeroDivisionError("integer division or modulo by zero")
        return int(check(x, y))

    return integer


def lower_remainder(
    e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes
) -> str:
    """Python's `%`: the remainder takes the sign of the divisor."""
    assert isinstance(result, Scalar)
    x, y = operands
    ty = llvm_type(result)
    if result.kind == "f":
        r = e.libm("fmod", result, (x, y))
        nonzero = e.let(f"fcmp one {ty} {r}, 0.0")
        mixed = e.let(f"xor i1 {e.let(f'fcmp olt {ty} {r}, 0.0')}, {e.let(f'fcmp olt {ty} {y}, 0.0')}")
        shifted = e.let(f"fadd {ty} {r}, {y}")
        wrap = e.let(f"and i1 {nonzero}, {mixed}")
        kept = e.let(f"select i1 {e.let(f'fcmp oeq {ty} {r}, 0.0')}, {ty} "
                     f"{e.intrinsic('copysign', result, ('0.0', y))}, {ty} {r}")  # fmt: skip
        return e.let(f"select i1 {wrap}, {ty} {shifted}, {ty} {kept}")
    e.fail_if(e.let(f"icmp eq {ty} {y}, 0"), "integer division by zero")
    # The remainder by -1 is 0 as it is by 1; but the machine traps on the lowest integer by -1.
    y = e.let(f"select i1 {e.let(f'icmp eq {ty} {y}, -1')}, {ty} 1, {ty} {y}")
    r = e.let(f"srem {ty} {x}, {y}")
    return e.let(f"select i1 {_differ(e, ty, r, y)}, {ty} {e.let(f'add {ty} {r}, {y}')}, {ty} {r}")


def _guard_division(e: Emitter, ty: str, x: str, y: str) -> tuple[str, str]:
    e.fail_if(e.let(f"icmp eq {ty} {y}, 0"), "integer division by zero")
    lowest = -(2 ** (int(ty[1:]) - 1))
    both = e.let(f"and i1 {e.let(f'icmp eq {ty} {y}, -1')}, {e.let(f'icmp eq {ty} {x}, {lowest}')}")
    e.fail_if(both, "integer overflow")
    return x, y


def _differ(e: Emitter, ty: str, r: str, y: str) -> str:
    """Remainder non-zero and of the other sign than the divisor."""
    signs = e.let(f"icmp slt {ty} {e.let(f'xor {ty} {r}, {y}')}, 0")
    return e.let(f"and i1 {signs}, {e.let(f'icmp ne {ty} {r}, 0')}")


def lower_floordiv(
    e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes
) -> str:
    """Python's `//`: rounds towards minus infinity, consistently with `%`."""
    assert isinstance(result, Scalar)
    x, y = operands
    ty = llvm_type(result)
    if result.kind != "f":
        x, y = _guard_division(e, ty, x, y)
        q, r = e.let(f"sdiv {ty} {x}, {y}"), e.let(f"srem {ty} {x}, {y}")
        return e.let(f"select i1 {_differ(e, ty, r, y)}, {ty} {e.let(f'sub {ty} {q}, 1')}, {ty} {q}")
    r = e.libm("fmod", result, (x, y))
    mixed = e.let(f"xor i1 {e.let(f'fcmp olt {ty} {r}, 0.0')}, {e.let(f'fcmp olt {ty} {y}, 0.0')}")
    wrap = e.let(f"and i1 {e.let(f'fcmp one {ty} {r}, 0.0')}, {mixed}")
    q = e.let(f"fdiv {ty} {e.let(f'fsub {ty} {x}, {r}')}, {y}")
    q = e.let(f"select i1 {wrap}, {ty} {e.let(f'fsub {ty} {q}, 1.0')}, {ty} {q}")
    floor = e.intrinsic("floor", result, (q,))
    up = e.let(f"fcmp ogt {ty} {e.let(f'fsub {ty} {q}, {floor}')}, 0.5")
    near = e.let(f"select i1 {up}, {ty} {e.let(f'fadd {ty} {floor}, 1.0')}, {ty} {floor}")
    exact = e.let(f"fdiv {ty} {x}, {y}")
    signed_zero = e.intrinsic("copysign", result, ("0.0", exact))
    near = e.let(f"select i1 {e.let(f'fcmp oeq {ty} {q}, 0.0')}, {ty} {signed_zero}, {ty} {near}")
    return e.let(f"select i1 {e.let(f'fcmp oeq {ty} {y}, 0.0')}, {ty} {exact}, {ty} {near}")


OPS = (
    Op("floordiv", same(number, 2), by_kind(_python_floordiv, _divides(lambda x, y: x // y)), lower=lower_floordiv,
       samples=PAIRS, cost=40.0, effects=EXACT),
    Op("mod", same(number, 2), by_kind(_python_remainder, _divides(lambda x, y: x % y)),
       lambda x, y, r: (r.lift(1.0), -x.apply("floordiv", y)), lower=lower_remainder, samples=PAIRS, cost=40.0,
       effects=EXACT),
)  # fmt: skip
