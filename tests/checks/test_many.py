"""`check_many` and the strategies that draw a function's arguments."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pytest_adalloc import CheckFailed, check_many, strategies


def energy(x: Any) -> Any:
    return np.sum(x**3)


def root(x: Any, k: Any) -> Any:
    return k * np.sum(np.sqrt(x))


def rosenbrock(x: Any, y: Any) -> Any:
    return (1.0 - x) ** 2 + 100.0 * (y - x * x) ** 2


X = np.linspace(0.5, 1.0, 4)


def test_a_right_gradient_passes_everywhere_and_is_counted_once() -> None:
    report = check_many(rosenbrock, strategies.arguments(rosenbrock, 1.0, 2.0), examples=15, calls=3)
    assert report.verdict == "passed"
    assert report.allocs_per_call == (0, 0, 0)
    assert "checked at 15 inputs" in report.notes[-1]


def test_single_arguments_and_strategies_of_ones_own() -> None:
    assert check_many(lambda x: x * x, st.floats(-2.0, 2.0), examples=5, calls=2).verdict == "passed"
    pairs = st.tuples(st.floats(0.1, 2.0), st.floats(0.1, 2.0))
    assert check_many(rosenbrock, pairs, examples=5, calls=2).verdict == "passed"


def test_what_is_wrong_on_one_side_is_found_and_made_simple() -> None:
    with pytest.raises(CheckFailed) as failure:
        check_many(
            energy, strategies.arguments(energy, X), examples=60, grad=lambda x: 3.0 * x * np.abs(x), max_numpy=20
        )
    assert failure.value.report.verdict == "gradient wrong"
    assert "the simplest input that fails is x = array(" in str(failure.value)


def test_inputs_stay_in_the_domain() -> None:
    drawn = []

    def watched(x: Any, k: Any) -> Any:
        drawn.append(np.min(x))
        return root(x, k)

    report = check_many(
        watched,
        strategies.arguments(root, X, 2.0, domain={"x": (0.25, None)}),
        examples=10,
        domain={"x": (0.25, None)},
        grad=lambda x, k: (0.5 * k / np.sqrt(x), float(np.sum(np.sqrt(x)))),
        max_numpy=20,
    )
    assert report.verdict == "passed"
    assert min(drawn) >= 0.25


@settings(max_examples=20)
@given(strategies.arguments(root, X.astype(np.float32), 2.0, domain={"x": (0.0, 3.0)}, wrt="x"))
def test_arguments_are_built_like_the_example(drawn: Any) -> None:
    x, k = drawn
    assert x.dtype == np.float32
    assert x.shape == (4,)
    assert np.all((x >= 0.0) & (x <= 3.0))
    assert k == 2.0


@settings(max_examples=5)
@given(strategies.arguments(energy, np.ones(1000)))
def test_large_arrays(drawn: Any) -> None:
    (x,) = drawn
    assert x.shape == (1000,)
    assert np.max(np.abs(x)) <= 10.0


def test_sizes_are_tried_at_each_input() -> None:
    def wrong_when_long(x: Any) -> Any:
        return 3.0 * x * x * (1.0 + 1e-3 * (len(x) > 4))

    drawn = strategies.arguments(energy, X)
    assert check_many(energy, drawn, examples=3, grad=wrong_when_long, max_numpy=20).verdict == "passed"
    with pytest.raises(CheckFailed, match="gradient wrong"):
        check_many(energy, drawn, examples=3, grad=wrong_when_long, max_numpy=20, sizes=(4, 7))


def test_mistakes_are_explained() -> None:
    with pytest.raises(ValueError, match="lies outside"):
        strategies.arguments(root, X, 2.0, domain={"x": (2.0, None)})
    with pytest.raises(TypeError):
        strategies.arguments(root, X)
    with pytest.raises(TypeError, match="did you mean 'rtol'"):
        check_many(rosenbrock, strategies.arguments(rosenbrock, 1.0, 2.0), rtl=1.0)
