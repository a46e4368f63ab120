"""Programs that depend on how long an argument is: `*` of arrays, lists of records, zip beside items of many kinds."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything

X = np.array([0.7, 1.3, 2.1])
Pair = namedtuple("Pair", "weight place")


@dataclass
class Spring:
    stiffness: float
    length: float

    def energy(self):
        return 0.5 * self.stiffness * self.length**2


class Controller:
    def __init__(self, kp, ki, kd=0.5, *, limit=9.0):
        self.gains, self.limit = (kp, ki, kd), limit

    def force(self, e):
        kp, ki, kd = self.gains
        return min(kp * e + ki * e**2 + kd * e**3, self.limit)


def constructed(x):
    return Controller(*x, limit=50.0).force(1.5)


def added(*numbers, scale=1.0):
    return scale * sum(numbers)


def any_number(x):
    return added(*x, *(x * x)[1:], scale=2.0) + max(*x)


def head_and_tail(x):
    first, *others = x
    *_, last = [*x, 1.0]
    return first * sum(others) + last


def records(x):
    pairs = [Pair(np.exp(-((0.3 - p) ** 2)), p) for p in x]
    return sum(p.weight * p.place for p in pairs) / sum(p.weight for p in pairs)


def beside_kinds(x):
    total = 0.0
    for (name, k), v in zip((("a", 1), ("b", 2), ("c", 3), ("d", 4)), x, strict=False):
        total = total + (v**2 if name == "b" else v * k)
    return total


@pytest.mark.parametrize("f", [any_number, head_and_tail, records, beside_kinds])
def test_any_length(f):
    everything(f, X)
    for n in (2, 5):
        x = np.linspace(0.5, 1.5, n)
        assert np.isclose(ad.value_and_grad(f)(x)[0], f(x))


def test_defaults_take_what_is_missing():
    everything(constructed, X)
    assert np.allclose(ad.grad(constructed)(X[:2]), [1.5, 2.25])
    assert np.isclose(ad.value_and_grad(constructed)(X[:2])[0], constructed(X[:2]))
    with pytest.raises(ad.CompileError, match="takes 4 positional arguments but 5 were given"):
        ad.grad(constructed)(np.ones(4))


def swept(springs):
    total = springs[-1].stiffness
    for k, spring in enumerate(springs[1:]):
        total += (k + 1) * spring.energy()
    return total + sum(s.length for s in springs if s.stiffness > 1.0)


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_lists_of_records(kind, n):
    springs = kind(Spring(1.1 + k, 0.5 * k + 0.2) for k in range(n))
    value, found = ad.value_and_grad(swept)(springs)
    assert np.isclose(value, swept(springs))
    assert isinstance(found, kind)
    for k in range(n):
        for name in ("stiffness", "length"):
            moved = [Spring(s.stiffness, s.length) for s in springs]
            slopes = []
            for h in (1e-6, -1e-6):
                setattr(moved[k], name, getattr(springs[k], name) + h)
                slopes.append(swept(moved))
            assert np.isclose(getattr(found[k], name), (slopes[0] - slopes[1]) / 2e-6, atol=1e-6)


def test_a_handle_is_for_one_length():
    handle = ad.compile(head_and_tail, ad.Duplicated(X, np.zeros(3)))
    shadow = np.zeros(3)
    handle(X, shadow)
    assert np.allclose(shadow, ad.grad(head_and_tail)(X))
    with pytest.raises(ad.ArgumentError, match="compiled with a length of 3, and this call has 2"):
        handle(X[:2].copy(), np.zeros(2))
    with pytest.raises(ad.ArgumentError, match="compiled for one length of `x`"):
        handle.export("unused")


def test_too_many_to_be_taken_one_by_one():
    with pytest.raises(ad.CompileError, match=r"100 items are too many to be taken one by one here \(at most 64\)"):
        ad.grad(records)(np.linspace(0.0, 1.0, 100))


def of_a_mask(x):
    return added(*x[x > 1.0])


def test_lengths_that_only_a_run_tells():
    with pytest.raises(ad.CompileError, match="needs a length that is known while compiling"):
        ad.grad(of_a_mask)(X)
