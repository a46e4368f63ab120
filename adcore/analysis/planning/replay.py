"""Running a part of the forward sweep again, inside the reverse sweep: what it takes and whether it is allowed.

    for i in range(n):                       t is the result of an inner loop. Instead of keeping n values of it,
        t = 0.0                              the reverse sweep runs the inner loop again for each i; it needs what
        for j in range(m): t += a[i, j]      the loop reads from outside, and that the memory is as it was.
        s += tanh(t)

The slice of a result is what its computation rests on; stores and checks are never part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adcore.analysis.affine.dependence import Dependence
from adcore.analysis.planning.record import address
from adcore.ir.core import Instr, Value, walk
from adcore.ir.types import Scalar


@dataclass(frozen=True, eq=False)
class ReplaySlice:
    """The values to compute again, the instructions that do it, the scalars that they take from outside, and the loads
    among them."""

    values: frozenset[Value]
    instrs: tuple[Instr, ...]
    outside: tuple[Value, ...]
    loads: tuple[Instr, ...]


def slice_of(dependence: Dependence, owner: Instr, wanted: Sequence[Value]) -> ReplaySlice | None:
    """What computes `wanted` (results of `owner`, or values of its regions); None if it cannot be repeated: it holds a
    `while`, whose end may depend on rounding, or memory that lives only inside."""
    inside = {v: i for region in owner.regions for i in walk(region) for v in i.results}
    params = {p: (i, k) for i in (owner, *(i for r in owner.regions for i in walk(r)))
              for region in i.regions for k, p in enumerate(region.params)}  # fmt: skip
    instrs: dict[Instr, None] = {}
    outside: dict[Value, None] = {}
    todo, seen = list(wanted), set()
    while todo:
        value = todo.pop()
        if value in seen:
            continue
        seen.add(value)
        if value in params:
            todo += carried_sources(*params[value])
        elif value in inside or value in owner.results:
            instr = inside.get(value, owner)
            effects = dependence.ops.effects[instr.op]
            if effects.allocates or effects.ordered or not effects.terminates:
                return None
            if instr is not owner:
                instrs[instr] = None
                todo += controls(dependence, instr, owner)
            todo += sources(instr, value)
        else:
            outside[value] = None
    scalars = [v for v in outside if isinstance(v.type, Scalar)]
    for array in (v for v in outside if not isinstance(v.type, Scalar)):
        scalars += address(dependence, array)
    loads = tuple(i for i in instrs if i.op in dependence.ops.readers)
    return ReplaySlice(frozenset(seen - set(outside)), tuple(instrs), tuple(dict.fromkeys(scalars)), loads)


def carried_sources(instr: Instr, position: int) -> list[Value]:
    """What a region parameter rests on: the bounds for a counter; what comes in and what is passed on, otherwise."""
    if position == 0:
        return list(instr.operands[:2]) if instr.op == "for" else []
    inits = len(instr.operands) - len(instr.regions[-1].yields)
    bounds = list(instr.operands[:inits])
    return [*bounds, instr.operands[inits + position - 1], instr.regions[-1].yields[position - 1]]


def sources(instr: Instr, value: Value) -> list[Value]:
    """What `value`, a result of `instr`, rests on, besides what decides whether `instr` runs."""
    if instr.op == "for":
        k = instr.results.index(value)
        return [*instr.operands[:2], instr.operands[2 + k], instr.regions[0].yields[k]]
    if instr.op == "if":
        k = instr.results.index(value)
        return [instr.operands[0], *(r.yields[k] for r in instr.regions)]
    return list(instr.operands)


def controls(dependence: Dependence, instr: Instr, owner: Instr | None) -> list[Value]:
    """Conditions and bounds between `instr` and `owner`."""
    structure = dependence.structure
    found: list[Value] = []
    for region in structure.chain(structure.home[instr]):
        holder = structure.owner[region]
        if holder is None or holder is owner:
            break
        found += holder.operands[: 1 if holder.op == "if" else 2 if holder.op == "for" else 0]
        found += holder.results[-1:] if holder.op == "while" else ()
    return found
