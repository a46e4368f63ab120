"""float32: arguments and arithmetic in single precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.soundness.catalogue import smooth
from tests.soundness.catalogue.family import Family

f32 = np.float32


def total_of_squares(x):
    return np.sum(x * x)


def convolved(x, kernel):
    total = np.float32(0)
    for i in range(len(x) - len(kernel) + 1):
        s = np.float32(0)
        for j in range(len(kernel)):
            s += x[i + j] * kernel[j]
        total += s * s
    return total


def slope_of_convolved(x: Any, kernel: Any) -> Any:
    return 2 * np.convolve(np.correlate(x, kernel, "valid"), kernel, "full")


def tanh_sum(x):
    return np.sum(np.tanh(x))


def standardized(x):
    y = x - np.mean(x)
    return np.sum(y**3) / np.sqrt(np.mean(y * y))


def slope_of_standardized(x: Any) -> Any:
    y = x.astype(np.float64) - np.mean(x, dtype=np.float64)
    n, s = len(x), np.sqrt(np.mean(y * y))
    g = 3 * y**2 / s - np.sum(y**3) * y / (n * s**3)
    return (g - np.mean(g)).astype(np.float32)


def drawn(n: int, seed: int = 3) -> Any:
    return np.random.default_rng(seed).normal(size=n).astype(np.float32)


ROWS = [drawn(n) for n in (1, 3, 8, 33, 100)]

FAMILIES = [
    Family(total_of_squares, lambda x: 2 * x, [(x,) for x in (*ROWS, drawn(5000), f32(1e3) + drawn(50))]),
    Family(convolved, slope_of_convolved, [(drawn(n), drawn(k, 5)) for n in (9, 60) for k in (2, 5)]),
    Family(tanh_sum, lambda x: f32(1) - np.tanh(x) ** 2, [(x,) for x in (*ROWS, f32(0.01) * drawn(20))]),
    Family(standardized, slope_of_standardized, [(x,) for x in ROWS[1:]]),
    Family(smooth.wave, lambda x, k: k * np.cos(k * x), [(x, f32(k)) for x in ROWS for k in (1, 4)]),
    Family(smooth.length, lambda x: x / np.sqrt(np.sum(x * x)), [(x,) for x in ROWS]),
    Family(smooth.rosenbrock, smooth.slope_of_rosenbrock, [(x,) for x in ROWS[1:]]),
    Family(smooth.squares, lambda x, a: 2 * a.T @ (a @ x), [(drawn(n), drawn(n * n, 9).reshape(n, n)) for n in (2, 7)]),
    Family(smooth.layers, smooth.slope_of_layers, [(drawn(n), drawn(n * n, 9).reshape(n, n)) for n in (2, 7)]),
    Family(smooth.log_sum, smooth.slope_of_log_sum, [(x, f32(t)) for x in ROWS[1:] for t in (0.5, 2)]),
]
