"""The forward sweep: the primal program with the values kept that the plan asks for.

    func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
      %p: f64 = for 0, %n, 1.0 [step=1] {
      (%i: i64, %u: f64):
        %v: f64 = load %x, %i
        %w: f64 = mul %u, %v
        yield %w
      }
      return %p
    }
->
    func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
      %0: i64 = maximum %n, 0
      %kept_u: array<f64,1,C> = alloc %0 [element='f64', role='stored', zero=False]
      %p: f64 = for 0, %n, 1.0 [step=1] {
      (%i: i64, %u: f64):
        store %u, %kept_u, %i
        %v: f64 = load %x, %i
        %w: f64 = mul %u, %v
        yield %w
      }
      return %p
    }

Outside all loops a value needs no keeping: it is still in scope in the reverse sweep (branches hand it out).
`record_storage` says where each value is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adcore.analysis.activity import ActivityFacts
from adcore.analysis.planning.plan import Plan
from adcore.analysis.structure import Structure
from adcore.ir.builder import Builder
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import BOOL, Scalar, is_float
from adcore.source import Span
from adcore.transform.checkpointing.checkpoint import Checkpointed, Checkpointing
from adcore.transform.checkpointing.rewind import Rewinding, Rewound
from adcore.transform.diff.record_storage import RecordStorage
from adcore.transform.loop_building import iteration_number, trip_count


class ForwardSweep:
    """What the forward sweep leaves for the reverse sweep.

    `buffers` hold stored values and logs by iteration, `instances` the arrays that loops and branches make, `rows`
    carried values that are put down again; `exported` are values that branches hand out; `shadows` those of arrays.
    """

    def __init__(
        self,
        builder: Builder,
        structure: Structure,
        plan: Plan,
        active: ActivityFacts,
        apart: Sequence[Checkpointing | Rewinding] = (),
    ) -> None:
        self.builder, self.structure, self.plan, self.active = builder, structure, plan, active
        self.top = structure.function.region
        self.storage = RecordStorage(structure, plan)
        self.how = {loop.loop: loop for loop in apart}
        self.apart: dict[Instr, Checkpointed | Rewound] = {}
        self.exported: dict[Value, Value] = {}
        self.buffers: dict[Value, Value] = {}
        self.instances: dict[Value, Value] = {}
        self.rows: dict[Value, Value] = {}
        self.shadows: dict[Value, Value] = {}

    def region(self, region: Region) -> None:
        """Append the body of `region` to the open region."""
        owner = self.structure.owner[region]
        if owner is not None and isinstance(rewound := self.apart.get(owner), Rewound):
            rewound.save()
        for param in region.params:
            self.keep(param)
        for instr in region.body:
            self.builder.span = instr.span
            if region is self.top:
                self.allocate_buffers(instr)
            if instr in self.how:
                self.apart[instr] = apart_of(self.how[instr], self.builder)
            if instr in self.plan.logged:
                self.log(instr)
            if instr.regions:
                self.structured(instr)
            elif instr.results and instr.results[0] in self.instances:
                self.instance(instr)
            else:
                self.builder.append(instr)
                self.shadow_of(instr, region)
            for result in instr.results:
                self.keep(result)
        if pushed := self.storage.pushed(region):
            self.builder.emit_many("push", pushed, {})

    def shadow_of(self, instr: Instr, region: Region) -> None:
        allocates = instr.op in self.structure.ops.allocs
        if allocates and region is self.top and instr.result in self.active.roots:
            self.shadows[instr.result] = self.allocate_shadow(instr, instr.operands)

    def allocate_shadow(self, instr: Instr, dims: Sequence[Value]) -> Value:
        element = instr.attrs["element"]
        hint = f"d_{instr.result.hint}"
        return self.builder.emit("alloc", *dims, element=element, zero=True, role="shadow", hint=hint)

    def allocate_buffers(self, instr: Instr) -> None:
        """Buffers for what is stored in the loops of `instr`, one dimension per loop."""
        for value in self.storage.indexed_under(instr):
            self.allocate_buffer(value, self.storage.span(value))
        for value in self.storage.rows_under(instr):
            self.allocate_row(value)
        for root in self.storage.arrays_under(instr):
            self.allocate_instances(self.structure.definition[root])

    def allocate_instances(self, alloc: Instr) -> None:
        """Room for what `alloc` makes in all iterations, one dimension per loop in front of its own."""
        loops = self.structure.loops(self.structure.home[alloc])
        saved, self.builder.span = self.builder.span, alloc.span
        dims = [*(trip_count(self.builder, loop) for loop in loops), *self.shape(alloc)]
        attrs = {**alloc.attrs, "role": "stored"}
        self.instances[alloc.result] = self.builder.emit("alloc", *dims, hint=f"kept_{alloc.result.hint}", **attrs)
        self.builder.span = saved

    def shape(self, alloc: Instr) -> list[Value]:
        """Its dimensions, which are known outside all loops."""
        definition = self.structure.definition
        made = [definition.get(n) for n in alloc.operands]
        return [self.builder.const(i.attrs["value"]) if i is not None and i.op == "const" else n
                for n, i in zip(alloc.operands, made, strict=True)]  # fmt: skip

    def instance(self, alloc: Instr) -> None:
        """This iteration's part of the room, instead of an array of its own."""
        made = self.instance_at(alloc, self.here(alloc.result))
        self.builder.append(replace(made, results=(alloc.result,)))

    def instance_at(self, alloc: Instr, iteration: Sequence[Value]) -> Instr:
        """A view of what `alloc` made in the iteration with these numbers; not appended yet."""
        b, shape = self.builder, self.shape(alloc)
        zero, one = b.const(0), b.const(1)
        operands = [self.instances[alloc.result], *iteration, *(v for n in shape for v in (zero, n, one))]
        attrs = {"axes": "i" * len(iteration) + "s" * len(shape), "whole": True}
        return Instr("view", tuple(operands), (Value(alloc.result.type, alloc.result.hint),), attrs, (), alloc.span)

    def allocate_row(self, value: Value) -> None:
        loop = self.structure.loops(self.structure.home[value])[-1]
        saved, self.builder.span = self.builder.span, self.storage.span(value)
        count = trip_count(self.builder, loop)
        self.rows[value] = self.builder.emit("alloc", count, hint=f"row_{value.hint}", **_kept_as(value))
        self.builder.span = saved

    def allocate_buffer(self, value: Value, span: Span | None) -> None:
        loops = self.structure.loops(self.storage.home(value))
        dims = [trip_count(self.builder, loop) for loop in loops]
        saved, self.builder.span = self.builder.span, span
        self.buffers[value] = self.builder.emit("alloc", *dims, hint=f"kept_{value.hint}", **_kept_as(value))
        self.builder.span = saved

    def keep(self, value: Value) -> None:
        """Store `value` in its buffer, if it has one, at this iteration."""
        if value in self.buffers:
            self.builder.emit_many("store", (value, self.buffers[value], *self.here(value)), {})

    def log(self, store: Instr) -> None:
        """Keep what `store` is about to overwrite."""
        old = self.storage.old[store]
        ops = self.structure.ops
        self.builder.append(Instr("load", (ops.array(store), *ops.subscripts(store)), (old,), {}, (), store.span))
        self.keep(old)

    def here(self, value: Value) -> list[Value]:
        """The place of this iteration in the buffer of `value`, in the forward sweep."""
        loops = self.structure.loops(self.storage.home(value))
        return [iteration_number(self.builder, loop, loop.regions[0].params[0]) for loop in loops]

    def structured(self, instr: Instr) -> None:
        regions = []
        exports = self.storage.exports(instr)
        for region in instr.regions:
            with self.builder.region(region.params) as opened:
                self.region(region)
                opened.yields = (*region.yields, *(self.exported_from(v, region) for v in exports))
            regions.append(opened.region)
        outer = tuple(Value(v.type, v.hint) for v in exports)
        self.exported.update(zip(exports, outer, strict=True))
        self.builder.append(
            Instr(instr.op, instr.operands, (*instr.results, *outer), instr.attrs, tuple(regions), instr.span)
        )

    def exported_from(self, value: Value, branch: Region) -> Value:
        """`value` as seen at the end of `branch`: itself, what an inner branch handed out, or zero if it isn't here."""
        if not self.structure.inside(self.storage.home(value), branch):
            return zero_of(self.builder, value)
        return self.exported.get(value, value)


def apart_of(how: Checkpointing | Rewinding, builder: Builder) -> Checkpointed | Rewound:
    """The emitter of a loop that is reversed by running it again; its room is allocated at once."""
    return Checkpointed(how, builder) if isinstance(how, Checkpointing) else Rewound(how, builder)


def _kept_as(value: Value) -> dict[str, object]:
    """Attributes of the array that keeps `value` of many iterations: a truth value takes a bit."""
    assert isinstance(value.type, Scalar)
    packed = {"packed": True} if value.type == BOOL else {}
    return {"element": value.type.name, "zero": False, "role": "stored", **packed}


def zero_of(builder: Builder, value: Value) -> Value:
    """Zero, or False, of the type of `value`."""
    assert isinstance(value.type, Scalar)
    number: float | int | bool = 0.0 if is_float(value.type) else False if value.type == BOOL else 0
    return builder.const(number, value.type)
