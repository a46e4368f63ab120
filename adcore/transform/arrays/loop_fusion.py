"""Two loops of one region over the same iterations become one, if every value and every element is still computed
before it is needed.

    for 0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      store %v, %d, %i
      yield
    }
    for 0, %n [step=1] {
    (%j: i64):
      %w: f64 = load %d, %j
      store %w, %y, %j
      yield
    }
->
    for 0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      store %v, %d, %i
      %w: f64 = load %d, %i
      store %w, %y, %i
      yield
    }

Iteration i of the second then runs before iteration i + 1 of the first. That is wrong where iteration i of the second
touches (and one of the two writes) what a later one of the first touches: the dependence test on the joined loop
(K. Kennedy and K. McKinley, "Maximizing loop parallelism and improving data locality via loop fusion and distribution",
LCPC 1993). If both loops may run in either direction, the other one is tried. What stands between them goes to one side
or the other; a loop that may not is joined with the first as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.affine.ordering import InstrActs, Ordering
from adcore.analysis.affine.parallel import independent_iterations
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.core import Function, Instr, Region
from adcore.ops import Table
from adcore.transform.arrays.local_arrays import LocalArray, local_arrays, rebuilt
from adcore.transform.optimize.sweep_fusion import joined


@dataclass(frozen=True, eq=False)
class AnalysedFunction:
    """A function with what is known about it, found out when it is first asked for."""

    function: Function
    ops: Table
    aliases: AliasClasses
    known: InstrActs = field(default_factory=InstrActs)

    def changed(self, function: Function) -> AnalysedFunction:
        return replace(self, function=function)

    @property
    def facts(self) -> Structure:
        return structure_of(self.function, self.ops)

    @property
    def local_arrays(self) -> list[LocalArray]:
        return local_arrays(self.function, self.ops)

    @property
    def dependence(self) -> Dependence:
        return dependence_of(self.function, self.ops, self.aliases)

    @cached_property
    def ordering(self) -> Ordering:
        return Ordering(self.facts, self.dependence, self.ops, self.known)


@dataclass(frozen=True, eq=False)
class Joined:
    """A program in which `loop`, which stands in `region`, has taken the place of others."""

    program: AnalysedFunction
    region: Region
    loop: Instr


def join_all(program: AnalysedFunction, region: Region, loops: Sequence[Instr]) -> AnalysedFunction | None:
    """The program with these loops of `region` joined to one; None if that is not allowed."""
    found = Joined(program, region, loops[0])
    if not all(same_iterations(program, loops[0], late) for late in loops[1:]):
        return None
    for late in loops[1:]:
        if late not in found.region.body:
            continue  # it stood in the way of another one and was joined then
        step = join(found, late)
        if step is None:
            return None
        found = step
    return found.program


def join(before: Joined, late: Instr) -> Joined | None:
    """The program with `late` joined to the loop before it, and with loops that stand in the way."""
    if not same_iterations(before.program, before.loop, late):
        return None
    body = before.region.body
    first, second = body.index(before.loop), body.index(late)
    stuck, early, behind = before.program.ordering.split(body, first, second)
    if stuck:
        step = join(before, stuck[0]) if stuck[0].op == "for" else None
        return None if step is None else join(step, late)
    if not _independent_of_results(before, late):
        return None
    for one, other in _directions(before, late):
        loop = joined(one, other)
        new = [*body[:first], *early, loop, *behind, *body[second + 1 :]]
        function, region = rebuilt(before.program.facts, before.region, new)
        after = Joined(before.program.changed(function), region, loop)
        if _keeps_order(after, len(one.regions[0].body)):
            return after
    return None


def same_iterations(program: AnalysedFunction, early: Instr, late: Instr) -> bool:
    """Whether `late` is a loop over the same values as the loop `early`, in one direction or the other."""
    form = program.dependence.affine.form
    if late.op != "for" or early.attrs["step"] != late.attrs["step"]:
        return False
    return all(form(a) == form(b) for a, b in zip(early.operands[:2], late.operands[:2], strict=True))


def _independent_of_results(before: Joined, late: Instr) -> bool:
    """Whether the iterations of both may alternate as far as results, errors and unknown effects go."""
    ordering, early = before.program.ordering, before.loop
    a, b = ordering.effects(early), ordering.effects(late)
    return not a.clash(b) and not ordering.uses(late).intersection(early.results)


def _directions(before: Joined, late: Instr) -> Iterator[tuple[Instr, Instr]]:
    """Both loops as they are, if they run in one direction, and reversed as far as that is allowed."""
    early = before.loop
    for reverse in (bool(early.attrs.get("reverse")), not early.attrs.get("reverse")):
        pair = [_in_direction(before.program, loop, reverse) for loop in (early, late)]
        if pair[0] is not None and pair[1] is not None:
            yield pair[0], pair[1]


def _in_direction(program: AnalysedFunction, loop: Instr, reverse: bool) -> Instr | None:
    """`loop` in the given direction, if it may run that way."""
    if bool(loop.attrs.get("reverse")) == reverse:
        return loop
    effects, (body,) = program.ordering.effects(loop), loop.regions
    if len(body.params) > 1 or effects.stops or effects.opaque:
        return None
    level = program.facts.depth(body)
    free = independent_iterations(program.dependence, effects.accesses, level)
    return replace(loop, attrs={**loop.attrs, "reverse": reverse}) if free else None


def _keeps_order(after: Joined, first_part: int) -> bool:
    """Whether no iteration of the second part of the joined body touches what a later one of the first does."""
    program, (body,) = after.program, after.loop.regions
    ordering, level = program.ordering, program.facts.depth(body)
    early, late = (
        [i for instr in part for i in ordering.effects(instr).accesses]
        for part in (body.body[:first_part], body.body[first_part:])
    )
    pairs = ordering.conflicting(late, early)
    return not any(program.dependence.carried(b, a, level) for b, a in pairs)
