"""Smooth functions of arrays in moderate ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.soundness.catalogue.family import Family


def wave(x, k):
    return np.sum(np.sin(k * x))


def bell(x, width):
    return np.sum(np.exp(-((x / width) ** 2)))


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


def slope_of_rosenbrock(x: Any) -> Any:
    g = np.zeros_like(x)
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    g[:-1] += -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    return g


def form(x, a):
    return x @ (a @ x)


def product(x):
    total = 1.0
    for i in range(len(x)):
        total *= x[i]
    return total


def slope_of_product(x: Any) -> Any:
    return np.array([np.prod(np.delete(x, i)) for i in range(len(x))])


def log_sum(x, t):
    top = np.max(x)
    return top + t * np.log(np.sum(np.exp((x - top) / t)))


def slope_of_log_sum(x: Any, t: float) -> Any:
    e = np.exp((x - np.max(x)) / t)
    return e / np.sum(e)


def horner(x, coefficients):
    total = 0.0
    for i in range(len(coefficients)):
        total = total * x + coefficients[i]
    return total


def slope_of_horner(x: float, coefficients: Any) -> Any:
    return np.polyval(np.polyder(coefficients), x)


def runge(x, k):
    return np.sum(1 / (1 + k * x**2))


def errors(x):
    return math.erf(x) * math.exp(-x)


def slope_of_errors(x: float) -> float:
    return (2 / math.sqrt(math.pi) * math.exp(-x * x) - math.erf(x)) * math.exp(-x)


def length(x):
    return np.sqrt(np.sum(x * x))


def angles(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += math.atan2(x[i + 1], x[i])
    return total


def slope_of_angles(x: Any) -> Any:
    square = x[1:] ** 2 + x[:-1] ** 2
    g = np.zeros_like(x)
    g[1:] += x[:-1] / square
    g[:-1] -= x[1:] / square
    return g


def squares(x, a):
    return np.sum((a @ x) ** 2)


def layers(x, a):
    return np.sum(np.tanh(a @ np.tanh(a @ x)))


def slope_of_layers(x: Any, a: Any) -> Any:
    inner = np.tanh(a @ x)
    outer = np.tanh(a @ inner)
    return a.T @ ((1 - inner**2) * (a.T @ (1 - outer**2)))


def powers(x, p):
    return np.sum(x**p)


DRAW = np.random.default_rng(11)
ROWS = [np.linspace(0.2, 1.7, n) * (-1.0) ** np.arange(n) for n in (1, 2, 7, 33)]
MATRICES = [DRAW.normal(size=(n, n)) for n in (2, 5, 9)]

FAMILIES = [
    Family(wave, lambda x, k: k * np.cos(k * x), [(x, k) for x in ROWS for k in (1.0, 7.5)]),
    Family(
        bell,
        lambda x, w: -2 * x / w**2 * np.exp(-((x / w) ** 2)),
        [(x, w) for x in ROWS for w in (0.5, 3.0)],
    ),
    Family(rosenbrock, slope_of_rosenbrock, [(x,) for x in (*ROWS[1:], np.ones(4), np.zeros(5))]),
    Family(form, lambda x, a: (a + a.T) @ x, [(np.linspace(-1, 2, len(a)), a) for a in MATRICES]),
    Family(product, slope_of_product, [(x,) for x in (*ROWS, np.array([2.0, 0.0, 3.0]), np.array([0.0, 0.0, 3.0]))]),
    Family(log_sum, slope_of_log_sum, [(x, t) for x in ROWS[1:] for t in (0.05, 1.0, 20.0)]),
    Family(
        horner,
        slope_of_horner,
        [(x, c) for x in (-1.5, 0.0, 0.3, 2.0) for c in (np.array([1.0, -2, 3]), np.arange(1.0, 9))],
    ),
    Family(runge, lambda x, k: -2 * k * x / (1 + k * x**2) ** 2, [(x, k) for x in ROWS for k in (1.0, 25.0)]),
    Family(errors, slope_of_errors, [(x,) for x in (-2.0, -0.1, 0.0, 0.7, 3.0)]),
    Family(length, lambda x: x / np.sqrt(np.sum(x * x)), [(x,) for x in ROWS]),
    Family(angles, slope_of_angles, [(x,) for x in ROWS[1:]]),
    Family(squares, lambda x, a: 2 * a.T @ (a @ x), [(np.linspace(-1, 2, len(a)), a) for a in MATRICES]),
    Family(layers, slope_of_layers, [(np.linspace(-1, 2, len(a)), a) for a in MATRICES]),
    Family(powers, lambda x, p: p * x ** (p - 1), [(abs(x), p) for x in ROWS for p in (-1.5, 0.5, 3.0)]),
]
