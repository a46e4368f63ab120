"""Bulk ops as the simpler ops that they stand for, for passes and targets that do not know them.

    copy %x, %y
->
    %1: i64 = dim %x [axis=0]
    for 0, %1 [step=1] {
    (%2: i64):
      %3: f64 = load %x, %2
      store %3, %y, %2
      yield
    }

An op's definition brings its expansion. Differentiation and planning look at single elements, so they start with this;
what comes after them need not.
"""

from __future__ import annotations

from collections.abc import Collection

from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, meaning, renamed, walk
from adcore.ops import Table
from adcore.transform.canonical.simplify import simplify


def expand_bulk(function: Function, ops: Table, known: Collection[str] = ()) -> Function:
    """The function without ops that have an expansion, but for those that the next stage knows; the same object if
    there are none."""
    wanted = ops.expandable.difference(known)
    if not any(instr.op in wanted for instr in walk(function.region)):
        return function
    expansion = _Expansion(ops, wanted)
    region = expansion.region(function.region)
    return function.with_region(renamed(region, expansion.names) if expansion.names else region)


def in_elements(function: Function, ops: Table) -> Function:
    """The function as differentiation wants it: without bulk ops, and with the sizes of the arrays that these took as
    the numbers that they are (an array that a loop makes is not there when the reverse sweep asks for its size)."""
    expanded = expand_bulk(function, ops)
    return function if expanded is function else simplify(expanded, ops)


class _Expansion:
    """`names`: what stands for the results of instructions that are gone."""

    def __init__(self, ops: Table, wanted: frozenset[str]) -> None:
        self.ops, self.wanted = ops, wanted
        self.names: dict[Value, Value] = {}

    def region(self, region: Region) -> Region:
        body: list[Instr] = []
        for instr in region.body:
            if instr.op in self.wanted:
                body += self.region(self.simpler(instr)).body  # an expansion may hold bulk ops, too
            else:
                body.append(instr.with_regions(tuple(map(self.region, instr.regions))))
        return region.with_body(body)

    def simpler(self, instr: Instr) -> Region:
        b = Builder(self.ops)
        b.span = instr.span
        expand = self.ops[instr.op].expand
        assert expand is not None
        results = expand(b, instr.operands, **meaning(instr.attrs))
        self.names.update(zip(instr.results, results, strict=True))
        return b.finish((), ())
