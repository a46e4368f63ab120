"""A gradient that someone else computes with fewer bits than its arguments have: JAX does so unless it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, check_gradient

X = np.linspace(1.0, 2.0, 9)


def energy(x: Any) -> Any:
    return np.sum(np.sin(x) * x**2)


def slope(x: Any) -> Any:
    return np.cos(x) * x**2 + 2 * np.sin(x) * x


def in_single_precision(x: Any) -> Any:
    return (slope(x) * (1 + 5e-7)).astype(np.float32)  # some roundings in a row


def test_the_help_is_about_the_precision() -> None:
    with pytest.raises(CheckFailed, match="gradient wrong") as failure:
        check_gradient(energy, X, grad=in_single_precision)
    assert "fewer bits than its arguments have" in str(failure.value)
    assert "jax_enable_x64" in str(failure.value)


def test_ways_out() -> None:
    assert check_gradient(energy, X, grad=in_single_precision, rtol=1e-5).passed
    assert check_gradient(energy, X.astype(np.float32), grad=in_single_precision).passed
    assert check_gradient(energy, X, grad=slope).passed


@pytest.mark.parametrize(
    "grad",
    [
        lambda x: in_single_precision(x) + np.float32(0.1),  # few bits, but that is not what is wrong
        lambda x: slope(x) * (1 + 1e-7),  # all bits
    ],
)
def test_other_faults_keep_their_help(grad: Any) -> None:
    with pytest.raises(CheckFailed, match="gradient wrong") as failure:
        check_gradient(energy, X, grad=grad)
    assert "fewer bits" not in str(failure.value)
    assert "look at the term" in str(failure.value)
