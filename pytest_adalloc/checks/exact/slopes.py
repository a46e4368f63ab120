"""The reference of a function at a point: slopes of the program that the compiler reads, in wider arithmetic.

They come from the primal's IR as it is before differentiation (`adcore.reference`). The gradient that is tested takes
no part in them, so it can't excuse itself.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from types import MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcore.instances import is_bound
from pytest_adalloc.checks.inputs.arguments import Moved, Point, Replica, Vector, rebuilt, walk
from pytest_adalloc.checks.inputs.flat import FlatFunction
from pytest_adalloc.checks.subjects.evaluation import Weights

BUDGET = 30_000
"""Instructions, weighted with what the slopes of many components cost: a tenth of a second."""

NEIGHBOURS = 4
ROUNDINGS = 2


@dataclass(frozen=True)
class ProgramSlopes:
    """`value` as the program computes it, `wide` in wide arithmetic, `noise` how far rounding moves the one from the
    other; `slopes` by component. `narrow`: the same in the program's own types, a row each: at the point and a few
    roundings away, there rounded at random. `undecided` and `crossed`: see `adcore.driver.evidence.reference`."""

    value: float
    wide: float
    noise: float
    slopes: Vector
    narrow: NDArray[np.float64]
    undecided: tuple[int, ...]
    crossed: tuple[int, ...]

    @property
    def rounding(self) -> Vector:
        """How far the program's own slopes are off, by component; 0 where they say nothing."""
        off = np.abs(self.narrow - self.slopes)
        return np.asarray(np.max(np.where(np.isfinite(off), off, 0.0), axis=0))


class PointReference:
    """A function's reference at a point. `of` gives None where there is none."""

    def __init__(self, reference: Any, point: Point, weights: Weights) -> None:
        self._reference, self._point, self._moved, self.vector = reference, point, Moved(point), point.vector
        self._numbers = filled(point, np.arange(1.0, point.size + 1))
        self._weights = weighted(point, weights) if weights else None
        self.budget = BUDGET / (1 + point.size / 64)
        self.roundoff = 2.0 ** (-24 if reference.single else -53)

    @staticmethod
    def of(f: FlatFunction, point: Point, weights: Weights) -> PointReference | None:
        """None where the compiler can't read the function, or arguments share memory."""
        if point.shares or not point.size:
            return None
        import adcore as ad

        try:
            args, kwargs = f.call(point.fresh())
            python = getattr(f.function, "py_func", f.function)  # a jitted function stands for the one inside
            return PointReference(ad.reference(python, *args, **kwargs), point, weights)
        except Exception:  # what can't be read is compared in another way; whether it should be is the compiler's check
            return None

    def located(self) -> Any | None:
        """Value and gradient as Python runs the compiler's IR, and where they stop to be finite; None if unknown."""
        point = self._point
        try:
            return self._reference.located(self._moved.at(), self._numbers, self._weights, count=point.size)
        except Exception:  # too much work, or an error that Python did not raise
            return None

    def forward_located(self, tangent: Vector) -> Any | None:
        """The same for forward mode along a tangent; nothing is known where results are written into arguments."""
        if self._weights is not None:
            return None
        try:
            return self._reference.forward_located(self._moved.at(), filled(self._point, tangent))
        except Exception:  # as above
            return None

    def slopes(self, seed: int) -> ProgramSlopes | None:
        """At the point; None where the program runs for too long."""
        point = self._point
        try:
            base = self._slopes(point.vector, wide=True)
            plain, *around = self._around(seed)
            narrow = [self._slopes(plain, wide=False)]
            narrow += [self._slopes(v, wide=False, seed=seed + k) for k, v in enumerate(around)]
        except Exception:  # too much work, or an error that Python did not raise
            return None
        slopes, rows = (np.asarray(found, dtype=np.float64) for found in (base.slopes, [n.slopes for n in narrow]))
        wide = float(base.wide)
        noise = max((abs(n.value - wide) for n in (base, *narrow) if math.isfinite(n.value)), default=0.0)
        return ProgramSlopes(base.value, wide, noise, slopes, rows, base.undecided, base.crossed)

    def _slopes(self, vector: Vector, *, wide: bool, seed: int | None = None) -> Any:
        arguments, count = self._moved.at(vector), self._point.size
        return self._reference.slopes(
            arguments, self._numbers, self._weights, count=count, wide=wide, seed=seed, budget=self.budget
        )

    def _around(self, seed: int) -> list[Vector]:
        """The point, and neighbours that are a few roundings away: what the inputs' own rounding does."""
        vector, random = self._point.vector, np.random.default_rng(seed)
        steps = random.integers(-ROUNDINGS, ROUNDINGS + 1, (NEIGHBOURS, len(vector)))
        return [vector, *(vector + s * self.roundoff * np.abs(vector) for s in steps)]

    def value(self, vector: Vector, seed: int) -> tuple[float, float] | None:
        """The program's value somewhere, and how far rounding may move it; None where it has none, or where rounding
        turns a decision."""
        steps = np.random.default_rng(seed).integers(-ROUNDINGS, ROUNDINGS + 1, len(vector))
        try:
            wide = self._value(vector, wide=True)
            other = self._value(vector + steps * self.roundoff * np.abs(vector), wide=False).value
        except Exception:  # outside of its domain it may raise whatever it likes
            return None
        if wide.crossed or not math.isfinite(wide.value):
            return None
        off = [abs(v - float(wide.wide)) for v in (wide.value, other)]
        return float(wide.wide), max((o for o in off if math.isfinite(o)), default=0.0)

    def _value(self, vector: Vector, *, wide: bool) -> Any:
        still = filled(self._point, np.zeros(self._point.size))
        arguments = self._moved.at(vector)
        return self._reference.slopes(arguments, still, self._weights, count=1, wide=wide, budget=BUDGET)

    def side(self, component: int, sign: int) -> Any:
        """What the function does an instant beside the point, along one component."""
        speeds = np.zeros(self._point.size)
        speeds[component] = sign
        arguments = self._moved.at(self._point.vector)
        return self._reference.side(arguments, filled(self._point, speeds), self._weights, budget=self.budget)

    def twin(self) -> Any:
        """The function and its gradient in 80 bits; None where there are no such twins."""
        if self._weights is not None:
            return None
        try:
            return self._reference.twin(self._point.fresh(), self._numbers, self._point.wrt)
        except Exception:  # no 80-bit numbers, or nothing that the compiler could differentiate
            return None

    def places(self, component: int) -> tuple[Any, ...]:
        """Where the program reads a component."""
        return tuple(self._reference.places(self._numbers, component))


def filled(point: Point, vector: Vector) -> tuple[Any, ...]:
    """The arguments with `vector` in the place of what is differentiated, and 0 for all other floats."""
    replica, numbers = _zeros(point)
    for k, leaf in enumerate(point.leaves):
        if leaf.moves:
            part = vector[leaf.start : leaf.start + leaf.size]
            if leaf.shape is None:
                numbers[k] = float(part[0])
            else:
                replica.array(k)[...] = part.reshape(leaf.shape)
    return replica.arguments(numbers)


def weighted(point: Point, weights: Weights) -> tuple[Any, ...]:
    """The arguments with the weights of what is written in its place, 0 elsewhere."""
    replica, numbers = _zeros(point)
    for k, weight in weights.items():
        replica.array(k)[...] = weight
    return replica.arguments(numbers)


def _zeros(point: Point) -> tuple[Replica, dict[int, Any]]:
    replica, numbers = Replica(point.pristine()), {}
    for k, leaf in enumerate(point.leaves):
        if leaf.floats and leaf.shape is None:
            numbers[k] = 0.0
        elif leaf.floats:
            cells: NDArray[Any] = replica.array(k)
            cells[...] = 0.0
        elif is_bound(replica.leaves[k]):
            numbers[k] = _still(replica.leaves[k])
    return replica, numbers


def _still(value: Any) -> Any:
    """A value with 0 for its floats, those that partials and methods hold included."""
    if isinstance(value, functools.partial):
        named = {name: _still(item) for name, item in value.keywords.items()}
        return functools.partial(_still(value.func), *map(_still, value.args), **named)
    if is_bound(value):
        return MethodType(value.__func__, _still(value.__self__))
    if isinstance(value, np.ndarray):
        return np.zeros_like(value) if value.dtype.kind == "f" else value
    if isinstance(value, (float, np.floating)):
        return type(value)(0.0)
    leaves = [leaf for _, leaf in walk(value, "")]
    return value if len(leaves) == 1 and leaves[0] is value else rebuilt(value, iter(map(_still, leaves)))
