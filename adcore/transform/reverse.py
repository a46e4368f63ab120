"""Reverse mode: the forward sweep with the stores that the plan asks for, then new code that runs backwards.

    for i: y = x[i] * x[i]; s += y      ->      forward, then    for i reversed: dx[i] += 2 * x[i] * ds

No tape. The reverse image of a region runs at the same iteration; a primal value is materialised there once, at first
need, as the plan says: it is still in scope (outside all loops), or read from its buffer, or computed again.
Griewank & Walther, Evaluating Derivatives (2008), chapters 3-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adcore.analysis.activity import Activity, activity
from adcore.analysis.budget import TooLarge, plan_within
from adcore.analysis.dependence import ACCESSES, AliasClasses, Dependence
from adcore.analysis.plan import Node, Plan, Planner
from adcore.analysis.record import active_free_values, has_adjoint, is_array, needs
from adcore.analysis.replay import slice_of
from adcore.analysis.structure import structure
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import BOOL, I64, ArrayType, Scalar, is_float
from adcore.ops import Table
from adcore.ops.rules import adjoint
from adcore.source import Span
from adcore.transform.checkpoint import Adjoints, Checkpointed, Checkpointing, choose
from adcore.transform.loops import emit_loop_nest, iteration_number, trip_count
from adcore.transform.redo import redo
from adcore.transform.replay import Row, replay
from adcore.transform.storage import Storage


@dataclass(frozen=True, eq=False)
class Derivative:
    """A function that computes a derivative, with the facts behind it (None where forward mode needs none)."""

    function: Function
    planner: Planner | None = field(default=None, repr=False)
    plan: Plan | None = field(default=None, repr=False)
    checkpointing: Checkpointing | None = field(default=None, repr=False)


def analyse(
    function: Function,
    kinds: Sequence[str],
    seeds: Sequence[bool],
    aliases: AliasClasses,
    ops: Table,
    apart: Instr | None = None,
) -> Planner:
    """Everything that is known before the decision what to store; `apart` is a loop that is checkpointed."""
    dependence = Dependence(structure(function), aliases)
    inputs = [p for p, kind in zip(function.params, kinds, strict=True) if kind == "active"]
    visible = [p for p, kind in zip(function.params, kinds, strict=True) if kind == "duplicated"]
    outputs = [r for r, seeded in zip(function.results, seeds, strict=True) if seeded]
    active = activity(dependence, ops, inputs, outputs, visible)
    return Planner(dependence, active, needs(dependence, active, ops, apart), ops, apart=apart)


def reverse(
    function: Function,
    kinds: Sequence[str],
    seeds: Sequence[bool],
    ops: Table,
    aliases: AliasClasses | None = None,
    limit: int | None = None,
    arguments: Sequence[object] | None = None,
) -> Derivative:
    """The gradient function of `function`.

    `kinds` says per parameter: "const", "active" (a scalar whose adjoint is returned) or "duplicated" (an array or list
    with a shadow that is added to). `seeds` says per result whether it is differentiated. Parameters of the new
    function: those of `function`, a shadow per duplicated parameter, a seed per differentiated result (an array for
    an array). Results: those of `function`, then the adjoints of the active parameters.
    `limit`: bytes that may be kept for `arguments`. Raises Impossible or TooLarge where that is not enough.
    """
    aliases = aliases or AliasClasses()
    planner = analyse(function, kinds, seeds, aliases, ops)
    try:
        return emit_reverse(planner, plan_within(planner, limit, arguments), kinds, seeds, ops)
    except TooLarge as large:
        assert limit is not None
        return _checkpointed(planner, large, kinds, seeds, ops, aliases, limit, arguments or ())


def _checkpointed(
    planner: Planner,
    large: TooLarge,
    kinds: Sequence[str],
    seeds: Sequence[bool],
    ops: Table,
    aliases: AliasClasses,
    limit: int,
    arguments: Sequence[object],
) -> Derivative:
    """The gradient function with one loop checkpointed. Raises TooLarge if that does not fit either."""
    function = planner.structure.function

    def differentiate(
        step: Function, step_kinds: Sequence[str], step_seeds: Sequence[bool], step_aliases: AliasClasses
    ) -> tuple[Function, Planner, Plan]:
        derivative = reverse(step, step_kinds, step_seeds, ops, step_aliases)
        assert derivative.planner is not None
        assert derivative.plan is not None
        return derivative.function, derivative.planner, derivative.plan

    def outside(loop: Instr) -> tuple[Planner, Plan]:
        around = analyse(function, kinds, seeds, aliases, ops, loop)
        return around, around.plan()

    how, around, plan = choose(planner, large, limit, arguments, differentiate, outside)
    return emit_reverse(around, plan, kinds, seeds, ops, how)


def emit_reverse(
    planner: Planner,
    plan: Plan,
    kinds: Sequence[str],
    seeds: Sequence[bool],
    ops: Table,
    checkpointing: Checkpointing | None = None,
) -> Derivative:
    """The gradient function under any feasible plan."""
    function = _Reverse(planner, plan, kinds, seeds, ops, checkpointing).run()
    return Derivative(function, planner, plan, checkpointing)


class _Reverse:
    """The state of building one reverse function."""

    def __init__(
        self,
        planner: Planner,
        plan: Plan,
        kinds: Sequence[str],
        seeds: Sequence[bool],
        ops: Table,
        checkpointing: Checkpointing | None = None,
    ) -> None:
        self.how = checkpointing
        self.checkpointed: Checkpointed | None = None
        self.planner, self.plan, self.ops = planner, plan, ops
        self.kinds, self.seeds = kinds, seeds
        self.dependence: Dependence = planner.dependence
        self.structure = planner.structure
        self.function = self.structure.function
        self.active: Activity = planner.active
        self.builder = Builder(ops)
        self.storage = Storage(self.structure, plan)
        self.exported: dict[Value, Value] = {}
        self.buffers: dict[Node, Value] = {}
        self.rows: dict[Value, Value] = {}
        self.swapped: dict[Instr, Value] = {}
        self.materialised: dict[Value, Value] = {}
        self.shadows: dict[Value, Value] = {}
        self.opened: dict[Region, int] = {}
        owners = [self.structure.owner[r] for s in plan.undone for r in self.structure.chain(self.structure.home[s])]
        self.undoing = frozenset(o for o in owners if o is not None)

    def run(self) -> Function:
        function, top = self.function, self.function.region
        shadow_params = []
        for param, kind in zip(function.params, self.kinds, strict=True):
            if kind == "duplicated":
                self.shadows[param] = Value(param.type, f"d_{param.hint}")
                shadow_params.append(self.shadows[param])
        seed_params = [Value(r.type, f"seed_{r.hint}") for r, s in zip(function.results, self.seeds, strict=True) if s]
        self.opened[top] = 0
        self.hidden_shadows()
        self.forward_region(top)
        adjoints: dict[Value, Value] = {}
        seeded = [r for r, s in zip(function.results, self.seeds, strict=True) if s]
        for result, seed in zip(seeded, seed_params, strict=True):
            self.seed(result, seed, adjoints)
        self.reverse_region(top, adjoints)
        redo(self.builder, self.structure, self.rolled_back())
        results = list(function.results)
        for param, kind in zip(function.params, self.kinds, strict=True):
            if kind == "active":
                results.append(adjoints.get(param) or self.zero(param))
        params = [*function.params, *shadow_params, *seed_params]
        return Function(f"{function.name}_reverse", self.builder.finish(params, results), function.span)

    def hidden_shadows(self) -> None:
        """Arrays that were passed as constants but carry derivatives in between get a shadow of their own."""
        for param in self.function.params:
            if param in self.active.roots and param not in self.shadows:
                assert isinstance(param.type, ArrayType), "a list of arrays that is written needs a shadow"
                b = self.builder
                dims = [b.emit("dim", param, axis=k) for k in range(param.type.rank)]
                element = param.type.element.name
                self.shadows[param] = b.emit(
                    "alloc", *dims, element=element, zero=True, role="shadow", hint=f"d_{param.hint}"
                )

    def seed(self, result: Value, seed: Value, adjoints: dict[Value, Value]) -> None:
        if is_float(result.type):
            self.add(adjoints, result, seed)
        elif self.dependence.root(result) in self.active.roots:
            shadow = self.shadow(result)

            def body(b: Builder, index: Sequence[Value]) -> None:
                b.emit_many("accumulate", (b.emit("load", seed, *index), shadow, *index), {})

            emit_loop_nest(self.builder, seed, body)

    # Forward sweep: the primal program, with its values kept

    def forward_region(self, region: Region) -> None:
        """Append the body of `region` to the open region."""
        for param in region.params:
            self.keep(param)
        for instr in region.body:
            self.builder.span = instr.span
            if region is self.function.region:
                self.allocate_buffers(instr)
            if self.how is not None and instr is self.how.loop:
                self.checkpointed = Checkpointed(self.how, self.builder, self.ops)
            if instr in self.plan.logged:
                self.log(instr)
            if instr.regions:
                self.forward_structured(instr)
            else:
                self.builder.append(instr)
                self.forward_shadow(instr, region)
            for result in instr.results:
                self.keep(result)
        if pushed := self.storage.pushed(region):
            self.builder.emit_many("push", pushed, {})

    def forward_shadow(self, instr: Instr, region: Region) -> None:
        if instr.op == "alloc" and region is self.function.region and instr.result in self.active.roots:
            self.shadows[instr.result] = self.allocate_shadow(instr, instr.operands)

    def allocate_shadow(self, instr: Instr, dims: Sequence[Value]) -> Value:
        element = instr.attrs["element"]
        hint = f"d_{instr.result.hint}"
        return self.builder.emit("alloc", *dims, element=element, zero=True, role="shadow", hint=hint)

    def allocate_buffers(self, instr: Instr) -> None:
        """Buffers for what is stored in the loops of `instr`, one dimension per loop."""
        for value in self.storage.indexed_under(instr):
            self.allocate_buffer(value, value, self.storage.span(value))
        for store in self.storage.logged_under(instr):
            self.allocate_buffer(store, store.operands[0], store.span)
        for value in self.storage.rows_under(instr):
            self.allocate_row(value)

    def allocate_row(self, value: Value) -> None:
        loop = self.structure.loops(self.structure.home[value])[-1]
        assert isinstance(value.type, Scalar)
        attrs = {"element": value.type.name, "zero": False, "role": "stored"}
        saved, self.builder.span = self.builder.span, self.storage.span(value)
        count = trip_count(self.builder, loop)
        self.rows[value] = self.builder.emit("alloc", count, hint=f"row_{value.hint}", **attrs)
        self.builder.span = saved

    def allocate_buffer(self, node: Node, value: Value, span: Span | None) -> None:
        loops = self.structure.loops(self.structure.home[node])
        dims = [trip_count(self.builder, loop) for loop in loops]
        assert isinstance(value.type, Scalar)
        attrs = {"element": value.type.name, "zero": False, "role": "stored"}
        saved, self.builder.span = self.builder.span, span
        self.buffers[node] = self.builder.emit("alloc", *dims, hint=f"kept_{value.hint}", **attrs)
        self.builder.span = saved

    def keep(self, value: Value) -> None:
        """Store `value` in its buffer, if it has one, at this iteration."""
        if value in self.buffers:
            self.builder.emit_many("store", (value, self.buffers[value], *self.here(value)), {})

    def log(self, store: Instr) -> None:
        """Keep what `store` is about to overwrite."""
        old = self.builder.emit("load", *store.operands[1:])
        if store in self.buffers:
            self.builder.emit_many("store", (old, self.buffers[store], *self.here(store)), {})
        else:
            self.swapped[store] = old

    def here(self, node: Node) -> list[Value]:
        """The place of this iteration in the buffer of `node`, in the forward sweep."""
        loops = self.structure.loops(self.structure.home[node])
        return [iteration_number(self.builder, loop, loop.regions[0].params[0]) for loop in loops]

    def there(self, node: Node) -> list[Value]:
        """The place of this iteration in the buffer of `node`, in the reverse sweep."""
        loops = self.structure.loops(self.structure.home[node])
        return [iteration_number(self.builder, loop, self.primal(loop.regions[0].params[0])) for loop in loops]

    def forward_structured(self, instr: Instr) -> None:
        regions = []
        exports = self.storage.exports(instr)
        for region in instr.regions:
            with self.builder.region(region.params) as opened:
                self.forward_region(region)
                opened.yields = (*region.yields, *(self.exported_from(v, region) for v in exports))
            regions.append(opened.region)
        outer = tuple(Value(v.type, v.hint) for v in exports)
        self.exported.update(zip(exports, outer, strict=True))
        self.builder.append(
            Instr(instr.op, instr.operands, (*instr.results, *outer), instr.attrs, tuple(regions), instr.span)
        )

    def exported_from(self, value: Value, branch: Region) -> Value:
        """`value` as seen at the end of `branch`: itself, what an inner branch handed out, or zero if it isn't here."""
        if not self.structure.inside(self.structure.home[value], branch):
            return self.zero(value)
        return self.exported.get(value, value)

    # Primal values in the reverse sweep

    def primal(self, value: Value) -> Value:
        """`value` of the forward sweep, in the reverse image of its own region."""
        home = self.structure.home[value]
        instr = self.structure.definition.get(value)
        if instr is not None and instr.op == "const":
            return self.builder.const(instr.attrs["value"], value.type if isinstance(value.type, Scalar) else None)
        if home is self.function.region:
            return value
        if value in self.exported:
            return self.exported[value]
        if value not in self.materialised:
            with self.builder.at(self.opened[home]):
                self.materialised[value] = self.materialise(value, instr)
        return self.materialised[value]

    def materialise(self, value: Value, instr: Instr | None) -> Value:
        if value in self.buffers:
            return self.builder.emit("load", self.buffers[value], *self.there(value))
        if value in self.rows:
            return self.builder.emit("load", self.rows[value], self.there(value)[-1])
        assert instr is not None, f"{value!r} was not kept"
        choice = self.plan.choices.get(value)
        if choice is not None and choice.source is not None:
            return self.builder.emit("load", *self.location(choice.source))
        if choice is not None and choice.shift is not None:
            return self.shifted(*choice.shift)
        if choice is not None and choice.replay is not None:
            return self.replayed(choice.replay)[value]
        operands = [self.primal(v) if isinstance(v.type, Scalar) else self.array(v) for v in instr.operands]
        return self.builder.emit(instr.op, *operands, hint=value.hint, **instr.attrs)

    def location(self, store: Instr) -> list[Value]:
        """Array and subscripts of a store, in the reverse sweep."""
        at = ACCESSES[store.op]
        return [self.array(store.operands[at]), *(self.primal(v) for v in store.operands[at + 1 :])]

    def shifted(self, loop: Instr, k: int) -> Value:
        """The k-th yield of `loop`: what was kept of the carried value for the next iteration, or the loop's result."""
        b = self.builder
        param, result = loop.regions[-1].params[k + 1], self.primal(loop.results[k])
        *outer, here = self.there(param)
        last = b.emit("sub", trip_count(b, loop), b.const(1), exact=True)
        following = b.emit("minimum", b.emit("add", here, b.const(1), exact=True), last)
        kept = b.emit("load", self.buffers[param], *outer, following)
        return b.emit("select", b.emit("lt", here, last), kept, result)

    def replayed(self, owner: Instr) -> dict[Value, Value]:
        """Run `owner` again for all of its results that follow that rule."""
        wanted = [r for r in owner.results if r in self.plan.demanded and r not in self.plan.stored]
        wanted = [r for r in wanted if self.plan.choices[r].replay is owner]
        part = slice_of(self.dependence, owner, wanted)
        assert part is not None
        names = replay(self.builder, owner, self.outside, part.values)
        self.materialised.update({r: names[r] for r in wanted})
        return names

    def outside(self, value: Value) -> Value:
        """A scalar or array of the primal, for a replay."""
        return self.primal(value) if isinstance(value.type, Scalar) else self.array(value)

    def fill_rows(self, loop: Instr) -> None:
        """Run an inner loop again and put down its carried values, before its reverse and any roll-back in it."""
        rows = [p for p in loop.regions[-1].params[1:] if p in self.plan.rows]
        if not rows:
            return
        part = slice_of(self.dependence, loop, rows)
        assert part is not None

        def put(param: Value) -> Row:
            def store(counter: Value, value: Value) -> None:
                index = iteration_number(self.builder, loop, counter)
                self.builder.emit_many("store", (value, self.rows[param], index), {})

            return store

        replay(self.builder, loop, self.outside, part.values, {param: put(param) for param in rows})

    def array(self, array: Value) -> Value:
        """A primal array in the reverse sweep: views are made again."""
        return self.viewed(array, array, self.materialised)

    def shadow(self, array: Value) -> Value:
        """The shadow of an array, through the same views."""
        return self.viewed(array, self.shadows.get(array), self.shadows)

    def viewed(self, array: Value, root: Value | None, known: dict[Value, Value]) -> Value:
        instr = self.structure.definition.get(array)
        if array in known:
            return known[array]
        if instr is None or instr.op not in ("view", "transpose", "item"):
            assert root is not None, f"no shadow of {array!r}"
            return root
        source = instr.operands[0]
        with self.builder.at(self.opened[self.structure.home[array]]):
            base = self.array(source) if known is self.materialised else self.shadow(source)
            operands = [self.primal(v) for v in instr.operands[1:]]
            known[array] = self.builder.emit(instr.op, base, *operands, **instr.attrs)
        return known[array]

    # Reverse sweep

    def zero(self, value: Value) -> Value:
        assert isinstance(value.type, Scalar)
        number: float | int | bool = 0.0 if is_float(value.type) else False if value.type == BOOL else 0
        return self.builder.const(number, value.type)

    def add(self, adjoints: dict[Value, Value], value: Value, term: Value | None) -> None:
        """Add `term` to the adjoint of `value`."""
        if term is None or value not in self.active.values:
            return
        so_far = adjoints.get(value)
        adjoints[value] = term if so_far is None else self.builder.emit("add", so_far, term, flags="adjoint")

    def reverse_region(self, region: Region, adjoints: dict[Value, Value]) -> None:
        """Append the reverse of `region` to the open region; `adjoints` holds those of its yields on entry."""
        if pushed := self.storage.pushed(region):
            names = [v.type.name for v in pushed if isinstance(v.type, Scalar)]
            popped = self.builder.emit_many("pop", (), {"types": tuple(names)})
            self.materialised.update(zip(pushed, popped, strict=True))
        if region is not self.function.region:
            for instr in region.body:
                if instr.op == "alloc" and instr.result in self.active.roots:
                    self.builder.span = instr.span
                    self.shadows[instr.result] = self.allocate_shadow(instr, [self.primal(v) for v in instr.operands])
        for instr in reversed(region.body):
            self.builder.span = instr.span
            self.reverse_instr(instr, adjoints)

    def reverse_instr(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        if instr in self.plan.undone:
            self.roll_back(instr)
        if self.checkpointed is not None and instr is self.checkpointed.how.loop:
            self.reverse_checkpointed(self.checkpointed, adjoints)
        elif instr.op in ("for", "while"):
            if self.works(instr):
                self.reverse_loop(instr, adjoints)
        elif instr.op == "if":
            if self.works(instr):
                self.reverse_branch(instr, adjoints)
        elif has_adjoint(self.dependence, self.active, instr):
            handle = {"load": self.reverse_load, "store": self.reverse_store, "accumulate": self.reverse_accumulate}
            handle.get(instr.op, self.reverse_scalar)(instr, adjoints)

    def works(self, instr: Instr) -> bool:
        """Whether the reverse sweep has anything to do for a loop or branch."""
        inside = any(r in self.plan.needs.working for r in instr.regions)
        return inside or any(v in self.active.values for v in instr.results) or instr in self.undoing

    def roll_back(self, store: Instr) -> None:
        """Swap what `store` wrote with what it overwrote; what it wrote is put back after the sweep."""
        for value, choice in self.plan.choices.items():
            if choice.source is store and isinstance(value, Value) and value in self.plan.demanded:
                self.primal(value)
        location = self.location(store)
        written = self.builder.emit("load", *location)
        kept: Node = self.plan.old.get(store, store)
        if kept in self.buffers:
            index = self.there(kept)
            old = (
                self.primal(kept) if isinstance(kept, Value) else self.builder.emit("load", self.buffers[kept], *index)
            )
            self.builder.emit_many("store", (written, self.buffers[kept], *index), {})
        else:
            old = self.primal(kept) if isinstance(kept, Value) else self.swapped[kept]
            self.swapped[store] = written
        self.builder.emit_many("store", (old, *location), {})

    def rolled_back(self) -> dict[Instr, Value]:
        """Undone stores to memory that outlives the call, with the buffer (or value) that holds what they wrote."""
        lasting = {*self.function.params, *(self.dependence.root(r) for r in self.function.results if is_array(r))}
        held = {}
        for store in self.plan.undone:
            if self.dependence.root(store.operands[1]) in lasting:
                buffer = self.buffers.get(self.plan.old.get(store, store))
                held[store] = self.swapped[store] if buffer is None else buffer
        return held

    def reverse_scalar(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        cotangent = adjoints.pop(instr.result, None)
        if cotangent is None:
            return
        active = [v in self.active.values for v in instr.operands]
        reader = _Reader(self)
        operands = reader.stand_ins((*instr.operands, instr.result))
        with reader:
            terms = adjoint(
                self.builder, self.ops[instr.op], operands[:-1], operands[-1], cotangent, instr.attrs, active
            )
        for value, term in zip(instr.operands, reader.resolve(terms), strict=True):
            self.add(adjoints, value, term)

    def reverse_load(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        cotangent = adjoints.pop(instr.result, None)
        if cotangent is not None:
            index = [self.primal(v) for v in instr.operands[1:]]
            self.builder.emit_many("accumulate", (cotangent, self.shadow(instr.operands[0]), *index), {})

    def reverse_store(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        value, array, *subscripts = instr.operands
        shadow, index = self.shadow(array), [self.primal(v) for v in subscripts]
        cotangent = self.builder.emit("load", shadow, *index)
        self.builder.emit_many("store", (self.zero(value), shadow, *index), {})
        self.add(adjoints, value, cotangent)

    def reverse_accumulate(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        value, array, *subscripts = instr.operands
        if value in self.active.values:
            index = [self.primal(v) for v in subscripts]
            self.add(adjoints, value, self.builder.emit("load", self.shadow(array), *index))

    def reverse_branch(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        condition = self.primal(instr.operands[0])
        outgoing = [adjoints.pop(r, None) for r in instr.results]
        used = {v: None for region in instr.regions for v in active_free_values(region, self.active)}
        regions = []
        for region in instr.regions:
            with self.builder.region() as opened:
                self.opened[region] = self.builder.depth
                inner = {v: adjoints[v] for v in used if v in adjoints}
                for value, term in zip(region.yields, outgoing, strict=True):
                    self.add(inner, value, term)
                self.reverse_region(region, inner)
                opened.yields = tuple(inner.get(v) or self.zero(v) for v in used)
            regions.append(opened.region)
        types = [v.type for v in used]
        results = self.builder.emit_many("if", (condition,), {}, regions, types)
        adjoints.update(zip(used, results, strict=True))

    def reverse_loop(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        """Carried values are carried backwards; adjoints of values from outside accumulate."""
        body = instr.regions[-1]
        self.fill_rows(instr)
        inits = instr.operands[len(instr.operands) - len(body.yields) :]
        live = self.active.values
        carried = [k for k, p in enumerate(body.params[1:]) if p in live or instr.results[k] in live]
        outgoing = [adjoints.pop(r, None) for r in instr.results]
        used = active_free_values(body, self.active)
        start = [outgoing[k] or self.zero(body.params[k + 1]) for k in carried]
        start += [adjoints.get(v) or self.zero(v) for v in used]
        lo, hi, attrs = self.reversed_range(instr)
        params = [Value(I64, body.params[0].hint), *(Value(v.type, f"d_{v.hint}") for v in start)]
        with self.builder.region(params) as opened:
            self.opened[body] = self.builder.depth
            self.materialised[body.params[0]] = params[0]
            inner = dict(zip(used, params[1 + len(carried) :], strict=True))
            for k, param in zip(carried, params[1:], strict=False):
                self.add(inner, body.yields[k], param)
            self.reverse_region(body, inner)
            opened.yields = (
                *(inner.get(body.params[k + 1]) or self.zero(body.params[k + 1]) for k in carried),
                *(inner[v] for v in used),
            )
        types = [v.type for v in start]
        results = self.builder.emit_many("for", (lo, hi, *start), attrs, (opened.region,), types)
        adjoints.update(zip(used, results[len(carried) :], strict=True))
        for k, result in zip(carried, results, strict=False):
            self.add(adjoints, inits[k], result)

    def reverse_checkpointed(self, loop: Checkpointed, adjoints: dict[Value, Value]) -> None:
        how, instr = loop.how, loop.how.loop
        seeded = [k for k, s in enumerate(how.seeds) if s]
        params = how.loop.regions[0].params
        outer = (*params, *how.step.inputs)
        pairs = list(zip(outer, how.kinds, strict=True))
        used = [v for v, kind in pairs[len(params) :] if kind == "active"]
        shadows = [self.shadow(v) for v, kind in pairs if kind == "duplicated"]
        outgoing = [adjoints.pop(r, None) for r in instr.results]
        carried = [outgoing[k] or self.zero(instr.results[k]) for k in seeded]
        incoming = Adjoints(carried, [adjoints.get(v) or self.zero(v) for v in used])
        result = loop.reverse(incoming, shadows)
        adjoints.update(zip(used, result.used, strict=True))
        for k, term in zip(seeded, result.carried, strict=True):
            self.add(adjoints, instr.operands[2 + k], term)

    def reversed_range(self, loop: Instr) -> tuple[Value, Value, dict[str, object]]:
        """The iterations of `loop`, last first."""
        if loop.op == "while":
            return self.builder.const(0), self.primal(loop.results[-1]), {"step": 1, "reverse": True}
        lo, hi = (self.primal(v) for v in loop.operands[:2])
        return lo, hi, {"step": loop.attrs["step"], "reverse": not loop.attrs.get("reverse", False)}


class _Reader:
    """Lets a rule mention every operand but fetches only those that its result depends on.

    The rule is run on stand-ins into a region that is thrown away; what survives is emitted with the primal values.
    """

    def __init__(self, reverse: _Reverse) -> None:
        self.reverse = reverse
        self.original: dict[Value, Value] = {}
        self.body: tuple[Instr, ...] = ()

    def stand_ins(self, values: Sequence[Value]) -> list[Value]:
        copies = [Value(v.type, v.hint) for v in values]
        self.original = dict(zip(copies, values, strict=True))
        return copies

    def __enter__(self) -> None:
        self._context = self.reverse.builder.region()
        self._opened = self._context.__enter__()

    def __exit__(self, *exc: object) -> None:
        self._context.__exit__(None, None, None)
        self.body = self._opened.body

    def resolve(self, terms: Sequence[Value | None]) -> list[Value | None]:
        needed = {t for t in terms if t is not None}
        kept = []
        for instr in reversed(self.body):
            if needed.intersection(instr.results):
                needed.update(instr.operands)
                kept.append(instr)
        names = {copy: self.reverse.primal(value) for copy, value in self.original.items() if copy in needed}
        for instr in reversed(kept):
            operands = tuple(names.get(v, v) for v in instr.operands)
            renamed = Instr(instr.op, operands, instr.results, instr.attrs, (), self.reverse.builder.span)
            self.reverse.builder.append(renamed)
        return [None if t is None else names.get(t, t) for t in terms]
