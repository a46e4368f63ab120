"""Finite differences: known derivatives, and what they say of points that have none."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_adalloc.checks.differences.extrapolation import (
    CUSP,
    EDGE,
    JUMP,
    KINK,
    SMOOTH,
    UNDEFINED,
    Precision,
    Sides,
    Slopes,
    extrapolate,
    measured_noise,
    slopes,
)

DOUBLE = Precision.of(np.dtype(np.float64))
SINGLE = Precision.of(np.dtype(np.float32))


def at(
    g: Callable[[float], float], scale: float = 1.0, precision: Precision = DOUBLE, sides: Sides | None = None
) -> Slopes:
    """Slopes of `g(step)` at step 0."""

    def sample(_: int, step: float) -> float:
        try:
            return float(g(step))
        except (ValueError, ArithmeticError):
            return math.nan

    base = sample(0, 0.0)
    noise = measured_noise(lambda step: sample(0, step * scale), precision, base)
    return slopes(sample, np.array([scale]), base, noise, precision, sides=sides)


@pytest.mark.parametrize(
    ("g", "derivative"),
    [
        (lambda h: (1 + h) ** 2, 2.0),
        (lambda h: math.exp(20 * (1 + h)), 20 * math.exp(20)),
        (lambda h: math.sin(1000 * (1 + h)), 1000 * math.cos(1000)),
        (lambda h: math.log(1e-3 + h), 1e3),
        (lambda h: math.tanh(1e4 * h), 1e4),
        (lambda h: 1e300 * (1 + h), 1e300),
        (lambda h: 1e-300 * (1 + h) ** 3, 3e-300),
        (lambda h: abs(1e-3 + h), 1.0),
        (lambda h: math.floor(1.5 + h) + h, 1.0),
        (lambda h: 3.0, 0.0),
        (lambda h: h * h * math.sqrt(abs(h)), 0.0),
    ],
)
def test_known_derivatives_are_met_within_the_estimated_error(g: Callable[[float], float], derivative: float) -> None:
    found = at(g)
    assert found.kind == (SMOOTH,)
    assert abs(found.value[0] - derivative) <= 8 * found.error[0] + 1e-14 * abs(derivative)
    assert found.error[0] <= 1e-7 * max(abs(derivative), 1e-6)


@pytest.mark.parametrize(
    ("g", "left", "right"),
    [(abs, -1.0, 1.0), (lambda h: max(h, 0.0), 0.0, 1.0), (lambda h: max(2 * h, 5 * h) + 7, 2.0, 5.0)],
)
def test_a_kink_shows_two_slopes(g: Callable[[float], float], left: float, right: float) -> None:
    found = at(g)
    assert found.kind == (KINK,)
    assert (found.left[0], found.right[0]) == pytest.approx((left, right), abs=1e-9)
    assert found.jump[0] == pytest.approx(right - left)


@pytest.mark.parametrize(
    ("g", "kind"),
    [
        (lambda h: math.floor(1 + h), JUMP),
        (lambda h: math.floor(1 + h) + h, JUMP),
        (lambda h: math.sqrt(abs(h)), CUSP),
        (math.sqrt, EDGE),
        (lambda h: math.acos(1 + h), EDGE),
        (lambda h: math.log(-1 + h), UNDEFINED),
        (lambda h: 1 / h, UNDEFINED),
        (lambda h: max(h, 0.0) ** 2, SMOOTH),
        (lambda h: abs(h) ** 1.5, SMOOTH),
    ],
)
def test_points_are_told_apart(g: Callable[[float], float], kind: str) -> None:
    assert at(g).kind == (kind,)


def test_one_side_is_enough_at_a_bound() -> None:
    at_zero = Sides(np.array([np.inf]), np.array([0.0]))
    found = at(lambda h: math.exp(h) if h >= 0 else math.nan, sides=at_zero)
    assert found.value[0] == pytest.approx(1.0, abs=1e-10)
    assert found.kind == (SMOOTH,)
    assert math.isnan(found.left[0])


def test_steps_stay_inside_bounds() -> None:
    visited = []

    def g(step: float) -> float:
        visited.append(step)
        return math.exp(step)

    slopes(lambda _, h: g(h), np.ones(1), 1.0, 1e-16, DOUBLE, sides=Sides(np.array([0.01]), np.array([0.5])))
    assert max(visited) <= 0.01
    assert min(visited) >= -0.5


def test_a_scale_that_is_far_too_small_is_left() -> None:
    found = at(lambda h: (1e-30 + h - 1) ** 2, scale=2.0**-99)
    assert found.value[0] == pytest.approx(-2.0)


@pytest.mark.parametrize("amplitude", [1e-3, 1e-6, 1e-10])
def test_noise_is_measured_and_enters_the_error(amplitude: float) -> None:
    random = np.random.default_rng(7)

    def noisy(h: float) -> float:
        return (1 + h) ** 2 + amplitude * float(random.uniform(-1, 1))

    noise = measured_noise(noisy, DOUBLE, 1.0)
    assert amplitude / 10 < noise < amplitude * 3
    found = at(noisy)
    assert abs(found.value[0] - 2.0) <= 8 * found.error[0]
    assert found.error[0] >= amplitude


def test_noise_does_not_see_a_kink_at_the_point() -> None:
    assert measured_noise(abs, DOUBLE, 0.0) == 0.0


def test_single_precision_uses_steps_that_it_can_see() -> None:
    found = at(lambda h: float(np.float32(1 + h) ** 2), precision=SINGLE)
    assert found.value[0] == pytest.approx(2.0, rel=1e-5)
    assert abs(found.value[0] - 2.0) <= 8 * found.error[0]
    assert 1e-9 < found.error[0] < 1e-3


def logistic_map(x: float) -> float:
    for _ in range(40):
        x = 3.7 * x * (1 - x)
    return x


@pytest.mark.parametrize(
    ("g", "derivative"),
    [(lambda h: logistic_map(0.3 + h), -5834305.756), (lambda h: (1 + h) ** 2 + 1e-7 * math.sin(1e9 * h), 102.0)],
    ids=["chaos", "ripple"],
)
def test_structure_far_below_the_steps_is_not_mistaken_for_a_slope(
    g: Callable[[float], float], derivative: float
) -> None:
    noise = measured_noise(g, DOUBLE, g(0.0))
    found = slopes(lambda _, h: g(h), np.array([0.25 * 0.6875]), g(0.0), noise, DOUBLE, thorough=True)
    assert abs(found.value[0] - derivative) <= 8 * found.error[0]


def test_extrapolation_removes_the_error_terms_that_it_is_told_of() -> None:
    h = 2.0 ** -np.arange(5)[:, None]
    value, error = extrapolate(3.0 + h**2 - 2 * h**4 + h**6, [4.0, 16.0, 64.0, 256.0], np.zeros_like(h))
    assert value[0] == pytest.approx(3.0, abs=1e-13)
    assert abs(value[0] - 3.0) <= error[0] + 1e-15


def test_extrapolation_without_finite_rows_knows_nothing() -> None:
    value, error = extrapolate(np.full((5, 1), np.nan), [4.0, 16.0], np.zeros((5, 1)))
    assert np.isinf(error[0])
    assert np.isnan(value[0])


coefficients = st.lists(st.floats(-10, 10), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(coefficients, st.floats(-3, 3), st.floats(0.1, 10))
def test_polynomials_and_waves_are_never_off_by_more_than_the_error(c: list[float], x: float, rate: float) -> None:
    p = np.polynomial.Polynomial(c)
    scale = 2.0 ** math.floor(math.log2(max(abs(x), 1e-150)))
    found = at(lambda h: float(p(x + h)) + math.sin(rate * (x + h)), scale=scale)
    exact = float(p.deriv()(x)) + rate * math.cos(rate * x)
    assert abs(found.value[0] - exact) <= 8 * found.error[0] + 1e-13 * (abs(exact) + float(np.max(np.abs(c))))
    assert found.kind == (SMOOTH,) or abs(found.jump[0]) < 1e-6 * max(1.0, abs(exact))
