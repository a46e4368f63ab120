"""Comprehensions whose items change something: in the order of the items, as Python has it."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything

X = np.array([0.7, 1.3, 2.1])


class Filter:
    def __init__(self):
        self.previous = 0.0

    def step(self, v):
        rate, self.previous = v - self.previous, v
        return rate


def of_an_object(x):
    rates = Filter()
    return sum([rates.step(v) ** 2 for v in x]) + rates.previous


def of_a_list(x):
    seen = []
    doubled = [seen.append(v) or 2.0 * v for v in x]
    return sum(doubled) * seen[-1] + len(seen)


def largest_rate(x):
    rates = Filter()
    return max([rates.step(v) for v in x])


def as_a_generator(x):
    rates = Filter()
    return sum(rates.step(v) ** 2 for v in x)


@pytest.mark.parametrize("f", [of_an_object, largest_rate])
def test_as_python(f):
    everything(f, X)


@pytest.mark.parametrize("f", [as_a_generator, of_a_list])
def test_right_or_refused(f):
    try:
        value = ad.value_and_grad(f)(X)[0]
    except ad.CompileError:
        return
    assert np.isclose(value, f(X))
