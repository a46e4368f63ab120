"""Right gradients pass where differences fail, wrong ones do not; corners, edges, jumps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, GradReport, check, check_gradient


def verdict(f: Callable[..., Any], *args: Any, grad: Any = None, **options: Any) -> GradReport:
    """The report, whether it passes or not."""
    try:
        return check_gradient(f, *args, grad=grad, **options)
    except CheckFailed as failure:
        return failure.report


def cosc(x):
    return (1.0 - math.cos(x)) / (x * x)


def cosc_slope(x):
    return -x / 12 + x**3 / 180


def expm1_over(x):
    return (math.exp(x) - 1.0) / x


def sinc_rest(x):
    return (x - math.sin(x)) / (x * x * x)


@pytest.mark.parametrize("f", [cosc, expm1_over, sinc_rest])
@pytest.mark.parametrize("x", [1e-2, 1e-3, 1e-5, 1e-6])
def test_cancellation_accuses_nobody(f: Callable[..., Any], x: float) -> None:
    assert verdict(f, x).verdict == "passed"


def test_a_pass_says_what_it_is_worth() -> None:
    report = verdict(cosc, 1e-5)
    assert (report.verdict, report.digits, report.drowned) == ("passed", 0, ("x",))
    assert "rounding hides 1 of the components: x" in str(report)
    report = verdict(cosc, 0.5)
    assert report.digits is not None
    assert 10 <= report.digits <= 16
    assert report.drowned == ()
    assert f"agrees to {report.digits} digits; rounding of the program leaves" in str(report)


@pytest.mark.parametrize("wrong", [lambda v: -1 / v, lambda v: 0.5 / v])
def test_cancellation_excuses_nothing_that_it_does_not_explain(wrong: Callable[..., Any]) -> None:
    assert verdict(cosc, 1e-4, grad=wrong).verdict == "gradient wrong"
    assert verdict(cosc, 1e-4, grad=cosc_slope).verdict == "passed"


def polynomial(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


def polynomial_slope(x):
    g = np.zeros_like(x)
    g[:-1] += -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return g


X = np.linspace(-1.1, 0.9, 8)


@pytest.mark.parametrize("size", [1e-1, 1e-4, 1e-8, 5e-10])
@pytest.mark.parametrize("k", [0, 4, 7])
def test_errors_are_seen_where_there_are_digits(size: float, k: int) -> None:
    def off(x):
        g = polynomial_slope(x)
        g[k] *= 1 + size
        return g

    report = verdict(polynomial, X, grad=off)
    assert report.verdict == "gradient wrong"
    assert report.worst is not None
    assert (report.worst.argument, report.worst.index) == ("x", k)


def test_the_right_one_passes_with_its_digits() -> None:
    report = verdict(polynomial, X, grad=polynomial_slope)
    assert report.verdict == "passed"
    assert report.digits is not None
    assert report.digits >= 13


def test_tolerances_are_allowed_on_top() -> None:
    def off(x):
        return polynomial_slope(x) * (1 + 1e-6)

    assert verdict(polynomial, X, grad=off).verdict == "gradient wrong"
    assert verdict(polynomial, X, grad=off, rtol=1e-5).verdict == "passed"
    assert verdict(polynomial, X, grad=off, atol=1.0).verdict == "passed"


def hinge(x):
    return max(x, 0.0) ** 2


def signed_square(x):
    return x * abs(x)


def three_halves(x):
    return abs(x) ** 1.5


def root_of_fourth(x):
    return math.sqrt(x**4)


@pytest.mark.parametrize("f", [hinge, signed_square, three_halves, root_of_fourth])
def test_corners_of_the_slope_are_smooth(f: Callable[..., Any]) -> None:
    report = verdict(f, 0.0, grad=lambda x: 0.0)
    assert report.verdict == "passed"
    assert verdict(f, 0.0, grad=lambda x: 0.5).verdict == "gradient wrong"


def distance(x):
    return math.sqrt(x[0] * x[0] + x[1] * x[1])


def test_kinks_have_their_component_and_both_slopes() -> None:
    def f(x):
        return abs(x[0]) + x[1] ** 2 + max(3 * x[2], x[2])

    report = verdict(f, np.array([1.0, 2.0, 0.0]), grad=lambda x: np.array([1.0, 4.0, 2.0]))
    assert report.verdict == "kink"
    assert "d f / d x[2] does not exist at x[2] = 0" in report.message
    assert "slope from the left 1, from the right 3; the gradient that was passed in: 2" in report.message
    report = verdict(distance, np.zeros(2), grad=lambda x: np.zeros(2))
    assert report.verdict == "kink"
    assert "slope from the left -1, from the right 1" in report.message


def test_a_kink_does_not_hide_a_wrong_component() -> None:
    def f(x):
        return abs(x[0]) + x[1] ** 2

    report = verdict(f, np.array([0.0, 3.0]), grad=lambda x: np.array([0.0, 5.0]))
    assert report.verdict == "gradient wrong"
    assert "d f / d x[1]" in report.message


def test_jumps_and_cusps_are_told_as_such() -> None:
    def jumps(x):
        return math.floor(4 * x) + x

    def cusp(x):
        return abs(x) ** 0.5

    report = verdict(jumps, 0.5, grad=lambda x: 1.0)
    assert report.verdict == "kink"
    assert "the function jumps at this point" in report.message
    assert verdict(jumps, 0.3, grad=lambda x: 1.0).verdict == "passed"
    assert verdict(jumps, 0.3, grad=lambda x: 5.0).verdict == "gradient wrong"
    report = verdict(cusp, 0.0, grad=lambda x: 0.0)
    assert report.verdict == "kink"
    assert "the slope grows without bound" in report.message


def test_edges_and_domains() -> None:
    def f(x):
        return math.sqrt(x) * x + x

    report = verdict(f, 0.0, grad=lambda x: 1.0)
    assert report.verdict == "edge of the domain"
    assert "such as domain={'x': (0, None)}" in report.message
    assert verdict(f, 0.0, grad=lambda x: 1.0, domain=(0, None)).verdict == "passed"
    assert verdict(f, 0.0, grad=lambda x: 1.1, domain=(0, None)).verdict == "gradient wrong"


@pytest.mark.parametrize("x", [np.float64(0.0), 0.0])
def test_a_power_that_is_complex_on_one_side(x: Any) -> None:
    def f(x):
        return x**1.5

    assert verdict(f, x).verdict == "edge of the domain"


def test_an_error_that_rounding_of_a_branch_may_make_is_unreliable() -> None:
    def f(x):
        rest = (x + 1e16) - 1e16 - x
        return x * x if rest < 0 else 3 * x

    assert verdict(f, 0.9, grad=lambda x: 2 * x).verdict == "passed"
    report = verdict(f, 0.9, grad=lambda x: 3.0)
    assert report.verdict == "finite differences unreliable here"
    assert "within rounding of a branch" in report.message


def test_numbers_of_32_bits_on_the_way() -> None:
    def f(x, w):
        out = np.empty((x.shape[0], x.shape[0]), dtype=np.float32)
        for i in range(x.shape[0]):
            for j in range(x.shape[0]):
                out[i, j] = x[i] * x[j]
        return np.sum(w * out)

    r = np.random.default_rng(1)
    for _ in range(5):
        x, w = r.normal(size=6), r.normal(size=(6, 6))
        assert verdict(f, x, w, wrt=0).verdict == "passed"
        right = (w + w.T) @ x
        assert verdict(f, x, w, wrt=0, grad=lambda x, w, right=right: right).verdict == "passed"
        assert verdict(f, x, w, wrt=0, grad=lambda x, w, right=right: right * 1.001).verdict == "gradient wrong"


def test_a_component_far_below_the_largest_is_compared() -> None:
    def brown(v):
        return (v[0] - 1e6) ** 2 + (v[1] - 2e-6) ** 2 + (v[0] * v[1] - 2) ** 2

    at = np.ones(2)
    right = np.array([2 * (1 - 1e6) - 2.0, 2 * (1 - 2e-6) - 2.0])
    assert verdict(brown, at, grad=lambda v: right).verdict == "passed"
    for second in (-7e-3, 1e-4):
        assert verdict(brown, at, grad=lambda v, s=second: np.array([right[0], s])).verdict == "gradient wrong"
    assert verdict(brown, np.array([1e6, 2e-6]), grad=lambda v: np.zeros(2)).verdict == "passed"


def test_the_story_of_a_wrong_component() -> None:
    def f(x, y):
        total = 0.0
        for i in range(len(x)):
            total += y * x[i] ** 3
        return total

    report = verdict(f, np.array([1.0, 2.0]), 0.5, grad=lambda x, y: (np.array([1.5, 6.5]), 9.0))
    lines = report.message.splitlines()
    assert lines[0] == "gradient wrong: d f / d x[1]"
    assert lines[1].startswith("  expected 6 (exact slope, +- ")
    assert lines[1].endswith("digits)")
    assert lines[2] == "  got      6.5 (the gradient that was passed in, off by 7.7e-02 of it)"
    at = lines.index("  = note: x[1] enters here")
    assert "total += y * x[i] ** 3" in lines[at + 2]
    assert "  = note: compared with exact slopes of all 3 components" in lines


def test_a_front_end_that_reads_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled takes a variable for a constant: right in value where it was compiled, and in no other point."""

    def f(x):
        return x * x + 2.0

    def detached(x):
        return 0.0 * x + 3.25 + x * 0.0

    import adcore as ad

    real = ad.reference
    monkeypatch.setattr(ad, "reference", lambda g, *args: real(detached, *args))
    with pytest.raises(CheckFailed, match="primal differs from Python"):
        check(f, math.sqrt(1.25))
