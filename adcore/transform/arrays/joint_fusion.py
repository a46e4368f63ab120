"""All local arrays that an element at a time will do for, in one analysis and one new function.

    %t: array<f64,1,C> = alloc %n [element='f64']
    for 0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      store %v, %t, %i
      yield
    }
    %u: array<f64,1,C> = alloc %n [element='f64']
    for 0, %n [step=1] {
    (%j: i64):
      %w: f64 = load %t, %j
      store %w, %u, %j
      yield
    }
    for 0, %n [step=1] {
    (%k: i64):
      %z: f64 = load %u, %k
      store %z, %y, %k
      yield
    }
->
    %1: bool = ge %n, 0
    check %1 [error='ValueError', message='negative dimensions are not allowed']
    %2: bool = ge %n, 0
    check %2 [error='ValueError', message='negative dimensions are not allowed']
    for 0, %n [step=1] {
    (%i: i64):
      %u: array<f64,0,C> = alloc [element='f64']
      %t: array<f64,0,C> = alloc [element='f64']
      %v: f64 = load %x, %i
      store %v, %t
      %w: f64 = load %t
      store %w, %u
      %z: f64 = load %u
      store %z, %y, %i
      yield
    }

`contraction` joins two loops, or makes one array smaller, and looks at the whole new function again: the square of the
number of statements. Here loops are joined on trial, by what is known of them apart; the dependence test and the test
of every array are then made on the result. An array that stands in the way is left to `contraction`, and the trial made
again without it. What arrays have in common is found by their loops: loops that share an array become one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

from adcore.analysis.affine.ordering import Acts
from adcore.ir.core import Function, Instr, Region, Value
from adcore.machine_model import MODEL
from adcore.transform.arrays.contraction import (
    Contraction,
    contracted_at_once,
    contraction_of,
    may_get_smaller,
    region_of_all,
)
from adcore.transform.arrays.local_arrays import LocalArray
from adcore.transform.arrays.loop_fusion import AnalysedFunction, same_iterations
from adcore.transform.optimize.sweep_fusion import joined


def contract_together(program: AnalysedFunction) -> tuple[AnalysedFunction, frozenset[Value]]:
    """The program with local arrays smaller by the dimensions that one round of joining loops takes from them, and the
    arrays that are smaller; the same program if there are none."""
    left_out: set[Value] = set()
    for _ in range(MODEL.joint_fusion_trials):
        needs = [need for need in _needs(program) if need.local.root not in left_out]
        if not needs:
            break
        trial = _Trial(program, needs)
        found = trial.contractions()
        if not trial.obstacles:
            return contracted_at_once(trial.program, found)
        left_out |= trial.obstacles
    return program, frozenset()


@dataclass(frozen=True, eq=False)
class ShrinkableArray:
    """A local array, and the loops of `region` that have to become one for it to get smaller."""

    local: LocalArray
    region: Region
    loops: tuple[Instr, ...]


def _needs(program: AnalysedFunction) -> list[ShrinkableArray]:
    found = []
    for local in program.local_arrays:
        if not local.alloc.operands or local.views or not local.accesses:
            continue
        region = region_of_all(program.facts, local.accesses)
        if contraction_of(program, local) is not None:
            found.append(ShrinkableArray(local, region, ()))
            continue
        holders = dict.fromkeys(program.facts.ancestor(i, region) for i in local.accesses)
        loops = tuple(i for i in holders if i is not None and i.op == "for")
        alike = len(loops) == len(holders) > 1 and all(same_iterations(program, loops[0], i) for i in loops[1:])
        if alike and may_get_smaller(program, local, region):
            found.append(ShrinkableArray(local, region, loops))
    return found


@dataclass(eq=False)
class MovableGroup:
    """Instructions of one region that will stand together: one, or loops that become one; what is known of them all."""

    members: list[Instr]
    results: set[Value]
    uses: set[Value]
    acts: Acts
    touching: dict[Hashable, list[Instr]] = field(default_factory=dict)
    """Accesses by the memory that they touch."""

    @staticmethod
    def of(program: AnalysedFunction, instr: Instr) -> MovableGroup:
        ordering, acts = program.ordering, program.ordering.effects(instr)
        block = MovableGroup([instr], set(instr.results), set(ordering.uses(instr)), acts)
        for access in acts.accesses:
            for memory in program.dependence.memory(access):
                block.touching.setdefault(memory, []).append(access)
        return block

    def take(self, late: MovableGroup) -> None:
        """`late` is joined to this block."""
        self.members += late.members
        self.results |= late.results
        self.uses |= late.uses
        mine, theirs = self.acts, late.acts
        self.acts = Acts(
            mine.accesses or theirs.accesses,  # only whether there are any: `touching` has them all
            mine.stops or theirs.stops,
            mine.visible or theirs.visible,
            mine.opaque or theirs.opaque,
        )
        for memory, accesses in late.touching.items():
            self.touching.setdefault(memory, []).extend(accesses)

    def precedes(self, late: MovableGroup, program: AnalysedFunction) -> bool:
        """Whether `late`, which stands behind this block, has to stay there."""
        if not late.uses.isdisjoint(self.results) or self.acts.clash(late.acts):
            return True
        here, writers = program.dependence.here, program.ops.writers
        return any(
            (x.op in writers or y.op in writers) and here(x, y)
            for memory in self.touching.keys() & late.touching.keys()
            for x in self.touching[memory]
            for y in late.touching[memory]
        )


class _Trial:
    """The program with all loops joined that `needs` ask for. `obstacles` are the arrays for which that can't be."""

    def __init__(self, before: AnalysedFunction, needs: Sequence[ShrinkableArray]) -> None:
        self.before, self.needs = before, needs
        self.obstacles: set[Value] = set()
        self.wanting: dict[Instr, list[Value]] = {}
        for need in needs:
            for loop in need.loops:
                self.wanting.setdefault(loop, []).append(need.local.root)
        self.changed: dict[Region, list[MovableGroup]] = {}
        for region, groups in _groups(needs).items():
            self._join(region, groups)
        self.made: dict[Instr, list[Instr]] = {}
        self.program = before if self.obstacles else before.changed(self._function())

    def _blocked(self, loops: Iterable[Instr]) -> None:
        self.obstacles.update(root for loop in loops for root in self.wanting[loop])

    # On trial, by what is known of the loops apart

    def _join(self, region: Region, groups: Sequence[Sequence[Instr]]) -> None:
        body = [MovableGroup.of(self.before, instr) for instr in region.body]
        of = {block.members[0]: block for block in body}
        for first, *rest in groups:
            for late in rest:
                if self._alternate(first, of[first], of[late], late):
                    body = self._moved(body, of[first], of[late]) or body
        self.changed[region] = body

    def _alternate(self, first: Instr, early: MovableGroup, block: MovableGroup, late: Instr) -> bool:
        """Whether iterations of both may alternate as far as bounds, results, errors and unknown effects go."""
        same = same_iterations(self.before, first, late)
        same = same and bool(first.attrs.get("reverse")) == bool(late.attrs.get("reverse"))
        if same and not early.acts.clash(block.acts) and block.uses.isdisjoint(early.results):
            return True
        self._blocked([late])
        return False

    def _moved(self, body: list[MovableGroup], early: MovableGroup, late: MovableGroup) -> list[MovableGroup] | None:
        """The region's blocks with `late` in `early`, what stands between them before or behind; None if it can't."""
        first, second = body.index(early), body.index(late)
        between = body[first + 1 : second]
        below, above = [early], [late]
        for block in between:
            if any(b.precedes(block, self.before) for b in below):
                below.append(block)
        for block in reversed(between):
            if any(block.precedes(b, self.before) for b in above):
                above.append(block)
        before, behind = set(above[1:]), set(below[1:])
        if before & behind:
            self._blocked(late.members)
            return None
        early.take(late)
        moved = [block for block in between if block in before], [block for block in between if block not in before]
        return [*body[:first], *moved[0], early, *moved[1], *body[second + 1 :]]

    # On the result

    def _function(self) -> Function:
        def region(old: Region) -> Region:
            blocks = self.changed.get(old)
            if blocks is None:
                return old.with_body([inside(i) for i in old.body])
            body = []
            for block in blocks:
                loops = [inside(i) for i in block.members]
                body.append(reduce(joined, loops))
                if len(loops) > 1:
                    self.made[body[-1]] = block.members
            return old.with_body(body)

        def inside(instr: Instr) -> Instr:
            return instr.with_regions(tuple(map(region, instr.regions))) if instr.regions else instr

        return self.before.function.with_region(region(self.before.function.region))

    def contractions(self) -> list[Contraction]:
        """How arrays get smaller in the joined program; `obstacles` grow by those that don't, and by those whose loops
        run in a wrong order now."""
        if self.obstacles:
            return []
        for loop, members in self.made.items():
            self._check_order(loop, members)
        found = []
        wanted = {need.local.root for need in self.needs}
        for local in self.program.local_arrays:
            if local.root in wanted:
                contraction = contraction_of(self.program, local)
                if contraction is None:
                    self.obstacles.add(local.root)
                else:
                    found.append(contraction)
        return found

    def _check_order(self, loop: Instr, members: Sequence[Instr]) -> None:
        """No iteration of a later part of the joined body may touch what a later one of an earlier part does."""
        program, (body,), end = self.program, loop.regions, 0
        dependence, level, writers = program.dependence, program.facts.depth(body), program.ops.writers
        touching: dict[Hashable, list[tuple[int, Instr]]] = {}
        for part, member in enumerate(members):
            start, end = end, end + len(member.regions[0].body)
            for instr in body.body[start:end]:
                for access in program.ordering.effects(instr).accesses:
                    for memory in dependence.memory(access):
                        touching.setdefault(memory, []).append((part, access))
        for accesses in touching.values():
            writes = [pair for pair in accesses if pair[1].op in writers]
            for p, x in writes:
                for q, y in accesses:
                    late, early = (x, y) if p > q else (y, x)
                    if p != q and dependence.carried(late, early, level):
                        self._blocked([members[max(p, q)]])


def _groups(needs: Sequence[ShrinkableArray]) -> dict[Region, list[list[Instr]]]:
    """For each region the loops that become one, in its order: those that share an array."""
    of: dict[Instr, list[Instr]] = {}
    regions: dict[Instr, Region] = {}
    for need in needs:
        sets = list({id(s): s for loop in need.loops for s in [of.setdefault(loop, [loop])]}.values())
        sets.sort(key=len, reverse=True)
        for loop in need.loops:
            regions[loop] = need.region
        for other in sets[1:]:
            sets[0] += other
            of.update(dict.fromkeys(other, sets[0]))
    found: dict[Region, list[list[Instr]]] = {}
    for region in dict.fromkeys(regions.values()):
        members = [loop for loop in region.body if regions.get(loop) is region]
        by_set: dict[int, list[Instr]] = {}
        for loop in members:
            by_set.setdefault(id(of[loop]), []).append(loop)
        found[region] = list(by_set.values())
    return found
