"""Accumulations of one loop to neighbouring elements: `d[i] += f(i); d[i + 1] += g(i)` is a chain of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adcore.analysis.affine.dependence import Dependence
from adcore.analysis.affine.forms import known, plus
from adcore.ir.core import Instr, Value
from adcore.machine_model import MODEL
from adcore.ops import Effects


@dataclass(frozen=True, eq=False)
class AccumulationChain:
    """Accumulations of one iteration in the order of the elements that they touch: the k-th touches at iteration t what
    the first touches at iteration t + k; `advance` is how far the subscripts move in an iteration."""

    loop: Instr
    sums: tuple[Instr, ...]
    advance: tuple[int, ...]


def find_chains(dependence: Dependence, shared: frozenset[Value], loop: Instr) -> list[AccumulationChain]:
    """The chains of an innermost loop; `shared` are parameters that may share memory."""
    (body,) = loop.regions
    ops = dependence.ops
    if not all(_is_quiet(ops.effects[i.op]) for i in body.body):
        return []
    sums: dict[Value, list[Instr]] = {}
    for instr in body.body:
        if instr.op in ops.sums:
            sums.setdefault(dependence.access(instr).root, []).append(instr)
    others = {r for i in body.body if i.op in ops.touching and i.op not in ops.sums for r in dependence.roots(i)}
    found = []
    for root, members in sums.items():
        if root not in others and not (root in shared and (others | set(sums)) & (shared - {root})):
            found += _rows(dependence, loop, members)
    return found


def _is_quiet(effects: Effects) -> bool:
    """Whether an instruction only computes, or touches memory."""
    acts = effects.recursive or effects.ordered or effects.allocates or effects.raises == "always"
    return not acts and effects.terminates


def _rows(dependence: Dependence, loop: Instr, members: Sequence[Instr]) -> list[AccumulationChain]:
    """Accumulations to one array, those that touch one row of neighbours together."""
    found = []
    left = list(members)
    while left:
        placed = _placed(dependence, loop, left)
        left = [instr for instr in left if instr not in placed.values()][0 if placed else 1 :]
        order = sorted(placed)
        if 2 <= len(order) <= MODEL.widest_chain and order == list(range(order[0], order[0] + len(order))):
            first = placed[order[0]]
            advance = _advance(dependence, loop, first)
            found.append(AccumulationChain(loop, tuple(placed[k] for k in order), advance))
    return found


def _placed(dependence: Dependence, loop: Instr, members: Sequence[Instr]) -> dict[int, Instr]:
    """The members in one row with the first of them, by the distance from it in iterations."""
    base = members[0]
    advance = _advance(dependence, loop, base)
    if not any(advance):
        return {}
    first = [dependence.affine.form(v) for v in dependence.ops.subscripts(base)]
    placed: dict[int, Instr] = {}
    for instr in members:
        if dependence.ops.array(instr) is not dependence.ops.array(base):
            continue
        forms = [dependence.affine.form(v) for v in dependence.ops.subscripts(instr)]
        distance = [known(plus(form, origin, -1)) for form, origin in zip(forms, first, strict=True)]
        place = _multiple(distance, advance)
        if place is not None:
            placed.setdefault(place, instr)
    return placed


def _advance(dependence: Dependence, loop: Instr, instr: Instr) -> tuple[int, ...]:
    """How far the subscripts of an accumulation move in an iteration."""
    counter = loop.regions[0].params[0]
    step = -loop.attrs["step"] if loop.attrs.get("reverse") else loop.attrs["step"]
    return tuple(dependence.affine.form(v).get(counter, 0) * step for v in dependence.ops.subscripts(instr))


def _multiple(distance: Sequence[int | None], advance: Sequence[int]) -> int | None:
    """The whole number k with distance = k * advance, if there is one."""
    k: int | None = None
    for d, a in zip(distance, advance, strict=True):
        if d is None or (a == 0 and d) or (a and d % a):
            return None
        if a:
            if k is not None and k != d // a:
                return None
            k = d // a
    return k
