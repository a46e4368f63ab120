"""What a check has made sure is not asked again, and sizes that it found equal are one size from there on.

    %same: bool = eq %n, %m
    check %same [error='ValueError', message='lengths']
    for 0, %m [step=1] {
    (%i: i64):
      check %same [error='ValueError', message='lengths']
      store %s, %x, %i
      yield
    }
->
    %same: bool = eq %n, %m
    check %same [error='ValueError', message='lengths']
    for 0, %n [step=1] {
    (%i: i64):
      store %s, %x, %i
      yield
    }

Loops over equal sizes can then be joined. A check at the beginning of a loop's body that is the same in every iteration
is made once, in front of the loop, unless that does not run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adcore.analysis.affine.ordering import may_stop
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ir.types import I64
from adcore.machine_model import MODEL
from adcore.ops import Table
from adcore.transform.canonical.simplify import simplify


def assume_checks(function: Function, ops: Table) -> Function:
    """An equivalent function with fewer checks and fewer different sizes."""
    for _ in range(MODEL.assumption_rounds):
        if not any(i.op == "check" for i in walk(function.region)):
            return function
        assumptions = _Assumptions(function, ops)
        function = simplify(function.with_region(assumptions.region(function.region, {})), ops)
        if not assumptions.changed:
            break
    return function


class _Assumptions:
    def __init__(self, function: Function, ops: Table) -> None:
        self.ops = ops
        self.definition = {r: i for i in walk(function.region) for r in i.results}
        self.order = {v: k for k, v in enumerate((*function.params, *self.definition))}
        self.truth: dict[Value, bool] = {r: i.attrs["value"] for r, i in self.definition.items() if i.op == "const"}
        self.changed = False

    def region(self, region: Region, names: dict[Value, Value], assumed: tuple[Value, ...] = ()) -> Region:
        """`region`, where values are called by `names` from outside, and `assumed` conditions hold."""
        b, names = Builder(self.ops), dict(names)
        for condition in assumed:
            self.assume(b, condition, names)
        for instr in region.body:
            b.span = instr.span
            named = instr.with_operands(_named(names, instr.operands))
            if instr.op == "check":
                self.check(b, named, names)
            elif instr.op in ("eq", "ne") and named.operands[0] is named.operands[1] and self.is_integer(named):
                self.rename(names, instr.result, self.const(b, instr.op == "eq"))
            elif instr.op == "for":
                leading = list(self.leading(named, names))
                self.in_front(b, named, leading)
                body = self.region(instr.regions[0], names, tuple(i.operands[0] for i in leading))
                b.append(named.with_regions((body,)))
            else:
                b.append(named.with_regions(tuple(self.region(r, names) for r in instr.regions)))
        return b.finish(region.params, _named(names, region.yields))

    def is_integer(self, comparison: Instr) -> bool:
        return comparison.operands[0].type == I64

    def const(self, b: Builder, truth: bool) -> Value:
        value = b.const(truth)
        self.truth[value] = truth
        return value

    def rename(self, names: dict[Value, Value], old: Value, new: Value) -> None:
        names.update({value: new for value, name in names.items() if name is old})
        names[old] = new

    def check(self, b: Builder, check: Instr, names: dict[Value, Value]) -> None:
        if self.truth.get(check.operands[0]) is True:
            self.changed = True
            return
        b.append(check)
        self.assume(b, check.operands[0], names)

    def assume(self, b: Builder, condition: Value, names: dict[Value, Value]) -> None:
        """From here on `condition` is true."""
        instr = self.definition.get(condition)
        if instr is None or condition in self.truth:
            return
        self.rename(names, condition, self.const(b, True))
        operands = _named(names, instr.operands)
        if instr.op == "and":
            for operand in operands:
                self.assume(b, operand, names)
        elif instr.op == "eq" and self.is_integer(instr):
            self.unite(names, *operands)

    def unite(self, names: dict[Value, Value], a: Value, b: Value) -> None:
        """The one that is known first stands for both; a constant stands for either."""
        if a is b or a not in self.order or b not in self.order:
            return
        first, second = sorted((a, b), key=lambda v: (not self.is_constant(v), self.order[v]))
        if not self.is_constant(second):
            self.changed = True
            self.rename(names, second, first)

    def is_constant(self, value: Value) -> bool:
        instr = self.definition.get(value)
        return instr is not None and instr.op == "const"

    # Checks at the beginning of a loop

    def leading(self, loop: Instr, names: dict[Value, Value]) -> Iterator[Instr]:
        """The checks that come first in each iteration and only use what is known before the loop."""
        (body,) = loop.regions
        inside = {*body.params, *(r for i in body.body for r in i.results)}
        for instr in body.body:
            if instr.op == "check" and inside.isdisjoint(instr.operands):
                named = instr.with_operands(_named(names, instr.operands))
                if self.truth.get(named.operands[0]) is False:
                    return
                if named.operands[0] not in self.truth:
                    yield named
            elif instr.regions or not self.ops[instr.op].pure or may_stop(instr, self.ops, self.definition):
                return

    def in_front(self, b: Builder, loop: Instr, checks: list[Instr]) -> None:
        lo, hi = loop.operands[:2]
        for check in checks:
            self.changed = True
            b.span = loop.span
            idle = b.emit("ge" if loop.attrs["step"] > 0 else "le", lo, hi)
            condition = b.emit("or", check.operands[0], idle)
            b.span = check.span
            b.append(replace(check, operands=(condition, *check.operands[1:])))
        b.span = loop.span


def _named(names: dict[Value, Value], values: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple([names.get(v, v) for v in values])
