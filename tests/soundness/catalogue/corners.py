"""Corners: those of the slope have one slope and pass; kinks, steps and edges are called what they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.soundness.catalogue.family import Family


def squared_hinge(x):
    return np.sum(np.maximum(x, 0) ** 2)


def signed_square(x):
    return np.sum(x * np.abs(x))


def absolute_cube(x):
    return np.sum(np.abs(x) ** 3)


def between_one_and_two(x):
    return abs(x) ** 1.5


def slope_of_between(x: float) -> float:
    return 1.5 * math.copysign(math.sqrt(abs(x)), x)


def huber(x, d):
    total = 0.0
    for i in range(len(x)):
        a = abs(x[i])
        if a <= d:
            total += 0.5 * x[i] * x[i]
        else:
            total += d * (a - 0.5 * d)
    return total


def smooth_step(x):
    t = min(max(x, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def slope_of_smooth_step(x: float) -> float:
    return 6 * x * (1 - x) if 0 < x < 1 else 0.0


def beyond(x, limit):
    if x > limit:
        return x + (x - limit) ** 2
    return x


def exponential_unit(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            total += x[i]
        else:
            total += math.exp(x[i]) - 1
    return total


def largest_of_equal(x):
    return max(x, x) * x


def absolute(x):
    return np.sum(np.abs(x))


def hinge(x, limit):
    return max(x - limit, 0.0)


def distance(x):
    return math.sqrt(x[0] * x[0] + x[1] * x[1])


def larger(x):
    return max(x[0], x[1])


def stairs(x):
    return math.floor(x) + x


def rounded(x):
    return float(np.round(x)) * x


def jump(x):
    if x >= 1.0:
        return x + 1.0
    return x


def at_the_edge(x):
    return math.sqrt(x)


def array(*values: float) -> Any:
    return np.array(values)


ROWS = [array(0.0), array(-1.0, 0.0, 2.0), array(0.0, 0.0, 1e-300), array(1e-9, -1e-9, 5.0, -0.0)]
REFUSED = ("kink", "edge of the domain")

FAMILIES = [
    Family(squared_hinge, lambda x: 2 * np.maximum(x, 0), [(x,) for x in ROWS]),
    Family(signed_square, lambda x: 2 * np.abs(x), [(x,) for x in ROWS]),
    Family(absolute_cube, lambda x: 3 * x * np.abs(x), [(x,) for x in ROWS]),
    Family(between_one_and_two, slope_of_between, [(x,) for x in (0.0, 1e-6, -1e-3, -2.0)]),
    Family(huber, lambda x, d: np.clip(x, -d, d), [(x, d) for x in ROWS for d in (0.5, 1.0, 2.0)]),
    Family(smooth_step, slope_of_smooth_step, [(x,) for x in (-1.0, 0.0, 1e-8, 0.4, 1.0, 3.0)]),
    Family(beyond, lambda x, c: 1 + 2 * max(x - c, 0.0), [(x, 1.0) for x in (0.0, 1.0, 1 + 1e-9, 2.0)]),
    Family(exponential_unit, lambda x: np.where(x > 0, 1.0, np.exp(np.minimum(x, 0))), [(x,) for x in ROWS]),
    Family(largest_of_equal, lambda x: 2 * x, [(x,) for x in (-1.0, 0.0, 2.0)]),
    Family(absolute, np.sign, [(x,) for x in (array(1e-3, -1e-9), array(-2.0, 1e9))]),
    Family(hinge, lambda x, c: float(x > c), [(x, 1.0) for x in (1 + 1e-9, 1 - 1e-9, 3.0)]),
    Family(stairs, lambda x: 1.0, [(x,) for x in (0.5, 1.999, 1 + 1e-6)]),
    Family(rounded, lambda x: float(np.round(x)), [(x,) for x in (0.3, 1.7, 2.499)]),
    Family(jump, lambda x: 1.0, [(x,) for x in (1 + 1e-9, 1 - 1e-9, 0.0)]),
    Family(at_the_edge, lambda x: 0.5 / math.sqrt(x), [(x,) for x in (1e-12, 1e-300)]),
    # No derivative here: whatever gradient comes, the point is named.
    Family(absolute, np.sign, [(x,) for x in ROWS[:3]], REFUSED),
    Family(hinge, lambda x, c: float(x > c), [(1.0, 1.0)], REFUSED),
    Family(distance, lambda x: 0 * x, [(array(0.0, 0.0),)], REFUSED),
    Family(larger, lambda x: array(1.0, 0.0), [(array(2.0, 2.0),)], REFUSED),
    Family(stairs, lambda x: 1.0, [(x,) for x in (0.0, 2.0)], REFUSED),
    Family(rounded, lambda x: float(np.round(x)), [(1.5,)], REFUSED),
    Family(jump, lambda x: 1.0, [(1.0,)], REFUSED),
    Family(at_the_edge, lambda x: math.inf, [(0.0,)], REFUSED),
]
