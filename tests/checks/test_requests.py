"""Arrays and objects that a gradient makes without a native allocation: limits of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad
import pytest_adalloc
from pytest_adalloc import CheckFailed

SMALL, LARGE = np.linspace(0.1, 1.0, 100), np.linspace(0.1, 1.0, 5000)


def energy(x: Any) -> Any:
    return np.sum(x * x)


def by_numpy(x: Any) -> Any:
    return x + x


OUT = np.zeros(100)


def into_a_buffer(x: Any) -> Any:
    return np.add(x, x, out=OUT)


@pytest.mark.parametrize("x", [SMALL, LARGE], ids=["small", "large"])
def test_arrays_are_counted_whatever_their_size(x: Any) -> None:
    with pytest.raises(CheckFailed, match=r"allocates.* once in every one of 20 calls; none is allowed"):
        pytest_adalloc.check(energy, x, grad=by_numpy, calls=20)


def test_the_message_says_why_malloc_was_not_called() -> None:
    with pytest.raises(CheckFailed) as failure:
        pytest_adalloc.check(energy, SMALL, grad=by_numpy, calls=20)
    text = str(failure.value)
    assert text.startswith(
        "allocates: the gradient of energy asks NumPy for the data of arrays once in every one of 20"
    )
    assert "NumPy keeps small blocks" in text
    assert "max_numpy=" in text
    assert __file__ in text
    assert failure.value.report.allocs_per_call == (0,) * 20


def test_it_can_be_allowed() -> None:
    assert pytest_adalloc.check(energy, SMALL, grad=by_numpy, max_numpy=1).passed
    assert pytest_adalloc.check(energy, SMALL, grad=by_numpy, max_allocs=1).passed
    with pytest.raises(CheckFailed, match="none is allowed"):
        pytest_adalloc.check(energy, SMALL, grad=by_numpy, max_allocs=1, max_numpy=0)
    with pytest.raises(CheckFailed, match="3 times in every one of 100 calls; 1 a call is allowed"):
        pytest_adalloc.check(energy, SMALL, grad=lambda x: abs(-x) + x, max_numpy=1)


def test_a_gradient_that_fills_a_buffer_passes() -> None:
    assert pytest_adalloc.check(energy, SMALL, grad=into_a_buffer).passed


def test_results_of_compiled_gradients_are_no_arrays_of_the_users() -> None:
    def squares(x: Any) -> Any:
        total = 0.0
        for i in range(len(x)):
            total += x[i] * x[i]
        return total

    assert pytest_adalloc.check(squares, SMALL).passed
    assert pytest_adalloc.check(squares, SMALL, grad=ad.grad(squares)).passed
    with pytest.raises(CheckFailed, match="asks NumPy for the data of arrays once"):
        pytest_adalloc.check(squares, SMALL, grad=ad.grad(squares), max_numpy=0)


def test_objects_are_limited_on_request() -> None:
    def grad(x: float) -> float:
        return float(sum([2.0, *[0.0] * 3])) * x

    assert pytest_adalloc.check(lambda x: x * x, 3.0, grad=grad).passed
    with pytest.raises(CheckFailed, match=r"asks Python for memory of objects .* in every one of 100 calls; none is"):
        pytest_adalloc.check(lambda x: x * x, 3.0, grad=grad, max_python=0)
    assert pytest_adalloc.check(lambda x: x * x, 3.0, grad=grad, max_python=50).passed


@pytest.mark.parametrize("name", ["max_numpy", "max_python"])
def test_a_limit_is_a_number(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        pytest_adalloc.check(energy, SMALL, grad=by_numpy, **{name: -1})
