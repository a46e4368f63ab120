"""Large arrays: every component is compared, in any precision; long recurrences are no difference from Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, GradReport, check, check_gradient
from pytest_adalloc.checks.exact import twins

N = 6_000
X = np.random.default_rng(0).normal(size=N)


def energy(x):
    total = 0.0
    for i in range(len(x)):
        total += np.sin(x[i]) * x[i] ** 2
    return total


def slopes(x: Any) -> Any:
    return np.cos(x) * x**2 + 2 * np.sin(x) * x


def verdict(*args: Any, **options: Any) -> GradReport:
    try:
        return check_gradient(*args, **options)
    except CheckFailed as failure:
        return failure.report


def test_a_right_gradient_passes_with_its_digits() -> None:
    for grad in (None, slopes):
        report = verdict(energy, X, grad=grad)
        assert report.verdict == "passed"
        assert f"80-bit slopes of all {N} components" in report.differences
        assert report.digits is not None
        assert report.digits >= 10


@pytest.mark.parametrize(
    ("size", "k"),
    [(1e-6, 4_321)] + [pytest.param(size, k, marks=pytest.mark.slow) for size in (1e-1, 1e-11) for k in (7, 4_321)],
)
def test_one_wrong_component_of_many_is_seen(size: float, k: int) -> None:
    def off(x: Any) -> Any:
        g = slopes(x)
        g[k] *= 1 + size
        return g

    report = verdict(energy, X, grad=off)
    assert report.verdict == "gradient wrong"
    assert f"d energy / d x[{k}]" in report.message


def squares(x):
    return np.sum(x * x)


@pytest.mark.parametrize("size", [1e-2, 1e-4])
def test_one_wrong_number_of_32_bits_among_many(size: float) -> None:
    x = X.astype(np.float32)

    def off(v: Any) -> Any:
        g = 2 * v
        g[777] *= np.float32(1 + size)
        return g

    assert verdict(squares, x).verdict == "passed"
    assert verdict(squares, x, grad=lambda v: 2 * v).verdict == "passed"
    report = verdict(squares, x, grad=off)
    assert report.verdict == "gradient wrong"
    assert "d squares / d x[777]" in report.message


def leaky(x, n):
    t = 0.0
    for _ in range(n):
        t = t * 0.999999 + x
    return t


@pytest.mark.parametrize("n", [10_000, 40_000])
def test_drift_of_a_long_recurrence_is_no_difference(n: int) -> None:
    assert check(leaky, 1.7, n).verdict == "passed"


def test_a_kink_of_many_numbers_is_left_to_differences() -> None:
    def relu_sum(x):
        return np.sum(np.maximum(x, 0))

    report = verdict(relu_sum, np.linspace(-1, 1, 2001))
    assert report.verdict == "kink"
    assert "d relu_sum / d x[1000]" in report.message


@pytest.mark.slow
def test_where_there_are_no_80_bits_differences_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins.LargeReference, "of", staticmethod(lambda *_: None))
    report = verdict(energy, X, grad=slopes)
    assert report.verdict == "passed"
    assert "finite differences of 8 random directions" in report.differences


@pytest.mark.slow
def test_a_twin_that_differences_contradict_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from adcore.driver.evidence.twin import Twin

    real = Twin.gradient
    monkeypatch.setattr(Twin, "gradient", lambda self, vector, kind="f80": real(self, vector, kind) * 1.001)
    assert verdict(energy, X, grad=slopes).verdict == "passed"
