"""Where a gradient is differenced: components and random directions, natural steps, and the function's domain.

Small gradients are differenced in every component. Big ones along random directions, which every component enters, and
in a seeded sample of components.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_adalloc.checks.differences.extrapolation import Sides
from pytest_adalloc.checks.inputs.arguments import Point, Vector

FULL = 256  # up to so many components each of them is differenced
HUGE = 4096  # above, fewer samples


@dataclass(frozen=True)
class Directions:
    """Components of the vector and random vectors, numbered one after the other; `scale` is a step's natural size."""

    components: tuple[int, ...]
    vectors: tuple[Vector, ...]
    scale: Vector
    how: str
    counts: Vector | None = None  # where arguments share memory: 1 for each number's first component, else 0

    def slope(self, gradient: Vector) -> Vector:
        """The gradient along each direction."""
        terms = gradient if self.counts is None else gradient * self.counts
        along = [float(np.dot(terms, vector)) for vector in self.vectors]
        return np.concatenate([gradient[list(self.components)], along])


def chosen_directions(point: Point, domain: DomainBounds, seed: int) -> Directions:
    """Every component where there are few; else random directions and a sample of components."""
    scale = natural_scale(point)
    if point.size <= FULL:
        how = f"all {point.size} component{'' if point.size == 1 else 's'}"
        return Directions(tuple(range(point.size)), (), scale, how)
    count, picked = (8, 8) if point.size > HUGE else (16, 64)
    random = np.random.default_rng(seed)
    components = tuple(sorted(int(k) for k in random.choice(point.size, picked, replace=False)))
    drawn = [point.consistent(random_direction(point, scale, domain, random)) for _ in range(count)]
    vectors = tuple(vector for vector, _ in drawn)
    how = f"{count} random directions and {picked} of {point.size} components (seed {seed})"
    return Directions(components, vectors, np.concatenate([scale[list(components)], np.ones(count)]), how, drawn[0][1])


def random_direction(point: Point, scale: Vector, domain: DomainBounds, random: np.random.Generator) -> Vector:
    # Few bits in every entry keep the steps exact; different sizes keep errors from cancelling in pairs.
    size = random.integers(4, 8, point.size) / 4.0
    sign = random.choice([-1.0, 1.0], point.size)
    at_low, at_high = point.vector <= domain.low, point.vector >= domain.high
    sign = np.where(at_low, 1.0, np.where(at_high, -1.0, sign))
    return np.asarray(sign * size * scale)


def natural_scale(point: Point) -> Vector:
    """For each component a power of two near its size; where it is tiny, near the size of its neighbours."""
    scale = np.ones(point.size)
    for leaf in point.leaves:
        if leaf.moves and leaf.size:
            part = np.abs(point.vector[leaf.start : leaf.start + leaf.size])
            with np.errstate(all="ignore"):
                largest = float(np.max(part[np.isfinite(part)], initial=0.0))
                # Not below the normal numbers: a neighbour of a subnormal must not count as 0, with a step of one.
                least = max(largest * 2.0**-10, float(np.finfo(float).tiny)) if largest > 0 else 0.0
                near = np.maximum(part, least)
                exponent = np.floor(np.log2(np.where((near > 0) & np.isfinite(near), near, 1.0)))
            scale[leaf.start : leaf.start + leaf.size] = 2.0 ** np.clip(exponent, -500, 500)
    return scale


@dataclass(frozen=True)
class DomainBounds:
    """Where the function is defined, for each component."""

    low: Vector
    high: Vector

    @staticmethod
    def none(size: int) -> DomainBounds:
        return DomainBounds(np.full(size, -np.inf), np.full(size, np.inf))

    @staticmethod
    def of(domain: Any, point: Point) -> DomainBounds:
        """From `domain`: a pair for everything, or a dict from argument names to pairs; None is no bound.

        Raises TypeError for anything else, ValueError if the point is not inside.
        """
        low, high = np.full(point.size, -np.inf), np.full(point.size, np.inf)
        pairs = domain if isinstance(domain, dict) else dict.fromkeys(point.names, domain)
        for name, pair in pairs.items():
            if name not in point.names:
                raise TypeError(f"domain: there is no argument {name!r}; the arguments are {', '.join(point.names)}")
            if pair is None:
                continue
            try:
                lower, upper = pair
            except (TypeError, ValueError):
                raise TypeError(f"domain: bounds are a pair (low, high), not {pair!r}") from None
            for leaf in point.leaves:
                if leaf.moves and point.names[leaf.argument] == name:
                    part = slice(leaf.start, leaf.start + leaf.size)
                    low[part] = -np.inf if lower is None else np.broadcast_to(lower, leaf.shape or ()).reshape(-1)
                    high[part] = np.inf if upper is None else np.broadcast_to(upper, leaf.shape or ()).reshape(-1)
        outside = np.flatnonzero((point.vector < low) | (point.vector > high))
        if len(outside):
            k = int(outside[0])
            raise ValueError(f"domain: {point.spelled(k)} = {point.vector[k]:g} lies outside [{low[k]:g}, {high[k]:g}]")
        return DomainBounds(low, high)

    def clipped(self, vector: Vector) -> Vector:
        """`vector`, no component outside of its bounds."""
        return np.clip(vector, self.low, self.high)

    def sides(self, point: Point, directions: Directions) -> Sides:
        """How far each direction may go."""
        up, down = self.high - point.vector, point.vector - self.low
        forward = [float(up[k]) for k in directions.components]
        backward = [float(down[k]) for k in directions.components]
        for vector in directions.vectors:
            size = np.abs(vector)
            forward.append(float(np.min(np.where(vector > 0, up, down) / size)))
            backward.append(float(np.min(np.where(vector > 0, down, up) / size)))
        return Sides(np.array(forward), np.array(backward))
