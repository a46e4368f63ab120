"""NumPy programs as they stand: slices, broadcasting, axes, products. No loop has to be written out for a gradient.

Array expressions become loops, and temporaries that only hand values on disappear, so that most of these keep nothing
between the two sweeps. `max_workspace` says so, and fails when a change makes it untrue.
"""

import numpy as np
import pytest

RANDOM = np.random.default_rng(7)


@pytest.mark.no_alloc_grad(u=RANDOM.random((12, 9)), max_workspace=0)
def test_heat_on_a_plate(u):
    """Explicit steps of the heat equation: linear in u, so that its gradient needs no old values of it."""
    for _ in range(6):
        u[1:-1, 1:-1] += 0.1 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])
    return np.sum(u)


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


@pytest.mark.no_alloc_grad(
    x=RANDOM.random((8, 5)),
    w1=RANDOM.random((5, 6)),
    w2=RANDOM.random((6, 3)),
    labels=np.eye(3)[RANDOM.integers(0, 3, 8)],
)
def test_two_layers_and_cross_entropy(x, w1, w2, labels):
    """`@` and its two products in the gradient run in register tiles once the matrices are larger than these."""
    hidden = np.tanh(x @ w1)
    return -np.mean(np.sum(labels * np.log(softmax(hidden @ w2)), axis=1))


@pytest.mark.no_alloc_grad(a=np.tril(RANDOM.random((7, 7))) + 2 * np.eye(7), b=RANDOM.random(7), max_workspace=0)
def test_forward_substitution(a, b):
    """In place; `b[:i]` is what the loop has solved already, and nothing of it is overwritten again."""
    for i in range(len(b)):
        b[i] = (b[i] - a[i, :i] @ b[:i]) / a[i, i]
    return np.sum(b**2)


@pytest.mark.no_alloc_grad(points=RANDOM.random((20, 2)), centres=RANDOM.random((3, 2)))
def test_distances_to_the_nearest_centre(points, centres):
    """A broadcast over 20 x 3 x 2 numbers that exists nowhere in memory; which centre is nearest is remembered."""
    squares = np.sum((points[:, None, :] - centres[None, :, :]) ** 2, axis=2)
    return np.sum(np.min(squares, axis=1))


@pytest.mark.no_alloc_grad(price=100 + RANDOM.random(50), strike=100.2, max_workspace=0)
def test_a_smooth_payoff(price, strike):
    """Masks select without a branch in your code."""
    gain = price - strike
    gain[gain < 0] = 0.0
    return np.mean(gain**2)
