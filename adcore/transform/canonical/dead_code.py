"""Removes what nothing needs: pure instructions, carried values, results of branches, empty loops.

    %t: f64, %q: f64 = for 0, %n, 0.0, 1.0 [step=1] {
    (%i: i64, %u: f64, %w: f64):
      %v: f64 = load %x, %i
      %r: f64 = add %u, %v
      %z: f64 = mul %w, %v
      yield %r, %z
    }
    return %t
->
    %t: f64 = for 0, %n, 0.0 [step=1] {
    (%i: i64, %u: f64):
      %v: f64 = load %x, %i
      %r: f64 = add %u, %v
      yield %r
    }
    return %t

What may raise stays: removing it would change what the program does. Values are live from the results, stores and
checks backwards, in the sense of Cytron et al. (1991), section 7.1: a carried value that only feeds itself is dead.
"""

from __future__ import annotations

from dataclasses import replace

from adcore.analysis.affine.ordering import is_size
from adcore.analysis.structure import LOOPS
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ops import Table


def eliminate_dead_code(function: Function, ops: Table) -> Function:
    """The function without the instructions and carried values that no result, store or check depends on."""
    live = _NeededValues(function, ops)
    return function.with_region(_prune(function.region, live))


class _NeededValues:
    """The instructions that must stay, and the values that they need: found from those that do something and from the
    function's results backwards, every value once."""

    def __init__(self, function: Function, ops: Table) -> None:
        self.ops = ops
        self.definition: dict[Value, Instr] = {}
        self.holder: dict[Instr, Instr | None] = {}
        self.owner: dict[Value, Instr] = {}
        self.values: set[Value] = set()
        self.instrs: set[Instr] = set()
        self.todo: list[Value] = list(function.results)
        instrs = self.index(function.region)
        for instr in instrs:
            if self.acts(instr):
                self.need(instr)
        while self.todo:
            self.follow(self.todo.pop())

    def index(self, top: Region) -> list[Instr]:
        found: list[Instr] = []
        regions: list[tuple[Region, Instr | None]] = [(top, None)]
        while regions:
            region, holder = regions.pop()
            for instr in region.body:
                self.holder[instr] = holder
                for result in instr.results:
                    self.definition[result] = instr
                for nested in instr.regions:
                    regions.append((nested, instr))
                    for param in nested.params:
                        self.owner[param] = instr
            found += region.body
        return found

    def acts(self, instr: Instr) -> bool:
        """Whether `instr` must stay even if nobody uses its results."""
        effects = self.ops.effects[instr.op]
        if effects.pure:
            return effects.may_raise(instr)
        if effects.recursive:  # it does what it holds does, and might not end
            return not effects.terminates
        if effects.allocates:  # the user's own may have a negative size, which raises
            return not instr.attrs.get("role") and not all(is_size(v, self.definition) for v in instr.operands)
        return True

    def need(self, instr: Instr | None) -> None:
        """`instr` stays, and what holds it."""
        while instr is not None and instr not in self.instrs:
            self.instrs.add(instr)
            if instr.op not in LOOPS:
                self.todo += instr.operands
            else:
                self.todo += instr.operands[: len(instr.operands) - len(instr.regions[-1].yields)]
                if instr.op == "while":
                    self.todo += instr.regions[0].yields
            instr = self.holder[instr]

    def follow(self, value: Value) -> None:
        """What a value that is needed needs."""
        if value in self.values:
            return
        self.values.add(value)
        instr = self.definition.get(value)
        if instr is not None:
            self.need(instr)
            if instr.regions and value in instr.results[: len(instr.regions[-1].yields)]:
                self.carried(instr, instr.results.index(value))
            return
        loop = self.owner.get(value)
        if loop is not None:
            position = next(r.params.index(value) for r in loop.regions if value in r.params)
            if position:
                self.carried(loop, position - 1)

    def carried(self, instr: Instr, k: int) -> None:
        """The k-th value that `instr` yields is needed: in a loop, in every iteration."""
        if instr.op == "if":
            self.todo += [region.yields[k] for region in instr.regions]
            return
        body = instr.regions[-1]
        self.todo += [instr.operands[len(instr.operands) - len(body.yields) + k], body.yields[k]]
        self.todo += [region.params[k + 1] for region in instr.regions]


def carried_is_live(instr: Instr, k: int, live: set[Value]) -> bool:
    """Whether the k-th carried value of a loop is used after it or in it."""
    return instr.results[k] in live or any(region.params[k + 1] in live for region in instr.regions)


def _prune(region: Region, live: _NeededValues) -> Region:
    return region.with_body([_pruned(i, live) for i in region.body if i in live.instrs])


def _pruned(instr: Instr, live: _NeededValues) -> Instr:
    if not instr.regions:
        return instr
    instr = instr.with_regions(tuple([_prune(r, live) for r in instr.regions]))
    count = len(instr.regions[-1].yields)
    if instr.op == "if":
        kept = [k for k, r in enumerate(instr.results) if r in live.values]
        if len(kept) == count:
            return instr
        yielding = tuple([r.with_body(r.body, tuple([r.yields[k] for k in kept])) for r in instr.regions])
        return replace(instr, results=tuple([instr.results[k] for k in kept]), regions=yielding)
    kept = [k for k in range(count) if carried_is_live(instr, k, live.values)]
    if len(kept) == count:
        return instr
    fixed = len(instr.operands) - count
    regions = instr.regions
    return replace(
        instr,
        operands=(*instr.operands[:fixed], *(instr.operands[fixed + k] for k in kept)),
        results=(*(instr.results[k] for k in kept), *instr.results[count:]),
        regions=tuple([_keep(r, kept, r is regions[-1]) for r in regions]),
    )


def _keep(region: Region, kept: list[int], is_body: bool) -> Region:
    yields = tuple(region.yields[k] for k in kept) if is_body else region.yields
    return Region((region.params[0], *(region.params[k + 1] for k in kept)), region.body, yields)
