"""After a sweep that rolled memory back, the undone stores are done again: the caller finds the primal's result.

    func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
      for 0, %n [step=1] {
      (%t: i64):
        for 1, 4 [step=1] {
        (%i: i64):
          %j: i64 = sub %i, 1 [exact=True]
          %v: f64 = load %x, %i
          %u: f64 = load %x, %j
          %w: f64 = mul %v, %u
          store %w, %x, %i
          yield
        }
        yield
      }
      %r: f64 = load %x, 3
      return %r
    }
->
    func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_r: f64) -> (f64) {
      %0: i64 = maximum %n, 0
      %kept_v: array<f64,2,C> = alloc %0, 3 [element='f64', role='stored', zero=False]
      for 0, %n [step=1] {
      (%t: i64):
        for 1, 4 [step=1] {
        (%i: i64):
          %j: i64 = sub %i, 1 [exact=True]
          %v: f64 = load %x, %i
          store %v, %kept_v, %t, %j
          %u: f64 = load %x, %j
          %w: f64 = mul %v, %u
          store %w, %x, %i
          yield
        }
        yield
      }
      %r: f64 = load %x, 3
      accumulate %seed_r, %d_x, 3
      for 0, %n [reverse=True, step=1] {
      (%t.1: i64):
        for 1, 4 [reverse=True, step=1] {
        (%i.1: i64):
          %2: i64 = sub %i.1, 1 [exact=True]
          %3: f64 = load %kept_v, %t.1, %2
          %4: f64 = load %x, %i.1
          store %4, %kept_v, %t.1, %2
          store %3, %x, %i.1
          %5: f64 = load %d_x, %i.1
          store 0.0, %d_x, %i.1
          %u.1: f64 = load %x, %2
          %6: f64 = mul %u.1, %5 [flags='adjoint']
          %7: f64 = mul %3, %5 [flags='adjoint']
          accumulate %7, %d_x, %2
          accumulate %6, %d_x, %i.1
          yield
        }
        yield
      }
      %8: i64 = sub %n, 1 [exact=True]
      %9: i64 = maximum 0, %8
      for %9, %n [step=1] {
      (%t.2: i64):
        for 1, 4 [step=1] {
        (%i.2: i64):
          %10: i64 = sub %i.2, 1 [exact=True]
          %11: f64 = load %kept_v, %t.2, %10
          store %11, %x, %i.2
          yield
        }
        yield
      }
      return %r
    }

The loops of the program run forward once more, with nothing in them but the subscripts and the stores. Of a loop that
overwrites the same elements in each iteration (a time loop over a grid, as above), only the last one is run: it alone
shows.
"""

from __future__ import annotations

from collections.abc import Mapping

from adcore.analysis.structure import Structure
from adcore.ir.builder import Builder
from adcore.ir.core import Instr, Region, Value
from adcore.transform.loop_building import iteration_number


def redo(builder: Builder, structure: Structure, held: Mapping[Instr, Value]) -> None:
    """Emit the stores `held` in program order; each takes its value from a buffer over its loops, or is a scalar."""
    _Redo(builder, structure, held).region(structure.function.region)


class _Redo:
    def __init__(self, builder: Builder, structure: Structure, held: Mapping[Instr, Value]) -> None:
        self.builder, self.structure, self.held, self.ops = builder, structure, held, structure.ops
        owners = [structure.owner[r] for store in held for r in structure.chain(structure.home[store])]
        self.loops = frozenset(o for o in owners if o is not None)
        self.names: dict[Value, Value] = {}

    def region(self, region: Region) -> None:
        for instr in region.body:
            self.builder.span = instr.span
            if instr in self.loops:
                self.loop(instr)
            elif instr in self.held:
                self.store(instr)

    def loop(self, loop: Instr) -> None:
        (body,) = loop.regions
        lo, hi = loop.operands[:2]
        if self.repeats(loop):
            step = loop.attrs["step"]
            last = self.builder.emit("sub", hi, self.builder.const(step), exact=True)
            lo = self.builder.emit("maximum" if step > 0 else "minimum", lo, last)
        counter = Value(body.params[0].type, body.params[0].hint)
        self.names[body.params[0]] = counter
        with self.builder.region((counter,)) as opened:
            self.region(body)
        self.builder.emit_many("for", (lo, hi), loop.attrs, (opened.region,), ())

    def repeats(self, loop: Instr) -> bool:
        """Whether every iteration of `loop` does the held stores in it to the same elements."""
        (body,) = loop.regions
        inside = [store for store in self.held if self.structure.inside(self.structure.home[store], body)]
        owners = {self.structure.owner[r] for s in inside for r in self.structure.chain(self.structure.home[s])}
        nested = [o for o in owners if o is not None and self.structure.inside(self.structure.home[o], body)]
        if abs(loop.attrs["step"]) != 1 or any(o.op != "for" for o in nested):
            return False
        places = [(self.ops.array(store), *self.ops.subscripts(store)) for store in inside]
        decisive = [v for place in places for v in place] + [v for o in nested for v in o.operands[:2]]
        return not any(self.rests_on(v, body) for v in decisive)

    def rests_on(self, value: Value, outer: Region) -> bool:
        """Whether `value` may differ between two iterations of the loop with the body `outer`."""
        home = self.structure.home[value]
        if not self.structure.inside(home, outer):
            return False
        instr = self.structure.definition.get(value)
        if instr is None:  # counters of the loops inside take the same values every time
            return home is outer or value is not home.params[0]
        same = instr.op not in self.ops.readers and not instr.regions
        return not same or any(self.rests_on(v, outer) for v in instr.operands)

    def store(self, store: Instr) -> None:
        value = self.held[store]
        loops = self.structure.loops(self.structure.home[store])
        if loops:
            index = [iteration_number(self.builder, loop, self.names[loop.regions[0].params[0]]) for loop in loops]
            value = self.builder.emit("load", value, *index)
        array = self.array(self.ops.array(store))
        self.builder.emit_many("store", (value, array, *map(self.value, self.ops.subscripts(store))), {})

    def value(self, value: Value) -> Value:
        """A subscript, computed again from the loop variables."""
        if self.structure.home[value] is self.structure.function.region:
            return value
        if value not in self.names:
            instr = self.structure.definition[value]
            return self.builder.emit(instr.op, *(self.value(v) for v in instr.operands), **instr.attrs)
        return self.names[value]

    def array(self, array: Value) -> Value:
        instr = self.structure.definition.get(array)
        if instr is None or self.structure.home[array] is self.structure.function.region:
            return array
        source = instr.operands[self.ops.views[instr.op].source]
        operands = [self.array(v) if v is source else self.value(v) for v in instr.operands]
        return self.builder.emit(instr.op, *operands, **instr.attrs)
