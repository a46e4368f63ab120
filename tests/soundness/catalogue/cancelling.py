"""Programs whose digits cancel; the slope by hand is by a formula that keeps them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.soundness.catalogue.family import Family


def one_minus_cosine(x):
    return (1 - math.cos(x)) / x**2


def slope_of_one_minus_cosine(x: float) -> float:
    if x < 0.05:
        return -x / 12 + x**3 / 180 - x**5 / 6720
    return math.sin(x) / x**2 - 2 * (1 - math.cos(x)) / x**3


def exponential_rest(x):
    return math.exp(x) - 1 - x


def root_difference(x):
    return math.sqrt(x + 1) - math.sqrt(x)


def slope_of_root_difference(x: float) -> float:
    a, b = math.sqrt(x + 1), math.sqrt(x)
    return -1 / (2 * a * b * (a + b))


def log_of_one_and(x):
    return math.log(1 + x)


def cube_spelled_out(x):
    return x**3 - 3 * x**2 + 3 * x - 1


def variance(x):
    n = len(x)
    return np.sum(x * x) / n - (np.sum(x) / n) ** 2


def binomial(x, a):
    return (x + a) ** 2 - a**2 - x**2


def alternating(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i] if i % 2 == 0 else -x[i] * x[i]
    return total


def slope_of_alternating(x: Any) -> Any:
    return 2 * x * (-1.0) ** np.arange(len(x))


def small_root(b, c):
    return -b + math.sqrt(b * b - c)


def slope_of_small_root(b: float, c: float) -> float:
    root = math.sqrt(b * b - c)
    return c / ((b + root) * root)


def tangent_minus_sine(x):
    return math.tan(x) - math.sin(x)


def slope_of_tangent_minus_sine(x: float) -> float:
    c = math.cos(x)
    return 2 * math.sin(x / 2) ** 2 * (1 + c + c * c) / c**2


def sine_squares(x):
    return math.sin(x) ** 2 + math.cos(x) ** 2


TINY = (0.5, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)

FAMILIES = [
    Family(one_minus_cosine, slope_of_one_minus_cosine, [(x,) for x in TINY]),
    Family(exponential_rest, math.expm1, [(x,) for x in TINY]),
    Family(root_difference, slope_of_root_difference, [(10.0**k,) for k in (0, 2, 4, 6, 9, 12)]),
    Family(log_of_one_and, lambda x: 1 / (1 + x), [(x,) for x in (*TINY, 1e-12)]),
    Family(cube_spelled_out, lambda x: 3 * (x - 1) ** 2, [(1 + x,) for x in TINY]),
    Family(
        variance,
        lambda x: 2 * (x - np.mean(x)) / len(x),
        [(np.arange(n) * 1.0 + far,) for n in (2, 8, 33) for far in (0.0, 1e3, 1e6)],
    ),
    Family(binomial, lambda x, a: 2 * a, [(x, a) for x in (1.0, 1e-6) for a in (1.0, 1e5, 1e9)]),
    Family(alternating, slope_of_alternating, [(np.full(n, 1.1),) for n in (2, 9, 40)]),
    Family(small_root, slope_of_small_root, [(b, 1.0) for b in (2.0, 1e2, 1e4, 1e6)]),
    Family(tangent_minus_sine, slope_of_tangent_minus_sine, [(x,) for x in TINY]),
    Family(sine_squares, lambda x: 0.0, [(x,) for x in (0.0, 0.3, 1.0, 40.0)]),
]
