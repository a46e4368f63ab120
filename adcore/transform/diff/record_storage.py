"""Where the stored values of a plan live.

    func @f(%x: f64) -> (f64) {
      %p: f64, %trips: i64 = while %x {
      (%k: i64, %u: f64):
        %c: bool = lt %u, 9.0
        yield %c
      } {
      (%k: i64, %u: f64):
        %w: f64 = exp %u
        yield %w
      }
      return %p
    }
->
    func @f(%x: f64) -> (f64) {
      %p: f64, %trips: i64 = while %x {
      (%k: i64, %u: f64):
        %c: bool = lt %u, 9.0
        yield %c
      } {
      (%k.1: i64, %u.1: f64):
        %w: f64 = exp %u.1
        push %w
        yield %w
      }
      return %p
    }

Outside all loops a value stays an SSA value: it is in scope in the reverse sweep, handed out of branches where it
stands in one. Inside a nest of `for` loops whose trip counts are known before the nest, a buffer with one dimension per
loop (it vectorises). Otherwise, as here, the values of a region are pushed together at its end and popped at the start
of its reverse image: forward and reverse sweep mirror each other, so one stack serves all.
"""

from __future__ import annotations

from adcore.analysis.planning.plan import Plan
from adcore.analysis.structure import Structure
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import Scalar
from adcore.source import Span


class RecordStorage:
    """Places of the values that a plan stores, and of those outside loops that the reverse sweep needs.

    `old` are names for the values that logged stores overwrite: they are kept as if the program computed them."""

    def __init__(self, structure: Structure, plan: Plan) -> None:
        self.structure = structure
        self._indexed: dict[Instr, list[Value]] = {}
        self._pushed: dict[Region, list[Value]] = {}
        self._exports: dict[Instr, list[Value]] = {}
        self._rows: dict[Instr, list[Value]] = {}
        self._arrays: dict[Instr, list[Value]] = {}
        for node in plan.rows:
            self._rows.setdefault(self._outermost(structure.home[node]), []).append(node)
        self.old = {store: Value(structure.ops.stored(store).type, "old") for store in plan.logged}
        self._stores = {value: store for store, value in self.old.items()}
        for value in (*plan.stored, *self.old.values()):
            home = self.home(value)
            if home is structure.function.region:
                continue
            if not isinstance(value.type, Scalar):
                self._arrays.setdefault(self._outermost(home), []).append(value)
            elif structure.depth(home) == 0:
                self._export(value, home)
            elif structure.rectangular(home):
                self._indexed.setdefault(self._outermost(home), []).append(value)
            else:
                self._pushed.setdefault(home, []).append(value)

    def home(self, value: Value) -> Region:
        """The region in which `value` comes to be: of what a logged store overwrites, that of the store."""
        return self.structure.home[self._stores.get(value, value)]

    def _export(self, value: Value, home: Region) -> None:
        for region in self.structure.chain(home):
            owner = self.structure.owner[region]
            if owner is not None:
                self._exports.setdefault(owner, []).append(value)

    def _outermost(self, home: Region) -> Instr:
        owner = self.structure.owner[self.structure.chain(home)[-2]]
        assert owner is not None
        return owner

    def indexed_under(self, instr: Instr) -> list[Value]:
        """Values inside `instr` (an instruction of the function's own region) that are kept in buffers."""
        return self._indexed.get(instr, [])

    def arrays_under(self, instr: Instr) -> list[Value]:
        """Arrays that loops and branches inside `instr` make in each iteration, all of which are kept."""
        return self._arrays.get(instr, [])

    def rows_under(self, instr: Instr) -> list[Value]:
        """Carried values inside `instr` that are put down in a reused row when their loop runs again."""
        return self._rows.get(instr, [])

    def pushed(self, region: Region) -> list[Value]:
        """Values of `region` that are pushed at its end."""
        return self._pushed.get(region, [])

    def exports(self, instr: Instr) -> list[Value]:
        """Values that a branch outside all loops hands out."""
        return self._exports.get(instr, [])

    def span(self, value: Value) -> Span | None:
        """The user's line that computes `value` (of the loop, if it is carried by one)."""
        store = self._stores.get(value)
        instr = store or self.structure.definition.get(value) or self.structure.owner[self.structure.home[value]]
        return instr.span if instr is not None else None
