"""Reverse mode that runs each step of a loop again: only what a step overwrites is kept, not what it computes.

    for j: a[:, j] = ... many times ...     ->     for j: log[j] = a[:, j]; step
                                                   for j reversed: a[:, j] = log[j]; step forward and backward

In Gram-Schmidt every update of column j destroys values that the reverse sweep needs: keeping them takes O(n) for each
of O(n^2) updates. Keeping each column as it was before its step takes O(n) for each of n steps, and the step is run
once more; its own record lives for one step. This is checkpointing with a state at every step, where a state is only
the section of memory that the step overwrites.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.choices import Node
from adcore.analysis.planning.explain import workspace
from adcore.analysis.planning.findings import Stored
from adcore.analysis.planning.plan import Plan, Planner, held
from adcore.analysis.planning.polynomial import Polynomial
from adcore.analysis.planning.sizes import Unknown
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Value, walk
from adcore.ir.types import I64, ArrayType, Scalar
from adcore.machine_model import MODEL
from adcore.transform.checkpointing.checkpoint import (
    Adjoints,
    counters,
    largest_record,
    state_of,
    step_kinds,
    stored_after,
)
from adcore.transform.checkpointing.outline import Outlined, aliases_of, call_inline, outline
from adcore.transform.checkpointing.snapshots import stored_array
from adcore.transform.loop_building import iteration_number, trip_count

Differentiate = Callable[
    [Function, Sequence[str], Sequence[bool], AliasClasses, frozenset[Instr]], tuple[Function, Planner, Plan]
]
"""The gradient of a step, with its plan; given last, which of its products are strong."""


@dataclass(frozen=True, eq=False)
class MemorySection:
    """The part of `root` that one step may overwrite: at the subscripts `fixed` (by dimension), whole in the others."""

    root: Value
    fixed: dict[int, Value]


@dataclass(frozen=True, eq=False)
class Rewinding:
    """How one loop is reversed by running its steps again; `planner` and `plan` are those of a step."""

    loop: Instr
    sections: tuple[MemorySection, ...]
    step: Outlined
    gradient: Function
    kinds: tuple[str, ...]
    seeds: tuple[bool, ...]
    planner: Planner = field(repr=False)
    plan: Plan = field(repr=False)
    outer: Planner = field(repr=False)

    def kept(self) -> Polynomial:
        """Bytes of what all steps overwrite, and of the carried scalars."""
        sizes = self.outer.sizes
        each = Polynomial()
        for section in self.sections:
            assert isinstance(section.root.type, ArrayType)
            size = Polynomial.number(section.root.type.element.bytes)
            for axis in range(section.root.type.rank):
                if axis not in section.fixed:
                    size = size * sizes.dimension(section.root, axis)
            each = each + size
        for param in self.loop.regions[0].params[1:]:
            assert isinstance(param.type, Scalar)
            each = each + Polynomial.number(param.type.bytes)
        start, stop = sizes.bounds(self.loop)
        return each * (stop - start)

    def record(self, arguments: Sequence[Any] | None = None) -> Stored:
        """As a kept value."""
        names = ", ".join(f"`{s.root.hint}`" for s in self.sections)
        inner = workspace(self.planner, self.plan)
        formula = self.outer.sizes.text(self.kept())
        if inner.terms:
            formula += f" + {self._step_formula(inner)}"
        span = self.loop.span.first_line() if self.loop.span else None
        why = (
            f"what each step overwrites in {names} is kept, and the step runs again: that is less than what it computes"
        )
        spans = (span,) if span else ()
        return Stored("steps of the loop", span, "checkpoint", "rewound", why, spans, formula, self.bytes(arguments))

    def _step_formula(self, inner: Polynomial) -> str:
        """What one step keeps: the dearest step, where it depends on the iteration."""
        text, counter = self.planner.sizes.text(inner), self.planner.structure.function.params[0]
        return f"max({text} over {counter.hint or 'the iterations'})" if counter in inner.atoms() else text

    def bytes(self, arguments: Sequence[Any] | None) -> int | None:
        """For actual arguments; None where only a run can tell."""
        if arguments is None:
            return None
        try:
            kept = self.outer.sizes.evaluate(self.kept(), arguments)
            return kept + self._step_bytes(arguments)
        except Unknown:
            return None

    def _step_bytes(self, arguments: Sequence[Any]) -> int:
        params = self.outer.structure.function.params
        given = [arguments[params.index(v)] if v in params else None for v in self.step.inputs]
        carried = [None] * (len(self.loop.regions[0].params) - 1)
        iterations = counters(self.outer, self.loop, arguments)
        return largest_record(self.planner, self.plan, iterations, [*carried, *given])

    def notes(self) -> tuple[str, ...]:
        return ("Each step of that loop runs once more in the reverse sweep.",)


def consider(
    planner: Planner, plan: Plan, differentiate: Differentiate, outside: Callable[[Instr], tuple[Planner, Plan]]
) -> tuple[Rewinding, Planner, Plan] | None:
    """A loop of the function's own region whose steps are better run again than recorded, by the cost model."""
    structure = planner.structure
    deep: dict[Instr, None] = {}
    nodes: list[Node] = [*plan.stored, *plan.logged]
    for node in nodes:
        loops = structure.loops(structure.home[node])
        if (
            len(loops) >= MODEL.deep_nest
            and loops[0].op == "for"
            and structure.home[loops[0]] is structure.function.region
        ):
            deep[loops[0]] = None
    for loop in deep:
        if _spent(planner, plan, loop) <= _again(planner, loop) or sections_of(planner, loop) is None:
            continue  # planning all around the loop once more takes long
        around, rest = outside(loop)
        made = rewinding(around, loop, differentiate)
        if made is not None and rest.cost + _cost(around, made) < plan.cost:
            return made, around, rest
    return None


def _spent(planner: Planner, plan: Plan, loop: Instr) -> float:
    """What the plan pays for values and stores of `loop`: running its steps again cannot save more."""
    structure = planner.structure
    homes = ((node, structure.home[node]) for node in plan.demanded)
    inside = [node for node, home in homes if structure.inside(home, loop.regions[0])]
    chosen = [(node in plan.kept, plan.choices[node]) for node in inside if node in plan.choices]
    return sum(choice.store if kept else choice.cost + choice.scratch for kept, choice in chosen)


def _again(planner: Planner, loop: Instr) -> float:
    """Running the steps of `loop` once more."""
    return sum(planner.ops[i.op].cost * planner.sizes.estimate(planner.structure.home[i])
               for i in walk(loop.regions[0]) if i.results and not i.regions)  # fmt: skip


def _cost(around: Planner, made: Rewinding) -> float:
    """Estimated as the plan's cost is: the section logs, the record of each step, and running the steps again."""
    times = around.sizes.estimate(made.loop.regions[0])
    kept = float(made.kept().evaluate(lambda atom: 100))
    record: list[Node] = [*made.plan.stored, *made.plan.logged]
    reused = (1.0 - MODEL.row_share) * sum(held(made.plan, n) for n in record)
    return MODEL.byte_cost * kept + times * (made.plan.cost - reused) + _again(around, made.loop)


def rewinding(planner: Planner, loop: Instr, differentiate: Differentiate) -> Rewinding | None:
    """The loop by running its steps again, or None where what a step overwrites is no section of few arrays."""
    if abs(loop.attrs["step"]) != 1:
        return None
    sections = sections_of(planner, loop)
    if sections is None:
        return None
    step = outline(planner.structure, loop)
    kinds, seeds = step_kinds(planner, loop, step)
    aliases = aliases_of(step, planner.aliases, planner.structure.function.params)
    gradient, inner, plan = differentiate(step.function, kinds, seeds, aliases, step.of(planner.strong))
    made = Rewinding(loop, sections, step, gradient, kinds, seeds, inner, plan, planner)
    try:
        made.kept()
    except Unknown:
        return None
    return made


def sections_of(planner: Planner, loop: Instr) -> tuple[MemorySection, ...] | None:
    """What a step may overwrite; None if the loop touches something that is overwritten after it, or writes through
    views. (At the end the steps are done again, which would bring back what later stores have replaced.)"""
    dependence = planner.dependence
    ops = planner.ops
    stores = [i for i in walk(loop.regions[0]) if i.op in ops.puts]
    roots = dict.fromkeys(dependence.access(i).root for i in stores)
    home = planner.structure.home
    lasting = [r for r in roots if home[r] is planner.structure.function.region]
    if any(dependence.may_overlap(root, r) for root in stored_after(planner, loop) for r in lasting):
        return None
    if set(state_of(planner, loop)) != set(lasting) or any(r in dependence.classes for r in lasting):
        return None
    sections = []
    for root in lasting:
        mine = [i for i in stores if dependence.access(i).root is root]
        if not isinstance(root.type, ArrayType) or any(ops.array(i) is not root for i in mine):
            return None
        sections.append(MemorySection(root, _fixed(planner, loop, mine, root.type.rank)))
    return tuple(sections)


def _fixed(planner: Planner, loop: Instr, stores: Sequence[Instr], rank: int) -> dict[int, Value]:
    """Dimensions in which all stores of a step have one subscript that follows from the loop variable."""
    (body,) = loop.regions
    fixed = {}
    for axis in range(rank):
        values = [planner.ops.subscripts(i)[axis] for i in stores]
        forms = [planner.dependence.affine.form(v) for v in values]
        first = values[0]
        same = all(form == forms[0] for form in forms)
        simple = planner.structure.home[first] in (body, planner.structure.function.region)
        if same and simple and body.params[0] in forms[0] and planner.kills.follows_from_counters(first):
            fixed[axis] = first
    return fixed


class Rewound:
    """Emits the forward and reverse parts of one loop whose steps run again."""

    def __init__(self, how: Rewinding, builder: Builder) -> None:
        self.how, self.b = how, builder
        b, loop = builder, how.loop
        (self.body,) = loop.regions
        count = trip_count(b, loop)
        self.logs = [self._room(section, count) for section in how.sections]
        self.scalars = [stored_array(b, [count], p.type.name, f"kept_{p.hint}")
                        for p in self.body.params[1:] if isinstance(p.type, Scalar)]  # fmt: skip

    def _room(self, section: MemorySection, count: Value) -> Value:
        type_ = section.root.type
        assert isinstance(type_, ArrayType)
        dims = [self.b.emit("dim", section.root, axis=k) for k in range(type_.rank) if k not in section.fixed]
        return stored_array(self.b, [count, *dims], type_.element.name, f"log_{section.root.hint}")

    def save(self) -> None:
        """At the start of a step of the forward sweep: keep what it will overwrite, and the carried values."""
        counter = self.body.params[0]
        iteration = iteration_number(self.b, self.how.loop, counter)
        self.over_sections(counter, iteration, lambda memory, log: self.copy(memory, log))
        for room, value in zip(self.scalars, self.body.params[1:], strict=True):
            self.b.emit_many("store", (value, room, iteration), {})

    def copy(self, source: Sequence[Value], target: Sequence[Value]) -> None:
        self.b.emit_many("store", (self.b.emit("load", *source), *target), {})

    def swap(self, one: Sequence[Value], other: Sequence[Value]) -> None:
        first, second = self.b.emit("load", *one), self.b.emit("load", *other)
        self.b.emit_many("store", (second, *one), {})
        self.b.emit_many("store", (first, *other), {})

    def over_sections(
        self, counter: Value, iteration: Value, visit: Callable[[Sequence[Value], Sequence[Value]], None]
    ) -> None:
        """Loops over every element of every section; `visit(memory, log)` gets both places (array, subscripts)."""
        for section, log in zip(self.how.sections, self.logs, strict=True):
            fixed = {axis: self.subscript(v, counter) for axis, v in section.fixed.items()}
            assert isinstance(section.root.type, ArrayType)
            self._nest(section, log, fixed, [], [iteration], visit)

    def _nest(
        self,
        section: MemorySection,
        log: Value,
        fixed: dict[int, Value],
        index: list[Value],
        place: list[Value],
        visit: Callable[[Sequence[Value], Sequence[Value]], None],
    ) -> None:
        assert isinstance(section.root.type, ArrayType)
        axis, b = len(index), self.b
        if axis == section.root.type.rank:
            visit([section.root, *index], [log, *place])
        elif axis in fixed:
            self._nest(section, log, fixed, [*index, fixed[axis]], place, visit)
        else:
            counter = Value(I64)
            count = b.emit("dim", section.root, axis=axis)
            with b.region((counter,)) as opened:
                self._nest(section, log, fixed, [*index, counter], [*place, counter], visit)
            b.emit_many("for", (b.const(0), count), {"step": 1}, (opened.region,), ())

    def subscript(self, value: Value, counter: Value) -> Value:
        """A subscript of the step for the loop variable `counter`."""
        structure = self.how.outer.structure
        if value is self.body.params[0]:
            return counter
        instr = structure.definition.get(value)
        if instr is None or structure.home[value] is structure.function.region:
            return value
        return self.b.emit(instr.op, *(self.subscript(v, counter) for v in instr.operands), **instr.attrs)

    def reverse(self, incoming: Adjoints, shadows: Sequence[Value]) -> Adjoints:
        """The reverse of the loop; `shadows` are those of the step's duplicated parameters, in order. Memory is left as
        it is found."""
        b, loop = self.b, self.how.loop
        start = [*incoming.carried, *incoming.used]
        seeded = len(incoming.carried)
        counter = Value(I64, self.body.params[0].hint)
        params = [counter, *(Value(v.type, f"d_{v.hint}") for v in start)]
        with b.region(params) as opened:
            adjoints = params[1:]
            iteration = iteration_number(b, loop, counter)
            self.over_sections(counter, iteration, lambda memory, log: self.copy(log, memory))
            carried = [b.emit("load", room, iteration) for room in self.scalars]
            arguments = [counter, *carried, *self.how.step.inputs]
            results = call_inline(b, self.how.gradient, [*arguments, *shadows, *adjoints[:seeded]])
            grown = results[len(carried) :]
            pairs = zip(adjoints[seeded:], grown[seeded:], strict=True)
            used = [b.emit("add", so_far, more, flags="adjoint") for so_far, more in pairs]
            self.over_sections(counter, iteration, self.swap)
            opened.yields = (*grown[:seeded], *used)
        attrs = {"step": loop.attrs["step"], "reverse": not loop.attrs.get("reverse", False)}
        types = [v.type for v in start]
        outgoing = b.emit_many("for", (*loop.operands[:2], *start), attrs, (opened.region,), types)
        self._redo()
        return Adjoints(list(outgoing[:seeded]), list(outgoing[seeded:]))

    def _redo(self) -> None:
        """Put back, step by step, what the steps wrote."""
        b, loop = self.b, self.how.loop
        counter = Value(I64, self.body.params[0].hint)
        with b.region((counter,)) as opened:
            iteration = iteration_number(b, loop, counter)
            self.over_sections(counter, iteration, lambda memory, log: self.copy(log, memory))
        b.emit_many("for", loop.operands[:2], loop.attrs, (opened.region,), ())
