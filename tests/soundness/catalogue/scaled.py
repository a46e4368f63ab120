"""Badly scaled: components whose slopes, or whose own sizes, are many decades apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.soundness.catalogue.family import Family


def weighted(x, w):
    return np.sum(w * x * x)


def far_exponential(x, scale):
    return math.exp(x / scale)


def two_scales(x, large):
    return large * x[0] * x[0] + x[1] * x[1] / large


def square_root(x):
    return math.sqrt(x)


def reciprocal(x):
    return 1 / x


def logarithm(x):
    return math.log(x)


def mixed_units(x):
    return x[0] * x[1] ** 2 / x[2]


def slope_of_mixed_units(x: Any) -> Any:
    return np.array([x[1] ** 2 / x[2], 2 * x[0] * x[1] / x[2], -x[0] * x[1] ** 2 / x[2] ** 2])


def offset(x, far):
    return np.sum((x + far) * x)


SIZES = (1e-150, 1e-30, 1e-8, 1.0, 1e8, 1e100)

FAMILIES = [
    Family(
        weighted,
        lambda x, w: 2 * w * x,
        [(np.linspace(0.5, 1.5, n), np.logspace(-d, d, n)) for n in (3, 9) for d in (3, 8, 15)],
    ),
    Family(far_exponential, lambda x, s: math.exp(x / s) / s, [(0.7 * s, s) for s in SIZES]),
    Family(
        two_scales,
        lambda x, c: np.array([2 * c * x[0], 2 * x[1] / c]),
        [(np.array([a, b]), c) for a, b in ((1.0, 1.0), (1e-6, 1e6)) for c in (1e4, 1e9, 1e14)],
    ),
    Family(square_root, lambda x: 0.5 / math.sqrt(x), [(s,) for s in SIZES]),
    Family(reciprocal, lambda x: -1 / x / x, [(s,) for s in SIZES]),
    Family(logarithm, lambda x: 1 / x, [(s,) for s in SIZES]),
    Family(
        mixed_units,
        slope_of_mixed_units,
        [(np.array(x),) for x in ((9.1e-31, 3e8, 1.6e-19), (1e-9, 1e3, 1e12), (6e23, 1e-7, 1e-3))],
    ),
    Family(offset, lambda x, far: 2 * x + far, [(np.linspace(1, 2, 4), far) for far in (1e3, 1e8, 1e14)]),
]
