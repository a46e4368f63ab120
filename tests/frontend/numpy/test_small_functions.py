"""NumPy's small functions of arrays: conversions, repeating, padding, splitting, rounding; edges and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from adcore.errors import CompileError
from tests.frontend.numpy.support import agrees, check_gradient
from tests.frontend.support import compiled

x, A = np.array([0.9, 0.1, 0.55, 0.3]), np.linspace(0.05, 0.95, 12).reshape(3, 4)


def repeated(x, A, n):
    tiled = np.tile(x, n) * np.repeat(x, n)
    grid, other = np.meshgrid(x, A[0], indexing="ij")
    return (
        np.sum(tiled * tiled)
        + np.sum(grid * other**2)
        + np.sum(np.repeat(A, 2, axis=0) ** 3)
        + np.sum(np.tile(A, (n, 1)))
    )


def padded(x, A):
    total = np.sum(np.pad(A, 1) ** 2) + np.sum(np.pad(A, ((0, 2), (1, 0)), constant_values=x[0]) ** 2)
    for mode in ("edge", "reflect", "symmetric", "wrap"):
        total += np.sum(np.pad(x, (2, 3), mode=mode) ** 2 * np.pad(A[0], (2, 3), "edge"))
    return total


def taken(x, A, i):
    first, second = np.split(x, 2)
    left, right = np.hsplit(A, [1])
    parts = np.array_split(A, 2)
    rest = np.take(A, i, axis=1) * np.append(x, x[0])[1:]
    return first @ second + np.sum(left) * np.sum(right * right) + np.sum(parts[0]) + np.sum(rest * rest)


def averaged(x, A):
    return np.average(x, weights=x * x) + np.sum(np.average(A, axis=1, weights=x) ** 2) + np.ptp(A) * np.ptp(x)


def whole(x, A):
    rest, units = np.modf(7.3 * x)
    B = np.atleast_2d(x) * np.asarray(A)
    return np.sum(rest * units) + np.sum(np.round(B, 1) * B) + np.sum(np.ascontiguousarray(A.T)[0] ** 2)


def without_nan(x, A):
    logs = np.log(A - 0.5)
    return np.nansum(logs * logs) + np.nanmax(logs) + np.nanmean(logs) + np.sum(np.nan_to_num(logs, nan=0.0) * A)


@pytest.mark.parametrize("f", [padded, averaged, whole])
def test_gradients(f):
    check_gradient(f, x, A)


@pytest.mark.slow
def test_gradients_of_what_takes_integers():
    check_gradient(repeated, x, A, 3)
    check_gradient(taken, x, A, np.array([3, 0, 0, 2]))
    with np.errstate(invalid="ignore"):
        agrees(without_nan, x, A, exact=False)


def diagonal(A, v):
    np.fill_diagonal(A, v)
    return A @ A


def test_diagonals():
    for shape in ((3, 3), (2, 4), (4, 2)):
        agrees(lambda A, v: (np.fill_diagonal(A, v), A.copy())[1], np.ones(shape), 2.5)
    check_gradient(lambda A, v: np.sum(diagonal(A.copy(), v[0])), np.ones((3, 3)), np.array([0.5]))


def test_lengths_that_do_not_fit():
    agrees(lambda x: np.split(x, 3)[0], x)
    agrees(lambda x, i: np.take(x, i), x, np.array([1, 4]))
    agrees(lambda x, w: np.average(x, weights=w), x, np.array([1.0, -1.0, 0.5, -0.5]))
    agrees(lambda x, n: np.repeat(x, n), x, -1)
    agrees(lambda x: np.pad(x[:0], 1, mode="edge"), x, message=False)
    agrees(lambda x: np.array_split(x, 3)[2].copy(), np.arange(8.0))
    agrees(lambda x, n: np.array_split(x[:n], 3)[1].copy(), np.arange(8.0), 7)


def test_numbers():
    agrees(
        lambda a: (np.round(a, 1), np.round(100 * a, -1), np.modf(-a), np.isclose(a, 0.45), np.allclose(a, 0.5)), 0.45
    )
    agrees(lambda a: (np.nan_to_num(a), np.isscalar(a), np.radians(a), np.degrees(a), np.tile(a, 2)), float("inf"))
    agrees(lambda x: (np.round(x), np.around(x, 2), x.round(1)), np.float32([0.25, 2.5, 3.5, 0.125]))
    agrees(lambda x: np.modf(x), np.array([np.inf, -np.inf, -0.0, 1.5, -1.5]))
    agrees(lambda x, y: (np.isclose(x, y), np.isclose(x, y, equal_nan=True)), np.array([1.0, np.nan, np.inf, 1.0]),
           np.array([1.0 + 1e-9, np.nan, np.inf, 2.0]))  # fmt: skip


def test_arrays_as_they_are():
    def same(x):
        y = np.asarray(x)
        y[0] = 5.0
        z = np.asarray(x, dtype=np.float32)
        z[1] = 7.0
        return x[0] + x[1]

    def copied(A):
        B = np.ascontiguousarray(A.T)
        B[0, 0] = 1.0
        return A[0, 0]

    agrees(same, x)
    with pytest.raises(CompileError, match="changed in place"):
        compiled(copied, A)


def selected(x, y, m):
    kept = x[m]
    both = x[x > 0.2] * y[x > 0.2]
    places = np.flatnonzero(m)
    return kept @ kept + len(kept) * kept[0] + np.sum(both[1:] ** 2) + np.sum(y[places] * kept) + np.cumsum(kept)[-1]


def written_twice(x, y):
    z = x.copy()
    z[x > 0.2] = 2.0 * y[x > 0.2] ** 2
    z[z > 0.5] *= z[z > 0.5]
    return np.sum(z * x)


def in_matrices(A, m):
    rows = A[m]
    B = A.copy()
    B[:, A[0] > 0.15] = A[:, [0, 1]] * 2.0
    B[m, 1] = A[m, 0] ** 2
    return np.sum(rows[0] * rows[-1]) + np.sum(B * B) + np.sum(A[A > 0.4]) + rows.shape[0] + np.argmax(A[A > 0.2])


@pytest.mark.slow
def test_what_a_mask_selects_has_a_name():
    m = np.array([True, False, True, True])
    y = np.array([0.25, 0.7, 0.4, 0.2])
    check_gradient(selected, x, y, m)
    check_gradient(written_twice, x, y)
    check_gradient(in_matrices, A, m[:3])
    agrees(selected, x, y, m, exact=False)
    agrees(lambda x, m: sum(v * v for v in x[m]) if len(x[m]) else 1.0, x, ~m)


def test_as_many_elements_as_are_selected():
    def stored(x, m, v):
        x[m] = v
        return np.sum(x * x)

    m = np.array([True, False, True, True])
    agrees(stored, x, m, np.array([1.0, 2.0, 3.0]))
    agrees(stored, x, m, np.array([1.0]))
    agrees(stored, x, m, np.array([1.0, 2.0]))
    agrees(stored, A, m[:3], np.arange(8.0).reshape(2, 4))
    agrees(stored, A, m[:3], np.arange(4.0))
    agrees(stored, A, A > 0.5, np.arange(6.0))
