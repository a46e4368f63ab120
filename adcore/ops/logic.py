"""Comparison, truth, bits and shifts. A shift that loses bits raises OverflowError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adcore.ir.core import Attributes
from adcore.ir.types import BOOL, I64, Scalar, Type, is_integer
from adcore.ops.define import Emitter, Op, comparison, same, truth
from adcore.ops.effects import EXACT, VALUE
from adcore.ops.scalars import by_kind, llvm_type


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


_integer_or_bool2 = same(lambda t: is_integer(t) or t == BOOL, 2)


OPS = (
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
    Op("bitnot", same(lambda t: t == I64, 1), lambda x: ~x, lower=lower_not, effects=VALUE),
    Op("shl", same(lambda t: t == I64, 2), by_kind(None, _shift(1)), lower=lower_shift(left=True), effects=EXACT),
    Op("shr", same(lambda t: t == I64, 2), by_kind(None, _shift(-1)), lower=lower_shift(left=False), effects=EXACT),
)  # fmt: skip
