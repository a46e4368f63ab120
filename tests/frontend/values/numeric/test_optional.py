"""Numbers that may be None, as only a run tells."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything

X = np.array([0.7, 1.3, 2.1])


def least(x):
    best = None
    for v in x:
        if best is None or v < best:
            best = v
    return best * 2.0


def differences(x):
    last, total = None, 0.0
    for v in x:
        if last is not None:
            total += (v - last) ** 2
        last = v
    return total


def alternating(x):
    last, total = None, 0.0
    for i in range(len(x)):
        d = 0.5 if last is None else x[i] * last
        last = x[i] if i % 2 == 0 else None
        total += d * d
    return total


def found(x, limit):
    for v in x:
        if v > limit:
            return v
    return None


def looked_up(x):
    a, b = found(x, 1.0), found(x, 10.0)
    if b is None:
        b = 0.5 * x[0]
    return (a if a is not None else -1.0) * b


def by_default(x, low=None):
    total = 0.0
    for v in x:
        if low is None or v > low:
            total += v**2
        low = v
    return total


def until(x):
    y = None
    while y is None or y < 4.0:
        y = x[0] if y is None else y * x[1] + 0.1
    return y


def asked_in_many_ways(x):
    k, y = None, None
    for i in range(len(x)):
        if x[i] > 1.0 and k is None:
            k = i
            y = x[i]
    if k is None or y is None:
        return 0.0
    total = abs(y) + max(y, 1.0) + math.exp(-y) + x[k]
    if k == 1 and y != 0.0 and y != 2.0 and y:
        total = total * x[0]
    return total


class Filter:
    def __init__(self):
        self.previous = None

    def step(self, v):
        rate = 0.0 if self.previous is None else v - self.previous
        self.previous = v
        return rate


def stateful(x):
    rates = Filter()
    return sum([rates.step(v) ** 2 for v in x]) + 0.0


PROGRAMS = (least, differences, alternating, looked_up, by_default, until, asked_in_many_ways, stateful)


@pytest.mark.parametrize("f", PROGRAMS)
def test_as_python(f):
    everything(f, X)


@pytest.mark.parametrize("f", [looked_up, asked_in_many_ways])
def test_none_at_the_end(f):
    x = 0.1 * X
    assert np.isclose(ad.value_and_grad(f)(x)[0], f(x))


def needs_one(x):
    best = None
    for v in x:
        if v > 5.0:
            best = v
    return best * 2.0


def gives_one(x):
    return found(x, 5.0)


def test_what_needs_a_number_raises_where_there_is_none():
    for f in (needs_one, gives_one):
        big = np.array([6.0, 1.0])
        assert np.allclose(ad.grad(f)(big), [2.0 if f is needs_one else 1.0, 0.0])
    with pytest.raises(TypeError, match="'NoneType'"):
        ad.grad(needs_one)(X)
    with pytest.raises(TypeError, match="gives_one returns None here"):
        ad.grad(gives_one)(X)


def an_array(x):
    y = None
    if x[0] > 0.1:
        y = 2.0 * x
    return np.sum(y)


def test_arrays_that_may_be_none_are_refused():
    with pytest.raises(ad.CompileError, match="on one path and None on another"):
        ad.grad(an_array)(X)
