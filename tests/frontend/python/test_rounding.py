"""Python's `round` with decimal places: values, kinds of results, slopes and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from adcore.errors import CompileError
from tests.frontend.support import agrees, compiled


def places(a):
    return round(a, 2), round(a, -1), round(a, 0), round(a, None), round(a, ndigits=3)


def elements(x):
    return round(x[0], 2), round(x[0], 0), round(x[0], -1), round(x[0])


def either(x, a, first):
    m = x[0] if first else a
    return round(m, 2), round(m, 0)


def integers(k):
    return round(k, 1), round(k, 0), round(k, -1), round(k, -2), round(k, None), round(k > 3, 1), round(7 * k, -18)


def constants(a):
    return round(2.675, 2), round(15, -1), round(2.5, ndigits=0), a


@pytest.mark.parametrize("a", [2.675, -2.675, 0.125, 1.005, 25.0, 35.0, -0.001, 1e15 + 0.3, 8.0])
def test_floats(a):
    agrees(places, a)


@pytest.mark.parametrize("a", [2.675, 1.005, 0.285, -0.001, 35.0])
def test_elements_are_rounded_as_numpy_does(a):
    agrees(elements, np.array([a]))


@pytest.mark.parametrize("first", [True, False])
def test_numbers_of_either_kind(first):
    for a in (2.675, 1.005, 0.285):
        agrees(either, np.array([a]), a, first)


@pytest.mark.parametrize("k", [0, 5, 15, 25, -5, -15, -25, 49, 50, 51, 149, 150, 250, -350, 123456])
def test_integers(k):
    agrees(integers, k)


def test_constants():
    agrees(constants, 1.0)


def test_steps_have_no_slope():
    def f(x):
        return round(x[0] * 1.0, 1) * x[0] ** 2 + round(float(x[1]), -1) * x[1] + round(float(x[1]), 20)

    x = np.array([1.26, 17.0])
    np.testing.assert_allclose(ad.grad(f)(x), [2 * 1.3 * 1.26, 20.0], rtol=1e-15)
    np.testing.assert_allclose(ad.hessian(f)(x), [[2.6, 0.0], [0.0, 0.0]], rtol=1e-15)


def too_many(a):
    return round(a, 23)


def unknown(a, n):
    return round(a, n)


def fraction(a):
    return round(a, 1.5)


def tens_of_numpys(n):
    return round(n[0], -1)


@pytest.mark.parametrize(
    ("function", "arguments", "text"),
    [
        (too_many, (1.0,), "more than 22 places"),
        (unknown, (1.0, 2), "not known while compiling"),
        (fraction, (1.0,), r"a whole number, not 1\.5"),
        (tens_of_numpys, (np.array([15]),), "NumPy's integers to tens"),
    ],
)
def test_refusals(function, arguments, text):
    with pytest.raises(CompileError, match=text):
        compiled(function, *arguments)
