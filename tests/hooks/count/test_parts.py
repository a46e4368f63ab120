"""Arguments made anew outside the count; one function of a larger call; the assertion that nothing is allocated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad
from pytest_adalloc import AllocationForbidden, assert_no_alloc, measure

LARGE = 100_000


def doubled(x: Any) -> None:
    np.multiply(x, 2.0, out=x)


def copied(x: Any, *, times: int = 1) -> None:
    for _ in range(times):
        np.empty(len(x))


@pytest.mark.parametrize(
    "setup",
    [
        lambda: (np.ones(LARGE),),
        lambda: np.ones(LARGE),
        lambda: ((np.ones(LARGE),), {}),
    ],
    ids=["a tuple", "one argument", "a pair"],
)
def test_what_setup_makes_is_not_counted(setup: Any) -> None:
    report = measure(doubled, setup=setup, calls=5)
    assert report.allocs_per_call == (0,) * 5
    assert measure(copied, setup=setup, calls=5).allocs_per_call == (1,) * 5


def test_setup_runs_before_every_call_and_gives_its_arguments() -> None:
    made: list[int] = []
    seen: list[int] = []

    def setup() -> tuple[int]:
        made.append(len(made))
        return (made[-1],)

    measure(seen.append, setup=setup, calls=5, warmup=2)
    assert seen == made
    assert len(seen) >= 7


def test_a_setup_that_returns_nothing_leaves_the_arguments() -> None:
    x = np.ones(3)

    def reset() -> None:
        np.empty(LARGE)
        x[:] = 1.0

    assert measure(doubled, x, setup=reset, calls=4).allocs_per_call == (0,) * 4
    assert x.tolist() == [2.0] * 3


def test_named_arguments_of_a_setup_go_before_those_that_were_given() -> None:
    report = measure(copied, setup=lambda: ((np.ones(LARGE),), {"times": 3}), calls=3, times=1)
    assert report.allocs_per_call == (3,) * 3


def test_an_exception_of_a_setup_comes_out_and_later_counts_are_right() -> None:
    with pytest.raises(ZeroDivisionError):
        measure(doubled, setup=lambda: (1 / 0,), calls=3)
    assert measure(copied, np.ones(LARGE), calls=3).allocs_per_call == (1,) * 3


def slope(x: Any) -> Any:
    return np.empty(len(x))


def quiet(x: Any) -> float:
    return float(x[0])


def by_argument(x: Any, jac: Any) -> None:
    for _ in range(3):
        np.empty(LARGE)
        jac(x)


def by_name(x: Any) -> None:
    for _ in range(3):
        np.empty(LARGE)
        slope(x)
        quiet(x)


class Model:
    def slope(self, x: Any) -> Any:
        return np.empty(len(x))


def test_one_function_of_a_larger_call() -> None:
    x, model = np.ones(LARGE), Model()
    assert measure(by_argument, x, slope, only=slope, calls=4).allocs_per_call == (3,) * 4
    assert measure(by_argument, x, jac=slope, only=slope, calls=4).allocs_per_call == (3,) * 4
    assert measure(by_argument, x, jac=quiet, only=quiet, calls=4).allocs_per_call == (0,) * 4
    assert measure(by_argument, x, jac=model.slope, only=model.slope, calls=4).allocs_per_call == (3,) * 4
    assert measure(by_name, x, only=slope, calls=4).allocs_per_call == (3,) * 4
    assert measure(by_name, x, only=quiet, calls=4).allocs_per_call == (0,) * 4


def test_a_function_that_calls_itself_is_counted_once() -> None:
    def halves(n: int) -> None:
        np.empty(LARGE)
        if n:
            halves(n - 1)

    def outer() -> None:
        np.empty(LARGE)
        halves(2)

    assert measure(outer, only=halves, calls=3).allocs_per_call == (3,) * 3


def test_a_compiled_gradient_in_a_larger_call() -> None:
    gradient = ad.compile(lambda x: np.sum(x * x), ad.Duplicated(np.ones(4), np.zeros(4)))

    def descent(slopes: Any) -> None:
        x, dx = np.ones(4), np.zeros(4)
        for _ in range(3):
            np.empty(LARGE)
            slopes["energy"](x, dx)

    assert measure(descent, {"energy": gradient}, only=gradient, calls=3).allocs_per_call == (0,) * 3


def test_what_cannot_be_told_apart_is_no_zero() -> None:
    x = np.ones(4)
    with pytest.raises(RuntimeError, match="was never called by by_argument: nothing was measured"):
        measure(by_argument, x, slope, only=quiet, calls=3)
    with pytest.raises(TypeError, match="none of the call's arguments and no Python function"):
        measure(by_name, x, only=np.sum, calls=3)
    with pytest.raises(TypeError, match="exclude each other"):
        measure(by_name, x, only=slope, setup=lambda: x, calls=3)


def test_an_assertion_that_holds_returns_its_report() -> None:
    x = np.ones(4)
    assert assert_no_alloc(quiet, x, calls=7).allocs_per_call == (0,) * 7
    assert assert_no_alloc(copied, np.ones(LARGE), times=2, max_allocs=2, calls=3).allocs_per_call == (2,) * 3
    assert assert_no_alloc(doubled, setup=lambda: np.ones(LARGE), max_numpy=1, calls=3).calls == 3


def test_an_assertion_that_does_not_hold() -> None:
    with pytest.raises(AllocationForbidden, match="copied allocates twice in a call; none is allowed") as failure:
        assert_no_alloc(copied, np.ones(LARGE), times=2, calls=3)
    assert failure.value.report is not None
    assert failure.value.report.allocs_per_call == (2, 2, 2)
    with pytest.raises(AssertionError, match="asks NumPy for the data of arrays 3 times in 3 calls; none is allowed"):
        assert_no_alloc(copied, np.ones(4), calls=3)
    assert assert_no_alloc(copied, np.ones(4), calls=3, max_numpy=1).allocs == 0
    with pytest.raises(AssertionError, match="asks Python for objects"):
        assert_no_alloc(lambda: [object() for _ in range(9)], calls=3, max_python=1)
