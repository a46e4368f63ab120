"""Slopes by calls alone: right within their bars, silent where nothing can be said, never outside of the domain."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, check_gradient
from pytest_adalloc.checks.differences.comparison import compare
from pytest_adalloc.checks.differences.ladder import UNSURE, Ladder, MeasuredSlope, measured
from pytest_adalloc.checks.differences.stairs import made_in_one_place
from pytest_adalloc.checks.inputs.arguments import Point
from pytest_adalloc.checks.subjects.evaluation import Evaluator
from pytest_adalloc.checks.verdict.comparison import CUSP, EDGE, JUMP, KINK, SMOOTH

DOUBLE = Ladder.of(8)


def slope(f: Callable[[float], float], x: float, scale: float = 1.0, **options: Any) -> MeasuredSlope:
    def along(step: float) -> float:
        try:
            return float(f(x + step))
        except ValueError:
            return math.nan

    with np.errstate(all="ignore"):
        return measured(along, scale, along(0.0), DOUBLE, abs(x), **options)


@pytest.mark.parametrize(
    ("f", "x", "right"),
    [
        (math.sin, 0.7, math.cos(0.7)),
        (math.exp, 3.0, math.exp(3.0)),
        (lambda x: x**9, 1.3, 9 * 1.3**8),
        (lambda x: math.tanh(50 * x), 0.01, 50 / math.cosh(0.5) ** 2),
        (lambda x: 1e6 + math.sin(x), 1.0, math.cos(1.0)),
        (lambda x: abs(x - 1e-9), 1.0, 1.0),
        (lambda x: (1 + x) ** 2 + 1e-7 * math.sin(1e9 * x), 0.0, 102.0),
        (lambda x: max(x, 0.0) ** 2, 0.0, 0.0),
    ],
)
def test_slopes_are_met_within_their_bars(f: Callable[[float], float], x: float, right: float) -> None:
    found = slope(f, x)
    assert found.kind == SMOOTH
    assert abs(found.value - right) <= 8 * found.bar + 1e-14 * abs(right)
    assert found.bar <= 1e-4 * max(abs(right), 1.0)


def stairs(height: float) -> Callable[[float], float]:
    return lambda x: height * math.floor(x * x / height)


@pytest.mark.parametrize("height", [1e-1, 1e-2, 1e-4, 1e-6])
def test_stairs_have_no_slope_but_that_of_a_tread(height: float) -> None:
    """The line through them, 2 x, is never spoken of with confidence."""
    found = slope(stairs(height), 0.7334321)
    assert found.kind == UNSURE or found.value == 0 or found.bar > abs(found.value)


def test_kinds_of_points() -> None:
    assert slope(abs, 0.0).kind == KINK
    assert (slope(abs, 0.0).left, slope(abs, 0.0).right) == pytest.approx((-1.0, 1.0))
    assert slope(lambda x: abs(x) ** 0.4, 0.0).kind == CUSP
    assert slope(lambda x: float(x > 0) + x, 0.0).kind == JUMP
    assert slope(math.sqrt, 0.0).kind == EDGE


def test_bounds_are_never_left() -> None:
    seen = []

    def f(x: float) -> float:
        seen.append(x)
        return math.exp(x)

    inner = slope(f, 0.3, room=(0.2, 0.2))
    assert abs(inner.value - math.exp(0.3)) <= 8 * inner.bar
    edge = slope(f, 0.0, room=(1.0, 0.0))
    assert abs(edge.value - 1.0) <= 8 * edge.bar
    assert edge.bar < 1e-6
    flat = slope(lambda x: (seen.append(x), 1.0)[1], 0.4, room=(0.6, 0.4))
    assert flat.value == 0
    assert min(seen) >= 0.0
    assert max(seen) <= 1.0


def test_a_step_is_told_from_a_steep_slope() -> None:
    assert made_in_one_place(lambda s: float(s > 0.3), 1.0, 0.0, 0.0, 1e-15)
    assert not made_in_one_place(lambda s: math.tanh(1e5 * (s - 0.3)), 1.0, 0.0, math.tanh(-3e4), 1e-15)
    assert not made_in_one_place(lambda s: s * s, 1.0, 0.0, 0.0, 1e-15)


JUMPS = [
    (lambda v: float(np.sum(np.floor(4 * v))), np.array([0.3, 1.37]), [40.0, 0.0]),
    (lambda v: float(np.sum(np.floor(4 * v))), np.array([0.3, 1.37]), [1.0, 0.0]),
    (lambda v: float(sorted(v > 0.5)[-1]), np.linspace(0, 1, 11) + 0.013, [3.0] * 11),
    (lambda v: float(np.round(np.sum(v * v), 2)), np.array([0.3, 0.7]), [0.6, 1.4]),
]


@pytest.mark.parametrize(("f", "x", "claimed"), JUMPS)
def test_no_slope_of_stairs_passes_but_zero(f: Callable[..., Any], x: Any, claimed: list[float]) -> None:
    with pytest.raises(CheckFailed):
        check_gradient(f, x, grad=lambda v: np.array(claimed))


def test_a_table_is_asked_inside_of_its_domain_alone() -> None:
    table, seen = np.sin(np.linspace(0, 3, 31)), []

    def f(v: Any) -> float:
        seen.append(float(v[0]))
        return float(sorted(table)[int(v[0] * 10)])

    assert check_gradient(f, np.array([0.53]), grad=lambda v: 0 * v, domain=(0.0, 3.0)).passed
    assert min(seen) >= 0.0
    assert max(seen) <= 3.0


def spread(v: Any) -> Any:
    """What the compiler does not read: sorting."""
    ordered = np.sort(v)
    return np.sum(ordered * ordered)


@pytest.mark.slow
def test_numbers_of_32_bits_are_taken_for_wider_ones() -> None:
    x = np.linspace(0.5, 2, 3000).astype(np.float32)
    assert check_gradient(spread, x, grad=lambda v: 2 * v).passed

    def off(v: Any) -> Any:
        g = 2 * v
        g[1234] *= np.float32(1.05)
        return g

    with pytest.raises(CheckFailed, match=r"gradient wrong: d spread / d v\[1234\]"):
        check_gradient(spread, x, grad=off)


def test_twice_the_gradient_of_16_bits_is_wrong() -> None:
    def f(v: Any) -> Any:
        return np.float16(np.sum(np.sort(v) ** 2))

    x = np.array([1.5, 2.0], np.float16)
    with pytest.raises(CheckFailed, match="gradient wrong"):
        check_gradient(f, x, grad=lambda v: 4 * v)


@pytest.mark.slow
def test_a_kink_of_many_numbers_is_located() -> None:
    def f(v: Any) -> Any:
        return np.sum(np.maximum(np.sort(v), 0))

    with pytest.raises(CheckFailed, match=r"kink: d f / d v\[1000\] does not exist at v\[1000\] = 0"):
        check_gradient(f, np.linspace(-1, 1, 2001), grad=lambda v: (v >= 0) * 1.0)


def test_cancellation_is_never_taken_for_a_slope() -> None:
    def f(v: Any) -> float:
        return float((1 - math.cos(sorted([v])[0])) / (v * v))

    for x in (1e-3, 1e-5):
        for claim in (-x / 12, -1 / x):
            found = compare(Evaluator(f, Point(("v",), (x,))), np.array([claim]))
            right = claim == -x / 12
            assert found.verdict in ("finite differences unreliable here", "passed" if right else "gradient wrong")
