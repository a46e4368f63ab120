"""A gradient from elsewhere with the right numbers: what else it does is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, check_gradient

X = np.array([1.0, 2.0])


def energy(x: Any) -> float:
    return float(np.sum(x * x))


def filled(x: Any, out: Any) -> float:
    out[:] = 2 * x
    return energy(x)


def failure(f: Callable[..., Any], *args: Any, **options: Any) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught:
        check_gradient(f, *args, **options)
    return caught.value


def test_changed_argument() -> None:
    def grad(x: Any) -> Any:
        d = 2 * x
        x *= 1.5
        return d

    problem = failure(energy, X, grad=grad)
    assert problem.report.verdict == "gradient wrong"
    assert "changes x" in str(problem)
    assert "work on a copy" in str(problem)
    assert X.tolist() == [1.0, 2.0]


def test_changed_number_in_a_list() -> None:
    def grad(p: list[float]) -> list[float]:
        d = [2 * p[0], 2 * p[1]]
        p[1] = 0.0
        return d

    assert "changes p[1]" in str(failure(lambda p: p[0] ** 2 + p[1] ** 2, [1.0, 2.0], grad=grad))


def test_output_with_other_numbers() -> None:
    def grad(x: Any, out: Any) -> Any:
        out[:] = -77
        return 2 * x, np.zeros(2)

    assert "changes out" in str(failure(filled, X, np.zeros(2), grad=grad, wrt=(0, 1)))


def test_output_as_the_function_leaves_it() -> None:
    def grad(x: Any, out: Any) -> Any:
        out[:] = 2 * x
        return 2 * x

    assert check_gradient(filled, X, np.zeros(2), grad=grad, wrt=0).notes == ()


def test_output_that_only_the_function_writes_is_noted() -> None:
    report = check_gradient(filled, X, np.zeros(2), grad=lambda x, out: 2 * x, wrt=0)
    assert report.verdict == "passed"
    assert "filled writes into out, and the gradient leaves it as it was" in report.notes


def test_buffer_that_is_not_cleared() -> None:
    calls = []

    def grad(x: Any) -> Any:
        calls.append(1)
        return 2 * x * (1 + (len(calls) > 2))  # right until the third call

    problem = failure(energy, X, grad=grad)
    assert problem.report.verdict == "not deterministic"
    assert "not cleared" in str(problem)


def test_right_in_the_first_call_alone() -> None:
    calls = []

    def grad(x: Any) -> Any:
        calls.append(1)
        return 2 * x if len(calls) == 1 else 3 * x

    assert failure(energy, X, grad=grad).report.verdict == "not deterministic"


def test_memory_of_the_answer_before_is_noted() -> None:
    buffer = np.zeros(2)

    def grad(x: Any) -> Any:
        np.multiply(x, 2.0, out=buffer)
        return buffer

    assert any("same at each call" in note for note in check_gradient(energy, X, grad=grad).notes)


def test_view_of_an_argument_is_noted() -> None:
    report = check_gradient(lambda x: float(0.5 * np.sum(x * x)), X, grad=lambda x: x[:])
    assert any("view of x" in note for note in report.notes)


def test_last_bits_may_differ() -> None:
    calls = []

    def grad(x: Any) -> Any:
        calls.append(1)
        return 2 * x * (1 + len(calls) * 2.0**-52)

    report = check_gradient(energy, X, grad=grad)
    assert report.verdict == "passed"
    assert any("last bits" in note for note in report.notes)


def test_clean_gradient_has_no_note() -> None:
    assert check_gradient(energy, X, grad=lambda x: 2 * x).notes == ()


def test_arguments_that_share_memory_are_told() -> None:
    def product(a: Any, b: Any) -> float:
        return float(np.sum(a * b * b))

    def grad(a: Any, b: Any) -> Any:
        return b * b, 2 * a * b

    assert "share memory" in str(failure(product, X, X, grad=grad))
    assert check_gradient(product, X, X.copy(), grad=grad).verdict == "passed"
