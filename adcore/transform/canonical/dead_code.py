"""Removes what nothing needs: pure instructions, carried values, results of branches, empty loops.

What may raise stays: removing it would change what the program does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adcore.analysis.affine.ordering import is_size
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ops import Table


def eliminate_dead_code(function: Function, ops: Table) -> Function:
    """The function without the instructions and carried values that no result, store or check depends on."""
    live = _Liveness(ops, {r: i for i in walk(function.region) for r in i.results})
    live.add(function.results)
    live.region(function.region)
    while live.grew:
        live.grew = False
        live.region(function.region)
    return replace(function, region=_prune(function.region, live))


class _Liveness:
    """A growing set of values that are needed; a pass over the function from its end adds to it."""

    def __init__(self, ops: Table, definition: Mapping[Value, Instr]) -> None:
        self.ops, self.definition = ops, definition
        self.values: set[Value] = set()
        self.grew = True

    def add(self, values: tuple[Value, ...]) -> None:
        before = len(self.values)
        self.values.update(values)
        self.grew = self.grew or len(self.values) > before

    def needed(self, instr: Instr) -> bool:
        """Whether `instr` must stay: somebody uses a result, or it (or what it holds) does something."""
        if any(r in self.values for r in instr.results):
            return True
        if instr.op in ("for", "if"):
            return any(self.needed(i) for region in instr.regions for i in region.body)
        if instr.op == "while":
            return True  # it might not end
        if instr.op == "alloc":  # the user's own may have a negative size, which raises
            return not instr.attrs.get("role") and not all(is_size(v, self.definition) for v in instr.operands)
        op = self.ops[instr.op]
        raises = op.can_raise(tuple(v.type for v in instr.operands)) and not instr.attrs.get("exact")
        return not op.pure or raises

    def region(self, region: Region) -> None:
        for instr in reversed(region.body):
            if not self.needed(instr):
                continue
            handle = {"for": self.loop, "while": self.loop, "if": self.branch}.get(instr.op)
            if handle is None:
                self.add(instr.operands)
            else:
                handle(instr)

    def branch(self, instr: Instr) -> None:
        self.add(instr.operands)
        for region in instr.regions:
            self.add(tuple(y for r, y in zip(instr.results, region.yields, strict=True) if r in self.values))
            self.region(region)

    def loop(self, instr: Instr) -> None:
        """A carried value is needed if its result is, or its parameter in some region."""
        fixed = len(instr.operands) - len(instr.regions[-1].yields)
        self.add(instr.operands[:fixed])
        body = instr.regions[-1]
        if instr.op == "while":
            self.add(instr.regions[0].yields)
        for k, y in enumerate(body.yields):
            if carried_is_live(instr, k, self.values):
                self.add((instr.operands[fixed + k], y, *(r.params[k + 1] for r in instr.regions)))
        for region in reversed(instr.regions):
            self.region(region)


def carried_is_live(instr: Instr, k: int, live: set[Value]) -> bool:
    """Whether the k-th carried value of a loop is used after it or in it."""
    return instr.results[k] in live or any(region.params[k + 1] in live for region in instr.regions)


def _prune(region: Region, live: _Liveness) -> Region:
    return replace(region, body=tuple(_pruned(i, live) for i in region.body if live.needed(i)))


def _pruned(instr: Instr, live: _Liveness) -> Instr:
    regions = tuple(_prune(r, live) for r in instr.regions)
    if instr.op == "if":
        kept = [k for k, r in enumerate(instr.results) if r in live.values]
        regions = tuple(replace(r, yields=tuple(r.yields[k] for k in kept)) for r in regions)
        return replace(instr, results=tuple(instr.results[k] for k in kept), regions=regions)
    if instr.op not in ("for", "while"):
        return instr
    count = len(instr.regions[-1].yields)
    fixed = len(instr.operands) - count
    kept = [k for k in range(count) if carried_is_live(instr, k, live.values)]
    return replace(
        instr,
        operands=(*instr.operands[:fixed], *(instr.operands[fixed + k] for k in kept)),
        results=(*(instr.results[k] for k in kept), *instr.results[count:]),
        regions=tuple(_keep(r, kept, r is regions[-1]) for r in regions),
    )


def _keep(region: Region, kept: list[int], is_body: bool) -> Region:
    yields = tuple(region.yields[k] for k in kept) if is_body else region.yields
    return Region((region.params[0], *(region.params[k + 1] for k in kept)), region.body, yields)
