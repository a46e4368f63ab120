"""Loops over matrices that work in place, and quadratic forms."""

from math import log, sqrt

import numpy as np
import pytest


def log_determinant(a):
    """Cholesky's factorisation overwrites the lower triangle with the factor."""
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


def positive_definite(n):
    a = np.random.default_rng(7).normal(size=(n, n))
    return a @ a.T + n * np.eye(n)


@pytest.mark.no_alloc_grad(log_determinant, positive_definite(6), max_workspace=0)
def test_cholesky_in_place():
    """Every entry that a derivative reads is final when it is read: the reverse sweep finds it in the matrix."""


def quadratic_form(x, a):
    total = 0.0
    for i in range(len(x)):
        row = 0.0
        for j in range(len(x)):
            row += a[i, j] * x[j]
        total += x[i] * row
    return total


@pytest.mark.no_alloc_grad(quadratic_form, np.linspace(-1, 1, 9), positive_definite(9), wrt=("x", "a"))
def test_quadratic_form():
    """One reverse sweep gives (A + A')x and the outer product."""
