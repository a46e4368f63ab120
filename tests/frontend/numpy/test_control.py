"""Array expressions where control flow asks for them: conditions of loops, iteration, comprehensions, lambdas."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.numpy.support import agrees, check_gradient

RNG = np.random.default_rng(12)


def richardson(A, b):
    x = np.zeros_like(b)
    while np.max(np.abs(A @ x - b)) > 1e-2:
        x = x + 0.1 * (b - A @ x)
    return np.sum(x**2)


def newton(x):
    k = 0
    while np.any(np.abs(x**2 - 2) > 1e-6) and k < 20:
        x = x - (x**2 - 2) / (2 * x)
        k += 1
    return np.sum(x) + k


def backtracking(x):
    step = 1.0
    g = 4 * x**3
    while np.sum((x - step * g) ** 4) > np.sum(x**4) - 0.1 * step * (g @ g):
        step *= 0.5
    return step * np.sum(g)


def iteration(x, A):
    s = 0.0
    for v in x * 2:
        s += v
    for row in A + 1:
        s += row @ x
    for row in x[:, None] * 2:
        s += row[0]
    for row in x.reshape(2, 2):
        s += row[0] - row.sum()
    for a, b in zip(x + 1, A[0] * 2, strict=True):
        s += a * b
    total = sum(v * v for v in x - 1)
    parts = [np.sum(row * x) for row in A]
    return s + total + parts[1] + max(x * 2) + sum(x * x)


def functions(x, A):
    square = lambda u: u * u  # noqa: E731
    norm = lambda u: np.sqrt(np.sum(square(u)))  # noqa: E731

    def layer(u, W, act=np.tanh):
        return act(W @ u)

    u = layer(x, A)
    return norm(u) + np.sum(square(x) * layer(x, A, lambda v: v / 2)[0])


SPD = np.eye(4) * 2 + 0.3 * np.ones((4, 4))
CASES = [
    (richardson, (SPD, RNG.random(4))), (newton, (RNG.random(3) + 1,)), (backtracking, (RNG.random(3) + 0.5,)),
    (iteration, (RNG.random(4), RNG.random((3, 4)))), (functions, (RNG.random(4), RNG.random((4, 4)))),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args"), CASES)
def test_control(f, args):
    agrees(f, *args, exact=False)
    check_gradient(f, *args)


def short(x):
    if np.sum(x) > 1 and np.all(x > 0):
        return np.sum(np.log(x))
    if (x < 0).any():
        return -np.sum(x[x < 0])
    return 0.0


@pytest.mark.parametrize("x", [[1.0, 2.0], [1.0, -2.0], [0.1, 0.2]])
def test_conditions(x):
    agrees(short, np.array(x), exact=False)
    check_gradient(short, np.array(x))
