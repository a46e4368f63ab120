"""Room for lists that grow in loops and branches: how much, before the loop; on both sides of a branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from adcore.frontend.session import FunctionScope, State
from adcore.frontend.values.abstract import Abstract, ArrayRef, Num, is_grown
from adcore.frontend.values.containers.growing import Growth, Growths, give_room, total_of
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import I64
from adcore.ops import Table

Trips = Callable[[], Value]
"""Emits how many trips a loop makes, before it."""

UNKNOWN = (
    "how long this list gets is not known before the loop",
    "append in a `for` loop over a range or an array, or store into np.zeros(most) and count",
)


def lengthened(before: State, after: State, growths: Growths) -> list[int]:
    """Lists of `before` that hold another number of items in `after`, or have moved to other memory."""
    if after.dead:
        return []
    return [
        cell for cell, items in before.cells.items() if cell in growths and _differ(items, after.cells.get(cell, items))
    ]


def parted(base: State, ends: Sequence[State], growths: Growths) -> list[int]:
    """Lists of `base` that hold another number of items, or are in other memory, on one path than on the other."""
    first, second = ends
    if first.dead or second.dead:
        return []
    return [c for c in base.cells if c in growths and _differ(first.cells.get(c, ()), second.cells.get(c, ()))]


def _differ(a: tuple[Abstract, ...], b: tuple[Abstract, ...]) -> bool:
    if a is b:
        return False
    if is_grown(a) and is_grown(b):
        return a[1] is not b[1]
    return len(a) != len(b) or is_grown(a) != is_grown(b)


class Room:
    """How much room a piece of code needs for lists, told before it.

    `bodies`: its regions. A loop has an `index` (from `lo`, in steps) and `trips`, which emits how many there are.
    """

    def __init__(
        self,
        scope: FunctionScope,
        bodies: Sequence[Region],
        trips: Trips | None = None,
        index: Value | None = None,
        lo: Value | None = None,
        step: int = 1,
    ) -> None:
        self.scope, self.trips, self.index, self.lo, self.step = scope, trips, index, lo, step
        self.inside: dict[Value, Instr | None] = {}
        for body in bodies:
            self.inside.update(dict.fromkeys(body.params))
            for instr in _every(body):
                self.inside.update(dict.fromkeys(instr.results, instr))
                self.inside.update(dict.fromkeys((p for r in instr.regions for p in r.params), None))

    def total(self, growth: Growth) -> Value | None:
        """How many items all of it may append; None if that can't be told."""
        scope = self.scope
        if growth.untold:
            return None
        trips = scope.const(1) if self.trips is None else self.trips()
        result = scope.const(0)
        for factors in growth.terms:
            with scope.builder.region() as region:
                own = [f if isinstance(f, int) else self._again(f, {}) for f in factors]
            if None not in own:
                for instr in region.body:
                    scope.builder.append(instr)
                known = [f for f in own if f is not None]
                term: Value | None = scope.emit("mul", trips, total_of(scope, known), exact=True)
            else:
                term = self._counted(trips, factors)
            if term is None:
                return None
            result = scope.emit("add", result, term, exact=True)
        return result

    def _counted(self, trips: Value, factors: Sequence[Value | int]) -> Value | None:
        """The sum of a product over all trips, for factors that depend on the index alone."""
        if self.index is None:
            return None
        scope = self.scope
        iteration, carried = Value(I64), Value(I64)
        with scope.builder.region((iteration, carried)) as region:
            index = scope.emit("mul", iteration, scope.const(self.step), exact=True)
            index = index if self.lo is None else scope.emit("add", self.lo, index, exact=True)
            known = {self.index: index}
            own = [f if isinstance(f, int) else self._again(f, known) for f in factors]
            if None in own:
                return None
            added = total_of(scope, [f for f in own if f is not None])
            region.yields = (scope.emit("add", carried, added, exact=True),)
        zero = scope.const(0)
        return scope.builder.emit_many("for", (zero, trips, zero), {"step": 1}, (region.region,), [I64])[0]

    def length(self, length: Abstract) -> Abstract | None:
        """A length that is known inside, before it."""
        if not isinstance(length, Num):
            return length
        found = self._again(length.value, {})
        return None if found is None else Num(found)

    def _again(self, value: Value, known: dict[Value, Value]) -> Value | None:
        """`value` computed once more, from the index and what is known before."""
        if value in known or value not in self.inside:
            return known.get(value, value)
        instr = self.inside[value]
        ops = self.scope.builder.ops
        assert isinstance(ops, Table)
        if instr is None or len(instr.results) != 1 or instr.regions:
            return None
        effects = ops.effects[instr.op]
        if not effects.movable or effects.raises == "always":
            return None
        if instr.op == "const":
            known[value] = self.scope.builder.const(instr.attrs["value"], value.type)  # type: ignore[arg-type]
            return known[value]
        operands = [self._again(v, known) for v in instr.operands]
        if None in operands:
            return None
        result = Value(value.type, value.hint)
        given = tuple(v for v in operands if v is not None)
        self.scope.builder.append(replace(instr, operands=given, results=(result,)))
        known[value] = result
        return result


def _every(region: Region) -> Iterator[Instr]:
    for instr in region.body:
        yield instr
        for inner in instr.regions:
            yield from _every(inner)


def make_room(scope: FunctionScope, cells: Sequence[int], growths: Growths, room: Room) -> bool:
    """Give lists the room that a piece of code needs; the state is that before it."""
    for cell in cells:
        growth = growths.get(cell)
        if growth is None:
            span = scope.builder.span or scope.span(scope.node)
            scope.error(span, "a list gets shorter on one path or in a loop", "use a NumPy array and a count")
            return False
        total = room.total(growth)
        if total is None:
            scope.error(growth.where, *UNKNOWN)
            return False
        if not give_room(scope, cell, growth, total, room.length):
            return False
        memory = scope.state.cells[cell][1]
        assert isinstance(memory, ArrayRef)
        scope.session.reserved.add(memory.value)
    return True


def add_growth(scope: FunctionScope, growths: Growths, room: Room | None = None) -> None:
    """Tell the code around what a piece of code appends; of a loop (`room`) what it appends altogether."""
    for cell, growth in growths.items():
        outer = scope.session.growth.setdefault(cell, Growth(growth.where))
        outer.items += growth.items
        outer.untold = outer.untold or growth.untold
        if room is None:
            outer.terms += growth.terms
        elif (total := room.total(growth)) is None:
            outer.untold = True
        else:
            outer.terms.append((total,))
