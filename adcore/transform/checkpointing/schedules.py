"""Which loops are checkpointed under a limit in bytes, with how many states, and how their steps are reversed.

The largest records go first: as few loops as the limit allows are run again. What is left of the limit is shared out
between the states of those loops and, where a step has loops of its own, the record of one step, so that little is run
again. A step is a function like any other; its limit is what the states leave.

    for t: ...                 (k + 1) states of the outer loop + the state at its end
        while ...: ...         + within one step: (j + 1) states of the inner loop + ... + the record of one inner step
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.budget import TooLarge, leaner_and_leaner, plan_within
from adcore.analysis.planning.choices import Node
from adcore.analysis.planning.explain import amount_of, workspace
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.plan import Impossible, Plan, Planner
from adcore.analysis.planning.polynomial import Polynomial
from adcore.analysis.planning.record import surroundings
from adcore.analysis.planning.sizes import Unknown
from adcore.analysis.structure import LOOPS
from adcore.ir.core import Function, Instr, Value, walk
from adcore.ir.types import ArrayType, Scalar
from adcore.machine_model import MODEL
from adcore.ops import Table
from adcore.transform.checkpointing.checkpoint import (
    Checkpointing,
    Decision,
    counters,
    dearest_iteration,
    state_of,
    step_kinds,
)
from adcore.transform.checkpointing.outline import aliases_of, outline
from adcore.transform.checkpointing.snapshots import advanced_steps
from adcore.transform.loop_building import inits_of


class Unbounded(Exception):
    """Only a run can tell what the function keeps, and no schedule bounds it."""


@dataclass(frozen=True)
class KnownShape:
    """What sizes are evaluated with in the place of an array that the function makes."""

    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]


class Reversal:
    """The ways to reverse one function. `arguments`: one per parameter, for sizes; None where it is not known."""

    def __init__(
        self,
        function: Function,
        kinds: Sequence[str],
        seeds: Sequence[bool],
        aliases: AliasClasses,
        ops: Table,
        arguments: Sequence[Any],
        strong: frozenset[Instr] | None = None,
    ) -> None:
        self.strong = strong
        self.function, self.kinds, self.seeds = function, tuple(kinds), tuple(seeds)
        self.aliases, self.ops, self.arguments = aliases, ops, arguments
        self._around: dict[tuple[Instr, ...], Planner] = {}
        self._plans: dict[Planner, list[tuple[Plan, int]]] = {}
        self.planner = self.around(())

    def around(self, loops: Sequence[Instr]) -> Planner:
        """Everything that is known about the function without `loops`."""
        key = tuple(loops)
        if key not in self._around:
            self._around[key] = analyse(self.function, self.kinds, self.seeds, self.aliases, self.ops, key, self.strong)
        return self._around[key]

    def size(self, planner: Planner, plan: Plan) -> int | None:
        """The bytes that `plan` keeps; None where only a run can tell."""
        try:
            return planner.sizes.evaluate(workspace(planner, plan), self.arguments)
        except Unknown:
            return None

    def decided(self, planner: Planner, plan: Plan, loops: Sequence[Checkpointing] = ()) -> Decision:
        size = self.size(planner, plan)
        kept = None if size is None else size + sum(loop.bytes for loop in loops)
        return Decision(planner, plan, self.kinds, self.seeds, tuple(loops), kept)

    @cached_property
    def plain(self) -> Decision:
        """The cheapest plan, whatever it keeps."""
        return self.decided(self.planner, self.planner.plan())

    def within(self, limit: int) -> Decision:
        """What keeps at most `limit` bytes. Raises TooLarge, with the least that is possible, or Unbounded."""
        if self.plain.bytes is not None and self.plain.bytes <= limit:
            return self.plain
        fitting = (plan for plan, size in self.plans(self.planner) if size <= limit)
        plan = next(fitting, None)
        return self.checkpointed(limit) if plan is None else self.decided(self.planner, plan)

    def planned_within(self, limit: int) -> Decision:
        """The same, after a thorough search for a plan that needs no loop to run again."""
        try:
            found = self.decided(self.planner, plan_within(self.planner, limit, self.arguments))
        except (TooLarge, Impossible):
            return self.checkpointed(limit)
        return found if found.bytes is not None and found.bytes <= limit else self.checkpointed(limit)

    # Checkpointing

    @cached_property
    def loops(self) -> list[LoopCandidate]:
        """The loops in no other loop that can be checkpointed, those with the largest record first."""
        structure = self.planner.structure
        inner = [i for i in structure.instructions() if i.op in LOOPS and not structure.depth(structure.home[i])]
        working = [i for i in inner if any(r in self.planner.needs.working for r in i.regions)]
        found = [LoopCandidate(self, i) for i in working if can_run_again(self.planner, i)]
        return sorted((loop for loop in found if loop.least is not None), key=lambda loop: -loop.record)

    @cached_property
    def least(self) -> int | None:
        """The fewest bytes that are enough; None if there is no bound."""
        own = min((size for _, size in self.plans(self.planner)), default=None)
        sizes = [own, *(self.least_with(count) for count in range(1, len(self.loops) + 1))]
        return min((size for size in sizes if size is not None), default=None)

    def least_with(self, count: int) -> int | None:
        """The fewest bytes with the first `count` loops checkpointed."""
        around = self.plans(self.around([loop.instr for loop in self.loops[:count]]))
        states = sum(loop.least or 0 for loop in self.loops[:count])
        return min((size + states for _, size in around), default=None)

    def plans(self, planner: Planner) -> list[tuple[Plan, int]]:
        """Plans from the cheapest to the leanest, where their sizes are known."""
        if planner not in self._plans:
            self._plans[planner] = leaner_and_leaner(planner, self.arguments)
        return self._plans[planner]

    def checkpointed(self, limit: int) -> Decision:
        """With as few loops checkpointed as it takes."""
        for count in range(1, len(self.loops) + 1):
            chosen = self.loops[:count]
            planner = self.around([loop.instr for loop in chosen])
            least = sum(loop.least or 0 for loop in chosen)
            fitting = [(plan, size) for plan, size in self.plans(planner) if size + least <= limit]
            found = [self.decided(planner, plan, shared(chosen, limit - size)) for plan, size in fitting]
            if found:
                return min(found, key=lambda decision: decision.plan.cost + decision.again)
        if self.least is None:
            raise Unbounded(self.function.name)
        raise self.too_large()

    def too_large(self) -> TooLarge:
        """What to say if nothing fits: the leanest way, and what it takes."""
        assert self.least is not None
        for count in range(len(self.loops) + 1):
            chosen = self.loops[:count]
            planner = self.around([loop.instr for loop in chosen])
            for plan, size in self.plans(planner):
                if size + sum(loop.least or 0 for loop in chosen) == self.least:
                    states = tuple(loop.within(loop.least or 0).summary() for loop in chosen)
                    return TooLarge(planner, plan, self.least, states)
        raise AssertionError("the least is that of one of these")


def shared(loops: Sequence[LoopCandidate], limit: int) -> list[Checkpointing]:
    """Schedules for all of `loops` within `limit`: beyond the least, bytes go where there is most to run again."""
    spare = limit - sum(loop.least or 0 for loop in loops)
    made = []
    for k, loop in enumerate(loops):
        weight = loop.work / sum(other.work for other in loops[k:])
        made.append(loop.within((loop.least or 0) + int(spare * weight)))
        spare -= made[-1].bytes - (loop.least or 0)
    return made


def can_run_again(planner: Planner, loop: Instr) -> bool:
    """Whether the state of `loop` consists of numbers and arrays, which no branch has made for itself, and its test
    leaves memory alone."""
    quiet = loop.op == "for" or not any(planner.ops.writes_in(loop.regions[0]))
    plain = all(isinstance(p.type, Scalar) for p in loop.regions[-1].params)
    structure = planner.structure
    _, inputs = surroundings(structure, loop)
    lasting = all(structure.home[v] is structure.function.region for v in inputs if not isinstance(v.type, Scalar))
    return quiet and plain and lasting and all(isinstance(root.type, ArrayType) for root in state_of(planner, loop))


class LoopCandidate:
    """One loop of the region of `outer`, as it is checkpointed."""

    def __init__(self, outer: Reversal, instr: Instr) -> None:
        self.outer, self.instr, self.planner = outer, instr, outer.planner
        self.state = state_of(self.planner, instr)
        self.step = outline(self.planner.structure, instr)
        kinds, seeds = step_kinds(self.planner, instr, self.step)
        aliases = aliases_of(self.step, self.planner.aliases, outer.function.params)
        known = (self.step.function, kinds, seeds, aliases, outer.ops)
        strong = self.step.of(self.planner.strong)
        self.inner = Reversal(*known, [None, *self.given()], strong)
        iteration = self.dearest()
        if iteration is not None:
            self.inner = Reversal(*known, [iteration, *self.given()], strong)

    @cached_property
    def steps(self) -> int | None:
        """How often it runs; None where only a run can tell."""
        try:
            return self.planner.sizes.evaluate(Polynomial.atom(self.instr), self.outer.arguments)
        except Unknown:
            return None

    def dearest(self) -> int | None:
        """The loop variable of the step with the largest record, where that differs and can be known."""
        plan, outer = self.inner.plain.plan, self.outer
        try:
            iterations = counters(self.planner, self.instr, outer.arguments) if self.instr.op == "for" else range(0)
            return dearest_iteration(self.inner.planner, plan, iterations, self.given()) if iterations else None
        except Unknown:
            return None

    def number(self, value: Value) -> int:
        """An integer from outside. Raises Unknown."""
        return self.planner.sizes.number(value, self.outer.arguments)

    def given(self) -> list[Any]:
        """Arguments of the step after its loop variable."""
        carried = [None for _ in inits_of(self.instr)]
        return [*carried, *(self.argument(v) for v in self.step.inputs)]

    def argument(self, value: Value) -> Any:
        """What is known about an outer value: an argument, an integer that follows from them, a shape."""
        params = self.outer.function.params
        if value in params:
            position = params.index(value)
            return self.outer.arguments[position] if position < len(self.outer.arguments) else None
        try:
            if isinstance(value.type, Scalar):
                return self.number(value) if value.type.kind == "i" else None
            instr = self.planner.structure.definition[value]
            return KnownShape(tuple(map(self.number, instr.operands))) if instr.op in self.planner.ops.allocs else None
        except Unknown:
            return None

    # What it takes

    @cached_property
    def record(self) -> float:
        """The bytes that the cheapest plan keeps in it; infinite where only a run can tell."""
        plan = self.outer.plain.plan
        nodes: list[Node] = [*plan.stored, *plan.logged]
        return float(sum(self.kept_by(node) for node in nodes))

    def kept_by(self, node: Node) -> float:
        plan, structure = self.outer.plain.plan, self.planner.structure
        if self.instr not in structure.loops(structure.home[node]):
            return 0.0
        try:
            return float(self.planner.sizes.evaluate(amount_of(self.planner, plan, node), self.outer.arguments))
        except Unknown:
            return inf

    @cached_property
    def room(self) -> int | None:
        """Bytes of the arrays of a state."""
        sizes = [array_bytes(root, self.argument(root)) for root in self.state]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @cached_property
    def snapshot(self) -> int | None:
        """Bytes of a state: arrays, carried numbers, and the iteration that it belongs to."""
        carried = (p.type for p in self.instr.regions[-1].params[1:])
        numbers = sum(t.bytes for t in carried if isinstance(t, Scalar))
        return None if self.room is None else self.room + numbers + 8

    @cached_property
    def least(self) -> int | None:
        """The fewest bytes for it: the state at its entry, that at its end, and the leanest record of a step."""
        if self.room is None or self.snapshot is None or self.inner.least is None:
            return None
        return self.room + self.snapshot + self.inner.least

    @cached_property
    def work(self) -> float:
        """Estimated operations of all its steps, in additions."""
        structure, sizes, total = self.planner.structure, self.planner.sizes, 0.0
        for instr in (i for region in self.instr.regions for i in walk(region)):
            times = 1.0
            for loop in structure.loops(structure.home[instr]):
                try:
                    times *= sizes.evaluate(Polynomial.atom(loop), self.outer.arguments)
                except Unknown:
                    times *= MODEL.guessed_trips
            total += self.outer.ops[instr.op].cost * times
        return max(total, 1.0)

    def within(self, limit: int) -> Checkpointing:
        """The schedule that runs least again within `limit` bytes, which are not below the least."""
        plain = self.inner.plain
        found = [self.filled(plain, limit)] if self.fits(plain.bytes, limit) else []
        enough = found and found[0].advanced is not None and found[0].advanced < 2 * (self.steps or 0)
        if not found or (self.inner.loops and not enough):
            spare = limit - (self.least or 0)
            limits = dict.fromkeys((self.inner.least or 0) + int((1.0 - share) * spare) for share in MODEL.state_shares)
            found += [self.filled(self.inner.within(each), limit) for each in limits]
        return min(found, key=lambda made: made.again)

    def fits(self, record: int | None, limit: int) -> bool:
        return record is not None and (self.room or 0) + (self.snapshot or 0) + record <= limit

    def filled(self, inner: Decision, limit: int) -> Checkpointing:
        """With as many states as fit beside a step that is reversed like `inner`."""
        assert inner.bytes is not None
        assert self.room is not None
        assert self.snapshot is not None
        slots = (limit - self.room - inner.bytes) // self.snapshot - 1
        steps = MODEL.guessed_trips if self.steps is None else self.steps
        slots = slots if self.steps is None else min(slots, max(0, steps - 1))
        advanced = advanced_steps(steps, slots + 1)
        kept = (slots + 1) * self.snapshot + self.room + inner.bytes
        again = advanced * self.work / max(1, steps) + steps * inner.again
        exact = None if self.steps is None else advanced
        known = (self.instr, slots, self.state, self.step, inner, self.steps, exact)
        return Checkpointing(*known, kept, self.snapshot, again)


def array_bytes(root: Value, argument: Any) -> int | None:
    """The bytes of an array of which an argument, or the shape, is given."""
    if argument is None:
        return None
    assert isinstance(root.type, ArrayType)
    total = root.type.element.bytes
    for size in argument.shape:
        total *= max(0, int(size))
    return total
