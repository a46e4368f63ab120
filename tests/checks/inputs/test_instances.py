"""Objects in checks: their floats are moved in copies, and they stay as they are."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest

import pytest_adalloc
from pytest_adalloc.checks.inputs.arguments import Replica, walk
from tests.frontend.objects.agreement import assert_same
from tests.frontend.objects.test_reading import bar
from tests.frontend.objects.test_writing import Field, Oscillator


def test_methods_are_checked_by_all_floats_of_their_object():
    model = bar()
    before = copy.deepcopy(vars(model))
    report = pytest_adalloc.check(model.energy, 1.7, 2.0)
    assert report.passed
    assert type(report.gradients[0]) is type(model)
    assert report.gradients[0].material is report.gradients[0].parts[0]
    assert_same(vars(model), before)


@pytest.mark.slow
@pytest.mark.parametrize("model", [Oscillator(1.0, 0.2, 2.0), Field(np.ones(3), np.zeros(3), 2.0)])
def test_methods_that_assign_attributes_start_anew_each_time(model):
    before = copy.deepcopy(vars(model))
    assert pytest_adalloc.check(model.run, 0.1, 6, order=2).passed
    assert pytest_adalloc.check(model.run, 0.1, 6, wrt=0).passed
    assert_same(vars(model), before)


class Wrong:
    def __init__(self, k):
        self.k = k

    def value(self, x):
        return abs(x - self.k)


def test_a_kink_is_found_in_an_attribute():
    report = pytest_adalloc.check_gradient
    with pytest.raises(AssertionError, match=r"kink: d value / d self\.k"):
        report(Wrong(1.0).value, 1.0)


class Cached:
    def __init__(self, k, w):
        self.k, self.first, self.second, self.itself = k, w, w, self

    @functools.cached_property
    def square(self):
        return self.k**2


def test_copies_are_shared_as_the_objects_are_and_have_no_caches():
    thing = Cached(2.0, np.ones(2))
    assert thing.square == 4.0
    (twin,) = Replica([thing]).arguments()
    assert twin.first is twin.second
    assert twin.first is not thing.first
    assert twin.itself is twin
    assert "square" not in vars(twin)
    assert [path for path, _ in walk(thing, "t")] == ["t.k", "t.first"]
