"""Repeated gradient calls are served natively, and say the same as the general path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.driver.derivatives import functional

scale = 3.0


def weighted(x, y, k):
    total = 0.0
    for i in range(len(x)):
        total += k * x[i] * y[i] * y[i]
    return total


def overwriting(x, y):
    total = 0.0
    for i in range(len(x)):
        x[i] = x[i] * y[i]
        total += x[i] * x[i]
    return total


def scaled(x):
    total = 0.0
    for i in range(len(x)):
        total += scale * x[i] * x[i]
    return total


def squared(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


def element(x, i):
    return x[i] * x[i]


def with_default(x, k=2.0):
    return k * x[0]


@pytest.fixture
def only_fast(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After this is called, the general path is an error."""

    def forbid() -> None:
        def fail(*args: Any, **kwargs: Any) -> Any:
            raise AssertionError("this call took the general path")

        monkeypatch.setattr(functional, "at", fail)

    return forbid


X, Y = np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.0])


def test_it_gives_value_and_gradients_in_the_order_asked_for(only_fast):
    both = ad.value_and_grad(weighted, wrt=("k", 0, "y"))
    general = both(x=X, y=Y, k=1.5)
    both(X, Y, 1.5)
    only_fast()
    value, gradients = both(X, Y, 1.5)
    assert value == general[0]
    assert type(gradients[0]) is float
    for got, expected in zip(gradients, general[1], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_other_values_and_shapes_of_the_same_kind_are_served(only_fast):
    gradient = ad.grad(weighted, wrt=1)
    gradient(X, Y, 1.5)
    only_fast()
    x, y = np.arange(5.0), np.ones(5)
    np.testing.assert_array_equal(gradient(x, y, 2.0), 4.0 * x * y)


def test_every_result_is_a_new_array(only_fast):
    gradient = ad.grad(weighted)
    gradient(X, Y, 1.0)
    only_fast()
    first, second = gradient(X, Y, 1.0), gradient(X, Y, 2.0)
    np.testing.assert_array_equal(2.0 * first, second)


def test_gradients_made_again_share_what_is_known(only_fast):
    ad.grad(weighted)(X, Y, 1.0)
    only_fast()
    np.testing.assert_array_equal(ad.grad(weighted)(X, Y, 1.0), Y * Y)


def test_what_is_written_is_copied_first(only_fast):
    gradient = ad.grad(overwriting, wrt=(0, 1))
    x, y = X.copy(), Y.copy()
    general = gradient(x=x, y=y)
    gradient(x, y)
    only_fast()
    for got, expected in zip(gradient(x, y), general, strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    "arguments",
    [
        lambda x: (x, x),
        lambda x: (x[:3], x[1:]),
        lambda x: (x[:3][::-1], np.ones(3)),
        lambda x: (np.lib.stride_tricks.as_strided(x, (3,), (0,)), np.ones(3)),
    ],
)
def test_memory_that_is_shared_goes_the_general_way(arguments):
    gradient = ad.grad(overwriting, wrt=(0, 1))
    gradient(X.copy(), Y.copy())
    x, y = arguments(np.arange(1.0, 5.0))
    for got, expected in zip(gradient(x, y), gradient(x=x, y=y), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_read_only_array_that_is_written_is_refused_as_before():
    gradient = ad.grad(overwriting)
    gradient(X.copy(), Y)
    locked = X.copy()
    locked.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        gradient(locked, Y)


def test_numbers_from_outside_are_looked_up_again(monkeypatch):
    gradient = ad.grad(scaled)
    gradient(X), gradient(X)
    monkeypatch.setattr("tests.driver.test_fast_path.scale", 5.0)
    np.testing.assert_array_equal(gradient(X), 10.0 * X)
    np.testing.assert_array_equal(gradient(X), 10.0 * X)


def test_faults_are_those_of_python():
    gradient = ad.grad(element)
    gradient(X, 1)
    with pytest.raises(IndexError, match="index 3"):
        gradient(X, 3)
    np.testing.assert_array_equal(gradient(X, -1), [0.0, 0.0, 6.0])


@pytest.mark.parametrize("k", [2, True, np.float64(2.0), np.float32(2.0)])
def test_another_kind_of_number_goes_the_general_way_first(k):
    gradient = ad.grad(with_default)
    gradient(X, 2.0)
    np.testing.assert_array_equal(gradient(X, k), gradient(x=X, k=k))
    np.testing.assert_array_equal(gradient(X), [2.0, 0.0, 0.0])


def test_dtype_and_rank_choose_the_code():
    gradient = ad.grad(scaled)
    gradient(X)
    single = gradient(X.astype(np.float32))
    assert single.dtype == np.float32
    assert gradient(X.astype(np.float32)).dtype == np.float32
    with pytest.raises(ad.CompileError):
        gradient(np.ones((2, 2)))


def test_a_limit_in_bytes_is_always_checked():
    gradient = ad.grad(squared, workspace=80)
    gradient(X), gradient(X)
    with pytest.raises(ad.WorkspaceError):
        gradient(np.ones(100_000))


def test_wrt_is_checked_although_it_looks_like_one_that_is_known():
    ad.grad(weighted, wrt=1)(X, Y, 1.0)
    with pytest.raises(ad.ArgumentError, match="wrt=True"):
        ad.grad(weighted, wrt=True)(X, Y, 1.0)
    with pytest.raises(ad.ArgumentError):
        ad.grad(weighted, wrt=[0])(X, Y, 1.0)
