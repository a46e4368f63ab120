"""Shapes changed: views where NumPy gives views."""

from __future__ import annotations

import numpy as np
import pytest

from adcore.errors import CompileError
from tests.frontend.numpy.support import agrees, check_gradient, check_native
from tests.frontend.support import compiled

RNG = np.random.default_rng(4)


def shapes(x, A, T, n):
    B = x.reshape(3, 4)
    C = x.reshape((n, -1))
    flat = A.reshape(-1)
    D = np.reshape(T, (2, -1))
    E = T.reshape(6, 4)
    s = B[1] * 2 + C[0, 0] + B[:, ::-1][2] + flat[:4] + flat[-4:]
    return (s, B[1, 2], B.T[2] + C[-1, 0], D.sum(axis=1), (x * 2).reshape(4, 3), A.ravel() * 2, np.ravel(A)[3],
            E[1:3, 1:] @ B.T[1:], x.reshape(2, 2, 3)[:, 1].sum(axis=0), A.flatten(), (A + 1).reshape(-1, 2), B.shape,
            len(C), D.ndim, np.squeeze(A[:1], axis=0), x.reshape(12, 1).T @ x, B[None, 0].shape,
            T.reshape(2, 3, 2, 2)[1, 2] + 0,
            x[2:8].reshape(2, 3) + 0, x[::3].reshape(2, 2) * B[1:, :2], B.reshape(2, 6).sum(axis=0))  # fmt: skip


def written(x, A):
    B = x.reshape(3, 4)
    B[1] = 5.0
    B += A
    B[:, 0] *= 2
    B[B > 4] = 0.0
    flat = A.ravel()
    flat[1:] -= flat[:-1]
    flat[:] = flat[::-1]
    x[0] = 100.0
    A.reshape(2, 6)[1] = x[:6]
    return B[0, 0], flat[0], B + 0


def unpacked(p, X):
    W = p[:6].reshape(3, 2)
    b = p[6:8]
    v = p[8:].reshape(2, 1)
    h = np.tanh(X @ W + b)
    return np.sum((h @ v) ** 2)


def test_reshape():
    x, A, T = RNG.random(12), RNG.random((3, 4)), RNG.random((2, 3, 4))
    for n in (1, 3, 12):
        agrees(shapes, x, A, T, n, exact=False)
    check_native(shapes, x, A, T, 3)
    agrees(written, x, A)
    check_native(written, x, A)
    check_gradient(unpacked, RNG.random(10), RNG.random((4, 3)))


def wrong(x, n):
    return x.reshape(5, n) + 0


def wrong_rest(x):
    return x.reshape(5, -1) + 0


def wide(A):
    return np.squeeze(A, axis=0)


def test_numbers_that_do_not_fit():
    agrees(wrong, np.ones(6), 2)
    agrees(wrong_rest, np.ones(6))
    agrees(wide, np.ones((2, 3)))


def turned(A):
    return A.T.reshape(-1)


def result_of_turned(A):
    # NumPy's sum is laid out as its operands are, and then its new shape is a copy.
    B = A.T + A.T
    B.reshape(-1)[0] = 5.0
    return B[0, 0]


def copied_first(A):
    B = (A.T + A.T).copy()
    B.reshape(-1)[0] = 5.0
    return B[0, 0] + A.T.copy().reshape(-1)[1] + (A.T * 2).reshape(-1)[1] + A.T.flatten()[1]


def test_arrays_without_known_order_are_refused():
    for f in (turned, result_of_turned):
        with pytest.raises(CompileError, match="depends on the strides of the array"):
            compiled(f, np.ones((2, 3)))
    agrees(copied_first, np.arange(6.0).reshape(2, 3))
