"""A float that no integer is like stops the gradient just where it stops the program, whether the integer is used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad

NOT_A_NUMBER = (ValueError, "cannot convert float NaN to integer")
TOO_LARGE = (OverflowError, "infinity|64 bits")  # the first is what Python says


def unused(x: float) -> float:
    n = int(x)  # noqa: F841
    return x * x


def unused_floor(x: float) -> float:
    n = math.floor(x)  # noqa: F841
    return x * x


def unused_round(x: float) -> float:
    n = round(x)  # noqa: F841
    return x * x


def unused_in_a_loop(x: float) -> float:
    a = [1.0, x, 2.0]
    total = 0.0
    for v in a:
        n = int(v)  # noqa: F841
        total += v
    return total * x


def invariant_in_a_loop(x: float, m: int) -> float:
    total = 1.0
    for _ in range(m):
        total += x * int(x)
    return total


def invariant_in_a_while_loop(x: float, m: int) -> float:
    total, i = 1.0, 0
    while i < m:
        total += x * int(x)
        i += 1
    return total


def one_branch(x: float) -> float:
    n = int(x) if x < 1e18 else 4
    return n * x


def in_the_sweep_back(x: float) -> float:
    total = x
    for i in range(3):
        total = total * total * int(total + i)
    return total


STOPPED: list[tuple[Any, tuple[Any, ...], tuple[type[Exception], str]]] = [
    *((f, (math.nan,), NOT_A_NUMBER) for f in (unused, unused_floor, unused_round, unused_in_a_loop)),
    *((f, (math.inf,), TOO_LARGE) for f in (unused, unused_floor, unused_round, unused_in_a_loop)),
    (invariant_in_a_loop, (math.nan, 2), NOT_A_NUMBER),
    (invariant_in_a_while_loop, (math.nan, 2), NOT_A_NUMBER),
    (one_branch, (-math.inf,), TOO_LARGE),
]

RUN: list[tuple[Any, tuple[Any, ...], float]] = [
    (unused, (1.5,), 3.0),
    (unused_floor, (1.5,), 3.0),
    (unused_round, (1.5,), 3.0),
    (unused_in_a_loop, (1.5,), 6.0),
    (invariant_in_a_loop, (math.nan, 0), 0.0),
    (invariant_in_a_while_loop, (math.nan, 0), 0.0),
    (invariant_in_a_loop, (2.5, 3), 6.0),
    (invariant_in_a_while_loop, (2.5, 3), 6.0),
    (one_branch, (2.5,), 2.0),
    (one_branch, (math.inf,), 4.0),
    (one_branch, (math.nan,), 4.0),
    (in_the_sweep_back, (1.5,), 8 * 1.5**7 * 3**2 * 17),  # int gives 1, 3 and 17
]


@pytest.mark.parametrize(("f", "arguments", "error"), STOPPED)
def test_it_stops_where_python_stops(f: Any, arguments: tuple[Any, ...], error: tuple[type[Exception], str]) -> None:
    kind, message = error
    for run in (f, ad.grad(f), ad.value_and_grad(f)):
        with pytest.raises(kind, match=message):
            run(*arguments)


@pytest.mark.parametrize(("f", "arguments", "slope"), RUN)
def test_it_runs_where_python_runs(f: Any, arguments: tuple[Any, ...], slope: float) -> None:
    value, gradient = ad.value_and_grad(f)(*arguments)
    np.testing.assert_array_equal(value, f(*arguments))
    np.testing.assert_allclose(gradient, slope, rtol=1e-13)
