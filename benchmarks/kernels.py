"""What is timed: Python functions with their arguments, and the names of their twins in peers.c."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any

import numpy as np


def sum_of_squares(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def quadratic_form(x, a):
    total = 0.0
    for i in range(len(x)):
        row = 0.0
        for j in range(len(x)):
            row += a[i, j] * x[j]
        total += x[i] * row
    return total


def cholesky(a):
    n = a.shape[0]
    total = 0.0
    for j in range(n):
        d = a[j, j]
        for k in range(j):
            d -= a[j, k] * a[j, k]
        pivot = sqrt(d)
        a[j, j] = pivot
        total += 2.0 * log(pivot)
        for i in range(j + 1, n):
            s = a[i, j]
            for k in range(j):
                s -= a[i, k] * a[j, k]
            a[i, j] = s / pivot
    return total


def lu(a):
    n = a.shape[0]
    total = 0.0
    for k in range(n):
        total += log(a[k, k])
        for i in range(k + 1, n):
            a[i, k] = a[i, k] / a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
    return total


def burgers(u, new, steps):
    n = len(u)
    for _ in range(steps):
        for i in range(1, n - 1):
            flux = u[i] * (u[i + 1] - u[i - 1]) * 5.0
            new[i] = u[i] + 0.001 * (5.0 * (u[i + 1] - 2.0 * u[i] + u[i - 1]) - flux)
        for i in range(1, n - 1):
            u[i] = new[i]
    total = 0.0
    for i in range(n):
        total += u[i] * u[i]
    return total


def slope(x, y, z):
    return 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z


def lorenz(start, steps):
    h = 0.001
    x, y, z = start[0], start[1], start[2]
    for _ in range(steps):
        ax, ay, az = slope(x, y, z)
        bx, by, bz = slope(x + h / 2 * ax, y + h / 2 * ay, z + h / 2 * az)
        cx, cy, cz = slope(x + h / 2 * bx, y + h / 2 * by, z + h / 2 * bz)
        ex, ey, ez = slope(x + h * cx, y + h * cy, z + h * cz)
        x += h / 6 * (ax + 2 * bx + 2 * cx + ex)
        y += h / 6 * (ay + 2 * by + 2 * cy + ey)
        z += h / 6 * (az + 2 * bz + 2 * cz + ez)
    return x + y + z


def insertion_sort(x, weights):
    for i in range(1, len(x)):
        j = i
        while j > 0 and x[j - 1] > x[j]:
            t = x[j - 1]
            x[j - 1] = x[j]
            x[j] = t
            j -= 1
    total = 0.0
    for i in range(len(x)):
        total += weights[i] * x[i] * x[i]
    return total


def logsumexp(x):
    largest = x[0]
    for i in range(1, len(x)):
        largest = max(largest, x[i])
    total = 0.0
    for i in range(len(x)):
        total += exp(x[i] - largest)
    return largest + log(total)


def bodies(r):
    energy = 0.0
    for i in range(r.shape[0]):
        for j in range(i):
            dx = r[i, 0] - r[j, 0]
            dy = r[i, 1] - r[j, 1]
            dz = r[i, 2] - r[j, 2]
            energy -= 1.0 / sqrt(dx * dx + dy * dy + dz * dz + 0.01)
    return energy


def matmul(ab, c):
    n = c.shape[0]
    a, b = ab[:n], ab[n:]
    for i in range(n):
        for j in range(n):
            c[i, j] = 0.0
    for i in range(n):
        for k in range(n):
            for j in range(n):
                c[i, j] += a[i, k] * b[k, j]
    total = 0.0
    for i in range(n):
        for j in range(n):
            total += c[i, j] * c[i, j]
    return total


def blas_matmul(ab, c):
    n = len(c)
    np.matmul(ab[:n], ab[n:], out=c)
    return np.vdot(c, c)


def blas_matmul_adjoint(ab, c):
    n, gradient = len(c), np.empty_like(ab)
    value = blas_matmul(ab, c)
    c *= 2.0
    np.matmul(c, ab[n:].T, out=gradient[:n])
    np.matmul(ab[:n].T, c, out=gradient[n:])
    return value, gradient


def squared(x):
    return x * x


@dataclass(frozen=True)
class Kernel:
    """A function at a size. `adjoint`: peers.c has a hand-written gradient of it, too. `numpy`: the same with NumPy's
    BLAS, and the value with the gradient. `twin`: its name in peers.c, where it is another."""

    name: str
    size: str
    f: Callable[..., Any]
    args: tuple[Any, ...]
    active: tuple[int, ...] = (0,)
    adjoint: bool = False
    numpy: tuple[Callable[..., Any], ...] = ()
    twin: str = ""


def products(random: np.random.Generator) -> list[Kernel]:
    """Two matrices below each other, and room for their product."""
    given = {n: (random.normal(size=(2 * n, n)), np.zeros((n, n))) for n in (128, 512)}
    blas = (blas_matmul, blas_matmul_adjoint)
    return [
        Kernel(f"matmul_{n}", f"n={n}", matmul, args, (0, 1), adjoint=True, numpy=blas, twin="matmul")
        for n, args in given.items()
    ]


def kernels() -> list[Kernel]:
    random = np.random.default_rng(0)
    symmetric = random.normal(size=(100, 100))
    definite = symmetric @ symmetric.T + 100.0 * np.eye(100)
    wave = np.sin(np.linspace(0.0, 2 * np.pi, 64)) + 1.5
    return [
        Kernel("sum_of_squares", "n=1e6", sum_of_squares, (random.normal(size=1_000_000),), adjoint=True),
        Kernel("rosenbrock", "n=1000", rosenbrock, (random.normal(size=1000),), adjoint=True),
        Kernel("quadratic_form", "n=256", quadratic_form, (random.normal(size=256), random.normal(size=(256, 256))),
               adjoint=True),
        Kernel("logsumexp", "n=1000", logsumexp, (random.normal(size=1000),), adjoint=True),
        Kernel("bodies", "100 bodies", bodies, (random.normal(size=(100, 3)),), adjoint=True),
        Kernel("lorenz", "1000 steps", lorenz, (np.array([1.0, 2.0, 20.0]), 1000)),
        Kernel("burgers", "64 x 1000", burgers, (wave, wave.copy(), 1000), (0, 1)),
        Kernel("cholesky", "n=100", cholesky, (definite,)),
        Kernel("lu", "n=100", lu, (definite,)),
        Kernel("insertion_sort", "n=200", insertion_sort, (random.normal(size=200), random.normal(size=200))),
        *products(random),
    ]  # fmt: skip
