"""Emitting a part of the forward sweep once more: a loop or branch without what it does to memory, or all that fills an
array that lives inside a loop.

    func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
      %t: f64 = for 0, %n, 0.0 [step=1] {
      (%i: i64, %u: f64):
        %a: f64 = load %x, %i
        %p: f64 = for 0, 3, %a [step=1] {
        (%j: i64, %q: f64):
          %r: f64 = add %q, %a
          yield %r
        }
        %s: f64 = mul %p, %p
        %w: f64 = add %u, %s
        yield %w
      }
      return %t
    }
->
    func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_t: f64) -> (f64) {
      %t: f64 = for 0, %n, 0.0 [step=1] {
      (%i: i64, %u: f64):
        %a: f64 = load %x, %i
        %p: f64 = for 0, 3, %a [step=1] {
        (%j: i64, %q: f64):
          %r: f64 = add %q, %a
          yield %r
        }
        %s: f64 = mul %p, %p
        %w: f64 = add %u, %s
        yield %w
      }
      for 0, %n [reverse=True, step=1] {
      (%i.1: i64):
        %a.1: f64 = load %x, %i.1
        %0: f64 = for 0, 3, %a.1 [step=1] {
        (%j.1: i64, %q.1: f64):
          %r.1: f64 = add %q.1, %a.1
          yield %r.1
        }
        %1: f64 = mul %0, %seed_t [flags='adjoint']
        %2: f64 = add %1, %1 [flags='adjoint']
        %3: f64 = for 0, 3, 0.0 [reverse=True, step=1] {
        (%j.2: i64, %d_: f64):
          %4: f64 = add %d_, %2 [flags='adjoint']
          yield %4
        }
        %5: f64 = add %3, %2 [flags='adjoint']
        accumulate %5, %d_x, %i.1
        yield
      }
      return %t
    }

What is run again is a slice (`analysis.planning.replay`): what the wanted values depend on, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adcore.analysis.planning.temporaries import Fill
from adcore.ir.builder import Builder
from adcore.ir.core import Instr, Region, Value
from adcore.ops import Table

PrimalOf = Callable[[Value], Value]
PutRow = Callable[[Value, Value], None]


def replay(
    builder: Builder,
    instr: Instr,
    primal: PrimalOf,
    values: frozenset[Value],
    rows: Mapping[Value, PutRow] | None = None,
) -> dict[Value, Value]:
    """Append a copy of `instr` that computes `values` only, and return what they are called in the copy.

    `primal` gives scalars and arrays from outside in the reverse sweep. `rows` are carried values of `instr` to be put
    down in each iteration: called with the loop variable and the value, as the copy has them.
    """
    copy = _Copy(builder, primal, values, rows or {})
    copy.instr(instr)
    return copy.names


def asked_for(builder: Builder, instr: Instr, values: frozenset[Value]) -> tuple[Value, ...]:
    """What `replay` takes from outside, in the order in which it asks."""
    asked: dict[Value, None] = {}

    def primal(value: Value) -> Value:
        asked[value] = None
        return value

    with builder.region():  # thrown away
        replay(builder, instr, primal, values)
    return tuple(asked)


def refill(builder: Builder, part: Fill, primal: PrimalOf) -> dict[Value, Value]:
    """Append what fills an array of a region once more, in the order of the program; returns what everything is called
    there, the array included."""
    copy = _Copy(builder, primal, part.values, {}, part.instrs)
    for instr in part.region.body:
        if instr in part.instrs:
            copy.instr(instr)
    return copy.names


class _Copy:
    """`effects` are instructions to copy beside those that compute `values`: stores, and what is around them."""

    def __init__(
        self,
        builder: Builder,
        primal: PrimalOf,
        values: frozenset[Value],
        rows: Mapping[Value, PutRow],
        effects: frozenset[Instr] = frozenset(),
    ) -> None:
        self.builder, self.primal, self.values, self.rows, self.effects = builder, primal, values, rows, effects
        self.names: dict[Value, Value] = {}

    def value(self, value: Value) -> Value:
        return self.names[value] if value in self.names else self.primal(value)

    def instr(self, instr: Instr) -> None:
        """Copy `instr`; integer arithmetic and indices passed their checks in the forward sweep."""
        self.builder.span = instr.span
        if instr.op in ("for", "if"):
            self.structured(instr)
            return
        attrs = {**instr.attrs, "exact": True} if self.has_passed(instr) else instr.attrs
        operands = [self.value(v) for v in instr.operands]
        if instr.results:
            self.names[instr.result] = self.builder.emit(instr.op, *operands, hint=instr.result.hint, **attrs)
        else:
            self.builder.emit_many(instr.op, operands, attrs)

    def has_passed(self, instr: Instr) -> bool:
        """Whether it is something that might have stopped the forward sweep, and did not."""
        assert isinstance(self.builder.ops, Table)
        effects = self.builder.ops.effects[instr.op]
        return effects.pure and effects.can_raise(instr)

    def structured(self, instr: Instr) -> None:
        """A loop or branch with the carried values (or results) that belong to the slice."""
        fixed = 2 if instr.op == "for" else 1
        kept = [k for k, result in enumerate(instr.results) if self.belongs(instr, k, result)]
        inits = [instr.operands[2 + k] for k in kept] if instr.op == "for" else []
        operands = [self.value(v) for v in (*instr.operands[:fixed], *inits)]
        regions = [self.region(region, kept) for region in instr.regions]
        types = [instr.results[k].type for k in kept]
        results = self.builder.emit_many(instr.op, operands, instr.attrs, regions, types)
        self.names.update({instr.results[k]: r for k, r in zip(kept, results, strict=True)})

    def belongs(self, instr: Instr, k: int, result: Value) -> bool:
        params = [r.params[k + 1] for r in instr.regions] if instr.op == "for" else []
        return result in self.values or any(p in self.values for p in params)

    def region(self, region: Region, kept: list[int]) -> Region:
        shown = [region.params[0], *(region.params[k + 1] for k in kept)] if region.params else []
        params = [Value(p.type, p.hint) for p in shown]
        self.names.update(zip(shown, params, strict=True))
        with self.builder.region(params) as opened:
            for param, put in self.rows.items():
                if param in shown:
                    put(params[0], self.names[param])
            for instr in region.body:
                if instr in self.effects or any(r in self.values for r in instr.results):
                    self.instr(instr)
            opened.yields = tuple(self.value(region.yields[k]) for k in kept)
        return opened.region
