"""Loops whose iterations do not depend on each other through memory: LLVM may run several at once, without asking.

    for j in range(k + 1, n): a[i, j] -= a[i, k] * a[k, j]     # three rows or parts of rows that never meet

LLVM sees addresses, and rows of one array at unknown distances could meet; it would compare them at run time, or give
up. Subscripts tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement

from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.structure import Structure
from adcore.ir.core import Function, Instr, walk
from adcore.ir.facts import kept
from adcore.machine_model import MODEL
from adcore.ops import Table


def parallel_loops(
    function: Function, ops: Table, aliases: AliasClasses | None = None, among: Iterable[Instr] | None = None
) -> frozenset[Instr]:
    """The innermost `for` loops without a dependence that is carried from one iteration to another; only those `among`
    the given ones are looked at, if any are given."""
    aliases = aliases or AliasClasses()
    known, dependence = parallel_answers(function, ops, aliases), dependence_of(function, ops, aliases)
    asked = [loop for loop in (walk(function.region) if among is None else among) if _is_innermost(loop)]
    for loop in asked:
        if loop not in known:
            known[loop] = _is_parallel(dependence.structure, dependence, loop)
    return frozenset(loop for loop in asked if known[loop])


def vector_loops(function: Function, ops: Table, aliases: AliasClasses | None = None) -> frozenset[Instr]:
    """The parallel loops that go through memory element by element: those of which LLVM should be told.

    Where elements are apart, vectors are put together from single loads. Without the comparison of addresses LLVM takes
    that for cheaper than it is: the energy of 100 bodies (rows of three) took half as long again.
    """
    dependence, loops = dependence_of(function, ops, aliases), filter(_is_innermost, walk(function.region))
    dense = [loop for loop in loops if all(_moves_by_one(dependence, loop, i) for i in walk(loop.regions[0]))]
    return parallel_loops(function, ops, aliases, dense)


@kept
def parallel_answers(function: Function, ops: Table, aliases: AliasClasses) -> dict[Instr, bool]:
    """Whether loops of `function` are parallel, as far as that was asked."""
    return {}


def _moves_by_one(dependence: Dependence, loop: Instr, instr: Instr) -> bool:
    """Whether an access stays where it is or goes on to the neighbour, in the last dimension, with each iteration."""
    if instr.op not in dependence.ops.elements:
        return instr.op not in dependence.ops.touching
    counter = loop.regions[0].params[0]
    *outer, last = [0 if f is None else f.get(counter, 0) for f in dependence.access(instr).subscripts] or [0]
    return not any(outer) and abs(last * loop.attrs["step"]) <= 1


def _is_innermost(instr: Instr) -> bool:
    return instr.op == "for" and not any(i.op in ("for", "while") for i in walk(instr.regions[0]))


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
    writers, memory = dependence.ops.writers, dependence.memory
    for a, b in combinations_with_replacement(accesses, 2):
        if (a.op not in writers and b.op not in writers) or memory(a).isdisjoint(memory(b)):
            continue
        if dependence.carried(a, b, level) or dependence.carried(b, a, level):
            return False
    return True


def _is_fixed(facts: Structure, dependence: Dependence, access: Instr) -> bool:
    """Whether the arrays are always the same: parameters or allocations, not what a loop or a branch chose."""
    made = ((root, facts.definition.get(root)) for root in dependence.roots(access))
    return all(root in facts.function.params if i is None else i.op in facts.ops.allocs for root, i in made)
