"""Reductions of whole arrays, along axes and under masks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.numpy.support import agrees, check_native

RNG = np.random.default_rng(5)


def sums(A):
    return (A.sum(axis=0), A.sum(axis=1), A.sum(axis=-1), np.sum(A, 0), np.sum(A, axis=(0, 1)), A.sum(),
            A.sum(axis=1, keepdims=True), np.mean(A, axis=0), A.mean(axis=1, keepdims=True), A.prod(axis=0),
            np.mean(A, axis=(0,), keepdims=True), np.sum(A, keepdims=True), np.average(A, axis=1))  # fmt: skip


def spreads(A):
    return (A.var(), A.std(), np.var(A, axis=0), np.std(A, axis=1), A.std(axis=0, keepdims=True), np.std(A, ddof=1),
            A.var(axis=1, ddof=1), np.std(2 * A + 1, axis=0))  # fmt: skip


def extremes(A):
    return (A.max(axis=0), A.min(axis=1), np.max(A, axis=1, keepdims=True), A.argmax(axis=0), np.argmin(A, axis=1),
            A.argmax(), np.argmin(A), (A * 2).max(), np.min(-A, axis=0))  # fmt: skip


def truths(A):
    m = A > 0
    return (np.any(m), np.all(m), m.any(axis=0), np.all(A > -9, axis=1), m.sum(), m.sum(axis=0), np.count_nonzero(m),
            m.mean(), (A > 100).any(), np.count_nonzero(A, axis=0), A.any(), m.all(axis=1, keepdims=True))  # fmt: skip


def running(A, x):
    return np.cumsum(x), x.cumsum(), np.cumsum(A, axis=0), np.cumsum(A, axis=1), A.cumsum(), np.cumprod(x)


def norms(A, x):
    return (np.linalg.norm(x), np.linalg.norm(A), np.linalg.norm(A, axis=1), np.linalg.norm(A, axis=0, keepdims=True),
            np.linalg.norm(x, 1), np.linalg.norm(x, np.inf), np.linalg.norm(x - 1, 2), np.trace(A[:, :3]))  # fmt: skip


def of_expressions(A, x):
    return (np.sum(A * x), (A + x).mean(axis=0), np.max(A * x - 1, axis=1), np.sum(np.exp(-(A**2))),
            (x < A).sum(axis=1), np.sum(A[1:] * A[:-1], axis=1), np.prod(x / 2),
            np.sum(A.T[:, None] * A.T, axis=2))  # fmt: skip


def typed(A):
    return (A.sum(dtype=np.float64), np.sum(A, 0, np.float64), np.mean(A, axis=1, dtype=np.float64),
            (A > 0).sum(dtype=np.float32), np.sum(A > 0, axis=0, dtype=float))  # fmt: skip


def test_of_other_types():
    agrees(typed, A.astype(np.float32), exact=False)
    agrees(typed, A, exact=False)


def cubes(T):
    return (T.sum(axis=1), T.sum(axis=(0, 2)), T.max(axis=(1, 2), keepdims=True), T.mean(axis=-1), T.std(axis=1),
            T.argmax(axis=1), np.cumsum(T, axis=1))  # fmt: skip


def masked(A, x):
    m = x > 0
    return (np.sum(x[m]), np.mean(x[m]), np.max(x[m]), x[m].sum(), np.sum(x[m] * 2 + 1), np.prod(x[x > 0]),
            np.std(x[m]), np.sum(np.log(x[m])), np.sum(A[A > 0.5]), (x[m] > 1).sum(), np.min(-x[m]))  # fmt: skip


A = RNG.standard_normal((3, 4))
x = RNG.standard_normal(4)
DTYPES = [np.float64, np.float32, np.int64, np.int32]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", [sums, spreads, extremes, truths])
def test_of_matrices(f, dtype):
    M = (A * 5).astype(dtype)
    for variant in (M, M.T, M[::-1, ::2], np.asfortranarray(M)):
        agrees(f, variant, exact=False)


@pytest.mark.parametrize("f", [running, norms, of_expressions, masked])
def test_of_matrices_and_vectors(f):
    agrees(f, A, x, exact=False)
    agrees(f, A[::-1].copy()[::-1], np.repeat(x, 2)[::2], exact=False)
    check_native(f, A, x)


def test_of_cubes():
    agrees(cubes, RNG.standard_normal((2, 3, 4)), exact=False)
    check_native(cubes, RNG.standard_normal((2, 3, 4)))


def test_nan():
    M = A.copy()
    M[1, 2] = np.nan

    def f(A):
        return A.max(axis=0), A.min(axis=1), A.argmax(axis=1), A.argmin(axis=0), A.sum(axis=0), A.argmax()

    agrees(f, M)


def empty_maximum(A):
    return A.max(axis=0)


def empty_argmax(A):
    return A.argmax()


def empty_selection(x):
    return np.max(x[x > 5])


def test_empty_arrays_raise_as_numpy_does():
    agrees(empty_maximum, np.zeros((0, 3)))
    agrees(empty_maximum, np.zeros((3, 0)))
    agrees(empty_argmax, np.zeros((0, 3)))
    agrees(empty_selection, np.zeros(3))


def test_unsigned_and_narrow_elements():
    def f(a):
        return a.sum(), a.max(axis=0), a.min(), a.mean(axis=1), np.cumsum(a)

    agrees(f, np.arange(6, dtype=np.int8).reshape(2, 3), exact=False)
