"""Reverse mode within a limit: the states of one long loop are kept at a few iterations only and run forward again.

for t reversed:                                  the outermost loop; the program around it is planned as always
    bring back the nearest kept state before t
    run forward to t, keeping states on the way  (binomially: see `snapshots`)
    step t forward and backward                  (the gradient of the loop's body, with its own plan)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adcore.analysis.budget import TooLarge
from adcore.analysis.dependence import AliasClasses
from adcore.analysis.explain import Checkpoints, workspace
from adcore.analysis.plan import Plan, Planner
from adcore.analysis.polynomial import Polynomial
from adcore.analysis.sizes import Unknown
from adcore.analysis.structure import Structure
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Value, walk
from adcore.ir.types import I64, ArrayType, Scalar
from adcore.transform.loops import trip_count
from adcore.transform.outline import Outlined, aliases_of, call_inline, outline
from adcore.transform.snapshots import Snapshots, advanced_steps, emit_split

Differentiate = Callable[[Function, Sequence[str], Sequence[bool], AliasClasses], tuple[Function, Planner, Plan]]


@dataclass(frozen=True, eq=False)
class Checkpointing:
    """How one loop is reversed: `slots` states beside the first, `state` the arrays of a state, `gradient` the gradient
    of a step; `advanced` is the number of steps run again for the arguments at hand, `bytes` what it all takes."""

    loop: Instr
    slots: int
    state: tuple[Value, ...]
    step: Outlined
    gradient: Function
    kinds: tuple[str, ...]
    seeds: tuple[bool, ...]
    steps: int
    advanced: int
    bytes: int
    snapshot_bytes: int
    planner: Planner = field(repr=False)
    plan: Plan = field(repr=False)

    def summary(self) -> Checkpoints:
        """The figures, for the explanation."""
        names = tuple(v.hint for v in self.state)
        carried = tuple(p.hint for p in self.loop.regions[0].params[1:])
        count = self.slots + 1
        rest = self.bytes - count * self.snapshot_bytes
        return Checkpoints(
            self.loop.span, (*names, *carried), count, self.snapshot_bytes, rest, self.steps, self.advanced
        )


def candidates(structure: Structure) -> list[Instr]:
    """Loops that may be checkpointed: `for` in the function's own region, that hold something to reverse."""
    return [i for i in structure.function.region.body if i.op == "for"]


def choose(
    planner: Planner,
    large: TooLarge,
    limit: int,
    arguments: Sequence[Any],
    differentiate: Differentiate,
    outside: Callable[[Instr], tuple[Planner, Plan]],
) -> tuple[Checkpointing, Planner, Plan]:
    """The loop whose checkpointing brings the whole within `limit` bytes, with the plan of the program around it.

    Raises TooLarge if there is none.
    """
    structure = planner.structure
    for loop in sorted(candidates(structure), key=lambda i: -_record_size(planner, large.plan, i)):
        try:
            around, plan = outside(loop)
            left = limit - around.sizes.evaluate(workspace(around, plan), arguments)
            made = checkpointing(around, loop, left, arguments, differentiate)
        except (Unknown, ValueError):
            continue
        if made is not None:
            return made, around, plan
    raise large


def _record_size(planner: Planner, plan: Plan, loop: Instr) -> int:
    """How many kept values lie in `loop`."""
    kept: list[Value | Instr] = [*plan.stored, *plan.logged]
    return sum(planner.structure.holder(_holder(planner, n)) is loop for n in kept)


def _holder(planner: Planner, node: Value | Instr) -> Instr:
    if isinstance(node, Instr):
        return node
    instr = planner.structure.definition.get(node) or planner.structure.owner[planner.structure.home[node]]
    assert instr is not None
    return instr


def checkpointing(
    planner: Planner, loop: Instr, limit: int, arguments: Sequence[Any], differentiate: Differentiate
) -> Checkpointing | None:
    """The schedule for `loop` within `limit` bytes, or None if not even the first state fits."""
    step = outline(planner.structure, loop)
    state = state_of(planner, loop)
    if any(not isinstance(root.type, ArrayType) for root in state):
        return None
    body = loop.regions[0]
    kinds, seeds = step_kinds(planner, loop, step)
    aliases = aliases_of(step, planner.aliases, planner.structure.function.params)
    gradient, inner, inner_plan = differentiate(step.function, kinds, seeds, aliases)
    steps = planner.sizes.evaluate(Polynomial.atom(loop), arguments)
    room = {root: _array_bytes(planner, root, arguments) for root in state}
    scalars = sum(p.type.bytes for p in body.params[1:] if isinstance(p.type, Scalar))
    snapshot = sum(room.values()) + scalars + 8
    given = [*(None for _ in body.params[1:]), *(_argument(planner, v, arguments) for v in step.inputs)]
    record = largest_record(inner, inner_plan, counters(planner, loop, arguments), given)
    slots = (limit - record - sum(room.values())) // snapshot - 1
    if slots < 0:
        return None
    slots = min(slots, max(0, steps - 1))
    total = (slots + 1) * snapshot + sum(room.values()) + record
    advanced = advanced_steps(steps, slots)
    return Checkpointing(
        loop, slots, state, step, gradient, kinds, seeds, steps, advanced, total, snapshot, inner, inner_plan
    )


def counters(planner: Planner, loop: Instr, arguments: Sequence[Any]) -> range:
    """What the loop variable runs through. Raises Unknown where only a run can tell."""
    forms = (planner.dependence.affine.form(v) for v in loop.operands[:2])
    first, stop = (planner.sizes.evaluate(planner.sizes.polynomial(form), arguments) for form in forms)
    return range(first, stop, loop.attrs["step"])


MOST_STEPS = 10_000
"""Of loops with more steps only the first and the last are looked at; the limit holds at run time all the same."""


def largest_record(step: Planner, plan: Plan, turns: range, inputs: Sequence[Any]) -> int:
    """Bytes that the record of the dearest step takes; `inputs` are the arguments of a step after its loop variable."""
    amount = workspace(step, plan)
    try:
        return step.sizes.evaluate(amount, [None, *inputs])
    except Unknown:  # it depends on the loop variable, or cannot be known
        looked_at = turns if len(turns) <= MOST_STEPS else (turns[0], turns[-1])
        return max((step.sizes.evaluate(amount, [turn, *inputs]) for turn in looked_at), default=0)


def step_kinds(planner: Planner, loop: Instr, step: Outlined) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """Kinds of the step's parameters, and which of its results are differentiated."""
    active, (body,) = planner.active, loop.regions
    pairs = zip(body.params[1:], loop.results, strict=True)
    seeds = tuple(p in active.values or r in active.values for p, r in pairs)
    inputs = (_kind(v, active.values, active.roots, planner.dependence.root) for v in step.inputs)
    return ("const", *("active" if s else "const" for s in seeds), *inputs), seeds


def _kind(value: Value, values: frozenset[Value], roots: frozenset[Value], root: Callable[[Value], Value]) -> str:
    if isinstance(value.type, Scalar):
        return "active" if value in values else "const"
    return "duplicated" if root(value) in roots else "const"


def state_of(planner: Planner, loop: Instr) -> tuple[Value, ...]:
    """Arrays that a step may find changed: written in the loop, or read in it and written after it."""
    dependence, structure = planner.dependence, planner.structure
    inside = tuple(walk(loop.regions[0]))
    written = dict.fromkeys(dependence.root(i.operands[1]) for i in inside if i.op in ("store", "accumulate"))
    read = dict.fromkeys(dependence.root(i.operands[0]) for i in inside if i.op == "load")
    later = stored_after(planner, loop)
    touched_later = [r for r in read if any(dependence.may_overlap(r, w) for w in later)]
    return tuple(r for r in dict.fromkeys([*written, *touched_later]) if structure.home[r] is structure.function.region)


def stored_after(planner: Planner, loop: Instr) -> frozenset[Value]:
    """Arrays that are written after a loop of the function's own region."""
    structure = planner.structure
    later = structure.function.region.body[structure.position[loop] + 1 :]
    nested = (n for instr in later for n in (instr, *(i for r in instr.regions for i in walk(r))))
    return frozenset(planner.dependence.root(n.operands[1]) for n in nested if n.op in ("store", "accumulate"))


def _argument(planner: Planner, value: Value, arguments: Sequence[Any]) -> Any:
    """The argument that an outer value is, where it is one (sizes are evaluated with it)."""
    params = planner.structure.function.params
    if value in params and params.index(value) < len(arguments):
        return arguments[params.index(value)]
    return None


def _array_bytes(planner: Planner, root: Value, arguments: Sequence[Any]) -> int:
    argument = _argument(planner, root, arguments)
    if argument is not None:
        return int(argument.nbytes)
    instr = planner.structure.definition[root]
    assert isinstance(root.type, ArrayType)
    total = Polynomial.number(root.type.element.bytes)
    for size in instr.operands:
        total = total * planner.sizes.polynomial(planner.dependence.affine.form(size))
    return planner.sizes.evaluate(total, arguments)


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
        (self.body,) = how.loop.regions
        types = [p.type for p in self.body.params[1:] if isinstance(p.type, Scalar)]
        self.snapshots = Snapshots(builder, how.slots + 1, how.state, types)
        zero = builder.const(0)
        self.snapshots.save(zero, zero, how.loop.operands[2:])

    def counter(self, turn: Value) -> Value:
        """The loop variable of iteration number `turn`."""
        b, loop = self.b, self.how.loop
        step = loop.attrs["step"]
        moved = turn if step == 1 else b.emit("mul", turn, b.const(step), exact=True)
        return b.emit("add", loop.operands[0], moved, exact=True)

    def advance(self, first: Value, count: Value, carried: Sequence[Value]) -> tuple[Value, ...]:
        """Run `count` steps of the primal from iteration `first` on; returns the carried values after them."""
        b = self.b
        turn = Value(I64, "turn")
        params = [turn, *(Value(v.type, v.hint) for v in carried)]
        with b.region(params) as opened:
            counter = self.counter(b.emit("add", first, turn, exact=True))
            opened.yields = call_inline(b, self.how.step.function, [counter, *params[1:], *self.how.step.inputs])
        types = [v.type for v in carried]
        return b.emit_many("for", (b.const(0), count, *carried), {"step": 1}, (opened.region,), types)

    def reach(self, target: Value, top: Value) -> tuple[list[Value], Value]:
        """From the state in slot `top`, run forward to the start of iteration `target`, keeping states on the way;
        returns the carried values there and the slot of the last state kept."""
        b, one = self.b, self.b.const(1)
        start = self.snapshots.iteration(top)
        carried = self.snapshots.restore(top)
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
            free = b.emit("sub", b.const(self.how.slots), slot, exact=True)
            keeps = b.emit("gt", free, b.const(0))
            with b.region() as some:
                some.yields = (emit_split(b, left, free),)
            with b.region() as none:
                none.yields = (b.emit("sub", left, one, exact=True),)
            (count,) = b.emit_many("if", (keeps,), {}, (some.region, none.region), (I64,))
            after = self.advance(here, count, state)
            there = b.emit("add", here, count, exact=True)
            with b.region() as save:
                following = b.emit("add", slot, one, exact=True)
                self.snapshots.save(following, there, after)
                save.yields = (following,)
            with b.region() as skip:
                skip.yields = (slot,)
            (kept,) = b.emit_many("if", (keeps,), {}, (save.region, skip.region), (I64,))
            body.yields = (there, kept, *after)
        types = [v.type for v in initial]
        results = b.emit_many("while", initial, {}, (condition.region, body.region), [*types, I64])
        return list(results[2:-1]), results[1]

    def reverse(self, incoming: Adjoints, shadows: Sequence[Value]) -> Adjoints:
        """The reverse of the loop; `shadows` are those of the step's duplicated parameters, in order. Memory is left as
        it is found: as the loop left it."""
        b = self.b
        final = Snapshots(b, 1, self.how.state, (), dated=False)
        zero = b.const(0)
        final.save(zero, None, ())
        turn = Value(I64, "turn")
        start = [zero, *incoming.carried, *incoming.used]
        params = [turn, *(Value(v.type, f"d_{v.hint}") for v in start)]
        seeded = len(incoming.carried)
        with b.region(params) as opened:
            _, top, *adjoints = params
            carried, top = self.reach(turn, top)
            arguments = [self.counter(turn), *carried, *self.how.step.inputs]
            results = call_inline(b, self.how.gradient, [*arguments, *shadows, *adjoints[:seeded]])
            grown = results[len(carried) :]
            used = [
                b.emit("add", so_far, more, flags="adjoint")
                for so_far, more in zip(adjoints[seeded:], grown[seeded:], strict=True)
            ]
            opened.yields = (self.released(top, turn), *grown[:seeded], *used)
        count = trip_count(b, self.how.loop)
        types = [v.type for v in start]
        outgoing = b.emit_many("for", (zero, count, *start), {"step": 1, "reverse": True}, (opened.region,), types)
        final.restore(zero)
        return Adjoints(list(outgoing[1 : 1 + seeded]), list(outgoing[1 + seeded :]))

    def released(self, top: Value, turn: Value) -> Value:
        """The last slot still needed after iteration `turn` is reversed: a state at its start is used up."""
        b = self.b
        used_up = b.emit("eq", self.snapshots.iteration(top), turn)
        not_first = b.emit("gt", top, b.const(0))
        before = b.emit("sub", top, b.const(1), exact=True)
        return b.emit("select", b.emit("and", used_up, not_first), before, top)


__all__ = ["Adjoints", "Checkpointed", "Checkpointing", "candidates", "checkpointing", "choose"]
