"""Arrays made of parts of others, masks, positions, constructors."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.numpy.support import agrees, check_gradient, check_native

RNG = np.random.default_rng(8)
x, A = RNG.standard_normal(6), RNG.standard_normal((3, 4))


def joined(x, y, A):
    return (np.concatenate((x, y, x[:2])), np.stack((x, x[::-1])), np.stack([x, 2 * x], axis=1), np.vstack((A, A[:1])),
            np.hstack((x, y)), np.hstack([A, A * 2]), np.concatenate((A, A), axis=1), np.concatenate([A, A[::2]]),
            np.array([x, x + 1]), np.concatenate((x, [1.0, 2.0])), np.stack((A, A), axis=-1))  # fmt: skip


def moved(x, A):
    return (np.roll(x, 2), np.roll(x, -1), np.roll(A, 1, axis=0), np.roll(A, -3, axis=1), np.flip(x),
            np.flip(A, axis=1), np.flip(A), np.diff(x), np.diff(A, axis=0), np.diff(x, n=2), np.roll(x, 9))  # fmt: skip


def triangles(A, x):
    return np.triu(A), np.tril(A), np.triu(A, 1), np.tril(A, -1), np.diag(x), np.diag(A), np.triu(A) + np.tril(A, -1)


def axes(A, T):
    return (A.T, np.transpose(A), np.transpose(T, (2, 0, 1)), T.transpose(1, 0, 2), T.T, np.swapaxes(T, 0, 2),
            T.swapaxes(1, 2), np.expand_dims(A, 1).shape, np.expand_dims(A, 1) * A[:, :, None],
            np.broadcast_to(A[0], (3, 4)) + A, T[1, :, None, 0] + A[0, 0], A[None, :, 1].shape)  # fmt: skip


def made(x, A, n, a):
    return (np.zeros_like(A * 2), np.ones_like(x + 1), np.full_like(A > 0, True), np.eye(n), np.eye(3, 4, 1),
            np.identity(2), np.linspace(0.0, 1.0, 5), np.linspace(a, 2.0, n), np.linspace(0, 1, n, endpoint=False),
            np.arange(0.0, 1.0, 0.3), np.arange(0.0, a, 0.25), np.arange(n), np.arange(1, n, 2) * a, np.array(A),
            np.copy(A.T), (A + 1).copy(), np.array([a, 2.0]) * 2, np.linspace(a, a, 1), np.ones((n, 2)) * a,
            x.astype(np.float32), A.copy() + 1)  # fmt: skip


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (joined, (x, x[:3] * 2, A)), (moved, (x, A)), (triangles, (A, x)), (axes, (A, RNG.standard_normal((2, 3, 4)))),
        (made, (x, A, 4, 1.5)), (made, (x, A, 1, 1.0)),
    ],
)  # fmt: skip
def test_parts(f, args):
    agrees(f, *args)
    check_native(f, *args)


# Masks ----------------------------------------------------------------------------------------------------------------


def masks(x, y, A):
    m = x > 0
    x[m] = y[m] * 2
    x[x < -1] = -1.0
    x[~m] += 10
    y[m & (y > 0)] = 0
    A[A > 0.5] = 0.25
    A[A[:, 0] < 0] = 1.0
    y[m] **= 2
    y[m] = np.sqrt(y[m]) + x[m]
    x[m] = x[::-1][m]
    A[A > 0.3] *= 3.0
    return np.where(m, x, y)


def test_masks():
    agrees(masks, x, x[::-1].copy(), A)
    check_native(masks, x, x[::-1].copy(), A)


def flags(a, b):
    a[b] = False
    a[a] = b[a]
    b[:] = ~b
    return a & b


def test_masks_of_masks():
    agrees(flags, x > 0, x < 0.5)


# Positions ------------------------------------------------------------------------------------------------------------


def positions(x, A, k):
    y = x[k]
    z = A[:, k % 4]
    w = A[k % 3]
    x[k] = 5.0
    x[k] += 1.0
    A[k % 3, k % 4] *= 2
    A[k % 3] -= 0.5
    np.add.at(x, k, 2.0)
    np.add.at(A, (k % 3, k % 4), y)
    np.add.at(A, k % 3, A[0].copy())
    return y, z, w, A[k % 3, k % 4], A[np.arange(3), np.arange(3)], x[[0, 2]], x[k[None, :]], A[1, k % 4], x[x.argmax()]


def test_positions():
    for k in (np.array([0, 2, 2, 5]), np.array([-1, 0], np.int32), np.zeros(0, np.int64)):
        agrees(positions, x, A, k)
    check_native(positions, x, A, np.array([0, 2, 2, 5]))


def beyond(x, k):
    x[0] = 7.0
    x[k] = 1.0


def taken(x, k):
    return x[k] * 2


def test_positions_outside_raise():
    agrees(beyond, x, np.array([1, 9]))
    agrees(taken, x, np.array([1, -9]))


def stacked_rows(u, A):
    return np.sum(np.vstack([u, u * u])[1]) + np.sum(np.vstack((A, u))[-1] * 2.0) + np.sum(np.column_stack([u, u])[0])


def test_vectors_are_stacked_as_rows():
    u, A = np.arange(1.0, 4.0), np.ones((2, 3))
    check_gradient(stacked_rows, u, A)
    agrees(stacked_rows, u, A, exact=False)
    agrees(lambda u, a: (np.vstack([a, 2.0]), np.hstack([a, u]), np.vstack([u]), np.column_stack((u, u))), u, 0.5)
    agrees(lambda u, n: np.vstack([u, u[:n]]), u, 2)
