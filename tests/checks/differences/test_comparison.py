"""Gradients that are right pass; planted faults are caught, named and located; points without a gradient are said
so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_adalloc.checks.differences.comparison import Comparison, compare
from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.differences.judging import Tolerance
from pytest_adalloc.checks.inputs.arguments import Point
from pytest_adalloc.checks.inputs.flat import in_a_row
from pytest_adalloc.checks.subjects.evaluation import Evaluator


def judged(f: Callable[..., Any], args: tuple[Any, ...], gradient: Any, **options: Any) -> tuple[Comparison, Point]:
    point = Point(in_a_row(f, args, {}, None)[0].names, args)
    domain = DomainBounds.of(options.pop("domain", None), point)
    vector = np.asarray(gradient, dtype=float).reshape(-1)
    return compare(Evaluator(f, point), vector, domain=domain, **options), point


def rosenbrock(x: Any) -> float:
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(len(x) - 1))


def rosenbrock_gradient(x: Any) -> Any:
    g = np.zeros_like(x)
    g[:-1] += -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return g


X = np.linspace(-1, 1, 8)


def test_a_right_gradient_passes() -> None:
    found, _ = judged(rosenbrock, (X,), rosenbrock_gradient(X))
    assert found.verdict == "passed"
    assert found.max_error < 1e-9
    assert found.how == "all 8 components"


@pytest.mark.parametrize("k", range(8))
def test_a_component_that_is_off_by_one_in_ten_thousand_is_caught_and_named(k: int) -> None:
    planted = rosenbrock_gradient(X)
    planted[k] *= 1 + 1e-4
    found, point = judged(rosenbrock, (X,), planted)
    assert found.verdict == "gradient wrong"
    worst = found.worst(point)
    assert worst is not None
    assert (worst.argument, worst.index) == ("x", k)
    assert worst.expected == pytest.approx(rosenbrock_gradient(X)[k], rel=1e-9)
    assert worst.got == planted[k]


@pytest.mark.parametrize(
    "plant",
    [
        lambda g: -g,
        lambda g: g[[1, 0, 2, 3, 4, 5, 6, 7]],
        lambda g: np.roll(g, 1),
        lambda g: 2 * g,
        lambda g: g + 1e-3,
        lambda g: np.where(np.arange(8) == 3, 0.0, g),
        lambda g: np.where(np.arange(8) == 3, math.nan, g),
        lambda g: np.where(np.arange(8) == 3, math.inf, g),
    ],
    ids=["sign", "swap", "shift", "twice", "offset", "missing", "nan", "infinite"],
)
def test_planted_faults_are_caught(plant: Callable[[Any], Any]) -> None:
    found, _ = judged(rosenbrock, (X,), plant(rosenbrock_gradient(X)))
    assert found.verdict == "gradient wrong"


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@example([5e-324, 0.0], 0, 1.0, -1.0)
@given(
    st.lists(st.floats(-2, 2), min_size=2, max_size=6),
    st.integers(0, 5),
    st.floats(1e-4, 10),
    st.sampled_from([-1.0, 1.0]),
)
def test_right_gradients_pass_and_planted_ones_do_not(x: list[float], k: int, size: float, sign: float) -> None:
    at = np.array(x)
    k %= len(x)

    def f(x: Any) -> float:
        return float(np.sum(np.sin(3 * x) + x**3) + np.prod(np.cos(x)))

    product = np.prod(np.cos(at))
    right = 3 * np.cos(3 * at) + 3 * at**2 - product * np.tan(at)
    found, _ = judged(f, (at,), right)
    assert found.verdict == "passed"
    planted = right.copy()
    planted[k] += sign * size * max(abs(right[k]), 0.1)
    found, point = judged(f, (at,), planted)
    assert found.verdict == "gradient wrong"
    assert found.component == k
    assert point.spelled(k) == f"x[{k}]"


def test_a_kink_is_called_one_whatever_the_gradient_says() -> None:
    for claim in (-1.0, 0.0, 1.0):
        found, point = judged(lambda x: float(np.abs(x).sum()), (np.array([1.0, 0.0, -2.0]),), [1, claim, -1])
        assert found.verdict == "kink"
        assert point.spelled(found.component) == "x[1]"
        assert (found.left, found.right) == pytest.approx((-1, 1))


def test_a_tie_of_maxima_is_a_kink() -> None:
    found, _ = judged(lambda x: max(x[0], x[1]), (np.array([2.0, 2.0]),), [1, 0])
    assert found.verdict == "kink"


def test_a_kink_next_to_a_wrong_component_does_not_hide_it() -> None:
    found, point = judged(lambda x: abs(x[0]) + x[1] ** 2, (np.array([0.0, 3.0]),), [0, 5])
    assert found.verdict == "gradient wrong"
    assert point.spelled(found.component) == "x[1]"


def test_a_kink_close_by_is_stepped_around() -> None:
    found, _ = judged(abs, (1e-5,), [1.0])
    assert found.verdict == "passed"


def test_the_edge_of_the_domain_is_named_with_its_reason() -> None:
    found, _ = judged(math.sqrt, (0.0,), [math.inf])
    assert found.verdict == "edge of the domain"
    assert "math domain error" in found.trouble or "nonnegative" in found.trouble


def test_bounds_make_an_edge_checkable() -> None:
    def f(x: Any) -> float:
        return float(np.sum(np.sqrt(x) * x + x))

    x = np.array([0.0, 2.0])
    assert judged(f, (x,), 1.5 * np.sqrt(x) + 1)[0].verdict == "edge of the domain"

    def smooth(x: Any) -> float:
        if np.any(x < 0):
            raise ValueError("negative")
        return float(np.sum(np.exp(x)))

    assert judged(smooth, (x,), np.exp(x), domain={"x": (0, None)})[0].verdict == "passed"
    assert judged(smooth, (x,), 1.001 * np.exp(x), domain=(0, None))[0].verdict == "gradient wrong"


def test_bounds_that_make_no_sense_are_refused() -> None:
    point = Point(("x",), (1.0,))
    with pytest.raises(TypeError, match="there is no argument 'y'; the arguments are x"):
        DomainBounds.of({"y": (0, 1)}, point)
    with pytest.raises(TypeError, match=r"a pair \(low, high\), not 3"):
        DomainBounds.of(3, point)
    with pytest.raises(ValueError, match=r"x = 1 lies outside \[2, 3\]"):
        DomainBounds.of((2, 3), point)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_point_that_is_not_finite_is_no_point(bad: float) -> None:
    found, point = judged(lambda x: float(np.sum(x * x)), (np.array([1.0, bad]),), [2, 2 * bad])
    assert found.verdict == "edge of the domain"
    assert point.spelled(found.component) == "x[1]"


def test_noise_makes_differences_unreliable() -> None:
    random = np.random.default_rng(3)

    def noisy(x: float) -> float:
        return x * x + 1e-3 * float(random.uniform(-1, 1))

    for claim in (2.0, -2.0, 0.0):
        assert judged(noisy, (1.0,), [claim])[0].verdict == "finite differences unreliable here"


def test_a_ripple_far_below_the_first_steps_is_found_before_anyone_is_accused() -> None:
    def rippled(x: float) -> float:
        return (1 + x) ** 2 + 1e-7 * math.sin(1e9 * x)

    assert judged(rippled, (0.0,), [102.0])[0].verdict == "passed"
    found, _ = judged(rippled, (0.0,), [2.0])
    assert found.verdict == "gradient wrong"
    assert found.expected == pytest.approx(102.0, rel=1e-6)


def test_a_function_steeper_than_any_step_is_not_called_wrong() -> None:
    def steep(x: float) -> float:
        return x + math.sin(math.exp(3 * x))

    x = 13.0
    gradient = 1 + math.cos(math.exp(3 * x)) * 3 * math.exp(3 * x)
    assert judged(steep, (x,), [gradient])[0].verdict == "finite differences unreliable here"


def test_zero_where_all_is_zero() -> None:
    assert judged(lambda x, y: x * x * y, (0.0, 0.0), [0.0, 0.0])[0].verdict == "passed"
    assert judged(lambda x: float(x[0] ** 3 * x[1]), (np.array([0.0, 0.0]),), [0.0, 0.0])[0].verdict == "passed"


def test_nothing_within_rounding_is_agreement_on_zero() -> None:
    assert judged(lambda x: 1.0 + 1e-40 * x, (1.0,), [1e-40])[0].verdict == "passed"
    assert judged(lambda x: math.tanh(x) ** 2, (18.0,), [1e-15])[0].verdict != "gradient wrong"


def test_cancellation_is_unreliable_not_wrong() -> None:
    assert judged(lambda x: (0.1 * x + 1e12) - 1e12, (1.0,), [0.1])[0].verdict == "finite differences unreliable here"


def test_own_tolerances_replace_the_measured_ones() -> None:
    off = 1.001 * rosenbrock_gradient(X)
    assert judged(rosenbrock, (X,), off)[0].verdict == "gradient wrong"
    assert judged(rosenbrock, (X,), off, tolerance=Tolerance(rtol=1e-2))[0].verdict == "passed"
    assert judged(rosenbrock, (X,), off, tolerance=Tolerance(rtol=1e-5, atol=10.0))[0].verdict == "passed"


def test_constants_and_tiny_gradients_pass() -> None:
    assert judged(lambda x: 3.0, (1.0,), [0.0])[0].verdict == "passed"
    assert judged(lambda x: 1e-30 * x, (1.0,), [1e-30])[0].verdict == "passed"
    assert judged(lambda x: 0.0 * x, (0.0,), [0.0])[0].verdict == "passed"


def test_single_precision_passes_and_catches() -> None:
    x = np.linspace(0.5, 2, 6).astype(np.float32)

    def f(x: Any) -> Any:
        total = np.float32(0)
        for v in x:
            total += v * v * v
        return total

    assert judged(f, (x,), 3 * x**2)[0].verdict == "passed"
    assert judged(f, (x,), 3 * x**2 * np.float32(1.05))[0].verdict == "gradient wrong"


BIG = np.random.default_rng(0).normal(size=20_000)


def cubes(x: Any) -> float:
    return float(np.sum(x * x * x))


def test_big_arguments_are_sampled_and_the_report_says_so() -> None:
    found, _ = judged(cubes, (BIG,), 3 * BIG**2)
    assert found.verdict == "passed"
    assert found.how == "8 random directions and 8 of 20000 components (seed 0)"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_wrong_component_of_many_is_found_by_halving(seed: int) -> None:
    planted = 3 * BIG**2
    planted[12_345] += 0.5
    found, point = judged(cubes, (BIG,), planted, seed=seed)
    assert found.verdict == "gradient wrong"
    assert point.spelled(found.component) == "x[12345]"
    assert found.expected == pytest.approx(3 * BIG[12_345] ** 2, abs=1e-6)


@pytest.mark.slow
def test_a_single_precision_sum_of_many_is_seen_through_directions() -> None:
    x = BIG.astype(np.float32)
    found, _ = judged(lambda x: x @ x, (x,), 2 * x)
    assert found.verdict == "passed"
    assert judged(lambda x: x @ x, (x,), 2.2 * x)[0].verdict == "gradient wrong"


def test_the_seed_decides_and_repeats() -> None:
    first, again = (judged(cubes, (BIG,), 3 * BIG**2, seed=5)[0] for _ in range(2))
    assert first == again
    assert "seed 5" in first.how


def test_progress_is_told() -> None:
    ticks = []
    judged(rosenbrock, (X,), rosenbrock_gradient(X), tick=lambda done, total: ticks.append((done, total)))
    assert ticks[:8] == [(k, 8) for k in range(1, 9)]
