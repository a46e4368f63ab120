"""Carried integers that advance by a constant become closed forms of the iteration number.

    %j: i64 = for 0, %n, %k [step=1] {
    (%i: i64, %j: i64):
      store %s, %x, %j
      %next: i64 = sub %j, 1
      yield %next
    }
    return %j
->
    for 0, %n [step=1] {
    (%i: i64):
      %1: i64 = mul %i, -1 [exact=True]
      %2: i64 = add %k, %1
      store %s, %x, %2
      %next: i64 = sub %2, 1
      yield
    }
    %3: i64 = maximum %n, 0
    %4: i64 = mul %3, -1 [exact=True]
    %5: i64 = add %k, %4
    return %5

A carried value would have to be kept for the reverse sweep; a closed form is computed again, and it is affine, so the
dependence test understands subscripts made from it (induction variables as in A. Aho et al., "Compilers", 2nd edition,
section 9.1.8; the other way round than strength reduction).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, substitute
from adcore.ir.types import I64
from adcore.ops import Table
from adcore.transform.loop_building import iteration_number, trip_count


def close_inductions(function: Function, ops: Table) -> Function:
    """The function with such carried values replaced."""
    return function.with_region(_Closing(ops, function.region).region(function.region))


@dataclass(frozen=True)
class _Induction:
    """The carried value at `position` starts at `start` and grows by `step` in each iteration."""

    position: int
    start: Value
    step: int


class _Closing:
    def __init__(self, ops: Table, top: Region) -> None:
        self.ops = ops
        self.constants: dict[Value, int] = {}
        self.collect(top)

    def collect(self, region: Region) -> None:
        for instr in region.body:
            if instr.op == "const" and instr.result.type == I64:
                self.constants[instr.result] = instr.attrs["value"]
            for nested in instr.regions:
                self.collect(nested)

    def region(self, region: Region) -> Region:
        body: list[Instr] = []
        for instr in region.body:
            nested = instr.with_regions(tuple(self.region(r) for r in instr.regions))
            found = self.find(nested) if nested.op in ("for", "while") else []
            body += self.close(nested, found) if found else [nested]
        return region.with_body(body)

    def find(self, loop: Instr) -> list[_Induction]:
        body = loop.regions[-1]
        defined = {i.result: i for i in body.body if len(i.results) == 1}
        fixed = len(loop.operands) - len(body.yields)
        found = []
        for k, y in enumerate(body.yields):
            instr, param = defined.get(y), body.params[k + 1]
            if instr is None or param.type != I64 or instr.op not in ("add", "sub"):
                continue
            a, b = instr.operands
            if instr.op == "add" and b is param:
                a, b = b, a
            step = self.constants.get(b)
            if a is param and step is not None and abs(step) < 2**15:
                found.append(_Induction(k, loop.operands[fixed + k], step if instr.op == "add" else -step))
        return found

    def close(self, loop: Instr, found: list[_Induction]) -> list[Instr]:
        count = len(loop.regions[-1].yields)
        fixed = len(loop.operands) - count
        gone = {i.position for i in found}
        kept = [k for k in range(count) if k not in gone]
        regions = tuple(self.closed_region(loop, r, kept, found) for r in loop.regions)
        operands = (*loop.operands[:fixed], *(loop.operands[fixed + k] for k in kept))
        results = (*(loop.results[k] for k in kept), *loop.results[count:])
        after = Builder(self.ops)
        after.span = loop.span
        trips = loop.results[-1] if loop.op == "while" else trip_count(after, loop)
        finals = [(loop.results[i.position], self.at(after, i, trips)) for i in found]
        renamed = [
            Instr("add", (final, after.const(0)), (old,), {"exact": True}, (), loop.span) for old, final in finals
        ]
        tail = [*after.finish((), ()).body, *renamed]
        return [replace(loop, operands=operands, results=results, regions=regions), *tail]

    def closed_region(self, loop: Instr, region: Region, kept: list[int], found: list[_Induction]) -> Region:
        start = Builder(self.ops)
        start.span = loop.span
        counter = region.params[0]
        iteration = counter if loop.op == "while" else iteration_number(start, loop, counter)
        closed = {region.params[i.position + 1]: self.at(start, i, iteration) for i in found}
        prologue = start.finish((), ()).body
        params = (counter, *(region.params[k + 1] for k in kept))
        is_body = region is loop.regions[-1]
        yields = tuple(region.yields[k] for k in kept) if is_body else region.yields
        copy = substitute(Region(params, region.body, yields), {**closed, **{p: p for p in params}})
        return copy.with_body((*prologue, *copy.body))

    def at(self, builder: Builder, induction: _Induction, iteration: Value) -> Value:
        """The value after `iteration` iterations."""
        moved = iteration
        if induction.step != 1:
            moved = builder.emit("mul", iteration, builder.const(induction.step), exact=True)
        return builder.emit("add", induction.start, moved)
