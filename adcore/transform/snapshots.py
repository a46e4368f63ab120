"""Binomial checkpointing: the pieces that a checkpointed loop is made of.

With s free snapshots, a stretch of n steps is advanced to the point that keeps every step's number of repetitions at
most r, the smallest with C(s + r, s) >= n; it is then reversed from its end, and the rest after it. Over a loop of n
steps this advances r n - C(s + r, s + 1) steps. Griewank & Walther, Algorithm 799: revolve (2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from adcore.ir.builder import Builder
from adcore.ir.core import Value
from adcore.ir.types import I64, ArrayType, Scalar
from adcore.transform.loops import emit_copy, emit_loop_nest


def repetitions(steps: int, slots: int) -> int:
    """The least number of times that each of `steps` steps has to be advanced with `slots` free snapshots."""
    r = 0
    while comb(slots + r, slots) < steps:
        r += 1
    return r


def advanced_steps(steps: int, slots: int) -> int:
    """How many steps the reversal of `steps` steps advances, beyond the primal's own and the one that is reversed."""
    if steps < 2:
        return 0
    if slots == 0:
        return steps * (steps - 1) // 2
    r = repetitions(steps, slots)
    return r * steps - comb(slots + r, slots + 1)


def emit_split(b: Builder, steps: Value, slots: Value) -> Value:
    """How far to advance before the next snapshot: `steps` >= 2 to go, `slots` >= 1 snapshots free.

    C(slots + r, slots) for the last three r is carried; Pascal's rule gives the other binomials from them.
    """
    one, zero = b.const(1), b.const(0)
    types = [I64, I64, I64]
    first = [Value(I64, "k"), *(Value(t) for t in types)]
    with b.region(first) as condition:
        condition.yields = (b.emit("lt", first[3], steps),)
    second = [Value(I64, "k"), *(Value(t) for t in types)]
    with b.region(second) as body:
        r = b.emit("add", second[0], one, exact=True)
        grown = b.emit("mul", second[3], b.emit("add", slots, r, exact=True), exact=True)
        body.yields = (second[2], second[3], b.emit("floordiv", grown, r, exact=True))
    results = b.emit_many("while", (zero, zero, one), {}, (condition.region, body.region), [*types, I64])
    before, last, current, _ = results
    low = b.emit("maximum", before, b.emit("sub", steps, b.emit("sub", current, last, exact=True), exact=True))
    high = b.emit("minimum", last, b.emit("sub", steps, b.emit("sub", last, before, exact=True), exact=True))
    split = b.emit("minimum", low, high)
    return b.emit("maximum", one, b.emit("minimum", split, b.emit("sub", steps, one, exact=True)))


class Snapshots:
    """Room for several states of a loop: the arrays `roots`, the carried scalars of `types`, and the iteration that
    each belongs to (if they are `dated`)."""

    def __init__(
        self, b: Builder, count: int, roots: Sequence[Value], types: Sequence[Scalar], dated: bool = True
    ) -> None:
        self.b, self.roots = b, tuple(roots)
        slots = b.const(count)
        self.arrays = [self._room(slots, root) for root in roots]
        self.scalars = [stored_array(b, [slots], type_.name, "state") for type_ in types]
        self.positions = stored_array(b, [slots], "i64", "iteration") if dated else None

    def _room(self, slots: Value, root: Value) -> Value:
        assert isinstance(root.type, ArrayType)
        dims = [self.b.emit("dim", root, axis=k) for k in range(root.type.rank)]
        return stored_array(self.b, [slots, *dims], root.type.element.name, f"state_{root.hint}")

    def save(self, slot: Value, iteration: Value | None, carried: Sequence[Value]) -> None:
        """Put the arrays as they are now, `carried`, and the iteration into `slot`."""
        b = self.b
        for room, root in zip(self.arrays, self.roots, strict=True):
            emit_loop_nest(b, root, lambda b, i, room=room, root=root: _copy(b, root, i, room, [slot, *i]))  # type: ignore[misc]
        for room, value in zip(self.scalars, carried, strict=True):
            b.emit_many("store", (value, room, slot), {})
        if self.positions is not None and iteration is not None:
            b.emit_many("store", (iteration, self.positions, slot), {})

    def restore(self, slot: Value) -> list[Value]:
        """Bring the arrays of `slot` back; returns its carried values."""
        b = self.b
        for room, root in zip(self.arrays, self.roots, strict=True):
            emit_loop_nest(b, root, lambda b, i, room=room, root=root: _copy(b, room, [slot, *i], root, i))  # type: ignore[misc]
        return [b.emit("load", room, slot) for room in self.scalars]

    def iteration(self, slot: Value) -> Value:
        """The iteration at whose start the state of `slot` was."""
        assert self.positions is not None
        return self.b.emit("load", self.positions, slot)


def stored_array(b: Builder, dims: Sequence[Value], element: str, hint: str) -> Value:
    """Room in the workspace for what the reverse sweep needs."""
    return b.emit("alloc", *dims, element=element, zero=False, role="stored", hint=hint)


def _copy(b: Builder, source: Value, at: Sequence[Value], target: Value, to: Sequence[Value]) -> None:
    b.emit_many("store", (b.emit("load", source, *at), target, *to), {})


def copied(b: Builder, array: Value) -> Value:
    """A copy of `array` in the workspace."""
    assert isinstance(array.type, ArrayType)
    dims = [b.emit("dim", array, axis=axis) for axis in range(array.type.rank)]
    copy = stored_array(b, dims, array.type.element.name, f"final_{array.hint}")
    emit_copy(b, array, copy)
    return copy
