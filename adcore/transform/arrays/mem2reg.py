"""Local arrays without dimensions become values (R. Cytron et al., "Efficiently computing static single assignment form
and the control dependence graph", TOPLAS 13, 1991). As control flow is structured, what a loop carries and what a
branch yields take the place of phi functions.

    %t: array<f64,0,C> = alloc [element='f64']
    store %s, %t
    for 0, %n [step=1] {
    (%i: i64):
      %u: f64 = load %t
      %v: f64 = mul %u, %u
      store %v, %t
      yield
    }
    %w: f64 = load %t
    return %w
->
    %t: f64 = for 0, %n, %s [step=1] {
    (%i: i64, %t.1: f64):
      %v: f64 = mul %t.1, %t.1
      yield %v
    }
    return %t

A cell that nothing was stored in holds zero, which nobody reads. The test of a `while` hands on nothing, so what is
stored there stays in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from adcore.analysis.structure import LOOPS
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ir.types import ArrayType
from adcore.ops import Table
from adcore.transform.arrays.local_arrays import local_arrays

ZEROS = {"f": 0.0, "b": False}
"""What a value holds before anything is stored, by the kind of its type: an integer holds 0."""


def mem2reg(function: Function, ops: Table) -> Function:
    """The function with what is stored in such arrays as values that loops and branches hand on. (The test of a
    `while` hands on nothing, so what is stored there stays in memory.)"""
    tests = (i.regions[0] for i in walk(function.region) if i.op == "while")
    tested = {array for test in tests for array in ops.writes_in(test)}
    found = [local for local in local_arrays(function, ops) if not local.alloc.operands and local.root not in tested]
    if not found:
        return function
    stores = (i for local in found for i in local.writes if local.root.hint and i.op in ops.stores)
    hints = {ops.stored(i): ops.array(i).hint for i in stores if not ops.stored(i).hint}
    for loop in walk(function.region):  # what a loop hands on from iteration to iteration is called like its result
        carried = zip(loop.results, *(region.params[1:] for region in loop.regions), strict=False)
        for result, *params in carried if loop.op in LOOPS else ():
            hints.update({param: hints[result] for param in params if result in hints and not param.hint})
    return _Mem2Reg(frozenset(local.root for local in found), hints, ops).function(function)


@dataclass
class _Mem2Reg:
    """`held` says what a cell holds where the pass has come to; `names`, what a value is replaced by. A value that was
    stored under the user's name for an array is called by that name (`hints`) in explanations."""

    cells: frozenset[Value]
    hints: Mapping[Value, str]
    ops: Table
    held: dict[Value, Value] = field(default_factory=dict)
    names: dict[Value, Value] = field(default_factory=dict)

    def function(self, function: Function) -> Function:
        return function.with_region(self.region(function.region, function.params, (), {}))

    def region(
        self, region: Region, params: Sequence[Value], cells: Sequence[Value], held: dict[Value, Value]
    ) -> Region:
        """`region` under other parameters, which starts with `held` and yields also what `cells` hold at its end."""
        outside, self.held = self.held, held
        b = Builder(self.ops)
        for instr in region.body:
            self.instr(b, instr)
        yields = (*self.renamed(region.yields), *(self.held[cell] for cell in cells))
        self.held = outside
        return b.finish(params, yields)

    def renamed(self, values: Iterable[Value]) -> tuple[Value, ...]:
        return tuple(self.names.get(v, v) for v in values)

    def instr(self, b: Builder, instr: Instr) -> None:
        b.span = instr.span
        operands = self.renamed(instr.operands)
        cell = self.ops.array(instr) if instr.op in self.ops.elements else None
        if instr.op in self.ops.allocs and instr.result in self.cells:
            assert isinstance(instr.result.type, ArrayType)
            element = instr.result.type.element
            self.held[instr.result] = b.const(ZEROS.get(element.kind, 0), element)
        elif cell in self.cells and instr.op in self.ops.loads:
            self.names[instr.result] = self.held[cell]
        elif cell in self.cells:
            (value,) = self.renamed([self.ops.stored(instr)])
            self.held[cell] = value if instr.op in self.ops.stores else b.emit("add", self.held[cell], value)
        elif instr.regions:
            self.structured(b, replace(instr, operands=operands))
        else:
            b.append(replace(instr, operands=operands, results=self.hinted(instr.results)))

    def hinted(self, results: Iterable[Value]) -> tuple[Value, ...]:
        """`results`, those that were stored in a cell by its name."""
        self.names.update({r: Value(r.type, self.hints[r]) for r in results if r in self.hints})
        return self.renamed(results)

    def structured(self, b: Builder, instr: Instr) -> None:
        """A loop carries, a branch yields, what the cells hold that it stores to."""
        cells = self.stored(instr)
        results = [Value(self.held[cell].type, cell.hint) for cell in cells]
        loop = instr.op != "if"
        regions = []
        for region in instr.regions:
            params = [Value(self.held[cell].type, cell.hint) for cell in cells] if loop else []
            held = {**self.held, **dict(zip(cells, params, strict=True))} if loop else dict(self.held)
            yielding = () if instr.op == "while" and region is instr.regions[0] else cells
            regions.append(self.region(region, (*self.hinted(region.params), *params), yielding, held))
        carried = tuple(self.held[cell] for cell in cells) if loop else ()
        count = len(instr.regions[-1].yields)
        old = self.hinted(instr.results)
        found = (*old[:count], *results, *old[count:])
        operands = (*instr.operands, *carried)
        b.append(replace(instr, operands=operands, results=found, regions=tuple(regions)))
        self.held.update(zip(cells, results, strict=True))

    def stored(self, instr: Instr) -> list[Value]:
        """Cells made outside of `instr` that it stores to."""
        targets = dict.fromkeys(array for region in instr.regions for array in self.ops.writes_in(region))
        return [cell for cell in targets if cell in self.held]
