"""Calls of functions whose derivatives a user gave (`ad.rule`): opaque to every analysis until they are lowered.

    %y: f64 = rule %x, %k [code=cube@1]          a Python function, compiled; its body replaces it before lowering
    %y: f64 = native %x [code=cbrt@2]            a function at an address

What a `Code` does stands in the instruction itself, so one table of ops serves all programs. The rules are `rule`
instructions, too: `%dx = rule %x, %y, %dy [code=cube.adjoint@3]`. They are replaced by their bodies after each sweep,
so that the next one differentiates them as any other code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from adcore.ir.builder import Builder
from adcore.ir.core import Attributes, Function, Region, free_values
from adcore.ir.interpreter import interpret
from adcore.ir.types import Scalar, Type, is_float
from adcore.ops.define import Emitter, Native, Op, OpTypeError, Table
from adcore.ops.effects import STOPS, VALUE
from adcore.ops.expr import Expr

_numbers = itertools.count(1)


@dataclass(frozen=True, eq=False)
class Rules:
    """The derivatives of a function, compiled when a sweep first asks.

    `tangent()`: code of (arguments, result, tangents of the float arguments); `adjoint()`: a part of (arguments,
    result, cotangent) per float argument. At least one is given; either follows from the other, as both are linear.
    """

    tangent: Callable[[], Code] | None = None
    adjoint: Callable[[], Sequence[Part]] | None = None


@dataclass(frozen=True, eq=False)
class Code:
    """A function of numbers with one float result: its IR, in the ops of `ops`, or its address."""

    name: str
    params: tuple[Scalar, ...]
    result: Scalar
    body: Function | None = field(default=None, repr=False)
    native: Native | None = None
    rules: Rules | None = field(default=None, repr=False)
    ops: Table | None = field(default=None, repr=False)
    number: int = field(default_factory=lambda: next(_numbers))

    def __repr__(self) -> str:
        return f"{self.name}@{self.number}"  # unique: equal instructions are found by their attributes' text

    @cached_property
    def op(self) -> str:
        return "native" if self.native is not None else "rule"

    def evaluate(self, *operands: Any) -> Any:
        if self.native is not None:
            return self.native.call(*operands)
        assert self.body is not None
        assert self.ops is not None
        return interpret(self.body, self.ops, operands)[0]


@dataclass(frozen=True, eq=False)
class Part:
    """One result of a function of several, as code that takes only the parameters `uses`; None for a zero result."""

    code: Code | None
    uses: tuple[int, ...] = ()


def part_of(function: Function, position: int, name: str, ops: Table) -> Part:
    """The part that computes result `position`, with what may stop the program left in.

    Unused operands are dropped, so that the reverse sweep need not keep them."""
    result = function.results[position]
    needed, body = {result}, []
    for instr in reversed(function.region.body):
        if needed.intersection(instr.results) or instr.regions or not ops[instr.op].pure:
            needed.update(instr.operands)
            for region in instr.regions:
                needed.update(free_values(region))
            body.append(instr)
    uses = tuple(k for k, param in enumerate(function.params) if param in needed)
    params = tuple(function.params[k] for k in uses)
    types = tuple(p.type for p in params if isinstance(p.type, Scalar))
    assert isinstance(result.type, Scalar)
    whole = replace(function, region=Region(params, tuple(reversed(body)), (result,)))
    return Part(Code(name, types, result.type, whole, ops=ops), uses)


def call(builder: Builder, code: Code, operands: Sequence[Expr]) -> Expr:
    """The instruction that applies `code`; a constant takes no operands."""
    return Expr(builder, builder.emit(code.op, *(o.value for o in operands), code=code))


def type_rule(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    code = attrs.get("code")
    if not isinstance(code, Code) or types != code.params:
        raise OpTypeError(f"{code!r} does not accept ({', '.join(map(str, types))})")
    return (code.result,)


def tangent(*given: Any, code: Code) -> Expr:
    """By the user's tangent, or as the sum of partials that the adjoint gives for a cotangent of 1."""
    *primal, directions = given
    assert code.rules is not None, f"{code!r} has no derivative"
    floats = [k for k, type_ in enumerate(code.params) if is_float(type_)]
    if code.rules.tangent is not None:
        moved = [directions[k] if directions[k] is not None else primal[k].lift(0.0) for k in floats]
        return call(primal[-1].builder, code.rules.tangent(), [*primal, *moved])
    total: Expr = primal[-1].lift(0.0)
    for k, term in zip(floats, adjoint(*primal, primal[-1].lift(1.0), code=code, only_floats=True), strict=True):
        if term is not None and directions[k] is not None:
            total = total + _as(term, code.result) * _as(directions[k], code.result)
    return total


def adjoint(*given: Any, code: Code, only_floats: bool = False) -> list[Expr | None]:
    """By the user's adjoint, or the cotangent times the tangent along each argument."""
    *primal, cotangent = given
    assert code.rules is not None, f"{code!r} has no derivative"
    floats = [k for k, type_ in enumerate(code.params) if is_float(type_)]
    found: list[Expr | None] = []
    if code.rules.adjoint is not None:
        operands = [*primal, cotangent]
        for part in code.rules.adjoint():
            found.append(call(cotangent.builder, part.code, [operands[k] for k in part.uses]) if part.code else None)
    else:
        assert code.rules.tangent is not None
        for k in floats:
            unit = [primal[j].lift(1.0 if j == k else 0.0) for j in floats]
            partial = call(cotangent.builder, code.rules.tangent(), [*primal, *unit])
            found.append(_as(_as(partial, cotangent.type) * cotangent, code.params[k]))
    if only_floats:
        return found
    terms = iter(found)
    return [next(terms) if is_float(type_) else None for type_ in code.params]


def _as(x: Expr, type_: Scalar) -> Expr:
    return x if x.type == type_ else Expr(x.builder, x.builder.emit("cast", x.value, type=type_.name))


def lower_native(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    code = attrs["code"]
    assert isinstance(result, Scalar)
    return e.native(code.native, code.params, result, operands)


OPS = (
    Op("rule", type_rule, lambda *x, code: code.evaluate(*x), tangent=tangent, adjoint=adjoint, cost=50.0,
       effects=STOPS),
    Op("native", type_rule, lambda *x, code: code.evaluate(*x), tangent=tangent, adjoint=adjoint, cost=50.0,
       lower=lower_native, effects=VALUE),
)  # fmt: skip
