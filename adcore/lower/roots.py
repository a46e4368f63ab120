"""Which memory an array value may stand on, and which accesses LLVM may take for disjoint.

The *roots* of an array value are the parameters and allocs whose buffers it may lie in; views keep roots, control flow
unites them. Each root belongs to an alias class; memory of different classes never overlaps while both are in use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import Scalar

Root = Value
"""The parameter, or the result of the alloc, that owns the buffer."""

RECYCLED = -1
"""The class of all workspace memory that is handed out more than once in a call: see `alias_classes`."""


def roots(function: Function) -> dict[Value, frozenset[Root]]:
    """The roots of every array and list value of `function`."""
    sources: dict[Value, set[Value]] = defaultdict(set)
    for source, target in _flow(function.region):
        if not isinstance(target.type, Scalar):
            sources[target].add(source)
    known: dict[Value, frozenset[Root]] = {p: frozenset({p}) for p in function.params}
    known.update({i.result: frozenset({i.result}) for i in _allocs(function.region)})
    changed = True
    while changed:
        changed = False
        for target, froms in sources.items():
            united = frozenset().union(*(known.get(s, frozenset()) for s in froms))
            if united != known.get(target):
                known[target], changed = united, True
    return known


def _flow(region: Region) -> Iterator[tuple[Value, Value]]:
    """Pairs (from, to) of values of which the second may be (a view of) the first."""
    for instr in region.body:
        if instr.op in ("view", "transpose", "item"):
            yield instr.operands[0], instr.result
        carried = instr.operands[2:] if instr.op == "for" else instr.operands if instr.op == "while" else ()
        for nested in instr.regions:
            yield from _flow(nested)
        for values in (carried, *(nested.yields for nested in instr.regions)):
            yield from zip(values, instr.results, strict=False)
            for nested in instr.regions:
                yield from zip(values, nested.params[1:], strict=False)


def _allocs(region: Region) -> Iterator[Instr]:
    for instr in region.body:
        if instr.op == "alloc":
            yield instr
        for nested in instr.regions:
            yield from _allocs(nested)


def kept(region: Region, known: dict[Value, frozenset[Root]]) -> frozenset[Root]:
    """Allocs anywhere in `region` that outlive it, because it yields an array on them."""
    yielded: frozenset[Root] = frozenset().union(*(known.get(v, frozenset()) for v in region.yields))
    return yielded & {i.result for i in _allocs(region)} if yielded else yielded


def alias_classes(function: Function, alias_groups: tuple[tuple[int, ...], ...]) -> dict[Root, int]:
    """A class number for every root.

    Parameters of one group share a class. An alloc has its own class if its memory is handed out once in the call:
    it stands in the outermost region, before any region with allocs or pushes of its own. All others may follow each
    other in the same bytes; taking them for disjoint would let LLVM move a load of the first past a store to the
    second.
    """
    classes = {p: k for k, p in enumerate(function.params)}
    for group in alias_groups:
        for k in group:
            classes[function.params[k]] = group[0]
    recycling = False
    for instr in function.region.body:
        if instr.op == "alloc":
            classes[instr.result] = RECYCLED if recycling else len(classes)
        recycling = recycling or instr.op == "push"
        for nested in instr.regions:
            inner = list(_allocs(nested))
            recycling = recycling or bool(inner) or _pushes(nested)
            classes.update({i.result: RECYCLED for i in inner})
    return classes


def _pushes(region: Region) -> bool:
    return any(i.op == "push" or any(map(_pushes, i.regions)) for i in region.body)
