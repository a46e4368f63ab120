"""Accumulations to neighbouring elements become one, with the rest carried: memory is touched once an iteration.

    for 0, %n [step=1] {
    (%i: i64):
      %j: i64 = add %i, 1 [exact=True]
      %v: f64 = load %x, %i
      accumulate %v, %d, %i
      accumulate %v, %d, %j
      yield
    }
->
    %d_next: f64 = for 0, %n, 0.0 [step=1] {
    (%i: i64, %d_next.1: f64):
      %v: f64 = load %x, %i
      %1: f64 = add %v, %d_next.1 [flags='adjoint']
      accumulate %1, %d, %i
      yield %v
    }
    %2: bool = lt 0, %n
    if %2 {
    ():
      %3: i64 = sub %n, 1 [exact=True]
      %4: i64 = add %3, 1 [exact=True]
      accumulate %d_next, %d, %4
      yield
    } {
    ():
      yield
    }

What one iteration stores is then no longer read by the next, so the loop vectorises (LLVM knows values carried over a
fixed number of iterations as recurrences). It is predictive commoning (K. O'Brien, "Predictive commoning: a method of
optimizing loops containing references to consecutive array elements", IBM, 1990) of sums instead of
loads. Accumulation has no order that the user could see.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.analysis.affine.dependence import Dependence, dependence_of
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import Scalar
from adcore.ops import Table
from adcore.transform.optimize.accumulation_chains import AccumulationChain, find_chains


def common_accumulations(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with accumulations to neighbouring elements of one array combined. `groups` are the positions of
    parameters that may share memory."""
    shared = frozenset(function.params[p] for group in groups for p in group)
    pass_ = _Commoning(structure_of(function, ops), dependence_of(function, ops), ops, shared)
    return function.with_region(pass_.region(function.region))


class _Commoning:
    def __init__(self, facts: Structure, dependence: Dependence, ops: Table, shared: frozenset[Value]) -> None:
        self.structure, self.dependence, self.ops, self.shared = facts, dependence, ops, shared

    def region(self, region: Region) -> Region:
        body: list[Instr] = []
        for instr in region.body:
            nested = instr.with_regions(tuple(self.region(r) for r in instr.regions))
            ends: list[Instr] = []
            for chain in find_chains(self.dependence, self.shared, instr) if instr.op == "for" else ():
                before, nested, after = self.rewrite(chain, nested)
                body += before
                ends += after
            body += [nested, *ends]
        return region.with_body(body)

    def rewrite(self, chain: AccumulationChain, loop: Instr) -> tuple[list[Instr], Instr, list[Instr]]:
        """Constants before the loop, the loop with all but the first element's sums carried, and their end after it."""
        first, *rest = chain.sums
        type_ = self.ops.stored(first).type
        assert isinstance(type_, Scalar)
        outside = Builder(self.ops)
        outside.span = loop.span
        zero = outside.const(0.0, type_)
        (body,) = loop.regions
        hint = f"{self.ops.array(first).hint}_next"
        partial = [Value(type_, hint) for _ in rest]
        inside = Builder(self.ops)
        for instr in body.body:
            inside.span = instr.span
            if instr is first:
                total = inside.emit("add", self.ops.stored(instr), partial[0], flags="adjoint")
                place = (self.ops.array(instr), *self.ops.subscripts(instr))
                inside.emit_many("accumulate", (total, *place), instr.attrs)
            elif instr not in rest:
                inside.append(instr)
        following = [
            inside.emit("add", partial[k + 1], self.ops.stored(term), flags="adjoint")
            if k + 1 < len(rest)
            else self.ops.stored(term)
            for k, term in enumerate(rest)
        ]
        region = inside.finish((*body.params, *partial), (*body.yields, *following))
        left = [Value(type_, hint) for _ in rest]
        operands, results = (*loop.operands, *(zero for _ in rest)), (*loop.results, *left)
        carried = Instr("for", operands, results, loop.attrs, (region,), loop.span)
        return list(outside.finish((), ()).body), carried, self.last(chain, left)

    def last(self, chain: AccumulationChain, left: Sequence[Value]) -> list[Instr]:
        """`if the loop ran`: add what is left to the elements beyond the last iteration's first."""
        loop, b = chain.loop, Builder(self.ops)
        b.span = loop.span
        lo, hi = loop.operands[:2]
        ran = b.emit("lt", lo, hi) if loop.attrs["step"] > 0 else b.emit("gt", lo, hi)
        with b.region() as then:
            counter = self.final_counter(b, loop)
            base = self.evaluate(b, self.ops.subscripts(chain.sums[0]), {loop.regions[0].params[0]: counter})
            for k, value in enumerate(left, start=1):
                index = [
                    b.emit("add", v, b.const(k * a), exact=True) if a else v
                    for v, a in zip(base, chain.advance, strict=True)
                ]
                b.emit_many("accumulate", (value, self.ops.array(chain.sums[0]), *index), {})
        with b.region() as otherwise:
            pass
        b.emit_many("if", (ran,), {}, (then.region, otherwise.region), ())
        return list(b.finish((), ()).body)

    def final_counter(self, b: Builder, loop: Instr) -> Value:
        """The loop variable of the last iteration (of at least one)."""
        lo, hi = loop.operands[:2]
        step = loop.attrs["step"]
        if loop.attrs.get("reverse"):
            return lo
        towards = b.const(1 if step > 0 else -1)
        distance = b.emit("sub", b.emit("sub", hi, towards, exact=True), lo, exact=True)
        iterations = b.emit("floordiv", distance, b.const(step), exact=True)
        return b.emit("add", lo, b.emit("mul", iterations, b.const(step), exact=True), exact=True)

    def evaluate(self, b: Builder, values: Sequence[Value], names: dict[Value, Value]) -> list[Value]:
        """Values of the loop's body, computed again for the counter in `names`."""
        home = self.structure.home[next(iter(names))]

        def again(value: Value) -> Value:
            instr = self.structure.definition.get(value)
            if self.structure.home.get(value) is not home or instr is None:
                return names.get(value, value)
            if value not in names:
                names[value] = b.emit(instr.op, *(again(v) for v in instr.operands), **instr.attrs)
            return names[value]

        return [again(v) for v in values]
