"""Ops that choose one of their operands: the derivative goes to the chosen one alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.ir.core import Attributes
from adcore.ir.types import BOOL, Scalar, Type
from adcore.ops.define import Emitter, Op, OpTypeError, number, same
from adcore.ops.effects import VALUE
from adcore.ops.expr import Expr, where
from adcore.ops.scalars import PAIRS, by_kind, llvm_type


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


def _extremum_rules(first_wins: str) -> dict[str, Any]:
    """What is chosen, as by `select`: multiplied by 1 and 0, an infinite derivative of the other would be NaN."""

    def tangent(x: Expr, y: Expr, r: Expr, tangents: Sequence[Expr | None]) -> Expr:
        return where(x.apply(first_wins, y), tangents[0] or r.lift(0.0), tangents[1] or r.lift(0.0))

    def adjoint(x: Expr, y: Expr, r: Expr, ct: Expr) -> Sequence[Expr | None]:
        first = x.apply(first_wins, y)
        return where(first, ct, 0.0), where(first, 0.0, ct)

    return {"tangent": tangent, "adjoint": adjoint}


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


OPS = (
    Op("minimum", same(number, 2), by_kind(np.minimum, min), lower=lower_extremum("minimum"), samples=PAIRS,
       effects=VALUE, chooses=True, **_extremum_rules("le")),
    Op("maximum", same(number, 2), by_kind(np.maximum, max), lower=lower_extremum("maximum"), samples=PAIRS,
       effects=VALUE, chooses=True, **_extremum_rules("ge")),
    Op("select", select_type, lambda c, x, y: x if c else y, tangent=_select_tangent, adjoint=_select_adjoint,
       lower=lower_select, effects=VALUE, chooses=True),
)  # fmt: skip
