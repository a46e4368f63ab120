"""Checks at several sizes and points: what is drawn, and the smallest input that fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, check, check_gradient
from pytest_adalloc.checks.inputs.drawn import Inputs, resized
from pytest_adalloc.checks.task import task_of

X = np.linspace(0.5, 2.0, 5)


def squares(x: Any) -> Any:
    total = 0.0
    for v in x:
        total += v * v
    return total


def inputs(f: Any, args: tuple[Any, ...], **options: Any) -> list[Any]:
    task = task_of(f, args, options)
    return list(Inputs(task.function, task.args, task.options))


def message(f: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(CheckFailed) as caught:
        check_gradient(f, *args, **options)
    return str(caught.value)


def test_resized_grid_stays_a_grid() -> None:
    assert resized(np.linspace(0.0, 1.0, 5), 0, 9).tolist() == np.linspace(0.0, 1.0, 9).tolist()
    labels = resized(np.array([3, 1, 2]), 0, 5)
    assert labels.dtype.kind == "i"
    assert set(labels.tolist()) == {1, 2, 3}
    assert resized(np.ones((2, 3), np.float32), 1, 7).shape == (2, 7)
    assert resized(np.array([4.0]), 0, 3).tolist() == [4.0, 4.0, 4.0]


def test_every_axis_of_that_length_follows() -> None:
    def f(a: Any, x: Any, k: int) -> Any:
        return x @ a @ x * k

    made = inputs(f, (np.eye(5), X, 5), wrt="x", sizes=(3, 8))
    assert [[np.shape(arg) for arg in one.args] for one in made] == [
        [(5, 5), (5,), ()], [(3, 3), (3,), ()], [(8, 8), (8,), ()],
    ]  # fmt: skip
    assert [one.args[2] for one in made] == [5, 5, 5]


def test_a_whole_number_can_be_the_size() -> None:
    made = inputs(lambda x, n: x[n - 1], (X, 5), sizes={"n": (2, 9)})
    assert [(len(one.args[0]), one.args[1]) for one in made] == [(5, 5), (2, 2), (9, 9)]


def test_an_axis_by_name() -> None:
    made = inputs(lambda a, x: 0.0, (np.ones((2, 4)), np.ones(4)), sizes={"a[1]": (7,)})
    assert [np.shape(made[1].args[k]) for k in (0, 1)] == [(2, 7), (7,)]


def test_points_stay_in_the_domain_and_are_seeded() -> None:
    made = inputs(squares, (X,), points=4, domain={"x": (0.45, 2.1)})
    assert len(made) == 4
    assert made[0].args[0].tolist() == X.tolist()
    assert len({one.args[0].tobytes() for one in made}) == 4
    assert all(np.all((one.args[0] >= 0.45) & (one.args[0] <= 2.1)) for one in made)
    again = inputs(squares, (X,), points=4, domain={"x": (0.45, 2.1)})
    assert [one.args[0].tolist() for one in made] == [one.args[0].tolist() for one in again]


def test_given_points_and_callables() -> None:
    assert [one.args for one in inputs(abs, (1.0,), points=[2.0, (3.0,)])] == [(1.0,), (2.0,), (3.0,)]
    made = inputs(squares, (X,), sizes=(2, 3), points=lambda n, random: random.normal(size=n))
    assert [len(one.args[0]) for one in made] == [2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sizes": 7}, "a tuple of lengths"),
        ({"sizes": (0,)}, "a tuple of lengths"),
        ({"sizes": {"y": (3,)}}, "'y' is no whole number"),
        ({"points": 0}, "at least 1"),
    ],
)
def test_mistakes(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        check_gradient(squares, X, grad=lambda x: 2 * x, **options)


def test_shared_memory_is_not_scaled() -> None:
    with pytest.raises(ValueError, match="share memory"):
        check_gradient(lambda a, b: 0.0, X, X, sizes=(3,))


def test_compiled_gradient_at_sizes() -> None:
    report = check(squares, X, sizes=(1, 7, 128), points=2)
    assert report.verdict == "passed"
    assert "checked at 8 inputs: sizes as given, 1, 7, 128, 2 points each" in report.notes


def test_smallest_length_that_fails() -> None:
    def grad(x: Any) -> Any:  # forgets the remainder behind blocks of four
        d = 2 * x
        d[len(x) // 4 * 4 :] *= 1.0 if len(x) < 4 or len(x) % 4 == 0 else 0.5
        return d

    text = message(squares, np.linspace(0.5, 2.0, 8), grad=grad, sizes=(16, 31))
    assert "gradient wrong" in text
    assert "this is at size 5: x = array([" in text
    assert "it passes at sizes as given, 16" in text


def test_failing_numbers_are_rounded() -> None:
    text = message(lambda x: x * x, 1.0, grad=lambda x: 2 * x if x <= 1.0 else 3 * x, points=6)
    assert "point" in text
    assert any(f"x = {value}\n" in text for value in ("1.1", "1.2", "1.3")), text
