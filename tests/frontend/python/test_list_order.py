"""`items.sort()` and `items.reverse()`: what Python does, in every branch and by every name."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from tests.frontend.support import agrees


def middle(a, b, c):
    items = [a, b, c]
    items.sort()
    return items[1] * items[1] + items[0]


def falling(a, b, c):
    items = [a, b, c]
    items.sort(reverse=True)
    return items[0] * items[0] - items[2]


def by_size(a, b, c):
    items = [a, b, c]
    items.sort(key=abs)
    others = items.copy()
    others.reverse()
    return others[0] * 10 + items[0]


def in_branches(a, b, c):
    items = [a, b, c]
    if a > 0:
        items.sort()
    else:
        items.reverse()
    return items[0] * 100 + items[1] * 10 + items[2]


def by_another_name(a, b, c):
    items = [a, b, c]
    same = items
    items.sort()
    return same[0]


def of_constants(a, b, c):
    order = [3, 1, 2]
    order.sort()
    return order[0] * a + order[1] * b + order[2] * c


ARGUMENTS = [(3.0, 1.0, 2.0), (-1.0, 5.0, -4.0), (2.5, 2.0, 1.0)]


@pytest.mark.parametrize("f", [middle, falling, by_size, in_branches, by_another_name, of_constants])
@pytest.mark.parametrize("args", ARGUMENTS)
def test_values_and_slopes(f, args):
    agrees(f, *args)
    value, slopes = ad.value_and_grad(f, wrt=(0, 1, 2))(*args)
    assert value == f(*args)
    for k in range(3):
        up, down = ([x + s * (j == k) for j, x in enumerate(args)] for s in (1e-6, -1e-6))
        np.testing.assert_allclose(slopes[k], (f(*up) - f(*down)) / 2e-6, rtol=1e-6, atol=1e-6)


def filtered(x):
    total = 0.0
    for i in range(len(x) - 2):
        window = [x[i], x[i + 1], x[i + 2]]
        window.sort()
        total += window[1] ** 2
    return total


def test_a_median_filter_in_a_loop():
    x = np.random.default_rng(2).random(9)
    value, slope = ad.value_and_grad(filtered)(x)
    assert value == pytest.approx(filtered(x), rel=1e-14)
    assert np.count_nonzero(slope) >= 3


def grown(x):
    items = []
    for i in range(len(x)):
        items.append(x[i])
    items.sort()
    return items[0]


def test_what_is_refused():
    with pytest.raises(ad.CompileError, match="can be put in order"):
        ad.grad(grown)(np.ones(4))

    def named(a):
        items = [a, 1.0]
        items.sort(order=1)
        return items[0]

    with pytest.raises(ad.CompileError, match=r"`.sort` of a list does not take these arguments"):
        ad.grad(named)(1.0)
