"""Sums that a loop adds to one element are added up in a register, and to the element once (register promotion of a
memory cell, J. Lu and K. D. Cooper, "Register promotion in C programs", PLDI 1997, by subscripts instead of names).

    for 0, %n [step=1] {
    (%j: i64):
      %v: f64 = load %x, %j
      accumulate %v, %d, %k
      yield
    }
->
    %d_sum: f64 = for 0, %n, 0.0 [step=1] {
    (%j: i64, %d_sum.1: f64):
      %v: f64 = load %x, %j
      %1: f64 = add %d_sum.1, %v [flags='adjoint']
      yield %1
    }
    %2: bool = lt 0, %n
    if %2 {
    ():
      accumulate %d_sum, %d, %k
      yield
    } {
    ():
      yield
    }

LLVM does that only where it can tell the element from everything else that the loop touches; subscripts tell more. The
condition goes where the element is touched anyway. Accumulation has no order that the user could see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ir.types import Scalar
from adcore.ops import Table

Element = tuple[Value, ...]
"""Array and subscripts of an accumulation."""


def promote_sums(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with such sums in registers; `groups` are the positions of parameters that may share memory."""
    classes = AliasClasses(tuple(tuple(group) for group in groups))
    while True:  # what leaves an inner loop may leave the one around it, too
        pass_ = _Promotion(structure_of(function, ops), dependence_of(function, ops, classes), ops)
        region = pass_.region(function.region)
        if not pass_.changed:
            return function
        function = function.with_region(region)


class _Promotion:
    def __init__(self, facts: Structure, dependence: Dependence, ops: Table) -> None:
        self.structure, self.dependence, self.ops = facts, dependence, ops
        self.changed = False

    def region(self, region: Region) -> Region:
        body: list[Instr] = []
        for instr in region.body:
            nested = instr.with_regions(tuple(map(self.region, instr.regions)))
            sums = self.find(instr) if instr.op == "for" else {}
            body += self.rewritten(nested, sums, region) if sums else [nested]
        return region.with_body(body)

    def find(self, loop: Instr) -> dict[Element, list[Instr]]:
        """Accumulations to elements that stay the same while the loop runs, and that it neither reads nor stores to."""
        (body,) = loop.regions
        sums: dict[Element, list[Instr]] = {}
        for instr in body.body:
            if instr.op in self.ops.sums and all(self.structure.home[v] is not body for v in self.target(instr)):
                sums.setdefault(self.target(instr), []).append(instr)
        if not sums:
            return {}
        others = [i for i in walk(body) if i.op in self.ops.touching and i.op not in self.ops.sums]
        level = self.structure.depth(body)
        return {target: found for target, found in sums.items() if not self.meets(found[0], others, level)}

    def target(self, access: Instr) -> Element:
        return self.ops.array(access), *self.ops.subscripts(access)

    def meets(self, total: Instr, others: Sequence[Instr], level: int) -> bool:
        """Whether one of `others` may touch the element of `total`, in the same iteration of the loop or in another."""
        pairs = ((a, b) for other in others for a, b in ((total, other), (other, total)))
        return any({0, level} & set(self.dependence.levels(a, b)) for a, b in pairs)

    def rewritten(self, loop: Instr, sums: dict[Element, list[Instr]], around: Region) -> list[Instr]:
        """The loop with its sums carried, between their zeros and their accumulation."""
        self.changed = True
        outside = Builder(self.ops)
        outside.span = loop.span
        (body,) = loop.regions
        carried = [Value(self.ops.stored(found[0]).type, f"{target[0].hint}_sum") for target, found in sums.items()]
        zeros = [outside.const(0.0, c.type) for c in carried if isinstance(c.type, Scalar)]
        inside = Builder(self.ops)
        totals = dict(zip(sums, carried, strict=True))
        for instr in body.body:
            inside.span = instr.span
            if any(instr in found for found in sums.values()):
                target = self.target(instr)
                totals[target] = inside.emit("add", totals[target], self.ops.stored(instr), flags="adjoint")
            else:
                inside.append(instr)
        region = inside.finish((*body.params, *carried), (*body.yields, *totals.values()))
        results = [Value(c.type, c.hint) for c in carried]
        operands = (*loop.operands, *zeros)
        outside.append(replace(loop, operands=operands, results=(*loop.results, *results), regions=(region,)))
        safe = {self.target(i) for i in around.body if i.op in self.ops.elements}
        for target, result in zip(sums, results, strict=True):
            self.add(outside, loop, target, result, guarded=target not in safe)
        return list(outside.finish((), ()).body)

    def add(self, b: Builder, loop: Instr, target: Element, total: Value, guarded: bool) -> None:
        """Accumulate after the loop; `guarded`: only if it ran, as the element may not exist otherwise."""
        if not guarded:
            b.emit_many("accumulate", (total, *target), {})
            return
        lo, hi = loop.operands[:2]
        ran = b.emit("lt", lo, hi) if loop.attrs["step"] > 0 else b.emit("gt", lo, hi)
        with b.region() as then:
            b.emit_many("accumulate", (total, *target), {})
        with b.region() as otherwise:
            pass
        b.emit_many("if", (ran,), {}, (then.region, otherwise.region), ())
