"""`.map(batch, threads=n)`: what single calls give, in order, up to the first exception, with its number."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import adcore as ad


def energy(x, k):
    total = 0.0
    for i in range(len(x)):
        total += k * np.sin(x[i]) * x[i]
        x[i] = 0.0
    return total


def picked(x, at):
    return x[at] * x[at]


BATCH = [(np.linspace(0.1, 1.0, 3 + k), 1.0 + k) for k in range(40)]


@pytest.mark.parametrize("threads", [1, 2, 7, 100])
def test_every_item_in_order(threads: int) -> None:
    gradient = ad.grad(energy)
    found = gradient.map(BATCH, threads=threads)
    for item, slope in zip(BATCH, found, strict=True):
        np.testing.assert_array_equal(slope, gradient(*item))
    handle = ad.compile(energy, ad.Const(np.ones(3)), ad.Const(1.0), mode=ad.Primal)
    items = [(x.copy(), k) for x, k in BATCH]
    np.testing.assert_allclose(handle.map(items, threads=threads), [energy(x.copy(), k) for x, k in BATCH], rtol=1e-14)


def test_single_arguments_and_any_iterable() -> None:
    cube = ad.grad(lambda x: x * x * x)
    assert cube.map([1.0, 2.0, 3.0]) == [3.0, 12.0, 27.0]
    assert cube.map((float(k) for k in range(3)), threads=2) == [0.0, 3.0, 12.0]
    assert cube.map([], threads=4) == []
    values = ad.value_and_grad(lambda x: x * x).map([3.0])
    assert values == [(9.0, 6.0)]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_exception_ends_it(threads: int) -> None:
    x = np.arange(5.0)
    batch = [(x, 1), (x, 2), (x, 99), (x, 3)] + [(x, 98)] * 20
    with pytest.raises(IndexError, match="index 99 is out of bounds") as caught:
        ad.grad(picked).map(batch, threads=threads)
    assert caught.value.batch_index == 2  # type: ignore[attr-defined]
    if hasattr(caught.value, "__notes__"):
        assert "item 2 of the batch of 24" in caught.value.__notes__[-1]


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    ad.grad(picked).map([(np.arange(5.0), 1)] * 50, threads=8)
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_that_makes_no_sense(threads: Any) -> None:
    with pytest.raises(ad.ArgumentError, match="give a whole number, at least 1"):
        ad.grad(picked).map([], threads=threads)
