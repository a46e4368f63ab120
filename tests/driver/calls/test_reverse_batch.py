"""BatchDuplicated in reverse mode: a sweep for each seed, from the arguments as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad


def stepped(x, y):
    for i in range(len(x)):
        y[i] = x[i] * x[i] * x[(i + 1) % len(x)]
        x[i] = x[i] + 1.0


def made(x):
    y = np.empty(3)
    for i in range(3):
        y[i] = x[i] * x[i] * (x[0] + 1.0 if i == 2 else x[i + 1])
    return y


def mixed(x, k, y):
    y[0] = k * x[0]
    y[1] = x[1] * k * k
    return k * x[0]


def test_all_rows_of_a_jacobian() -> None:
    x, y = np.array([1.0, 2.0, 3.0]), np.zeros(3)
    rows, seeds = [np.zeros(3) for _ in range(3)], [row.copy() for row in np.eye(3)]
    assert ad.autodiff(ad.Reverse, stepped, ad.BatchDuplicated(x, rows), ad.BatchDuplicated(y, seeds)) is None
    np.testing.assert_array_equal(np.array(rows), ad.jacobian(made)(np.array([1.0, 2.0, 3.0])))
    # The call itself is made once: what it writes is written as by one.
    np.testing.assert_array_equal(x, [2.0, 3.0, 4.0])
    np.testing.assert_array_equal(y, [2.0, 12.0, 18.0])


X = np.array([1.0, 2.0])


def shadows() -> tuple[list[Any], list[Any]]:
    return [np.zeros(2), np.zeros(2)], [np.array([1.0, 0.0]), np.array([0.0, 1.0])]


def test_derivatives_of_numbers_come_by_sweep() -> None:
    slopes, seeds = shadows()
    found = ad.autodiff(
        ad.Reverse, mixed, ad.BatchDuplicated(X, slopes), ad.Active(3.0), ad.BatchDuplicated(np.zeros(2), seeds)
    )
    # Each sweep has the seed of the value, 1, and one of what is written.
    assert found == ((2.0,), (1.0 + 12.0,))
    np.testing.assert_array_equal(slopes, [[6.0, 0.0], [3.0, 9.0]])
    slopes, seeds = shadows()
    found, value = ad.autodiff(
        ad.ReverseWithPrimal, mixed, ad.BatchDuplicated(X, slopes), ad.Active(3.0),
        ad.BatchDuplicated(np.zeros(2), seeds),
    )  # fmt: skip
    assert found == ((2.0,), (13.0,))
    assert value == 3.0


def test_handles_and_bound_calls() -> None:
    slopes, seeds = shadows()
    given = ad.BatchDuplicated(X, slopes), ad.Active(3.0), ad.BatchDuplicated(np.zeros(2), seeds)
    handle = ad.compile(mixed, *given)
    assert handle(*given) == ((2.0,), (13.0,))
    bound = handle.bind(*given)
    for k, seed in enumerate(seeds):
        seed[:] = np.eye(2)[k]
    assert bound() == ((2.0,), (13.0,))
    np.testing.assert_array_equal(slopes, [[12.0, 0.0], [6.0, 18.0]])


def test_a_shadow_that_is_shared_by_all_gets_their_sum() -> None:
    _, seeds = shadows()
    total = np.zeros(2)
    ad.autodiff(ad.Reverse, mixed, ad.Duplicated(X, total), ad.Const(3.0), ad.BatchDuplicated(np.zeros(2), seeds))
    np.testing.assert_array_equal(total, [9.0, 9.0])


def test_errors_come_out() -> None:
    def reads(x, at):
        return x[at]

    with pytest.raises(IndexError):
        ad.autodiff(ad.Reverse, reads, ad.BatchDuplicated(X, shadows()[0]), ad.Const(7))


def test_what_is_refused() -> None:
    slopes, seeds = shadows()
    y = np.zeros(2)
    with pytest.raises(ad.ArgumentError, match="two shadows of `x` share memory"):
        ad.autodiff(
            ad.Reverse, mixed, ad.BatchDuplicated(X, [slopes[0]] * 2), ad.Const(3.0), ad.BatchDuplicated(y, seeds)
        )
    with pytest.raises(ad.ArgumentError, match="have 1, 2 shadows"):
        ad.autodiff(ad.Reverse, mixed, ad.BatchDuplicated(X, slopes), ad.Const(3.0), ad.BatchDuplicated(y, seeds[:1]))
    with pytest.raises(ad.ArgumentError, match="have 0 shadows"):
        ad.autodiff(ad.Reverse, mixed, ad.BatchDuplicated(X, ()), ad.Const(3.0), ad.Const(y))
    with pytest.raises(ad.ArgumentError, match="for forward and reverse mode"):
        ad.autodiff(ad.Primal, mixed, ad.BatchDuplicated(X, slopes), ad.Const(3.0), ad.Const(y))
