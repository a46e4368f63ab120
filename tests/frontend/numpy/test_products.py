"""Products of vectors and matrices."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.numpy.support import agrees, check_gradient, check_native
from tests.frontend.support import compiled, run

RNG = np.random.default_rng(6)


def products(A, B, x, y):
    return (A @ x, y @ A, A @ B, B @ A, A.T @ A, A @ A.T, x @ x, np.dot(A, x), np.dot(A, B), np.matmul(A, B), A.dot(x),
            np.outer(x, y), x.dot(x), (A + 1) @ (2 * x), A @ B @ y, A[:, ::-1] @ B[::-1], A[1:] @ x, A @ B[:, :1],
            np.inner(x, x), np.vdot(y, y), np.outer(x, x * 2) @ x, A @ np.ones(4), np.dot(2.0, x))  # fmt: skip


def in_place(A, x, y):
    y += A @ x
    A -= np.outer(y, x)
    A[:] = A @ (A.T @ A)
    x[:] = y @ A + x


def batches(T, U):
    return T @ U, T @ U[0], T[0] @ U, np.matmul(T, U)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_products(dtype):
    A, B = (RNG.standard_normal((3, 4)) * 4).astype(dtype), (RNG.standard_normal((4, 3)) * 4).astype(dtype)
    x, y = (RNG.standard_normal(4) * 4).astype(dtype), (RNG.standard_normal(3) * 4).astype(dtype)
    agrees(products, A, B, x, y, exact=False)
    agrees(products, np.asfortranarray(A), B[::-1, ::-1], x[::-1], y, exact=False)
    if dtype == np.float64:
        check_native(products, A, B, x, y)
        agrees(in_place, A, x, y, exact=False)


def test_stacks_of_matrices():
    agrees(batches, RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 4, 5)), exact=False)


def test_types_meet():
    def f(A, x):
        return A @ x, x @ A

    agrees(f, np.ones((2, 2), np.float32), np.array([1.0, 2.0]), exact=False)
    agrees(f, np.ones((2, 2), np.float32), np.array([1, 2]), exact=False)


def matrix_vector(A, x):
    return A @ x


def vectors(x, y):
    return np.dot(x, y)


def test_lengths_that_differ_raise_as_numpy_does():
    agrees(matrix_vector, np.ones((2, 3)), np.ones(4))
    agrees(vectors, np.ones(3), np.ones(2))


def moment(r, force):
    return np.sum(np.cross(r, force) ** 2)


def test_cross():
    check_gradient(moment, np.array([1.0, 2.0, -0.5]), np.array([0.25, -1.0, 3.0]))
    agrees(lambda x, y: np.cross(x, y), np.arange(3), np.ones(3, np.float32))
    with pytest.raises(NotImplementedError, match="vectors of three"):
        run(compiled(moment, np.ones(3), np.ones(3)), np.ones(2), np.ones(3))


def without_axes(f, x):
    F = np.array(f)
    return np.sum(np.dot(F, x)) + np.dot(F, F) + np.inner(F, 2.0) + np.sum(np.outer(F, x)) + np.sum(np.dot(x, F))


def test_factors_without_axes():
    x = np.array([0.5, 2.0, -1.0])
    check_gradient(without_axes, 1.5, x)
    agrees(without_axes, 1.5, x, exact=False)
    agrees(lambda x, A: np.outer(A, x), x, np.ones((2, 2)), exact=False)
