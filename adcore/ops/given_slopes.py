"""Ops that say what a derivative is, for values that are there already, and the product that passes derivatives on."""

from __future__ import annotations

from collections.abc import Sequence

from adcore.ir.core import Attributes
from adcore.ir.types import Type, is_float
from adcore.ops.define import Emitter, Op, OpTypeError, everywhere, same
from adcore.ops.effects import VALUE
from adcore.ops.expr import Expr, where
from adcore.ops.scalars import PAIRS, by_kind, llvm_type


def _sloped_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if len(types) not in (3, 5) or len(set(types)) != 1 or not is_float(types[0]):
        raise OpTypeError(f"sloped does not accept ({', '.join(map(str, types))})")
    return (types[0],)


def _slopes(value: Expr, *rest: Expr) -> Sequence[Expr | None]:
    given = rest[:-1]  # x, slope by x, y, slope by y; the last one is the result
    return None, *(given[k + 1] if k % 2 == 0 else None for k in range(len(given)))


def _lower_first(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    return operands[0]


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


OPS = (
    # `mulz p, c`: p * c, but 0 where c is, even if p is infinite or NaN: a partial derivative times what it passes on.
    Op("mulz", same(is_float, 2), by_kind(lambda p, c: c if c == 0 else p * c, None), tangent=_strong_tangent,
       adjoint=_strong_adjoint, lower=lower_strong_product, samples=PAIRS, cost=1.5, effects=VALUE),
    # `attach value, source`: the value of the first with the derivative of the second, which equals it up to rounding.
    Op("attach", same(is_float, 2), lambda value, source: value,
       tangent=lambda v, s, r, tangents: tangents[1] or r.lift(0.0), adjoint=lambda v, s, r, ct: (None, ct),
       blocked=(0,), lower=_lower_first, cost=0.0, effects=VALUE, value_of=0),
    # `sloped value, x, slope [, y, slope]`: the value of the first, with these derivatives by x and y.
    Op("sloped", _sloped_type, lambda value, *slopes: value, _slopes, blocked=(0, 2, 4), lower=_lower_first, cost=0.0,
       effects=VALUE, value_of=0, singular=everywhere),
)  # fmt: skip
