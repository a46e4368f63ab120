"""Where values and adjoints stop to be finite: expression, operands, iteration; what is discarded is not reported."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import adcore as ad


def roots(x):
    total = 0.0
    for i in range(len(x)):
        r = x[i] * x[i]
        total += np.sqrt(r)
    return total


def discards(x):
    total = 0.0
    for i in range(len(x)):
        s = np.sqrt(x[i] - 1.0)
        total += x[i] if s != s else s
    return total + np.log(x[0] - 2.0)


def writes(x, out):
    for i in range(len(x)):
        out[i] = np.sqrt(x[i])


def overflows(x):
    big = np.exp(x)
    return big / big


def line_of(function: Any, text: str) -> int:
    lines, start = inspect.getsourcelines(function)
    return start + next(k for k, line in enumerate(lines) if text in line)


def test_an_adjoint_that_is_infinite_and_then_nan() -> None:
    found = ad.locate(roots, np.array([1.0, 2.0, 0.0, 3.0]))
    assert found.value is None
    assert str(found.adjoint).startswith(
        f"the adjoint becomes infinity at line {line_of(roots, 'sqrt')}, `np.sqrt(r)`, where r = 0 (iteration 3); "
        f"this becomes NaN at line {line_of(roots, 'r = x')}, `x[i] * x[i]`"
    )


def test_a_nan_that_is_discarded_is_not_the_one() -> None:
    value = ad.locate(discards, np.array([0.5, 2.0])).value
    assert value is not None
    assert value.what == "NaN"
    assert (value.text, value.operands, value.iterations) == ("np.log(x[0] - 2.0)", (("x[0] - 2.0", -1.5),), ())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_written_counts_where_nothing_is_returned(dtype: Any) -> None:
    x = np.array([1.0, 4.0, -1.0], dtype)
    value = ad.locate(writes, x, np.zeros_like(x)).value
    assert str(value) == (
        f"NaN first appears at line {line_of(writes, 'sqrt')}, `np.sqrt(x[i])`, where x[i] = -1 (iteration 3)"
    )
    assert x.tolist() == [1.0, 4.0, -1.0]


def test_an_overflow_comes_before_its_nan() -> None:
    value = ad.locate(overflows, 1000.0).value
    assert value is not None
    assert value.then is not None
    assert (value.what, value.text, value.operands) == ("infinity", "np.exp(x)", (("x", 1000.0),))
    assert (value.then.what, value.then.text) == ("NaN", "big / big")


def test_finite_numbers_and_given_ones() -> None:
    assert str(ad.locate(roots, np.array([1.0, -2.0]))) == "value and adjoints are finite"
    assert str(ad.locate(roots, np.array([1.0, np.nan])).value) == "NaN is in the arguments already"


def in_arrays(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = np.sqrt(x[i])
    return y


def test_arrays_that_are_returned() -> None:
    line = line_of(in_arrays, "np.sqrt")
    assert str(ad.locate(in_arrays, np.array([1.0, -4.0])).value) == (
        f"NaN first appears at line {line}, `np.sqrt(x[i])`, where x[i] = -4 (iteration 2)"
    )
    found = ad.locate(in_arrays, np.array([1.0, 4.0, 0.0]))
    assert found.value is None
    assert str(found.adjoint) == (
        f"the adjoint becomes infinity at line {line}, `np.sqrt(x[i])`, where x[i] = 0 (iteration 3)"
    )


def of_both(x, k):
    return x * np.sqrt(k)


def test_tangents_by_forward_mode() -> None:
    reference = ad.reference(of_both, 2.0, 4.0)
    assert reference.forward_located((2.0, 4.0), (1.0, 8.0)).tangent == 1.0 * 2.0 + 8.0 * 2.0 / 4.0
    assert reference.forward_located((2.0, 4.0), (1.0, 8.0)).place is None
    found = reference.forward_located((2.0, 0.0), (0.0, 1.0))
    assert found.tangent == np.inf
    assert str(found.place) == (
        f"the tangent becomes infinity at line {line_of(of_both, 'sqrt')}, `np.sqrt(k)`, where k = 0"
    )


def test_long_programs_are_refused() -> None:
    with pytest.raises(ad.NoReference, match="runs for more than 100000 instructions"):
        ad.locate(roots, np.ones(50_000))


def test_the_gradient_by_the_interpreter() -> None:
    x = np.array([1.0, -2.0, 3.0])
    found = ad.reference(roots, x).located((x,), (np.arange(1.0, 4.0),), count=3)
    assert found.result == 6.0
    assert found.gradient.tolist() == [1.0, -1.0, 1.0]
