"""The primal values that the reverse sweep reads (to be recorded, TBR), and what reads them.

y = x * k         with x active, k not:   the adjoint of x reads k; nothing reads x
z = exp(y)        the adjoint of y reads z
a[i] = z          the adjoint addresses the shadow of a with i

(L. Hascoet, U. Naumann and V. Pascual, "'To be recorded' analysis in reverse-mode automatic differentiation", Future
Generation Computer Systems 21, 2005. Which of these values are stored, the plan says.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from adcore.analysis.activity import ActivityFacts
from adcore.analysis.affine.dependence import Dependence
from adcore.analysis.structure import Structure
from adcore.ir.core import Instr, Region, Value, free_values
from adcore.ir.types import ArrayType, ListType, Scalar, is_float
from adcore.ops import Table
from adcore.ops.rules import adjoint_needs


@dataclass(frozen=True, eq=False)
class Needs:
    """`values` maps each needed primal scalar to the instructions whose adjoint reads it; `working` holds the regions
    that contain anything to reverse."""

    values: dict[Value, tuple[Instr, ...]]
    working: frozenset[Region]


def needs(dependence: Dependence, active: ActivityFacts, ops: Table, apart: Collection[Instr] = ()) -> Needs:
    """The needed set of a function; `apart` are loops that are reversed by other means and need nothing from here."""
    structure = dependence.structure
    working: set[Region] = set()
    for instr in structure.instructions():
        if has_adjoint(dependence, active, instr):
            working.update(structure.chain(structure.home[instr]))
    readers: dict[Value, list[Instr]] = {}
    outside = [i for i in structure.instructions() if i not in apart and not runs_in(structure, i, apart)]
    for loop in apart:
        if structure.home[loop] is not structure.function.region:
            for value in (*_reads(dependence, active, ops, loop), *surroundings(structure, loop)[1]):
                if isinstance(value.type, Scalar):
                    readers.setdefault(value, []).append(loop)
    for instr in outside:
        if has_adjoint(dependence, active, instr) or any(r in working for r in instr.regions):
            for value in _reads(dependence, active, ops, instr):
                readers.setdefault(value, []).append(instr)
    return Needs({v: tuple(users) for v, users in readers.items()}, frozenset(working))


def runs_in(structure: Structure, instr: Instr, loops: Collection[Instr]) -> bool:
    """Whether `instr` stands in one of `loops`, which stand in none themselves."""
    return any(loop in loops for loop in structure.loops(structure.home[instr])[:1])


PULLED = frozenset({"const", "dim", "count", "add", "sub", "mul", "neg", "minimum", "maximum", "floordiv"})
"""Instructions outside a loop that are repeated, as views are, where its body becomes a function: so that its
subscripts stay affine and its arrays are seen through their roots."""


def surroundings(structure: Structure, loop: Instr) -> tuple[tuple[Instr, ...], tuple[Value, ...]]:
    """What the body of a loop that stands in no other takes from outside: instructions to repeat, and values."""
    pulled: dict[Instr, None] = {}
    inputs: dict[Value, None] = {}

    def visit(value: Value) -> None:
        instr = structure.definition.get(value)
        # A float may carry a derivative: its adjoint belongs to where it is computed.
        apart = instr is not None and instr.op != "const" and is_float(value.type)
        if instr is None or not (instr.op in PULLED or instr.op in structure.ops.views) or apart:
            inputs[value] = None
        elif instr not in pulled:
            for operand in instr.operands:
                visit(operand)
            pulled[instr] = None

    for value in sorted(free_values(loop.regions[-1]), key=lambda v: _order(structure, v)):
        visit(value)
    return tuple(pulled), tuple(inputs)


def _order(structure: Structure, value: Value) -> tuple[int, int]:
    """Parameters, then results in program order."""
    instr = structure.definition.get(value)
    if instr is None:
        return (-1, structure.function.params.index(value))
    return (structure.number[instr], instr.results.index(value))


def has_adjoint(dependence: Dependence, active: ActivityFacts, instr: Instr) -> bool:
    """Whether the reverse sweep does anything for `instr` itself (not for what it holds)."""
    ops = dependence.ops
    if instr.op in ops.elements:
        if dependence.root(ops.array(instr)) not in active.roots:
            return False
        return instr.op not in ops.loads or instr.result in active.values
    return any(r in active.values for r in instr.results)


def _reads(dependence: Dependence, active: ActivityFacts, ops: Table, instr: Instr) -> Iterator[Value]:
    if instr.op in ops.elements:
        yield from ops.subscripts(instr)
        yield from address(dependence, ops.array(instr))
    elif instr.op == "if":
        yield instr.operands[0]
    elif instr.op == "for":
        yield from instr.operands[:2]
    elif instr.op == "while":
        yield instr.results[-1]
    else:
        yield from adjoint_needs(ops, instr, [v in active.values for v in instr.operands])
    if instr.regions:
        for region in instr.regions:
            yield from _sizes(active, ops, region)


def _sizes(active: ActivityFacts, ops: Table, region: Region) -> Iterator[Value]:
    """Sizes of the shadows of arrays that live inside `region`."""
    for instr in region.body:
        if instr.op in ops.allocs and instr.result in active.roots:
            yield from instr.operands


def address(dependence: Dependence, array: Value) -> Iterator[Value]:
    """The integers that the views between a root and `array` are made with."""
    instr = dependence.structure.definition.get(array)
    source = dependence.ops.source(instr)
    if instr is not None and source is not None:
        yield from (v for v in instr.operands if v is not source)
        yield from address(dependence, source)


def is_array(value: Value) -> bool:
    return isinstance(value.type, (ArrayType, ListType))


def active_free_values(region: Region, active: ActivityFacts) -> list[Value]:
    """Active scalars from outside that `region` uses, in order of first use: as operands, then as what is yielded."""
    operands, yields = _free(region, active)
    return list(dict.fromkeys((*operands, *yields)))


def _free(region: Region, active: ActivityFacts) -> tuple[list[Value], list[Value]]:
    """(used as operands, yielded), put together from those of the regions inside."""
    if region not in active.free:
        inside: set[Value] = set(region.params)
        operands: dict[Value, None] = {}
        yields: dict[Value, None] = dict.fromkeys(region.yields)
        for instr in region.body:
            inside.update(instr.results)
            operands.update(dict.fromkeys(instr.operands))
            for nested in instr.regions:
                used, yielded = _free(nested, active)
                operands.update(dict.fromkeys(used))
                yields.update(dict.fromkeys(yielded))
        from_outside = [[v for v in found if v in active.values and v not in inside] for found in (operands, yields)]
        active.free[region] = from_outside[0], from_outside[1]
    return active.free[region]
