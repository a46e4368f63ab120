"""Which memory an array value may stand on, and which accesses LLVM may take for disjoint.

The *roots* of an array value are the parameters and allocs whose buffers it may lie in; views keep roots, control flow
unites them. Each root belongs to an alias class; memory of different classes never overlaps while both are in use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import Scalar
from adcore.ops import Table
from adcore.ops.memory import RECORDS

Root = Value
"""The parameter, or the result of the alloc, that owns the buffer."""

RECYCLED = -1
"""The class of all workspace memory that is handed out more than once in a call: see `alias_classes`."""


def roots(function: Function, ops: Table) -> dict[Value, frozenset[Root]]:
    """The roots of every array and list value of `function`."""
    sources: dict[Value, set[Value]] = defaultdict(set)
    for source, target in _flow(function.region, ops):
        if not isinstance(target.type, Scalar):
            sources[target].add(source)
    known: dict[Value, frozenset[Root]] = {p: frozenset({p}) for p in function.params}
    known.update({i.result: frozenset({i.result}) for i in _allocs(function.region, ops)})
    changed = True
    while changed:
        changed = False
        for target, froms in sources.items():
            united = frozenset().union(*(known.get(s, frozenset()) for s in froms))
            if united != known.get(target):
                known[target], changed = united, True
    return known


def _flow(region: Region, ops: Table) -> Iterator[tuple[Value, Value]]:
    """Pairs (from, to) of values of which the second may be (a view of) the first."""
    for instr in region.body:
        if (source := ops.source(instr)) is not None:
            yield source, instr.result
        carried = instr.operands[2:] if instr.op == "for" else instr.operands if instr.op == "while" else ()
        for nested in instr.regions:
            yield from _flow(nested, ops)
        for values in (carried, *(nested.yields for nested in instr.regions)):
            yield from zip(values, instr.results, strict=False)
            for nested in instr.regions:
                yield from zip(values, nested.params[1:], strict=False)


def _allocs(region: Region, ops: Table) -> Iterator[Instr]:
    for instr in region.body:
        if instr.op in ops.allocs:
            yield instr
        for nested in instr.regions:
            yield from _allocs(nested, ops)


def kept(region: Region, known: dict[Value, frozenset[Root]], ops: Table) -> frozenset[Root]:
    """Allocs anywhere in `region` that outlive it, because it yields an array on them."""
    yielded: frozenset[Root] = frozenset().union(*(known.get(v, frozenset()) for v in region.yields))
    return yielded & {i.result for i in _allocs(region, ops)} if yielded else yielded


def alias_classes(function: Function, alias_groups: tuple[tuple[int, ...], ...], ops: Table) -> dict[Root, int]:
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
        if instr.op in ops.allocs:
            classes[instr.result] = RECYCLED if recycling else len(classes)
        recycling = recycling or _keeps_records(instr, ops)
        for nested in instr.regions:
            inner = list(_allocs(nested, ops))
            recycling = recycling or bool(inner) or _pushes(nested, ops)
            classes.update({i.result: RECYCLED for i in inner})
    return classes


def _pushes(region: Region, ops: Table) -> bool:
    return any(_keeps_records(i, ops) or any(_pushes(r, ops) for r in i.regions) for i in region.body)


def _keeps_records(instr: Instr, ops: Table) -> bool:
    """Whether `instr` takes memory for records."""
    effects = ops.effects[instr.op]
    return effects.ordered == RECORDS and effects.raises == "memory"
