"""Binomial checkpointing: the pieces that a checkpointed loop is made of.

With room for s states, that at its start among them, a stretch of n steps is advanced to the point that keeps every
step's number of repetitions at most r, the smallest with C(s + r, s) >= n; what comes after that point is reversed with
s - 1 states, then what comes before it with s. Over a loop of n steps this advances r n - C(s + r, s + 1) steps, and no
schedule advances fewer. Griewank & Walther, Algorithm 799: revolve (2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from adcore.ir.builder import Builder
from adcore.ir.core import Value
from adcore.ir.loops import emit_loop_nest
from adcore.ir.types import I64, ArrayType, Scalar


def repetitions(steps: int, states: int) -> int:
    """The least number of times that each of `steps` steps has to be advanced with room for `states` states."""
    if states == 1:
        return max(0, steps - 1)
    r = 0
    while comb(states + r, states) < steps:
        r += 1
    return r


def advanced_steps(steps: int, states: int) -> int:
    """How many steps the reversal of `steps` steps advances, beyond the primal's own and the one that is reversed, with
    room for `states` states (one is that at the start)."""
    if steps < 2:
        return 0
    r = repetitions(steps, states)
    return r * steps - comb(states + r, states + 1)


def emit_split(b: Builder, steps: Value, states: Value) -> Value:
    """How far to advance before the next state is kept: `steps` >= 2 to go, room for `states` >= 2 of them, that at
    the start among these.

    C(states + r, states) for the last three r is carried; Pascal's rule gives the other binomials from them.
    """
    one, zero = b.const(1), b.const(0)
    types = [I64, I64, I64]
    first = [Value(I64, "k"), *(Value(t) for t in types)]
    with b.region(first) as condition:
        condition.yields = (b.emit("lt", first[3], steps),)
    second = [Value(I64, "k"), *(Value(t) for t in types)]
    with b.region(second) as body:
        r = b.emit("add", second[0], one, exact=True)
        grown = b.emit("mul", second[3], b.emit("add", states, r, exact=True), exact=True)
        body.yields = (second[2], second[3], b.emit("floordiv", grown, r, exact=True))
    results = b.emit_many("while", (zero, zero, one), {}, (condition.region, body.region), [*types, I64])
    before, last, current, _ = results
    low = b.emit("maximum", before, b.emit("sub", steps, b.emit("sub", current, last, exact=True), exact=True))
    high = b.emit("minimum", last, b.emit("sub", steps, b.emit("sub", last, before, exact=True), exact=True))
    split = b.emit("minimum", low, high)
    return b.emit("maximum", one, b.emit("minimum", split, b.emit("sub", steps, one, exact=True)))


class Arrays:
    """Room for several copies of the arrays `roots`."""

    def __init__(self, b: Builder, count: Value, roots: Sequence[Value]) -> None:
        self.b, self.roots = b, tuple(roots)
        self.rooms = [self._room(count, root) for root in roots]

    def _room(self, count: Value, root: Value) -> Value:
        assert isinstance(root.type, ArrayType)
        dims = [self.b.emit("dim", root, axis=k) for k in range(root.type.rank)]
        return stored_array(self.b, [count, *dims], root.type.element.name, f"state_{root.hint}")

    def save(self, slot: Value) -> None:
        """Put the arrays as they are now into `slot`."""
        for room, root in zip(self.rooms, self.roots, strict=True):
            emit_loop_nest(self.b, root, lambda b, i, room=room, root=root: _copy(b, root, i, room, [slot, *i]))  # type: ignore[misc]

    def restore(self, slot: Value) -> None:
        """Bring the arrays of `slot` back."""
        for room, root in zip(self.rooms, self.roots, strict=True):
            emit_loop_nest(self.b, root, lambda b, i, room=room, root=root: _copy(b, room, [slot, *i], root, i))  # type: ignore[misc]


class Snapshots:
    """Room for several states of a loop: the arrays `roots`, the carried scalars of `types`, the iteration that each
    belongs to."""

    def __init__(self, b: Builder, count: Value, roots: Sequence[Value], types: Sequence[Scalar]) -> None:
        self.b = b
        self.arrays = Arrays(b, count, roots)
        self.scalars = [stored_array(b, [count], type_.name, "state") for type_ in types]
        self.positions = stored_array(b, [count], "i64", "iteration")

    def save(self, slot: Value, iteration: Value, carried: Sequence[Value]) -> None:
        """Put the arrays as they are now, and `carried`, into `slot`."""
        self.arrays.save(slot)
        for room, value in zip(self.scalars, carried, strict=True):
            self.b.emit_many("store", (value, room, slot), {})
        self.b.emit_many("store", (iteration, self.positions, slot), {})

    def restore(self, slot: Value) -> list[Value]:
        """Bring the arrays of `slot` back; returns its carried values."""
        self.arrays.restore(slot)
        return [self.b.emit("load", room, slot) for room in self.scalars]

    def iteration(self, slot: Value) -> Value:
        """The iteration at whose start the state of `slot` was."""
        return self.b.emit("load", self.positions, slot)


def stored_array(b: Builder, dims: Sequence[Value], element: str, hint: str) -> Value:
    """Room in the workspace for what the reverse sweep needs."""
    return b.emit("alloc", *dims, element=element, zero=False, role="stored", hint=hint)


def _copy(b: Builder, source: Value, at: Sequence[Value], target: Value, to: Sequence[Value]) -> None:
    b.emit_many("store", (b.emit("load", source, *at), target, *to), {})
