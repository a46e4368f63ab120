"""Arithmetic, comparison, logic, choice and conversion.

Floats follow IEEE 754: nothing raises. Integers are exact or raise OverflowError (never wrap, as Python never does);
integer division by zero raises ZeroDivisionError. Where Python's floats raise, the frontend adds a `check`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.ir.core import Attributes
from adcore.ir.types import BOOL, I64, SCALARS, Scalar, Type, is_float, is_integer
from adcore.ops.define import Emitter, Op, OpTypeError, TypeRule, comparison, everywhere, number, same, truth
from adcore.ops.effects import CONVERTS, EXACT, VALUE
from adcore.ops.expr import Expr, where
from adcore.ops.slopes import power_slopes

PAIRS = ((0.7, 1.9), (-1.3, 0.4), (2.5, -0.6))


def constant_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    return (SCALARS[attrs["type"]],)


def lower_constant(
    e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes
) -> str:
    assert isinstance(result, Scalar)
    value = attrs["value"]
    if result.kind == "f":
        exact = float(np.float32(value)) if result.bytes == 4 else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"
    return str(bool(value)).lower() if result.kind == "b" else str(int(value))


def exact_integer(value: int) -> int:
    """`value` if 64 bits hold it."""
    if not -(2**63) <= value < 2**63:
        raise OverflowError("integer result does not fit in 64 bits")
    return value


def by_kind(floating: Any, integer: Any) -> Any:
    """Evaluate with `floating` or `integer` by the first operand's kind."""

    def evaluate(*operands: Any) -> Any:
        if isinstance(operands[0], (int, np.integer)):
            return exact_integer(integer(*(int(o) for o in operands)))
        with np.errstate(all="ignore"):
            return floating(*operands)

    return evaluate


def lower_arithmetic(float_op: str, checked: str) -> Any:
    """An LLVM float instruction, or an integer one with overflow check."""

    def lower(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
        assert isinstance(result, Scalar)
        ty = llvm_type(result)
        if result.kind == "f":
            return e.let(f"{float_op} {e.flags}{ty} {', '.join(operands)}")
        if attrs.get("exact"):
            return e.let(f"{checked[1:]} nsw {ty} {', '.join(operands)}")
        e.helper(f"llvm.{checked}", f"declare {{{ty}, i1}} @llvm.{checked}.with.overflow.{ty}({ty}, {ty})")
        pair = e.let(f"call {{{ty}, i1}} @llvm.{checked}.with.overflow.{ty}({ty} {operands[0]}, {ty} {operands[1]})")
        e.fail_if(e.let(f"extractvalue {{{ty}, i1}} {pair}, 1"), "integer overflow")
        return e.let(f"extractvalue {{{ty}, i1}} {pair}, 0")

    return lower


def llvm_type(type_: Type) -> str:
    """The LLVM register type of a scalar."""
    assert isinstance(type_, Scalar)
    if type_.kind == "f":
        return {4: "float", 8: "double", 16: "x86_fp80"}[type_.bytes]
    return "i1" if type_.kind == "b" else f"i{8 * type_.bytes}"


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


def lower_comparison(ordered: str) -> Any:
    def lower(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
        (type_, _) = types
        assert isinstance(type_, Scalar)
        equality = ordered in ("eq", "ne")
        if type_.kind == "f":
            return e.let(f"fcmp {'u' if ordered == 'ne' else 'o'}{ordered} {llvm_type(type_)} {', '.join(operands)}")
        sign = "" if equality else "s" if type_.kind == "i" else "u"
        return e.let(f"icmp {sign}{ordered} {llvm_type(type_)} {', '.join(operands)}")

    return lower


def lower_bits(instruction: str) -> Any:
    def lower(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
        return e.let(f"{instruction} {llvm_type(result)} {', '.join(operands)}")

    return lower


def lower_not(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    return e.let(f"xor {llvm_type(result)} {operands[0]}, {'true' if result == BOOL else '-1'}")


def _shift(direction: int) -> Any:
    def integer(x: int, n: int) -> int:
        if n < 0:
            raise ValueError("negative shift count")
        return x << min(n, 64) if direction > 0 else x >> min(n, 63)

    return integer


def lower_shift(left: bool) -> Any:
    def lower(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
        x, n = operands
        e.fail_if(e.let(f"icmp slt i64 {n}, 0"), "negative shift count")
        count = e.let(f"select i1 {e.let(f'icmp sgt i64 {n}, 63')}, i64 63, i64 {n}")
        if not left:
            return e.let(f"ashr i64 {x}, {count}")
        shifted = e.let(f"shl i64 {x}, {count}")
        lost = e.let(f"icmp ne i64 {e.let(f'ashr i64 {shifted}, {count}')}, {x}")
        big = e.let(f"icmp sgt i64 {n}, 63")
        nonzero = e.let(f"icmp ne i64 {x}, 0")
        e.fail_if(e.let(f"or i1 {lost}, {e.let(f'and i1 {big}, {nonzero}')}"), "integer overflow")
        return shifted

    return lower


def select_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if len(types) != 3 or types[0] != BOOL or types[1] != types[2] or not isinstance(types[1], Scalar):
        raise OpTypeError(f"select does not accept ({', '.join(map(str, types))})")
    return (types[1],)


def lower_select(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    c, x, y = operands
    ty = llvm_type(result)
    return e.let(f"select i1 {c}, {ty} {x}, {ty} {y}")


def _select_tangent(c: Expr, x: Expr, y: Expr, r: Expr, tangents: Sequence[Expr | None]) -> Expr:
    return where(c, tangents[1] or r.lift(0.0), tangents[2] or r.lift(0.0))


def _select_adjoint(c: Expr, x: Expr, y: Expr, r: Expr, ct: Expr) -> Sequence[Expr | None]:
    return None, where(c, ct, 0.0), where(c, 0.0, ct)


def cast_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if len(types) != 1 or not isinstance(types[0], Scalar):
        raise OpTypeError("cast takes one scalar")
    return (SCALARS[attrs["type"]],)


def evaluate_cast(x: Any, type: str) -> Any:
    target = SCALARS[type]
    if target.kind == "f":
        return np.float32(x) if target.bytes == 4 else float(x)
    if target.kind == "b":
        return bool(x)
    if isinstance(x, (float, np.floating)):
        return exact_integer(int(x))
    return np.array(x).astype(f"{target.kind}{target.bytes}").item()


def lower_cast(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    (source,) = types
    assert isinstance(source, Scalar)
    assert isinstance(result, Scalar)
    (x,) = operands
    a, b = llvm_type(source), llvm_type(result)
    if source == result:
        return x
    if result.kind == "b":
        return e.let(f"fcmp une {a} {x}, 0.0") if source.kind == "f" else e.let(f"icmp ne {a} {x}, 0")
    if source.kind == "f":
        return _lower_from_float(e, source, result, x, bool(attrs.get("exact")))
    if result.kind == "f":
        return e.let(f"{'sitofp' if source.kind == 'i' else 'uitofp'} {a} {x} to {b}")
    if a == b:
        return x
    if source.bytes < result.bytes or source.kind == "b":
        return e.let(f"{'sext' if source.kind == 'i' else 'zext'} {a} {x} to {b}")
    return e.let(f"trunc {a} {x} to {b}")


def _lower_from_float(e: Emitter, source: Scalar, result: Scalar, x: str, exact: bool) -> str:
    a, b = llvm_type(source), llvm_type(result)
    if result.kind == "f":
        return e.let(f"{'fpext' if result.bytes > source.bytes else 'fptrunc'} {a} {x} to {b}")
    if not exact:
        e.fail_if(e.let(f"fcmp uno {a} {x}, 0.0"), "NaN to integer")
        above = e.let(f"fcmp oge {a} {x}, 0x43E0000000000000")  # 2**63
        below = e.let(f"fcmp olt {a} {x}, 0xC3E0000000000000")
        e.fail_if(e.let(f"or i1 {above}, {below}"), "float to integer overflow")
    return e.let(f"fptosi {a} {x} to {b}")


def _cast_tangent(x: Expr, r: Expr, tangents: Sequence[Expr | None], type: str) -> Expr:
    (dx,) = tangents
    assert dx is not None
    return Expr(x.builder, x.builder.emit("cast", dx.value, type=type))


def _cast_adjoint(x: Expr, r: Expr, ct: Expr, type: str) -> Sequence[Expr | None]:
    return (Expr(x.builder, x.builder.emit("cast", ct.value, type=x.type.name)) if is_float(r.type) else None,)


def _lower_first(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    return operands[0]


def _sloped_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if len(types) not in (3, 5) or len(set(types)) != 1 or not is_float(types[0]):
        raise OpTypeError(f"sloped does not accept ({', '.join(map(str, types))})")
    return (types[0],)


def _slopes(value: Expr, *rest: Expr) -> Sequence[Expr | None]:
    given = rest[:-1]  # x, slope by x, y, slope by y; the last one is the result
    return None, *(given[k + 1] if k % 2 == 0 else None for k in range(len(given)))


def _extremum_rules(first_wins: str) -> dict[str, Any]:
    """What is chosen, as by `select`: multiplied by 1 and 0, an infinite derivative of the other would be NaN."""

    def tangent(x: Expr, y: Expr, r: Expr, tangents: Sequence[Expr | None]) -> Expr:
        return where(x.apply(first_wins, y), tangents[0] or r.lift(0.0), tangents[1] or r.lift(0.0))

    def adjoint(x: Expr, y: Expr, r: Expr, ct: Expr) -> Sequence[Expr | None]:
        first = x.apply(first_wins, y)
        return where(first, ct, 0.0), where(first, 0.0, ct)

    return {"tangent": tangent, "adjoint": adjoint}


def _strong_tangent(p: Expr, c: Expr, r: Expr, tangents: Sequence[Expr | None]) -> Expr:
    dp, dc = tangents
    terms = [t for t in (dp and dp.apply("mulz", c), dc and p.apply("mulz", dc)) if t is not None]
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


def _strong_adjoint(p: Expr, c: Expr, r: Expr, ct: Expr) -> Sequence[Expr | None]:
    return where(ct.equals(0.0), 0.0, ct.apply("mulz", c)), p.apply("mulz", ct)


def lower_strong_product(
    e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes
) -> str:
    """The partial is cleared rather than the product, so that the product may still join a sum in one instruction."""
    ty, (partial, factor) = llvm_type(result), operands
    there = e.let(f"fcmp une {ty} {factor}, 0.0")
    return e.let(f"fmul {e.flags}{ty} {e.let(f'select i1 {there}, {ty} {partial}, {ty} 0.0')}, {factor}")


def lower_extremum(name: str) -> Any:
    def lower(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
        assert isinstance(result, Scalar)
        if result.kind == "f":
            return e.intrinsic(name, result, operands)
        ty = llvm_type(result)
        order = ("u" if result.kind == "u" else "s") + ("lt" if name == "minimum" else "gt")
        return e.let(f"select i1 {e.let(f'icmp {order} {ty} {operands[0]}, {operands[1]}')}, "
                     f"{ty} {operands[0]}, {ty} {operands[1]}")  # fmt: skip

    return lower


def scalar_int(count: int) -> TypeRule:
    return same(lambda t: t == I64, count)


_two = same(number, 2)
_float2 = same(is_float, 2)
_integer_or_bool2 = same(lambda t: is_integer(t) or t == BOOL, 2)

OPS = (
    Op("const", constant_type, lambda value, type: evaluate_cast(value, type), lower=lower_constant, cost=0.0,
       effects=VALUE),
    Op("add", _two, by_kind(np.add, lambda x, y: x + y), lambda x, y, r: (r.lift(1.0), r.lift(1.0)),
       lower=lower_arithmetic("fadd", "sadd"), samples=PAIRS, effects=EXACT, commutative=True),
    Op("sub", _two, by_kind(np.subtract, lambda x, y: x - y), lambda x, y, r: (r.lift(1.0), r.lift(-1.0)),
       lower=lower_arithmetic("fsub", "ssub"), samples=PAIRS, effects=EXACT),
    Op("mul", _two, by_kind(np.multiply, lambda x, y: x * y), lambda x, y, r: (y, x),
       lower=lower_arithmetic("fmul", "smul"), samples=PAIRS, effects=EXACT, commutative=True),
    Op("div", _float2, by_kind(np.divide, None), lambda x, y, r: (1.0 / y, -(r / y)), lower=lower_div, samples=PAIRS,
       cost=6.0, effects=VALUE, singular=lambda x, y: not y),
    # `mulz p, c`: p * c, but 0 where c is, even if p is infinite or NaN: a partial derivative times what it passes on.
    Op("mulz", _float2, by_kind(lambda p, c: c if c == 0 else p * c, None), tangent=_strong_tangent,
       adjoint=_strong_adjoint, lower=lower_strong_product, samples=PAIRS, cost=1.5, effects=VALUE),
    Op("floordiv", _two, by_kind(_python_floordiv, _divides(lambda x, y: x // y)), lower=lower_floordiv, samples=PAIRS,
       cost=40.0, effects=EXACT),
    Op("mod", _two, by_kind(_python_remainder, _divides(lambda x, y: x % y)),
       lambda x, y, r: (r.lift(1.0), -x.apply("floordiv", y)), lower=lower_remainder, samples=PAIRS, cost=40.0,
       effects=EXACT),
    Op("pow", _two, by_kind(_float_power, _integer_power), power_slopes, lower=lower_pow,
       samples=((0.7, 1.9), (1.3, -0.4), (2.5, 3.0)), cost=60.0, effects=EXACT,
       singular=lambda x, y: y is None or y < 1),
    Op("neg", same(number, 1), by_kind(np.negative, lambda x: -x), lambda x, r: (r.lift(-1.0),), lower=lower_neg,
       samples=((0.3,), (-2.0,)), effects=EXACT),
    Op("abs", same(number, 1), by_kind(np.abs, abs), lambda x, r: (x.apply("sign"),), lower=lower_abs,
       samples=((0.3,), (-2.0,)), effects=EXACT),
    Op("minimum", _two, by_kind(np.minimum, min), lower=lower_extremum("minimum"), samples=PAIRS,
       effects=VALUE, chooses=True, **_extremum_rules("le")),
    Op("maximum", _two, by_kind(np.maximum, max), lower=lower_extremum("maximum"), samples=PAIRS,
       effects=VALUE, chooses=True, **_extremum_rules("ge")),
    *(Op(name, comparison, lambda x, y, compare=compare: bool(compare(x, y)), lower=lower_comparison(ordered),
         effects=VALUE)
      for name, ordered, compare in (
          ("eq", "eq", lambda x, y: x == y), ("ne", "ne", lambda x, y: x != y), ("lt", "lt", lambda x, y: x < y),
          ("le", "le", lambda x, y: x <= y), ("gt", "gt", lambda x, y: x > y), ("ge", "ge", lambda x, y: x >= y))),
    Op("and", truth(2), lambda x, y: x and y, lower=lower_bits("and"), commutative=True, effects=VALUE),
    Op("or", truth(2), lambda x, y: x or y, lower=lower_bits("or"), commutative=True, effects=VALUE),
    Op("not", truth(1), lambda x: not x, lower=lower_not, effects=VALUE),
    Op("bitand", _integer_or_bool2, lambda x, y: x & y, lower=lower_bits("and"), commutative=True, effects=VALUE),
    Op("bitor", _integer_or_bool2, lambda x, y: x | y, lower=lower_bits("or"), commutative=True, effects=VALUE),
    Op("bitxor", _integer_or_bool2, lambda x, y: x ^ y, lower=lower_bits("xor"), commutative=True, effects=VALUE),
    Op("bitnot", scalar_int(1), lambda x: ~x, lower=lower_not, effects=VALUE),
    Op("shl", scalar_int(2), by_kind(None, _shift(1)), lower=lower_shift(left=True), effects=EXACT),
    Op("shr", scalar_int(2), by_kind(None, _shift(-1)), lower=lower_shift(left=False), effects=EXACT),
    Op("select", select_type, lambda c, x, y: x if c else y, tangent=_select_tangent, adjoint=_select_adjoint,
       lower=lower_select, effects=VALUE, chooses=True),
    # `attach value, source`: the value of the first with the derivative of the second, which equals it up to rounding.
    Op("attach", _float2, lambda value, source: value, tangent=lambda v, s, r, tangents: tangents[1] or r.lift(0.0),
       adjoint=lambda v, s, r, ct: (None, ct), blocked=(0,), lower=_lower_first, cost=0.0, effects=VALUE,
       value_of=0),
    # `sloped value, x, slope [, y, slope]`: the value of the first, with these derivatives by x and y.
    Op("sloped", _sloped_type, lambda value, *slopes: value, _slopes, blocked=(0, 2, 4), lower=_lower_first, cost=0.0,
       effects=VALUE, value_of=0, singular=everywhere),
    Op("cast", cast_type, evaluate_cast, tangent=_cast_tangent, adjoint=_cast_adjoint, lower=lower_cast,
       effects=CONVERTS),
)  # fmt: skip
