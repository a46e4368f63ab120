"""Planted errors: 15 kinds of wrong gradients of one function, in one component, as small as one likes.

A kind says what stands there instead of the right slope. An error of size s is a share s of that mistake, as if it had
been made in a term that contributes so much: the slope is `right + s * (mistaken - right)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_adalloc import CheckFailed, GradReport, check_gradient


def energy(x):
    return np.sum(np.sin(x) * x**2)


def unreadable(x):
    """The same, in a way that the compiler can't read."""
    return float(np.sum(np.sin(x) * np.array(list(map(float, x))) ** 2))


def slopes(x: Any) -> Any:
    return np.cos(x) * x**2 + 2 * np.sin(x) * x


# What is mistaken for the slope by component k: of the right gradient g at x.
KINDS: dict[str, Callable[[Any, Any, int], Any]] = {
    "scaled": lambda g, x, k: 2 * g[k],
    "sign": lambda g, x, k: -g[k],
    "forgotten component": lambda g, x, k: 0 * g[k],
    "swapped with the last": lambda g, x, k: g[-1] if k != len(g) - 1 else g[0],
    "off by one": lambda g, x, k: g[k - 1],
    "transposed": lambda g, x, k: g[transposed(k, len(g))],
    "stale point": lambda g, x, k: slopes(0.9 * x[k]),
    "read after write": lambda g, x, k: slopes(x[k] + g[k]),
    "missing term": lambda g, x, k: 2 * np.sin(x[k]) * x[k],
    "missing factor": lambda g, x, k: np.cos(x[k]) * x[k] ** 2 + np.sin(x[k]) * x[k],
    "wrong function": lambda g, x, k: np.sin(x[k]) * x[k] ** 2 + 2 * np.sin(x[k]) * x[k],
    "term added twice": lambda g, x, k: g[k] + 2 * np.sin(x[k]) * x[k],
    "mean for sum": lambda g, x, k: g[k] / len(g),
    "neighbour leaks in": lambda g, x, k: g[k] + g[k - 1],
    "clipped": lambda g, x, k: np.clip(g[k], -abs(g[k]) / 2, abs(g[k]) / 2),
}
SIZES = tuple(10.0**-e for e in range(1, 15))


def transposed(k: int, n: int) -> int:
    """Where component k goes when rows of two are taken for columns."""
    half = n // 2
    return k // 2 + half * (k % 2)


@dataclass(frozen=True)
class Place:
    """Where errors are planted: component k of the gradient of f at x."""

    name: str
    f: Callable[..., Any]
    x: Any
    k: int

    def right(self, x: Any) -> Any:
        """The right gradient."""
        return slopes(x)

    def wrong(self, kind: str, size: float, x: Any) -> Any:
        """The gradient with one wrong component."""
        g = slopes(x)
        g[self.k] += size * (KINDS[kind](slopes(x), x, self.k) - g[self.k])
        return g

    def report(self, grad: Callable[[Any], Any]) -> GradReport:
        """What the check says of a gradient, whether it passes or not."""
        try:
            return check_gradient(self.f, self.x, grad=grad)
        except CheckFailed as failure:
            return failure.report

    def seen(self, kind: str, size: float) -> bool:
        """Whether the error is called one."""
        return self.report(lambda x: self.wrong(kind, size, x)).verdict == "gradient wrong"


FEW = np.array([0.7, 1.3, 0.02, 2.9, 1.1, 0.4, 0.013, 2.5])
MANY = np.random.default_rng(0).normal(size=100_000)
LARGEST, SMALL, SOME = int(np.argmax(np.abs(slopes(FEW)))), 2, 43_210

PLACES = [
    Place("largest of 8", energy, FEW, LARGEST),
    Place("a small one", energy, FEW, SMALL),
    Place("1 of 100,000", energy, MANY, SOME),
    Place("largest, float32", energy, FEW.astype(np.float32), LARGEST),
    Place("small, float32", energy, FEW.astype(np.float32), SMALL),
    Place("1 of 100,000, float32", energy, MANY.astype(np.float32), SOME),
    Place("largest, calls alone", unreadable, FEW, LARGEST),
    Place("small, calls alone", unreadable, FEW, SMALL),
]
