"""Functions that change fast somewhere: steep fronts, stiff steps, repulsion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.soundness.catalogue.family import Family


def front(x, k):
    return np.sum(1 / (1 + np.exp(-k * x)))


def slope_of_front(x: Any, k: float) -> Any:
    e = np.exp(-np.abs(k * x))  # does not overflow
    return k * e / (1 + e) ** 2


def overflowing(x, k):
    return np.sum(1 / (1 + np.exp(-k * x)))


def arrhenius(t, energy):
    return 1e13 * math.exp(-energy / (8.314 * t))


def slope_of_arrhenius(t: float, energy: float) -> float:
    return arrhenius(t, energy) * energy / (8.314 * t * t)


def implicit_decay(x, k, steps):
    for _ in range(steps):
        x = x / (1 + 0.1 * k)
    return x * x


def slope_of_implicit_decay(x: float, k: float, steps: int) -> float:
    return 2 * x / (1 + 0.1 * k) ** (2 * steps)


def van_der_pol(start, mu, steps):
    x = start[0]
    v = start[1]
    for _ in range(steps):
        x, v = x + 1e-3 * v, v + 1e-3 * (mu * (1 - x * x) * v - x)
    return x * x + v


def slope_of_van_der_pol(start: Any, mu: float, steps: int) -> Any:
    x, v = start
    tangent = np.eye(2)
    for _ in range(steps):
        move = np.array([[1.0, 1e-3], [1e-3 * (-2 * mu * x * v - 1), 1 + 1e-3 * mu * (1 - x * x)]])
        tangent = move @ tangent
        x, v = x + 1e-3 * v, v + 1e-3 * (mu * (1 - x * x) * v - x)
    return np.array([2 * x, 1.0]) @ tangent


def lennard_jones(r, sigma):
    total = 0.0
    for i in range(len(r)):
        s = (sigma / r[i]) ** 6
        total += 4 * (s * s - s)
    return total


def slope_of_lennard_jones(r: Any, sigma: float) -> Any:
    s = (sigma / r) ** 6
    return 4 * (-12 * s * s + 6 * s) / r


def ripple(x, k):
    return x + math.sin(k * x) / k


FAMILIES = [
    Family(front, slope_of_front, [(np.linspace(-a, a, 5) + a / 10, k) for a in (1e-3, 0.05) for k in (1e2, 1e4)]),
    # exp overflows on the way: value and slope are right, a tangent of forward mode is infinity times 0.
    Family(overflowing, slope_of_front, [(np.linspace(-a, a, 5) + 0.01, 1e4) for a in (0.1, 2.0)], only_by_hand=True),
    Family(arrhenius, slope_of_arrhenius, [(t, e) for t in (300.0, 900.0) for e in (1e3, 5e4, 2e5)]),
    Family(implicit_decay, slope_of_implicit_decay, [(2.0, k, n) for k in (1.0, 1e3, 1e6) for n in (3, 20)]),
    Family(
        van_der_pol,
        slope_of_van_der_pol,
        [(np.array([2.0, 0.1]), mu, n) for mu in (1.0, 30.0, 500.0) for n in (10, 200)],
    ),
    Family(lennard_jones, slope_of_lennard_jones, [(np.linspace(r, 3, 6), 1.0) for r in (0.05, 0.5, 1.0)]),
    Family(ripple, lambda x, k: 1 + math.cos(k * x), [(x, k) for x in (0.0, 0.3) for k in (1e3, 1e6)]),
]
