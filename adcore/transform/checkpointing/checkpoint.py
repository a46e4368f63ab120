"""Reverse mode within a limit: the states of a long loop are kept at a few iterations only and run forward again.

for t reversed:                                  a `for` or a `while`; the program around it is planned as always
    bring back the nearest kept state before t
    run forward to t, keeping states on the way  (binomially: see `snapshots`)
    step t forward and backward                  (the gradient of the loop's body, reversed within a limit of its own)

How often the loop runs is known when the reverse sweep comes to it: a `while` counts its iterations, so its reverse is
that of a `for`. The state at the entry of the loop has one slot; the others are taken when the reverse begins, as many
as the iterations can use. What loops inside a step keep lives while that step is reversed: their slots serve every
iteration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adcore.analysis.planning.explain import workspace
from adcore.analysis.planning.findings import Checkpoints
from adcore.analysis.planning.plan import Plan, Planner
from adcore.analysis.planning.sizes import Unknown
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Value, walk
from adcore.ir.types import I64, Scalar
from adcore.machine_model import MODEL
from adcore.transform.checkpointing.outline import Outlined, call_inline
from adcore.transform.checkpointing.snapshots import Arrays, Snapshots, emit_split
from adcore.transform.loop_building import inits_of, trip_count


@dataclass(frozen=True, eq=False)
class Decision:
    """How a function is reversed, before any code is made: by `plan`, but for the loops `apart`. `bytes`: the most that
    is kept, None where only a run can tell; `again`: estimated operations that run once more, in additions."""

    planner: Planner
    plan: Plan
    kinds: tuple[str, ...]
    seeds: tuple[bool, ...]
    apart: tuple[Checkpointing, ...] = ()
    bytes: int | None = None

    @property
    def again(self) -> float:
        return sum(loop.again for loop in self.apart)


@dataclass(frozen=True, eq=False)
class Checkpointing:
    """How one loop is reversed: at most `slots` states beside the first, `state` the arrays of a state, `step` the body
    and `inner` how a step is reversed (`gradient`, once the code for it is made).

    `steps`, and how many run again, `advanced`, are for the arguments at hand; None where only a run can tell.
    `bytes` is what it all takes at most; `again` estimates what running again costs, in additions.
    """

    loop: Instr
    slots: int
    state: tuple[Value, ...]
    step: Outlined
    inner: Decision = field(repr=False)
    steps: int | None
    advanced: int | None
    bytes: int
    snapshot_bytes: int
    again: float
    gradient: Function | None = field(default=None, repr=False)

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.inner.kinds

    @property
    def seeds(self) -> tuple[bool, ...]:
        return self.inner.seeds

    def summary(self) -> Checkpoints:
        """The figures, for the explanation."""
        names = tuple(v.hint for v in self.state)
        carried = tuple(p.hint for p in self.loop.regions[-1].params[1:])
        count = self.slots + 1
        rest = self.bytes - count * self.snapshot_bytes
        nested = tuple(loop.summary() for loop in self.inner.apart)
        span = self.loop.span.first_line() if self.loop.span else None
        return Checkpoints(
            span, (*names, *carried), count, self.snapshot_bytes, rest, self.steps, self.advanced, nested
        )


def counters(planner: Planner, loop: Instr, arguments: Sequence[Any]) -> range:
    """What the variable of a `for` runs through. Raises Unknown where only a run can tell."""
    first, stop = (planner.sizes.number(v, arguments) for v in loop.operands[:2])
    return range(first, stop, loop.attrs["step"])


def dearest_iteration(step: Planner, plan: Plan, iterations: range, inputs: Sequence[Any]) -> int | None:
    """The loop variable of the step with the largest record, None if all are alike; `inputs` are the arguments of a
    step after its loop variable. Raises Unknown."""
    amount = workspace(step, plan)
    try:
        step.sizes.evaluate(amount, [None, *inputs])
    except Unknown:  # it depends on the loop variable, or cannot be known
        looked_at = iterations if len(iterations) <= MODEL.most_steps else (iterations[0], iterations[-1])
        return max(looked_at, key=lambda iteration: step.sizes.evaluate(amount, [iteration, *inputs]), default=None)
    return None


def largest_record(step: Planner, plan: Plan, iterations: range, inputs: Sequence[Any]) -> int:
    """Bytes that the record of the dearest step takes. Raises Unknown."""
    if not iterations:
        return 0
    iteration = dearest_iteration(step, plan, iterations, inputs)
    return step.sizes.evaluate(workspace(step, plan), [iteration, *inputs])


def step_kinds(planner: Planner, loop: Instr, step: Outlined) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """Kinds of the step's parameters, and which of its results are differentiated."""
    active, params = planner.active, loop.regions[-1].params[1:]
    pairs = zip(params, loop.results[: len(params)], strict=True)
    seeds = tuple(p in active.values or r in active.values for p, r in pairs)
    inputs = (_kind(planner, v) for v in step.inputs)
    return ("const", *("active" if s else "const" for s in seeds), *inputs), seeds


def _kind(planner: Planner, value: Value) -> str:
    if isinstance(value.type, Scalar):
        return "active" if value in planner.active.values else "const"
    return "duplicated" if planner.dependence.root(value) in planner.active.roots else "const"


def state_of(planner: Planner, loop: Instr) -> tuple[Value, ...]:
    """Arrays that a step may find changed: written in the loop, or read in it and written after it."""
    dependence, structure = planner.dependence, planner.structure
    inside = tuple(i for region in loop.regions for i in walk(region))
    accesses = [access for i in inside if i.op in dependence.ops.touching for access in dependence.accesses(i)]
    written = dict.fromkeys(access.root for access in accesses if access.writes)
    read = dict.fromkeys(access.root for access in accesses if not access.writes)
    later = stored_after(planner, loop)
    touched_later = [r for r in read if any(dependence.may_overlap(r, w) for w in later)]
    return tuple(r for r in dict.fromkeys([*written, *touched_later]) if structure.home[r] is structure.function.region)


def stored_after(planner: Planner, loop: Instr) -> frozenset[Value]:
    """Arrays that are written after a loop that stands in no other one."""
    later = (store for store in planner.stores if planner.dependence.follows(loop, store))
    return frozenset(planner.dependence.access(store).root for store in later)


@dataclass(frozen=True, eq=False)
class Adjoints:
    """Adjoints that go into and come out of the reverse of the loop: of the carried values that are seeded, and of the
    active scalars from outside."""

    carried: list[Value]
    used: list[Value]


class Checkpointed:
    """Emits the forward and reverse parts of one checkpointed loop into a function under construction."""

    def __init__(self, how: Checkpointing, builder: Builder) -> None:
        self.how, self.b = how, builder
        self.body = how.loop.regions[-1]
        self.types = [p.type for p in self.body.params[1:] if isinstance(p.type, Scalar)]
        self.inits = inits_of(how.loop)
        with builder.at(0):  # what a branch makes would be gone when its reverse comes
            self.first = Snapshots(builder, builder.const(1), how.state, self.types)
        zero = builder.const(0)
        self.first.save(zero, zero, self.inits)
        self.more: Snapshots | None = None
        self.slots = zero
        self.loop, self.inputs = how.loop, how.step.inputs

    def counter(self, iteration: Value) -> Value:
        """The loop variable of this iteration."""
        b, loop = self.b, self.loop
        if loop.op == "while":
            return iteration
        step = loop.attrs["step"]
        moved = iteration if step == 1 else b.emit("mul", iteration, b.const(step), exact=True)
        return b.emit("add", loop.operands[0], moved, exact=True)

    def advance(self, first: Value, count: Value, carried: Sequence[Value]) -> tuple[Value, ...]:
        """Run `count` steps of the primal from iteration `first` on; returns the carried values after them."""
        b = self.b
        iteration = Value(I64, "iteration")
        params = [iteration, *(Value(v.type, v.hint) for v in carried)]
        with b.region(params) as opened:
            counter = self.counter(b.emit("add", first, iteration, exact=True))
            opened.yields = call_inline(b, self.how.step.function, [counter, *params[1:], *self.inputs])
        types = [v.type for v in carried]
        return b.emit_many("for", (b.const(0), count, *carried), {"step": 1}, (opened.region,), types)

    def reach(self, target: Value, top: Value) -> tuple[list[Value], Value]:
        """From the state in slot `top`, run forward to the start of iteration `target`, keeping states on the way;
        returns the carried values there and the slot of the last state kept."""
        b, one = self.b, self.b.const(1)
        start, *carried = self.restore(top)
        initial = [start, top, *carried]

        def params() -> list[Value]:
            return [Value(I64, "k"), *(Value(v.type, v.hint) for v in initial)]

        first = params()
        with b.region(first) as condition:
            condition.yields = (b.emit("lt", first[1], target),)
        second = params()
        with b.region(second) as body:
            _, here, slot, *state = second
            left = b.emit("add", b.emit("sub", target, here, exact=True), one, exact=True)
            free = b.emit("sub", self.slots, slot, exact=True)
            keeps = b.emit("gt", free, b.const(0))
            with b.region() as some:
                some.yields = (emit_split(b, left, b.emit("add", free, one, exact=True)),)
            with b.region() as none:
                none.yields = (b.emit("sub", left, one, exact=True),)
            (count,) = b.emit_many("if", (keeps,), {}, (some.region, none.region), (I64,))
            after = self.advance(here, count, state)
            there = b.emit("add", here, count, exact=True)
            with b.region() as save:
                if self.more is not None:  # slot 0 is the first one's
                    self.more.save(slot, there, after)
                save.yields = (b.emit("add", slot, one, exact=True),)
            with b.region() as skip:
                skip.yields = (slot,)
            (kept,) = b.emit_many("if", (keeps,), {}, (save.region, skip.region), (I64,))
            body.yields = (there, kept, *after)
        types = [v.type for v in initial]
        results = b.emit_many("while", initial, {}, (condition.region, body.region), [*types, I64])
        return list(results[2:-1]), results[1]

    def restore(self, slot: Value) -> list[Value]:
        """Bring back the state in `slot`; returns the iteration that it belongs to and the carried values."""
        b, zero = self.b, self.b.const(0)
        if self.more is None:
            return [self.first.iteration(zero), *self.first.restore(zero)]
        with b.region() as entry:
            entry.yields = (self.first.iteration(zero), *self.first.restore(zero))
        with b.region() as later:
            place = b.emit("sub", slot, b.const(1), exact=True)
            later.yields = (self.more.iteration(place), *self.more.restore(place))
        types = [I64, *self.types]
        return list(b.emit_many("if", (b.emit("eq", slot, zero),), {}, (entry.region, later.region), types))

    def open_slots(self, count: Value) -> None:
        """Room for the states beside the first: `count` iterations can use one less."""
        b, zero = self.b, self.b.const(0)
        self.slots = zero
        if self.how.slots:
            useful = b.emit("maximum", b.emit("sub", count, b.const(1), exact=True), zero)
            self.slots = b.emit("minimum", b.const(self.how.slots), useful)
            self.more = Snapshots(b, self.slots, self.how.state, self.types)

    def reverse(self, incoming: Adjoints, shadows: Sequence[Value], primal: Callable[[Value], Value]) -> Adjoints:
        """The reverse of the loop; `shadows` are those of the step's duplicated parameters, in order, `primal` gives
        outer numbers in the reverse sweep. Memory is left as it is found: as the loop left it."""
        b, loop, zero = self.b, self.how.loop, self.b.const(0)
        assert self.how.gradient is not None, "the step has no gradient yet"
        self.inputs = tuple(primal(v) if isinstance(v.type, Scalar) else v for v in self.how.step.inputs)
        if loop.op == "for":
            self.loop = replace(loop, operands=(*map(primal, loop.operands[:2]), *loop.operands[2:]))
        count = primal(loop.results[-1]) if loop.op == "while" else trip_count(b, self.loop)
        final = Arrays(b, b.const(1), self.how.state)
        final.save(zero)
        self.open_slots(count)
        iteration = Value(I64, "iteration")
        start = [zero, *incoming.carried, *incoming.used]
        params = [iteration, *(Value(v.type, f"d_{v.hint}") for v in start)]
        seeded = len(incoming.carried)
        with b.region(params) as opened:
            _, top, *adjoints = params
            carried, top = self.reach(iteration, top)
            arguments = [self.counter(iteration), *carried, *self.inputs]
            results = call_inline(b, self.how.gradient, [*arguments, *shadows, *adjoints[:seeded]])
            grown = results[len(carried) :]
            used = [
                b.emit("add", so_far, more, flags="adjoint")
                for so_far, more in zip(adjoints[seeded:], grown[seeded:], strict=True)
            ]
            opened.yields = (self.released(top, iteration), *grown[:seeded], *used)
        types = [v.type for v in start]
        outgoing = b.emit_many("for", (zero, count, *start), {"step": 1, "reverse": True}, (opened.region,), types)
        final.restore(zero)
        return Adjoints(list(outgoing[1 : 1 + seeded]), list(outgoing[1 + seeded :]))

    def released(self, top: Value, iteration: Value) -> Value:
        """The last slot still needed after `iteration` is reversed: a state at its start is used up."""
        b = self.b
        if self.more is None:
            return top
        with b.region() as later:
            before = b.emit("sub", top, b.const(1), exact=True)
            used_up = b.emit("eq", self.more.iteration(before), iteration)
            later.yields = (b.emit("select", used_up, before, top),)
        with b.region() as entry:
            entry.yields = (top,)
        is_later = b.emit("gt", top, b.const(0))
        return b.emit_many("if", (is_later,), {}, (later.region, entry.region), (I64,))[0]


__all__ = [
    "Adjoints", "Checkpointed", "Checkpointing", "Decision", "counters", "dearest_iteration", "largest_record",
    "state_of", "step_kinds", "stored_after",
]  # fmt: skip
