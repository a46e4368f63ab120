"""Axes of length 1: those of arguments stretch, the program is compiled for them."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from tests.frontend.numpy.support import agrees, check_gradient, check_native

RNG = np.random.default_rng(2)


def together(x, y, A, b):
    z = x + y
    B = A * b + z
    B -= b
    B[1:] *= x
    return np.sum(B**2) + np.sum(np.where(b < A, A, b))


SHAPES = [
    ((4,), (4,), (3, 4), (3, 4)), ((1,), (4,), (3, 4), (1, 4)), ((1,), (1,), (3, 1), (1, 1)),
    ((4,), (1,), (3, 4), (3, 1)), ((1,), (1,), (1, 1), (1, 1)), ((4,), (4,), (1, 4), (1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES)
def test_arguments(shapes):
    check_gradient(together, *(RNG.random(s) for s in shapes))


def test_one_gradient_serves_all_shapes():
    gradient = ad.value_and_grad(together, wrt=(0, 1, 2, 3))
    for shapes in (*SHAPES, *SHAPES[::-1]):
        args = [RNG.random(s) for s in shapes]
        for _ in range(2):
            value, found = gradient(*args)
            np.testing.assert_allclose(value, together(*args))
            assert [g.shape for g in found] == list(shapes)


def test_handles():
    def shadowed(shapes):
        return [a for s in shapes for a in (RNG.random(s), np.zeros(s))]

    general, special = (ad.compile(together, *map(ad.Duplicated, *[iter(shadowed(s))] * 2)) for s in SHAPES[:2])
    for shapes in (SHAPES[3], SHAPES[0]):
        given = shadowed(shapes)
        special(*given)
        _, expected = ad.value_and_grad(together, wrt=(0, 1, 2, 3))(*given[::2])
        for g, e in zip(given[1::2], expected, strict=True):
            np.testing.assert_allclose(g, e)
    # Code for lengths of any kind is called without a look at them.
    with pytest.raises(NotImplementedError, match="an axis of length 1 would have to stretch"):
        general(*shadowed(SHAPES[3]))


def stored(x, y, A):
    x[:] = y
    x *= y
    A[...] = y
    A[1:] = A[:1]
    return x.sum() + A.sum()


@pytest.mark.slow
def test_stores():
    check_gradient(stored, np.ones(3), np.full(1, 2.0), np.ones((3, 3)))
    check_gradient(stored, np.ones(3), np.full(3, 2.0), np.ones((3, 3)))
    check_native(stored, np.ones(1), np.full(1, 2.0), np.ones((1, 1)))
    with pytest.raises(ValueError, match=r"could not broadcast input array from shape \(3,\) into shape \(1,\)"):
        ad.vjp(stored, np.ones(1), np.ones(3), np.ones((3, 3)))


def short_slices(A, i):
    return A[:1] * A, A[-1:] + A, A[:, :1] - A, A[i : i + 1] * A, A[1:, 0:1] * A[:1, 1:], A[:, i : i + 1] @ A[i : i + 1]


def test_slices_of_one_element():
    agrees(short_slices, RNG.random((3, 4)), 1, exact=False)
    agrees(short_slices, RNG.random((3, 4)), -2, exact=False)


def derived(x, n):
    return x[:n] + x


def test_lengths_that_turn_out_as_one():
    check_native(derived, np.ones(3), 3)
    with pytest.raises(NotImplementedError, match="an axis of length 1 would have to stretch"):
        ad.vjp(derived, np.ones(3), 1)
