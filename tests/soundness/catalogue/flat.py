"""Functions of which little or nothing moves: saturated, dead, far below a constant, down among subnormal numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.soundness.catalogue.family import Family


def saturated(x, k):
    return np.sum(np.tanh(k * x))


def slope_of_saturated(x: Any, k: float) -> Any:
    return k / np.cosh(np.clip(k * x, -700, 700)) ** 2


def dead(x):
    return np.sum(np.maximum(x, 0.0) * np.maximum(-x, 0.0))


def bump(x):
    total = 0.0
    for i in range(len(x)):
        if abs(x[i]) < 1.0:
            total += math.exp(-1 / (1 - x[i] * x[i]))
    return total


def slope_of_bump(x: Any) -> Any:
    inside = np.abs(x) < 1
    y = np.where(inside, x, 0.0)
    rest = 1 - y * y
    return np.where(inside, -2 * y / rest**2 * np.exp(-1 / rest), 0.0)


def bell(x, width):
    return np.sum(np.exp(-((x / width) ** 2)))


def slope_of_bell(x: Any, width: float) -> Any:
    return -2 * x / width**2 * np.exp(-((x / width) ** 2))


def far_above(x, constant):
    return constant + np.sum(np.sin(x))


def there_and_back(x, constant):
    total = 0.0
    for i in range(len(x)):
        total += (x[i] + constant) - constant
    return total


def faint(x, factor):
    return factor * x * x


def decayed(x, rate):
    return math.exp(-rate * x)


def clipped(x):
    return np.sum(np.clip(x, -1.0, 1.0) ** 2)


def masked(x, limit):
    return np.sum(np.where(x > limit, np.log(np.maximum(x, limit)), 0.0))


def slope_of_masked(x: Any, limit: float) -> Any:
    return np.where(x > limit, 1 / np.maximum(x, limit), 0.0)


def unused(x):
    return x[0] * x[0] + 0.0 * x[1]


def quotient_of_sums(x, k):
    return np.sum(x) / (1 + math.exp(k))


ROW = np.array([-2.0, -0.3, 0.7, 1.9])

FAMILIES = [
    Family(saturated, slope_of_saturated, [(ROW, k) for k in (1.0, 20.0, 60.0, 400.0, 1e4)]),
    Family(dead, lambda x: 0 * x, [(ROW,), (1e-200 * ROW,), (1e200 * ROW,)]),
    Family(bump, slope_of_bump, [(ROW,), (0.4 * ROW,), (np.array([0.999, -0.9999, 0.0]),)]),
    Family(bell, slope_of_bell, [(ROW, w) for w in (1.0, 0.1, 0.01, 1e-3)]),
    Family(far_above, lambda x, c: np.cos(x), [(ROW, c) for c in (1e3, 1e8, -1e12)]),
    Family(there_and_back, lambda x, c: np.ones_like(x), [(ROW, c) for c in (1e3, 1e8, 1e12)]),
    Family(faint, lambda x, c: 2 * c * x, [(x, c) for x in (0.7, -3.0) for c in (1e-290, 1e-305, 1e-310, 0.0)]),
    Family(decayed, lambda x, k: -k * math.exp(-k * x), [(1.0, k) for k in (30.0, 300.0, 700.0, 745.0, 800.0)]),
    Family(clipped, lambda x: np.where(np.abs(x) < 1, 2 * x, 0.0), [(ROW,), (3 * ROW,), (0.1 * ROW,)]),
    Family(masked, slope_of_masked, [(ROW, c) for c in (1e-3, 1.0, 5.0)]),
    Family(unused, lambda x: np.array([2 * x[0], 0.0]), [(np.array(x),) for x in ((1.0, 2.0), (0.0, 3.0))]),
    Family(
        quotient_of_sums, lambda x, k: np.full_like(x, 1 / (1 + math.exp(k))), [(ROW, k) for k in (1.0, 80.0, 700.0)]
    ),
]
