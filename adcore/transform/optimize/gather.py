"""Sums that a loop scatters over neighbouring elements are gathered: one element is touched once, from all sides.

    for %lo, %hi [step=1] {                          for %lo + 2, %hi [step=1] {
    (%i: i64):                                       (%e: i64):
      accumulate f(%i), %d, %i                  ->     accumulate f(%e) + g(%e - 1) + h(%e - 2), %d, %e
      accumulate g(%i), %d, %i + 1                     yield
      accumulate h(%i), %d, %i + 2                   }
      yield
    }

and what there is of it for the two elements at each end; loops too short for that scatter as before (the whole text is
in the tests of this module). The adjoint of a stencil is a stencil then, and runs in vector registers. What the loop
does besides stays in a loop of its own, which comes after: so nothing that the sums read may have been written by an
earlier iteration. Accumulation has no order that the user could see. (J. Hueckelheim et al., "Automatic differentiation
for adjoint stencil loops", ICPP 2019, gather in the same way.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.machine_model import MODEL
from adcore.ops import Table
from adcore.transform.optimize.accumulation_chains import AccumulationChain, find_chains


def gather_accumulations(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with scattered sums gathered; `groups` are the positions of parameters that may share memory."""
    shared = frozenset(function.params[p] for group in groups for p in group)
    classes = AliasClasses(tuple(tuple(group) for group in groups))
    pass_ = _Gathering(structure_of(function, ops), dependence_of(function, ops, classes), ops, shared)
    return function.with_region(pass_.region(function.region))


@dataclass(frozen=True, eq=False)
class _GatheredChain:
    """A chain in the order of the loop's counter, with the instructions of the loop that each sum takes."""

    chain: AccumulationChain
    sums: tuple[Instr, ...]
    terms: tuple[tuple[Instr, ...], ...]


class _Gathering:
    def __init__(self, facts: Structure, dependence: Dependence, ops: Table, shared: frozenset[Value]) -> None:
        self.structure, self.dependence, self.ops, self.shared = facts, dependence, ops, shared

    def region(self, region: Region) -> Region:
        body: list[Instr] = []
        for instr in region.body:
            rows = self.rows(instr) if instr.op == "for" else []
            for row in rows:
                body += self.gathered(row)
            body.append(self.without(instr, rows))
        return region.with_body(body)

    def without(self, instr: Instr, rows: Sequence[_GatheredChain]) -> Instr:
        """`instr` without the sums that are gathered before it."""
        if rows:
            (body,) = instr.regions
            done = {total for row in rows for total in row.sums}
            left = body.with_body(tuple(i for i in body.body if i not in done))
            return instr.with_regions((left,))
        return instr.with_regions(tuple(self.region(r) for r in instr.regions))

    # What can be gathered

    def rows(self, loop: Instr) -> list[_GatheredChain]:
        if loop.attrs["step"] != 1:
            return []
        chains = find_chains(self.dependence, self.shared, loop)
        found = (self.row(chain) for chain in chains if len(chain.sums) >= MODEL.fewest_gathered)
        return [row for row in found if row is not None]

    def row(self, chain: AccumulationChain) -> _GatheredChain | None:
        sums = chain.sums[::-1] if chain.loop.attrs.get("reverse") else chain.sums
        terms = [self.term(chain.loop, total) for total in sums]
        whole = {i for term in terms if term is not None for i in term}
        if any(term is None for term in terms) or not self.may_come_first(chain.loop, whole):
            return None
        work = sum(self.cost(term) for term in terms if term is not None)
        if work > MODEL.most_gathered_work * self.cost(whole):
            return None
        return _GatheredChain(chain, sums, tuple(term for term in terms if term is not None))

    def cost(self, instrs: set[Instr] | tuple[Instr, ...]) -> float:
        return sum(self.ops[i.op].cost for i in instrs)

    def term(self, loop: Instr, total: Instr) -> tuple[Instr, ...] | None:
        """The instructions of the loop's body that `total` adds up, in order; None if they take a carried value."""
        (body,) = loop.regions
        needed = set(total.operands)
        found: list[Instr] = []
        for instr in reversed(body.body):
            if not needed.isdisjoint(instr.results):
                if not self.ops[instr.op].pure:
                    return None
                found.append(instr)
                needed.update(instr.operands)
        return None if needed.intersection(body.params[1:]) else tuple(reversed(found))

    def may_come_first(self, loop: Instr, instrs: set[Instr]) -> bool:
        """Whether the loads among `instrs` read the same before the loop as in it."""
        (body,) = loop.regions
        writes = [i for i in body.body if i.op in self.ops.writers]
        level = self.structure.depth(body)
        loads = [i for i in instrs if i.op in self.ops.readers]
        return not any({0, level} & set(self.dependence.levels(w, load)) for load in loads for w in writes)

    # The loops that gather

    def gathered(self, row: _GatheredChain) -> list[Instr]:
        """The elements at both ends one by one, and a loop over those between that all sums of an iteration reach."""
        b = Builder(self.ops)
        b.span = row.chain.loop.span
        lo, hi = row.chain.loop.operands[:2]
        reach = len(row.sums) - 1
        enough = b.emit("ge", b.emit("sub", hi, lo, exact=True), b.const(reach))
        with b.region() as long:
            for k in range(reach):
                self.element(b, row, _moved(b, lo, k), range(k + 1))
            counter = Value(lo.type, row.chain.loop.regions[0].params[0].hint)
            with b.region((counter,)) as inside:
                self.element(b, row, counter, range(reach + 1))
            b.emit_many("for", (_moved(b, lo, reach), hi), {"step": 1}, (inside.region,), ())
            for k in range(reach):
                self.element(b, row, _moved(b, hi, k), range(k + 1, reach + 1))
        with b.region() as short:
            counter = Value(lo.type, row.chain.loop.regions[0].params[0].hint)
            with b.region((counter,)) as inside:
                for k in range(reach + 1):
                    self.element(b, row, _moved(b, counter, k), [k])
            b.emit_many("for", (lo, hi), {"step": 1}, (inside.region,), ())
        b.emit_many("if", (enough,), {}, (long.region, short.region), ())
        return list(b.finish((), ()).body)

    def element(self, b: Builder, row: _GatheredChain, element: Value, sums: Sequence[int]) -> None:
        """Add to one element what the given sums give it, each from the iteration that reaches it."""
        (total, target), *rest = [self.term_at(b, row, k, element) for k in sums]
        for value, _ in rest:
            total = b.emit("add", total, value, flags="adjoint")
        b.emit_many("accumulate", (total, *target), {})

    def term_at(self, b: Builder, row: _GatheredChain, k: int, element: Value) -> tuple[Value, list[Value]]:
        """What the k-th sum adds to `element`, and where that is (array and subscripts)."""
        iteration = _moved(b, element, -k)
        names = {row.chain.loop.regions[0].params[0]: iteration}
        outer = b.span
        for instr in row.terms[k]:
            b.span = instr.span
            operands = tuple(names.get(v, v) for v in instr.operands)
            results = b.emit_many(instr.op, operands, instr.attrs, hints=[r.hint for r in instr.results])
            names.update(zip(instr.results, results, strict=True))
        b.span = outer
        total = row.sums[k]
        place = (self.ops.array(total), *self.ops.subscripts(total))
        value = self.ops.stored(total)
        return names.get(value, value), [names.get(v, v) for v in place]


def _moved(b: Builder, value: Value, by: int) -> Value:
    return b.emit("add", value, b.const(by), exact=True) if by else value
