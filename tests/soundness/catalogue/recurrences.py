"""Long recurrences; their slopes by hand run the tangent along."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.soundness.catalogue.family import Family


def logistic_map(x, r, steps):
    for _ in range(steps):
        x = r * x * (1 - x)
    return x


def slope_of_logistic_map(x: float, r: float, steps: int) -> float:
    slope = 1.0
    for _ in range(steps):
        x, slope = r * x * (1 - x), r * (1 - 2 * x) * slope
    return slope


def damped(x, steps):
    y = x
    for _ in range(steps):
        y = 0.999 * y + 1e-3 * math.sin(y)
    return y


def slope_of_damped(x: float, steps: int) -> float:
    slope = 1.0
    for _ in range(steps):
        x, slope = 0.999 * x + 1e-3 * math.sin(x), (0.999 + 1e-3 * math.cos(x)) * slope
    return slope


def leapfrog(start, steps):
    q = start[0]
    p = start[1]
    for _ in range(steps):
        p = p - 0.005 * q
        q = q + 0.01 * p
        p = p - 0.005 * q
    return q * p


def slope_of_leapfrog(start: Any, steps: int) -> Any:
    kick, drift = np.array([[1.0, 0.0], [-0.005, 1.0]]), np.array([[1.0, 0.01], [0.0, 1.0]])
    tangent = np.linalg.matrix_power(kick @ drift @ kick, steps)
    q, p = tangent @ start
    return np.array([p, q]) @ tangent


def newton_root(a, steps):
    x = a
    for _ in range(steps):
        x = 0.5 * (x + a / x)
    return x


def slope_of_newton_root(a: float, steps: int) -> float:
    x, slope = a, 1.0
    for _ in range(steps):
        x, slope = 0.5 * (x + a / x), 0.5 * (slope + 1 / x - a * slope / (x * x))
    return slope


def fraction(x, depth):
    y = x
    for _ in range(depth):
        y = x + 1 / y
    return y


def slope_of_fraction(x: float, depth: int) -> float:
    y, slope = x, 1.0
    for _ in range(depth):
        y, slope = x + 1 / y, 1 - slope / (y * y)
    return slope


def smoothed(x, a):
    level = 0.0
    total = 0.0
    for i in range(len(x)):
        level = a * level + (1 - a) * x[i]
        total += level * level
    return total


def slope_of_smoothed(x: Any, a: float) -> Any:
    levels, level = [], 0.0
    for value in x:
        level = a * level + (1 - a) * value
        levels.append(level)
    g, adjoint = np.zeros_like(x), 0.0
    for i in reversed(range(len(x))):
        adjoint = a * adjoint + 2 * levels[i]
        g[i] = (1 - a) * adjoint
    return g


def lorenz(start, steps):
    x = start[0]
    y = start[1]
    z = start[2]
    for _ in range(steps):
        x, y, z = (
            x + 0.005 * 10 * (y - x),
            y + 0.005 * (x * (28 - z) - y),
            z + 0.005 * (x * y - 8 / 3 * z),
        )
    return x + z


def slope_of_lorenz(start: Any, steps: int) -> Any:
    x, y, z = start
    tangent = np.eye(3)
    for _ in range(steps):
        slopes = np.array([[-10, 10, 0], [28 - z, -1, -x], [y, x, -8 / 3]])
        tangent = tangent + 0.005 * slopes @ tangent
        x, y, z = (
            x + 0.005 * 10 * (y - x),
            y + 0.005 * (x * (28 - z) - y),
            z + 0.005 * (x * y - 8 / 3 * z),
        )
    return np.array([1.0, 0.0, 1.0]) @ tangent


FAMILIES = [
    Family(logistic_map, slope_of_logistic_map, [(0.3, r, n) for r in (2.5, 3.5, 3.9) for n in (5, 20, 60)]),
    Family(damped, slope_of_damped, [(1.5, n) for n in (10, 300, 3000)]),
    Family(leapfrog, slope_of_leapfrog, [(np.array([1.0, 0.5]), n) for n in (10, 300, 2000)]),
    Family(newton_root, slope_of_newton_root, [(a, n) for a in (0.01, 2.0, 1e6) for n in (3, 30)]),
    Family(fraction, slope_of_fraction, [(x, n) for x in (0.1, 1.0, 5.0) for n in (4, 100)]),
    Family(smoothed, slope_of_smoothed, [(np.cos(np.arange(n)), a) for n in (5, 100, 3000) for a in (0.3, 0.99)]),
    Family(lorenz, slope_of_lorenz, [(np.array([1.0, 2.0, 20.0]), n) for n in (10, 200, 1000)]),
]
