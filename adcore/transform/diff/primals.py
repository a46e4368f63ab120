"""Primal values in the reverse sweep: each is brought back once per reverse image of its region, as the plan says.

    func @f(%x: array<f64,1,C>, %y: array<f64,1,C>, %n: i64) -> (f64) {
      %t: f64 = for 0, %n, 0.0 [step=1] {
      (%i: i64, %u: f64):
        %v: f64 = load %x, %i
        %e: f64 = exp %v
        store %e, %y, %i
        %s: f64 = mul %e, %v
        %w: f64 = add %u, %s
        yield %w
      }
      return %t
    }
->
    func @f_reverse(%x: array<f64,1,C>, %y: array<f64,1,C>, %n: i64,
                   %d_x: array<f64,1,C>, %d_y: array<f64,1,C>, %seed_t: f64) -> (f64) {
      %t: f64 = for 0, %n, 0.0 [step=1] {
      (%i: i64, %u: f64):
        %v: f64 = load %x, %i
        %e: f64 = exp %v
        store %e, %y, %i
        %s: f64 = mul %e, %v
        %w: f64 = add %u, %s
        yield %w
      }
      for 0, %n [reverse=True, step=1] {
      (%i.1: i64):
        %0: f64 = load %y, %i.1
        %v.1: f64 = load %x, %i.1
        %1: f64 = mul %v.1, %seed_t [flags='adjoint']
        %2: f64 = mul %0, %seed_t [flags='adjoint']
        %3: f64 = load %d_y, %i.1
        store 0.0, %d_y, %i.1
        %4: f64 = add %1, %3 [flags='adjoint']
        %5: f64 = mulz %0, %4 [flags='adjoint']
        %6: f64 = add %2, %5 [flags='adjoint']
        accumulate %6, %d_x, %i.1
        yield
      }
      return %t
    }

A value may be still in scope, read from its buffer or row, popped, loaded again from where the program put it (%e
above), reloaded from where it was read (%v), shifted (the next iteration's copy), run again, or computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adcore.analysis.affine.dependence import Dependence
from adcore.analysis.planning.plan import Plan
from adcore.analysis.planning.replay import ReplaySlice, slice_of
from adcore.analysis.structure import operands_first
from adcore.ir.builder import Builder
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import Scalar
from adcore.transform.diff.forward_sweep import ForwardSweep
from adcore.transform.diff.replay import PutRow, asked_for, refill, replay
from adcore.transform.loop_building import iteration_number, trip_count


class Primals:
    """Brings values back on demand. `opened` says at which depth of the builder the reverse image of a region is being
    built, `known` what was brought back already; `shadows` are those of arrays and, as they are made, of views."""

    def __init__(self, builder: Builder, dependence: Dependence, plan: Plan, sweep: ForwardSweep) -> None:
        self.builder, self.dependence, self.plan, self.sweep = builder, dependence, plan, sweep
        self.structure = dependence.structure
        self.top = self.structure.function.region
        self.known: dict[Value, Value] = {}
        self.shadows = sweep.shadows
        self.opened: dict[Region, int] = {self.top: 0}
        self._slices: dict[Instr, tuple[list[Value], ReplaySlice]] = {}

    def value(self, value: Value) -> Value:
        """`value` of the forward sweep, in the reverse image of its own region."""
        home = self.sweep.storage.home(value)
        instr = self.structure.definition.get(value)
        if instr is not None and instr.op == "const":
            return self.builder.const(instr.attrs["value"], value.type if isinstance(value.type, Scalar) else None)
        if home is self.top:
            return value
        if value in self.sweep.exported:
            return self.sweep.exported[value]
        if value not in self.known:
            for operand in self.leading_to(value):
                self.brought(operand)
        return self.known[value]

    def brought(self, value: Value) -> Value:
        """`value`, whose operands are at hand."""
        if not isinstance(value.type, Scalar):
            return self.array(value)
        if value not in self.known:
            with self.builder.at(self.opened[self.sweep.storage.home(value)]):
                self.known[value] = self.materialise(value, self.structure.definition.get(value))
        return self.known[value]

    def leading_to(self, value: Value) -> Iterator[Value]:
        """What `value` is computed again from and is not at hand, in the order of the program that computes it; `value`
        is the last. Such chains are as long as the program: without recursion."""
        return operands_first(value, lambda v: [o for o in self.computed_from(v) if self.is_missing(o)])

    def is_missing(self, value: Value) -> bool:
        """Whether something has to be emitted before `value` is at hand."""
        if not isinstance(value.type, Scalar):
            return True
        instr = self.structure.definition.get(value)
        constant = instr is not None and instr.op == "const"
        outside = self.sweep.storage.home(value) is self.top or value in self.sweep.exported
        return not (constant or outside or value in self.known)

    def computed_from(self, value: Value) -> tuple[Value, ...]:
        """The operands of a value that is computed again; none of one that comes from elsewhere."""
        instr, choice = self.structure.definition.get(value), self.plan.choices.get(value)
        kept = value in self.sweep.buffers or value in self.sweep.rows
        if instr is None or kept or not isinstance(value.type, Scalar):
            return ()
        if choice is not None and choice.replay is not None:
            return self.replayed_from(choice.replay)
        elsewhere = choice is not None and (choice.source is not None or choice.shift is not None)
        return () if elsewhere else instr.operands

    def replayed_from(self, owner: Instr) -> tuple[Value, ...]:
        """What running `owner` again takes from outside, if results of others that run again are among it."""
        _, part = self.slice(owner)
        chained = [v for v in part.outside if (c := self.plan.choices.get(v)) is not None and c.replay is not None]
        return asked_for(self.builder, owner, part.values) if any(map(self.is_missing, chained)) else ()

    def materialise(self, value: Value, instr: Instr | None) -> Value:
        if value in self.sweep.buffers:
            return self.builder.emit("load", self.sweep.buffers[value], *self.there(value))
        if value in self.sweep.rows:
            return self.builder.emit("load", self.sweep.rows[value], self.there(value)[-1])
        assert instr is not None, f"{value!r} was not kept"
        choice = self.plan.choices.get(value)
        if choice is not None and choice.source is not None:
            return self.builder.emit("load", *self.location(choice.source))
        if choice is not None and choice.shift is not None:
            return self.shifted(*choice.shift)
        if choice is not None and choice.replay is not None:
            return self.replayed(choice.replay)[value]
        operands = [self.value(v) if isinstance(v.type, Scalar) else self.array(v) for v in instr.operands]
        return self.builder.emit(instr.op, *operands, hint=value.hint, **instr.attrs)

    def location(self, store: Instr) -> list[Value]:
        """Array and subscripts of a store, in the reverse sweep."""
        ops = self.dependence.ops
        return [self.array(ops.array(store)), *map(self.value, ops.subscripts(store))]

    def shifted(self, loop: Instr, k: int) -> Value:
        """The k-th yield of `loop`: what was kept of the carried value for the next iteration, or the loop's result."""
        b = self.builder
        param, result = loop.regions[-1].params[k + 1], self.value(loop.results[k])
        *outer, here = self.there(param)
        last = b.emit("sub", trip_count(b, loop), b.const(1), exact=True)
        following = b.emit("minimum", b.emit("add", here, b.const(1), exact=True), last)
        row = self.sweep.rows.get(param)
        kept = (
            b.emit("load", self.sweep.buffers[param], *outer, following)
            if row is None
            else b.emit("load", row, following)
        )
        return b.emit("select", b.emit("lt", here, last), kept, result)

    def replayed(self, owner: Instr) -> dict[Value, Value]:
        """Run `owner` again for all of its results that follow that rule."""
        wanted, part = self.slice(owner)
        names = replay(self.builder, owner, self.outside, part.values)
        self.known.update({r: names[r] for r in wanted})
        return names

    def slice(self, owner: Instr) -> tuple[list[Value], ReplaySlice]:
        """The results of `owner` for which it runs again, and what of it does."""
        if owner not in self._slices:
            wanted = [r for r in owner.results if r in self.plan.demanded and r not in self.plan.stored]
            wanted = [r for r in wanted if self.plan.choices[r].replay is owner]
            part = slice_of(self.dependence, owner, wanted)
            assert part is not None
            self._slices[owner] = wanted, part
        return self._slices[owner]

    def outside(self, value: Value) -> Value:
        """A scalar or array of the primal, for a replay."""
        return self.value(value) if isinstance(value.type, Scalar) else self.array(value)

    def fill_rows(self, loop: Instr) -> None:
        """Run an inner loop again and put down its carried values, before its reverse and any roll-back in it."""
        rows = [p for p in loop.regions[-1].params[1:] if p in self.plan.rows]
        if not rows:
            return
        part = slice_of(self.dependence, loop, rows)
        assert part is not None

        def put(param: Value) -> PutRow:
            def store(counter: Value, value: Value) -> None:
                index = iteration_number(self.builder, loop, counter)
                self.builder.emit_many("store", (value, self.sweep.rows[param], index), {})

            return store

        replay(self.builder, loop, self.outside, part.values, {param: put(param) for param in rows})

    def there(self, value: Value) -> list[Value]:
        """The place of this iteration in the buffer of `value`, in the reverse sweep."""
        loops = self.structure.loops(self.sweep.storage.home(value))
        return [iteration_number(self.builder, loop, self.value(loop.regions[0].params[0])) for loop in loops]

    def array(self, array: Value) -> Value:
        """A primal array in the reverse sweep: views are made again, and so are those of arrays that are kept."""
        root = self.dependence.root(array)
        if root in self.sweep.instances and root not in self.known:
            with self.builder.at(self.opened[self.structure.home[root]]):
                made = self.sweep.instance_at(self.structure.definition[root], self.there(root))
                self.builder.append(made)
                self.known[root] = made.result
        return self.viewed(array, array, self.known)

    def refill(self, root: Value) -> None:
        """Make an array of the region being reversed once more, and fill it as the forward sweep did."""
        if root in self.known:
            return
        part = self.plan.fills[root]
        for other in part.given:
            if self.plan.refilled(other):
                self.refill(other)
        self.known[root] = refill(self.builder, part, self.outside)[root]

    def shadow(self, array: Value) -> Value:
        """The shadow of an array, through the same views."""
        return self.viewed(array, self.shadows.get(array), self.shadows)

    def viewed(self, array: Value, root: Value | None, known: dict[Value, Value]) -> Value:
        instr = self.structure.definition.get(array)
        if array in known:
            return known[array]
        source = self.dependence.ops.source(instr)
        if instr is None or source is None:
            assert root is not None, f"no shadow of {array!r}"
            return root
        with self.builder.at(self.opened[self.structure.home[array]]):
            base = self.array(source) if known is self.known else self.shadow(source)
            operands = [base if v is source else self.value(v) for v in instr.operands]
            known[array] = self.builder.emit(instr.op, *operands, **instr.attrs)
        return known[array]


class Reading:
    """Lets a rule mention every operand but fetches only those that its result depends on.

    The rule is run on stand-ins into a region that is thrown away; what survives is emitted with the primal values.
    """

    def __init__(self, primals: Primals) -> None:
        self.primals = primals
        self.original: dict[Value, Value] = {}
        self.body: tuple[Instr, ...] = ()

    def stand_ins(self, values: Sequence[Value]) -> list[Value]:
        copies = [Value(v.type, v.hint) for v in values]
        self.original = dict(zip(copies, values, strict=True))
        return copies

    def __enter__(self) -> None:
        self._context = self.primals.builder.region()
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
        names = {copy: self.primals.value(value) for copy, value in self.original.items() if copy in needed}
        for instr in reversed(kept):
            operands = tuple(names.get(v, v) for v in instr.operands)
            renamed = Instr(instr.op, operands, instr.results, instr.attrs, (), self.primals.builder.span)
            self.primals.builder.append(renamed)
        return [None if t is None else names.get(t, t) for t in terms]
