"""`shadows="overwrite"`: derivatives are set where `"add"` adds them. `fastmath="sums"`: sums alone are reordered."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad

X = np.linspace(1.0, 2.0, 5)


def weighted(x, k):
    total = 0.0
    for i in range(len(x)):
        total += k * x[i] * x[i]
    return total


def squares(x, out):
    for i in range(len(x)):
        out[i] = x[i] * x[i]


def by_parts(m, x):
    return np.sum(m @ x) + np.sum(m[0])


@pytest.mark.parametrize("workspace", ["auto", "heap"])
def test_old_derivatives_do_not_stay(workspace: Any) -> None:
    shadow = np.full(5, math.nan)
    handle = ad.compile(weighted, ad.Duplicated(X, shadow), ad.Active(2.0), shadows="overwrite", workspace=workspace)
    for _ in range(2):
        assert handle(X, shadow, 2.0) == (np.sum(X * X),)
        np.testing.assert_array_equal(shadow, 4.0 * X)
    bound = handle.bind(X, shadow, 2.0)
    for _ in range(2):
        bound()
        np.testing.assert_array_equal(shadow, 4.0 * X)
    shadow[:] = 7.0
    ad.autodiff(ad.Reverse, weighted, ad.Duplicated(X, shadow), ad.Const(1.0), shadows="overwrite")
    np.testing.assert_array_equal(shadow, 2.0 * X)


def test_what_is_written_brings_its_seed() -> None:
    slope, seed = np.full(5, 9.0), np.arange(5.0)
    ad.autodiff(
        ad.Reverse, squares, ad.Duplicated(X, slope), ad.Duplicated(np.zeros(5), seed), shadows="overwrite"
    )  # fmt: skip
    np.testing.assert_array_equal(slope, 2.0 * X * np.arange(5.0))
    assert not seed.any()


@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_every_layout(layout: str) -> None:
    m, x = np.arange(6.0).reshape(2, 3), np.ones(3)
    shadow = np.full((4, 6), 3.0)[::2, ::2] if layout == "strided" else np.full((2, 3), 3.0, order=layout)  # type: ignore[call-overload]
    ad.autodiff(
        ad.Reverse, by_parts, ad.Duplicated(m, shadow), ad.Duplicated(x, np.zeros(3)), shadows="overwrite"
    )  # fmt: skip
    np.testing.assert_array_equal(shadow, [[2.0] * 3, [1.0] * 3])


def test_single_precision() -> None:
    x, shadow = X.astype(np.float32), np.full(5, 9.0, np.float32)
    ad.autodiff(ad.Reverse, weighted, ad.Duplicated(x, shadow), ad.Const(1.0), shadows="overwrite")
    np.testing.assert_allclose(shadow, 2.0 * x)


def test_without_it_they_are_added_as_before() -> None:
    shadow = np.ones(5)
    ad.autodiff(ad.Reverse, weighted, ad.Duplicated(X, shadow), ad.Const(1.0))
    np.testing.assert_array_equal(shadow, 2.0 * X + 1.0)


def test_what_is_refused() -> None:
    some = [X, X + 1.0]
    with pytest.raises(ad.ArgumentError, match="is for arrays"):
        ad.autodiff(
            ad.Reverse, lambda xs: np.sum(xs[0]), ad.Duplicated(some, [np.zeros(5), np.zeros(5)]), shadows="overwrite"
        )  # fmt: skip
    with pytest.raises(ad.ArgumentError, match="is for one sweep"):
        ad.compile(
            weighted, ad.Duplicated(X, np.zeros(5)), ad.Const(1.0), mode=ad.ReverseSplit, shadows="overwrite"
        )  # fmt: skip
    with pytest.raises(ad.ArgumentError, match='give "add" or "overwrite"'):
        ad.compile(weighted, ad.Duplicated(X, np.zeros(5)), ad.Const(1.0), shadows="set")
    with pytest.raises(ad.ArgumentError, match='give False, "sums", or True'):
        ad.grad(weighted, fastmath="all")(X, 1.0)  # type: ignore[arg-type]


def added(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i]
    return total


def divided(x):
    total = 0.0
    for i in range(len(x)):
        total += (x[i] / 3.0) * 1e-300 * 1e300 * 7.0
    return total


def test_sums_in_another_order() -> None:
    x = np.random.default_rng(1).normal(size=1001)
    plain = ad.compile(added, ad.Const(x), mode=ad.Primal)
    free = ad.compile(added, ad.Const(x), mode=ad.Primal, fastmath="sums")
    assert plain(x) == added(x)
    assert free(x) == pytest.approx(math.fsum(x), abs=1e-12)
    text = free.llvm_ir
    assert "reassoc" in text
    assert "arcp" not in text
    assert "afn" not in text


def test_nothing_else_changes() -> None:
    x = np.array([0.7])  # one summand: there is no order
    plain = ad.compile(divided, ad.Const(x), mode=ad.Primal)
    free = ad.compile(divided, ad.Const(x), mode=ad.Primal, fastmath="sums")
    for value in (0.7, 1e308, -3e-300, math.inf):
        x[0] = value
        assert free(x) == pytest.approx(plain(x), rel=1e-15)  # constant factors of a summand may become one
    np.testing.assert_allclose(ad.grad(divided, fastmath="sums")(np.ones(9)), ad.grad(divided)(np.ones(9)))
