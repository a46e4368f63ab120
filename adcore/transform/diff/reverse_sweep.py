"""The code of a gradient under a plan: the forward sweep, then the reverse image of every region, innermost last.

    func @f(%x: f64) -> (f64) {
      %c: bool = lt %x, 1.0
      %p: f64 = if %c {
      ():
        %y: f64 = exp %x
        %z: f64 = mul %y, %y
        yield %z
      } {
      ():
        yield %x
      }
      return %p
    }
->
    func @f_reverse(%x: f64, %seed_p: f64) -> (f64, f64) {
      %c: bool = lt %x, 1.0
      %p: f64, %y: f64 = if %c {
      ():
        %y.1: f64 = exp %x
        %z: f64 = mul %y.1, %y.1
        yield %z, %y.1
      } {
      ():
        yield %x, 0.0
      }
      %1: f64 = if %c {
      ():
        %2: f64 = mulz %y, %seed_p [flags='adjoint']
        %3: f64 = add %2, %2 [flags='adjoint']
        %4: f64 = mulz %y, %3 [flags='adjoint']
        yield %4
      } {
      ():
        yield %seed_p
      }
      return %p, %1
    }

The reverse image of a branch is a branch by the same condition, that of a loop a loop in the other direction, which
carries the adjoints of what it carries. An instruction's adjoint comes from its op's rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.analysis.planning.plan import Plan, Planner
from adcore.analysis.planning.record import active_free_values, has_adjoint, is_array
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.loops import emit_loop_nest
from adcore.ir.types import I64, ArrayType, Scalar, is_float
from adcore.ops import Table
from adcore.ops.rules import adjoint
from adcore.transform.checkpointing.checkpoint import Adjoints, Checkpointed, Checkpointing
from adcore.transform.checkpointing.rewind import Rewinding, Rewound
from adcore.transform.diff.finals import copied, put_back
from adcore.transform.diff.forward_sweep import ForwardSweep, zero_of
from adcore.transform.diff.primals import Primals, Reading
from adcore.transform.diff.redo import redo
from adcore.transform.loop_building import inits_of


class ReverseBuilder:
    """The state of building one reverse function."""

    def __init__(
        self,
        planner: Planner,
        plan: Plan,
        kinds: Sequence[str],
        seeds: Sequence[bool],
        ops: Table,
        apart: Sequence[Checkpointing | Rewinding] = (),
    ) -> None:
        self.plan, self.ops, self.kinds, self.seeds = plan, ops, kinds, seeds
        self.dependence, self.structure, self.active = planner.dependence, planner.structure, planner.active
        self.function, self.strong = self.structure.function, planner.strong
        self.builder = Builder(ops)
        self.cut = 0
        self.swapped: dict[Instr, Value] = {}
        self.sweep = ForwardSweep(self.builder, self.structure, plan, self.active, apart)
        self.primals = Primals(self.builder, self.dependence, plan, self.sweep)
        owners = [self.structure.owner[r] for s in plan.undone for r in self.structure.chain(self.structure.home[s])]
        self.undoing = frozenset(o for o in owners if o is not None)
        choices = ((node, plan.choices[node]) for node in plan.demanded)
        self.reloads = [(v, c.source) for v, c in choices if c.source is not None and isinstance(v, Value)]

    def run(self) -> Function:
        function, top = self.function, self.function.region
        shadow_params = []
        for param, kind in zip(function.params, self.kinds, strict=True):
            if kind == "duplicated":
                self.sweep.shadows[param] = Value(param.type, f"d_{param.hint}")
                shadow_params.append(self.sweep.shadows[param])
        seed_params = [Value(r.type, f"seed_{r.hint}") for r, s in zip(function.results, self.seeds, strict=True) if s]
        self.hidden_shadows()
        self.sweep.region(top)
        self.cut = self.builder.position
        self.builder.late = True
        adjoints: dict[Value, Value] = {}
        seeded = [r for r, s in zip(function.results, self.seeds, strict=True) if s]
        for result, seed in zip(seeded, seed_params, strict=True):
            self.seed(result, seed, adjoints)
        copies = [(root, copied(self.builder, root)) for root in self.plan.copied]
        self.reverse_region(top, adjoints)
        redo(self.builder, self.structure, self.rolled_back())
        for root, copy in copies:
            put_back(self.builder, copy, root)
        results = list(function.results)
        for param, kind in zip(function.params, self.kinds, strict=True):
            if kind == "active":
                results.append(adjoints.get(param) or zero_of(self.builder, param))
        params = [*function.params, *shadow_params, *seed_params]
        return Function(f"{function.name}_reverse", self.builder.finish(params, results), function.span)

    def hidden_shadows(self) -> None:
        """Arrays that were passed as constants but carry derivatives in between get a shadow of their own."""
        for param in self.function.params:
            if param in self.active.roots and param not in self.sweep.shadows:
                assert isinstance(param.type, ArrayType), "a list of arrays that is written needs a shadow"
                b = self.builder
                dims = [b.emit("dim", param, axis=k) for k in range(param.type.rank)]
                element = param.type.element.name
                self.sweep.shadows[param] = b.emit(
                    "alloc", *dims, element=element, zero=True, role="shadow", hint=f"d_{param.hint}"
                )

    def seed(self, result: Value, seed: Value, adjoints: dict[Value, Value]) -> None:
        if is_float(result.type):
            self.add(adjoints, result, seed)
        elif self.dependence.root(result) in self.active.roots:
            shadow = self.primals.shadow(result)

            def body(b: Builder, index: Sequence[Value]) -> None:
                b.emit_many("accumulate", (b.emit("load", seed, *index), shadow, *index), {})

            emit_loop_nest(self.builder, seed, body)

    def add(self, adjoints: dict[Value, Value], value: Value, term: Value | None) -> None:
        """Add `term` to the adjoint of `value`."""
        if term is None or value not in self.active.values:
            return
        so_far = adjoints.get(value)
        adjoints[value] = term if so_far is None else self.builder.emit("add", so_far, term, flags="adjoint")

    def reverse_region(self, region: Region, adjoints: dict[Value, Value]) -> None:
        """Append the reverse of `region` to the open region; `adjoints` holds those of its yields on entry."""
        if pushed := self.sweep.storage.pushed(region):
            names = [v.type.name for v in pushed if isinstance(v.type, Scalar)]
            popped = self.builder.emit_many("pop", (), {"types": tuple(names)})
            self.primals.known.update(zip(pushed, popped, strict=True))
        if region is not self.function.region:
            for instr in region.body:
                if instr.op not in self.ops.allocs:
                    continue
                if self.plan.refilled(instr.result):
                    self.primals.refill(instr.result)
                if instr.result in self.active.roots:
                    self.builder.span = instr.span
                    self.sweep.shadows[instr.result] = self.sweep.allocate_shadow(
                        instr, [self.primals.value(v) for v in instr.operands]
                    )
        for instr in reversed(region.body):
            self.builder.span = instr.span
            self.reverse_instr(instr, adjoints)

    def reverse_instr(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        if instr in self.plan.undone:
            self.roll_back(instr)
        if instr in self.sweep.apart:
            self.reverse_apart(self.sweep.apart[instr], adjoints)
        elif instr.op in ("for", "while"):
            if self.works(instr):
                self.reverse_loop(instr, adjoints)
        elif instr.op == "if":
            if self.works(instr):
                self.reverse_branch(instr, adjoints)
        elif has_adjoint(self.dependence, self.active, instr):
            access = self.ops.elements.get(instr.op)
            handle = {"read": self.reverse_load, "write": self.reverse_store, "add": self.reverse_sum}
            (self.reverse_scalar if access is None else handle[access.kind])(instr, adjoints)

    def works(self, instr: Instr) -> bool:
        """Whether the reverse sweep has anything to do for a loop or branch."""
        inside = any(r in self.plan.needs.working for r in instr.regions)
        return inside or any(v in self.active.values for v in instr.results) or instr in self.undoing

    def roll_back(self, store: Instr) -> None:
        """Put back what `store` overwrote. What it wrote is kept in the place of that, to be put back after the sweep;
        not if the whole array will be."""
        for value in self.reloaded_before(store):
            self.primals.value(value)
        location = self.primals.location(store)
        kept = self.old(store)
        old = self.primals.value(kept)
        if self.is_redone(store):
            written = self.builder.emit("load", *location)
            if kept in self.sweep.buffers:
                index = self.primals.there(kept)
                self.builder.emit_many("store", (written, self.sweep.buffers[kept], *index), {})
            else:
                self.swapped[store] = written
        self.builder.emit_many("store", (old, *location), {})

    def old(self, store: Instr) -> Value:
        """What `store` overwrote: a value of the program that is kept anyway, or its log."""
        return self.plan.old[store] if store in self.plan.old else self.sweep.storage.old[store]

    def is_redone(self, store: Instr) -> bool:
        """Whether what `store` wrote is put back by itself: its memory outlives the call, and no copy of it is kept."""
        root = self.dependence.access(store).root
        lasting = {*self.function.params, *(self.dependence.root(r) for r in self.function.results if is_array(r))}
        return root in lasting and not any(self.dependence.may_overlap(root, r) for r in self.plan.copied)

    def reloaded_before(self, store: Instr) -> list[Value]:
        """Values that are read from where rolling `store` back may change what stands there."""
        dependence, structure = self.dependence, self.structure
        known = [(v, s) for v, s in self.reloads if structure.inside(structure.home[store], structure.home[v])]
        return [v for v, source in known if source is store or 0 in dependence.levels(store, source)]

    def rolled_back(self) -> dict[Instr, Value]:
        """Undone stores that are done again, with the buffer (or value) that holds what they wrote."""
        again = [store for store in self.plan.undone if self.is_redone(store)]
        return {s: self.sweep.buffers[self.old(s)] if self.old(s) in self.sweep.buffers else self.swapped[s]
                for s in again}  # fmt: skip

    def reverse_scalar(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        cotangent = adjoints.pop(instr.result, None)
        if cotangent is None:
            return
        active = [v in self.active.values for v in instr.operands]
        reader = Reading(self.primals)
        operands = reader.stand_ins((*instr.operands, instr.result))
        with reader:
            op, attrs = self.ops[instr.op], instr.attrs
            strong = instr in self.strong
            terms = adjoint(self.builder, op, operands[:-1], operands[-1], cotangent, attrs, active, strong)
        for value, term in zip(instr.operands, reader.resolve(terms), strict=True):
            self.add(adjoints, value, term)

    def reverse_load(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        cotangent = adjoints.pop(instr.result, None)
        if cotangent is not None:
            self.builder.emit_many("accumulate", (cotangent, *self.place(instr)), {})

    def reverse_store(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        value, place = self.ops.stored(instr), self.place(instr)
        cotangent = self.builder.emit("load", *place)
        self.builder.emit_many("store", (zero_of(self.builder, value), *place), {})
        self.add(adjoints, value, cotangent)

    def reverse_sum(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        value = self.ops.stored(instr)
        if value in self.active.values:
            self.add(adjoints, value, self.builder.emit("load", *self.place(instr)))

    def place(self, access: Instr) -> list[Value]:
        """The shadow of the array that `access` touches, and the subscripts of the element."""
        return [self.primals.shadow(self.ops.array(access)), *map(self.primals.value, self.ops.subscripts(access))]

    def reverse_branch(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        condition = self.primals.value(instr.operands[0])
        outgoing = [adjoints.pop(r, None) for r in instr.results]
        used = {v: None for region in instr.regions for v in active_free_values(region, self.active)}
        regions = []
        for region in instr.regions:
            with self.builder.region() as opened:
                self.primals.opened[region] = self.builder.depth
                inner = {v: adjoints[v] for v in used if v in adjoints}
                for value, term in zip(region.yields, outgoing, strict=True):
                    self.add(inner, value, term)
                self.reverse_region(region, inner)
                opened.yields = tuple(inner.get(v) or zero_of(self.builder, v) for v in used)
            regions.append(opened.region)
        types = [v.type for v in used]
        results = self.builder.emit_many("if", (condition,), {}, regions, types)
        adjoints.update(zip(used, results, strict=True))

    def reverse_loop(self, instr: Instr, adjoints: dict[Value, Value]) -> None:
        """Carried values are carried backwards; adjoints of values from outside accumulate."""
        body = instr.regions[-1]
        self.primals.fill_rows(instr)
        inits = instr.operands[len(instr.operands) - len(body.yields) :]
        live = self.active.values
        carried = [k for k, p in enumerate(body.params[1:]) if p in live or instr.results[k] in live]
        outgoing = [adjoints.pop(r, None) for r in instr.results]
        used = active_free_values(body, self.active)
        start = [outgoing[k] or zero_of(self.builder, body.params[k + 1]) for k in carried]
        start += [adjoints.get(v) or zero_of(self.builder, v) for v in used]
        lo, hi, attrs = self.reversed_range(instr)
        params = [Value(I64, body.params[0].hint), *(Value(v.type, f"d_{v.hint}") for v in start)]
        with self.builder.region(params) as opened:
            self.primals.opened[body] = self.builder.depth
            self.primals.known[body.params[0]] = params[0]
            inner = dict(zip(used, params[1 + len(carried) :], strict=True))
            for k, param in zip(carried, params[1:], strict=False):
                self.add(inner, body.yields[k], param)
            self.reverse_region(body, inner)
            opened.yields = (
                *(inner.get(body.params[k + 1]) or zero_of(self.builder, body.params[k + 1]) for k in carried),
                *(inner[v] for v in used),
            )
        types = [v.type for v in start]
        results = self.builder.emit_many("for", (lo, hi, *start), attrs, (opened.region,), types)
        adjoints.update(zip(used, results[len(carried) :], strict=True))
        for k, result in zip(carried, results, strict=False):
            self.add(adjoints, inits[k], result)

    def reverse_apart(self, loop: Checkpointed | Rewound, adjoints: dict[Value, Value]) -> None:
        how, instr = loop.how, loop.how.loop
        seeded = [k for k, s in enumerate(how.seeds) if s]
        params = how.loop.regions[-1].params
        outer = (*params, *how.step.inputs)
        pairs = list(zip(outer, how.kinds, strict=True))
        used = [v for v, kind in pairs[len(params) :] if kind == "active"]
        shadows = [self.primals.shadow(v) for v, kind in pairs if kind == "duplicated"]
        outgoing = [adjoints.pop(r, None) for r in instr.results]
        carried = [outgoing[k] or zero_of(self.builder, instr.results[k]) for k in seeded]
        incoming = Adjoints(carried, [adjoints.get(v) or zero_of(self.builder, v) for v in used])
        if isinstance(loop, Rewound):
            result = loop.reverse(incoming, shadows)
        else:
            result = loop.reverse(incoming, shadows, self.primals.value)
        adjoints.update(zip(used, result.used, strict=True))
        for k, term in zip(seeded, result.carried, strict=True):
            self.add(adjoints, inits_of(instr)[k], term)

    def reversed_range(self, loop: Instr) -> tuple[Value, Value, dict[str, object]]:
        """The iterations of `loop`, last first."""
        if loop.op == "while":
            return self.builder.const(0), self.primals.value(loop.results[-1]), {"step": 1, "reverse": True}
        lo, hi = (self.primals.value(v) for v in loop.operands[:2])
        return lo, hi, {"step": loop.attrs["step"], "reverse": not loop.attrs.get("reverse", False)}
