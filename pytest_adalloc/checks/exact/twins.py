"""Large arrays: every component of a gradient against the same gradient in 80-bit numbers.

1. Differences of the function's own 80-bit twin, along random directions and some components, have to agree with the
   gradient's twin: that one shares its rules with the gradient under test, differences do not.
2. How far rounding moves each component, another kernel tells: the gradient in the *other* precision (float32 for a
   float64 program) against the 80-bit one, scaled by the ratio of their roundings. A fault of the tested code does not
   widen its own allowance.
3. The same twin says how far values may be apart (`allowance`): recurrences drift with every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.differences.judging import Tolerance
from pytest_adalloc.checks.exact.judging import sizes
from pytest_adalloc.checks.exact.slopes import PointReference
from pytest_adalloc.checks.inputs.arguments import Point, Vector
from pytest_adalloc.checks.verdict.comparison import SMOOTH, Comparison, digits_of

DIRECTIONS, COMPONENTS = 2, 2
EXPONENTS = (-10, -14, -18, -22, -6)
"""Of the steps, relative to the sizes of the numbers: too small to meet the corners of others."""
FINER = 4  # the step that a slope is extrapolated with, as an exponent: another one of the list, so that it is there
KINK_EXPONENTS = (-18, -22)
SAFETY = 32.0
ROUGHLY = 64.0  # roundings that a component may always be off
DROWNED = 0.1
POINTS = 3
RATIO = 2.0**29  # of the roundings of float32 and float64


@dataclass(frozen=True)
class LargeReference:
    """The twin of a function at a point: its `value`, and how far others may be off (`allowance`), which is what the
    program's own numbers, and rounding of the point, do. `roundoff` is that of the program."""

    twin: Any
    point: Point
    roundoff: float
    value: float
    allowance: float
    places: Callable[[int], tuple[Any, ...]]

    @staticmethod
    def of(reference: PointReference | None, point: Point, seed: int) -> LargeReference | None:
        """None where the function has no twin: no 80-bit numbers here, no number returned, memory that is shared."""
        twin = reference.twin() if reference is not None else None
        if reference is None or twin is None:
            return None
        known = _allowance(twin, point.vector.astype(np.longdouble), reference.roundoff, seed)
        return None if known is None else LargeReference(twin, point, reference.roundoff, *known, reference.places)

    def compare(self, gradient: Vector, tolerance: Tolerance, domain: DomainBounds, seed: int) -> Comparison | None:
        """The verdict; None where the twins of function and gradient do not agree, so that nothing is known."""
        vector, random = self.point.vector.astype(np.longdouble), np.random.default_rng(seed)
        try:
            with np.errstate(all="ignore"):
                right = self.twin.gradient(vector)
                if not np.all(np.isfinite(right)) or not self._agree(right, vector, domain, random):
                    return None
                return self._decided(right, gradient, self._rounding(vector, random), tolerance)
        except Exception:
            return None

    def _agree(self, right: Any, vector: Any, domain: DomainBounds, random: np.random.Generator) -> bool:
        """Whether differences of the function and the gradient say the same, in 80 bits."""
        scale = sizes(self.point)
        room = np.minimum(self.point.vector - domain.low, domain.high - self.point.vector)
        middle = self.twin.value(vector)
        size = abs(float(middle))
        noise = 2.0**-48 * size
        for k in range(DIRECTIONS + COMPONENTS):
            along = random.choice([-1.0, 1.0], self.point.size) * random.integers(4, 8, self.point.size) / 4.0 * scale
            if k >= DIRECTIONS:
                only = int(random.integers(self.point.size))
                along = np.where(np.arange(self.point.size) == only, scale, 0.0)
            along = np.where(room >= 2.0**-6 * np.abs(along), along, 0.0).astype(np.longdouble)
            line = _Line(self.twin, vector, along, middle)
            slope, bar = line.slope()
            terms = float(np.abs(right) @ np.abs(along))
            if not abs(float(slope - right @ along)) <= SAFETY * bar + ROUGHLY * noise + 1e-12 * terms:
                return False
            # Even shares at a tie are the mean of both slopes, as central differences are.
            if k < DIRECTIONS and line.kinked(2.0**-62 * size):
                return False
        return True

    def _rounding(self, vector: Any, random: np.random.Generator) -> Vector:
        """How far the program's own numbers move each component."""
        single = self.roundoff > 1e-10
        other, factor = ("f64", RATIO) if single else ("f32", 1.0 / RATIO)
        out = np.zeros(len(vector))
        for _ in range(POINTS):
            near = self.point.vector * (1 + random.integers(-8, 9, len(vector)) * 2.0**-24)
            at = near.astype(np.float32).astype(np.longdouble)
            off = np.abs(self.twin.gradient(at, other) - self.twin.gradient(at)).astype(float) * factor
            out = np.fmax(out, off)
        # Where the narrower numbers overflow they say nothing.
        return np.where(np.isfinite(out), out, 1e4 * self.roundoff * np.abs(self.point.vector))

    def _decided(self, right: Any, gradient: Vector, rounding: Vector, tolerance: Tolerance) -> Comparison:
        expected = right.astype(float)
        size = np.abs(expected)
        ratio = np.where(size > 0, rounding / np.where(size > 0, size, 1.0), np.nan)
        typical = float(np.nan_to_num(np.nanmedian(ratio))) if np.any(size > 0) else 0.0
        usual = (SAFETY * typical + ROUGHLY * self.roundoff) * size
        allowed = SAFETY * rounding + usual + (tolerance.rtol or 0.0) * size + (tolerance.atol or 0.0)
        off = np.abs(gradient - right).astype(float)
        bad = ~(off <= allowed)
        drowned = (SAFETY * rounding > DROWNED * size) & (size > 0)
        clear = ~drowned & (size > 0)
        relative = off / np.where(size > 0, size, 1.0)
        excess = np.nan_to_num(off, nan=np.inf) / np.maximum(allowed, float(np.finfo(float).tiny))
        rank = np.where(bad, excess, -1.0) if np.any(bad) else np.where(clear, relative, -1.0)
        k = int(np.argmax(rank))
        agreed, leaves = None, None
        if np.any(clear):
            agreed, leaves = digits_of(float(np.max(relative[clear]))), digits_of(float(np.max(ratio[clear])))
        return Comparison(
            "gradient wrong" if np.any(bad) else "passed",
            float(np.max(relative[clear], initial=0.0)), k, float(expected[k]), float(gradient[k]),
            float(rounding[k]), float(expected[k]), float(expected[k]), SMOOTH,
            f"80-bit slopes of all {self.point.size} components", 0.0,
            digits=None if agreed is None or leaves is None else min(agreed, leaves), leaves=leaves,
            drowned=tuple(int(i) for i in np.flatnonzero(drowned)), exact=True,
            places=self.places(k) if np.any(bad) else (),
        )  # fmt: skip


class _Line:
    """The function's twin on a line through the point: each value is computed once, they are what a check costs."""

    def __init__(self, twin: Any, vector: Any, along: Any, middle: Any) -> None:
        self._twin, self._vector, self._along, self._middle = twin, vector, along, middle
        self._known: dict[int, tuple[Any, Any]] = {}

    def slope(self) -> tuple[Any, float]:
        """A slope of the function, extrapolated once, and the spread of three steps in a row that agree best."""
        found: list[Any] = []
        best: tuple[float, Any] = (math.inf, np.nan)
        for exponent in EXPONENTS:
            found.append((4**FINER * self._central(exponent - FINER) - self._central(exponent)) / (4**FINER - 1))
            if len(found) >= 3:
                spread = float(max(abs(found[-3] - found[-2]), abs(found[-2] - found[-1])))
                best = min(best, (spread, found[-2]), key=lambda pair: pair[0])
                if spread <= 1e-10 * abs(float(found[-1])):
                    break
        return best[1], best[0]

    def kinked(self, noise: float) -> bool:
        """Whether the slopes of both sides differ: by the same amount, however small the step is."""
        even = []
        for exponent in KINK_EXPONENTS:
            ahead, behind = self._sides(exponent)
            even.append(abs(float((ahead + behind - 2 * self._middle) / np.longdouble(2.0) ** exponent)))
        return even[1] > max(0.5 * even[0], ROUGHLY * noise / 2.0 ** KINK_EXPONENTS[1])

    def _central(self, exponent: int) -> Any:
        ahead, behind = self._sides(exponent)
        return (ahead - behind) / (2 * np.longdouble(2.0) ** exponent)

    def _sides(self, exponent: int) -> tuple[Any, Any]:
        """The values a step ahead and a step behind."""
        if exponent not in self._known:
            step = np.longdouble(2.0) ** exponent * self._along
            self._known[exponent] = self._twin.value(self._vector + step), self._twin.value(self._vector - step)
        return self._known[exponent]


def _allowance(twin: Any, vector: Any, roundoff: float, seed: int) -> tuple[float, float] | None:
    """The value in 80 bits, and how far others may be off."""
    random = np.random.default_rng(seed)
    try:
        wide = twin.value(vector)
        drift = abs(twin.rounded_value(vector) - float(wide))
        steps = random.integers(-4, 5, (POINTS, len(vector))) * np.longdouble(roundoff)
        spread = max(abs(float(twin.value(vector * (1 + step)) - wide)) for step in steps)
    except Exception:  # what it raises beside the point is about its domain
        return None
    if not math.isfinite(drift + spread):
        return None
    return float(wide), 16.0 * (drift + spread) + ROUGHLY * roundoff * abs(float(wide))


__all__ = ["LargeReference"]
