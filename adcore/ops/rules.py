"""Tangents and adjoints of instructions, from the ops table: the only reader of an op's derivative rules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from adcore.ir.builder import Builder
from adcore.ir.core import Attributes, Instr, Value, meaning
from adcore.ir.types import Type
from adcore.ops.define import Op, Table
from adcore.ops.expr import Expr


def tangent(
    builder: Builder,
    op: Op,
    operands: Sequence[Value],
    result: Value,
    tangents: Sequence[Value | None],
    attrs: Attributes,
    strong: bool = False,
) -> Value:
    """The tangent of `result`, given those of the operands (None: zero; at least one is given). `strong`: a tangent of
    zero adds nothing, even if the partial derivative is infinite or NaN."""
    primal = [Expr(builder, v) for v in (*operands, result)]
    directions = [None if t is None else Expr(builder, t) for t in tangents]
    if op.tangent is not None:
        return op.tangent(*primal, directions, **meaning(attrs)).value
    assert op.partials is not None, f"{op.name} has no derivative"
    total: Expr | None = None
    for partial, direction in zip(op.partials(*primal, **meaning(attrs)), directions, strict=True):
        if partial is None or direction is None:
            continue
        term = Expr(builder, _times(builder, partial.value, direction.value, strong))
        total = term if total is None else total + term
    return builder.const(0.0, primal[-1].type) if total is None else total.value


def adjoint(
    builder: Builder,
    op: Op,
    operands: Sequence[Value],
    result: Value,
    cotangent: Value,
    attrs: Attributes,
    active: Sequence[bool],
    strong: bool = False,
) -> list[Value | None]:
    """What each active operand's adjoint grows by, given the adjoint of `result`; `strong` as of `tangent`."""
    primal = [Expr(builder, v) for v in (*operands, result)]
    ct = Expr(builder, cotangent)
    if op.adjoint is not None:
        terms = op.adjoint(*primal, ct, **meaning(attrs))
        return [t.value if t is not None and a else None for t, a in zip(terms, active, strict=True)]
    assert op.partials is not None, f"{op.name} has no derivative"
    partials = op.partials(*primal, **meaning(attrs))
    return [
        _times(builder, p.value, cotangent, strong, flags="adjoint") if p is not None and a else None
        for p, a in zip(partials, active, strict=True)
    ]


def _times(builder: Builder, partial: Value, factor: Value, strong: bool, **attrs: Any) -> Value:
    """The product; where `strong`, zero where `factor` is. Partials that the rule knows are finite."""
    known = not strong or builder.is_constant(partial)
    return builder.emit("mul" if known else "mulz", partial, factor, **attrs)


def adjoint_needs(ops: Table, instr: Instr, active: Sequence[bool]) -> tuple[Value, ...]:
    """The primal operands and results that the adjoint of `instr` reads, found by running the rule once."""
    types = tuple(v.type for v in instr.operands)
    attrs = tuple(sorted(meaning(instr.attrs).items()))
    positions = _probe(ops, instr.op, types, instr.result.type, attrs, tuple(active))
    values = (*instr.operands, instr.result)
    return tuple(dict.fromkeys(values[k] for k in positions))


@lru_cache(maxsize=4096)
def _probe(
    ops: Table, name: str, types: tuple[Type, ...], result: Type, attrs: tuple[Any, ...], active: tuple[bool, ...]
) -> tuple[int, ...]:
    """Positions of the stand-ins (operands, then result) that survive in the code of the rule."""
    builder = Builder(ops)
    stand_ins = [Value(t) for t in (*types, result)]
    cotangent = Value(stand_ins[-1].type)
    terms = adjoint(builder, ops[name], stand_ins[:-1], stand_ins[-1], cotangent, dict(attrs), active)
    needed = {t for t in terms if t is not None}
    for instr in reversed(builder.finish((), ()).body):
        if needed.intersection(instr.results):
            needed.update(instr.operands)
    return tuple(k for k, v in enumerate(stand_ins) if v in needed)
