"""A function that differs between calls at one point is told so, whatever gradient comes with it."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, check, check_gradient

X = np.linspace(0.3, 1.0, 20)


def dropout(draw: Any) -> Callable[[Any], float]:
    return lambda v: float(np.sum(((draw.random(20) < 0.5) * v) ** 2))


def noisy(draw: Any, size: float) -> Callable[[Any], float]:
    return lambda v: float(np.sum(v * v) + size * draw.normal())


@pytest.mark.parametrize("factor", [2.0, 0.0, -2.0, 6.0])
@pytest.mark.parametrize(
    "f",
    [dropout(np.random.default_rng(0)), noisy(np.random.default_rng(1), 1.0), noisy(np.random.RandomState(2), 1e-6)],
)
def test_no_gradient_passes_on_chance(f: Callable[..., Any], factor: float) -> None:
    with pytest.raises(CheckFailed, match="not deterministic") as failure:
        check_gradient(f, X, grad=lambda v: factor * v)
    assert failure.value.report.verdict == "not deterministic"
    assert "a call uses draw" in str(failure.value)
    assert "seed its generator" in str(failure.value)


def by_module(v: float) -> float:
    return v + random.random()


def by_numpy(v: float) -> float:
    return v + np.random.normal()


def made_anew(v: float) -> float:
    return v + float(np.random.default_rng().normal())


def by_clock(v: float) -> float:
    return v + time.perf_counter()


def inner(v: float) -> float:
    return by_module(v) * 2


@pytest.mark.parametrize(
    ("f", "named"),
    [(by_module, "random"), (by_numpy, "np.random"), (made_anew, "default_rng()"), (by_clock, "the clock"),
     (inner, "random")],
)  # fmt: skip
def test_what_a_call_uses_is_named(f: Callable[..., Any], named: str) -> None:
    with pytest.raises(CheckFailed) as failure:
        check_gradient(f, 1.0, grad=lambda v: 1.0)
    (note,) = [line for line in str(failure.value).splitlines() if "a call uses" in line]
    assert named in note


def test_chance_comes_before_what_cannot_be_compiled() -> None:
    with pytest.raises(CheckFailed, match="not deterministic"):
        check(by_numpy, 1.0)


def test_a_state_that_shows_after_some_calls() -> None:
    calls = itertools.count()

    def f(v: float) -> float:
        return v * v + (1e-3 if next(calls) > 5 else 0.0)

    with pytest.raises(CheckFailed, match="not deterministic") as failure:
        check_gradient(f, 1.0, grad=lambda v: 2 * v)
    assert "before and after" in str(failure.value)
    assert "something survives from one call to the next" in str(failure.value)


def test_what_is_written_has_to_be_the_same_too() -> None:
    calls = itertools.count()

    def f(v: Any) -> float:
        v[0] = next(calls)
        return 1.0

    with pytest.raises(CheckFailed, match="it writes different numbers into v"):
        check_gradient(f, np.ones(2), grad=lambda v: 0 * v)


def test_a_seeded_generator_is_no_chance() -> None:
    def f(v: Any) -> float:
        return float(np.sum(v * np.random.default_rng(3).normal(size=20)))

    assert check_gradient(f, X, grad=lambda v: np.random.default_rng(3).normal(size=20)).passed


def test_a_value_that_is_nan_each_time_is_the_same() -> None:
    with pytest.raises(CheckFailed, match="edge of the domain"):
        check_gradient(lambda v: math.nan, 1.0, grad=lambda v: 0.0)


def lookup(v: float) -> float:
    return (1.0, 4.0, 9.0)[int(v)] * v


def test_an_exception_at_a_sampled_point_is_about_the_domain() -> None:
    with pytest.raises(CheckFailed, match="edge of the domain") as failure:
        check_gradient(lambda v: v**1.5, 0.0, grad=lambda v: 1.5 * v**0.5)
    assert "complex" in str(failure.value)
    assert check_gradient(lookup, 2.5, grad=lambda v: 9.0).passed
