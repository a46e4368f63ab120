"""Loops whose iterations do not depend on each other through memory: LLVM may run several at once, without asking.

    for j in range(k + 1, n): a[i, j] -= a[i, k] * a[k, j]     # three rows or parts of rows that never meet

LLVM sees addresses, and rows of one array at unknown distances could meet; it would compare them at run time, or give
up. Subscripts tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement

from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.structure import Structure
from adcore.ir.core import Function, Instr, walk
from adcore.ir.facts import kept
from adcore.machine_model import MODEL
from adcore.ops import Table


def parallel_loops(function: Function, ops: Table, aliases: AliasClasses | None = None) -> frozenset[Instr]:
    """The innermost `for` loops without a dependence that is carried from one iteration to another."""
    return _parallel(function, ops, aliases or AliasClasses())


def vector_loops(function: Function, ops: Table, aliases: AliasClasses | None = None) -> frozenset[Instr]:
    """The parallel loops that go through memory element by element: those of which LLVM should be told.

    Where elements are apart, vectors are put together from single loads. Without the comparison of addresses LLVM takes
    that for cheaper than it is: the energy of 100 bodies (rows of three) took half as long again.
    """
    dependence = dependence_of(function, ops, aliases)
    found = parallel_loops(function, ops, aliases)
    return frozenset(loop for loop in found if all(_moves_by_one(dependence, loop, i) for i in walk(loop.regions[0])))


@kept
def _parallel(function: Function, ops: Table, aliases: AliasClasses) -> frozenset[Instr]:
    dependence = dependence_of(function, ops, aliases)
    return frozenset(i for i in _innermost(function) if _is_parallel(dependence.structure, dependence, i))


def _moves_by_one(dependence: Dependence, loop: Instr, instr: Instr) -> bool:
    """Whether an access stays where it is or goes on to the neighbour, in the last dimension, with each iteration."""
    if instr.op not in dependence.ops.elements:
        return instr.op not in dependence.ops.touching
    counter = loop.regions[0].params[0]
    *outer, last = [0 if f is None else f.get(counter, 0) for f in dependence.access(instr).subscripts] or [0]
    return not any(outer) and abs(last * loop.attrs["step"]) <= 1


def _innermost(function: Function) -> Iterator[Instr]:
    for loop in walk(function.region):
        if loop.op == "for" and not any(i.op in ("for", "while") for i in walk(loop.regions[0])):
            yield loop


def _is_parallel(facts: Structure, dependence: Dependence, loop: Instr) -> bool:
    (body,) = loop.regions
    if any(facts.ops.effects[i.op].ordered for i in walk(body)):
        return False  # records come back in one order only
    accesses = [i for i in walk(body) if i.op in facts.ops.touching]
    if len(accesses) > MODEL.most_parallel_accesses or not all(_is_fixed(facts, dependence, i) for i in accesses):
        return False
    return independent_iterations(dependence, accesses, facts.depth(body))


def independent_iterations(dependence: Dependence, accesses: Sequence[Instr], level: int) -> bool:
    """Whether no iteration of the `level`-th loop around `accesses` touches what another one writes."""
    writers = dependence.ops.writers
    pairs = [(a, b) for a, b in combinations_with_replacement(accesses, 2) if a.op in writers or b.op in writers]
    return not any(dependence.carried(a, b, level) or dependence.carried(b, a, level) for a, b in pairs)


def _is_fixed(facts: Structure, dependence: Dependence, access: Instr) -> bool:
    """Whether the arrays are always the same: parameters or allocations, not what a loop or a branch chose."""
    made = ((root, facts.definition.get(root)) for root in dependence.roots(access))
    return all(root in facts.function.params if i is None else i.op in facts.ops.allocs for root, i in made)
