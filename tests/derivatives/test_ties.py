"""Equal operands of min and max share the derivative, so that what is smooth has its slope."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def softplus_by_min(x):
    return -min(0.0, -x) + np.log1p(np.exp(-np.abs(x)))


def softplus_by_numpy(x):
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def softplus_by_clip(x):
    return np.clip(x, 0.0, 50.0) + np.log1p(np.exp(-np.abs(x)))


def sum_of_both(x):
    return max(x, 2.0 * x) + min(x, 2.0 * x)


def magnitude(x):
    """Three are equal at 0."""
    return max(x, -x, 0.0) - abs(x) + x


def magnitude_of_a_list(x):
    return max([0.0, x, -x]) - abs(x) + x


def signed(x):
    return math.copysign(x, 1.0) - abs(x) + x


SMOOTH = [(softplus, 0.5), (softplus_by_min, 0.5), (softplus_by_numpy, 0.5), (softplus_by_clip, 0.5),
          (sum_of_both, 3.0), (magnitude, 1.0), (magnitude_of_a_list, 1.0), (signed, 1.0)]  # fmt: skip


@pytest.mark.parametrize(("f", "slope"), SMOOTH, ids=lambda p: getattr(p, "__name__", ""))
def test_a_smooth_function_has_its_slope(f: Any, slope: float) -> None:
    assert ad.grad(f)(0.0) == pytest.approx(slope, abs=1e-15)
    assert ad.jvp(f, (0.0,), (1.0,))[1] == pytest.approx(slope, abs=1e-15)


def test_of_arrays_and_in_second_order() -> None:
    def f(x):
        return np.sum((np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))) ** 2)

    x = np.array([0.0, 1.0, 0.0])
    p = 1 / (1 + np.exp(-x))
    value = np.log1p(np.exp(x))
    np.testing.assert_allclose(ad.grad(f)(x), 2 * value * p, rtol=1e-15)
    # The second derivative at a tie is that of the parts: max adds nothing, abs neither.
    assert np.isfinite(ad.hessian(f)(x)).all()


def test_three_of_four_are_equal() -> None:
    def f(x):
        return max(x[0], x[1], x[2], x[3])

    x = np.array([3.0, 1.0, 3.0, 3.0])
    np.testing.assert_allclose(ad.grad(f)(x), [1 / 3, 0, 1 / 3, 1 / 3])
    np.testing.assert_allclose([ad.jvp(f, (x,), (row,))[1] for row in np.eye(4)], [1 / 3, 0, 1 / 3, 1 / 3])


def running(x):
    largest = x[0]
    for v in x:
        largest = max(largest, v)
    return largest


def running_by_numpy(x):
    largest = -np.inf
    for i in range(len(x)):
        if i % 2 == 0:
            largest = np.maximum(largest, x[i])
    return largest


def of_builtin(x):
    return max(x)


@pytest.mark.parametrize("f", [running, running_by_numpy, of_builtin, np.max])
def test_a_running_maximum_takes_the_first(f: Any) -> None:
    """Of a whole array, and of a loop that carries it: as np.argmax says. Nothing is kept for it."""

    def program(x):
        return f(x)

    x = np.array([1.0, 0.0, 3.0, 0.0, 3.0, 0.0])
    expected = [0, 0, 1, 0, 0, 0]
    assert ad.grad(program)(x).tolist() == expected
    assert [ad.jvp(program, (x,), (row,))[1] for row in np.eye(6)] == expected
    assert ad.compile(program, ad.Duplicated(x, np.zeros(6)), workspace=0).workspace_bytes == 0


@pytest.mark.parametrize("f", [max, min])
def test_values_are_those_of_python(f: Any) -> None:
    """Zeros of both signs, infinities and NaN."""

    def program(x, y):
        return f(x, y)

    numbers = (0.0, -0.0, 1.0, math.inf, -math.inf, math.nan)
    for x in numbers:
        for y in numbers:
            assert repr(float(ad.value_and_grad(program)(x, y)[0])) == repr(f(x, y))
