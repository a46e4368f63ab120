"""Handles, bound calls and gradient functions that many threads call at once: each call gives its own result.

The interpreter is made to switch as often as it can. Every kind of result has its own way from the frame to Python.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.driver import specialisations

THREADS = 16


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@dataclass
class Pair:
    first: float
    second: float


@dataclass
class Arm:
    length: float
    weights: Any


def squares(x):
    return np.sum(x * x)


def single(x):
    total = np.float32(0)
    for i in range(len(x)):
        total = total + x[i] * x[i]
    return total


def scaled(x):
    return x / np.sqrt(np.sum(x * x))


def two(x):
    return x[0] * 2.0, x * 3.0


def pair(x, k):
    return Pair(x[0] * k, k)


def element(x, i):
    return x[i]


def kept(x):
    """Its reverse sweep needs values that are overwritten: they lie in the workspace."""
    y = x.copy()
    total = 0.0
    for i in range(1, len(y)):
        y[i] = y[i] * y[i - 1]
        total += np.sin(y[i])
        y[i] = y[i] + 0.5
    return total


def bent(arm, x):
    return arm.length * np.sum(arm.weights * x) ** 2


Work = Callable[[int], Callable[[], bool]]
"""For a thread's number what it does again and again: whether a call was right."""


def float_result() -> Work:
    both = ad.value_and_grad(squares)

    def work(t: int) -> Callable[[], bool]:
        x = np.full(7 + t, t + 1.0)

        def right() -> bool:
            value, slope = both(x)
            return value == (7 + t) * (t + 1.0) ** 2 and slope.tolist() == [2 * (t + 1.0)] * (7 + t)

        return right

    return work


def float32_result() -> Work:
    both = ad.value_and_grad(single)

    def work(t: int) -> Callable[[], bool]:
        x = np.full(16, t + 1.0, np.float32)

        def right() -> bool:
            value, slope = both(x)
            return value == 16 * (t + 1.0) ** 2 and slope.tolist() == [2 * (t + 1.0)] * 16

        return right

    return work


def array_result() -> Work:
    handle = ad.compile(scaled, ad.Const(np.ones(4)), mode=ad.Primal)

    def work(t: int) -> Callable[[], bool]:
        x = np.linspace(1.0, t + 2.0, 50 + t)
        expected = scaled(x)
        return lambda: np.allclose(handle(x), expected)

    return work


def tuple_result() -> Work:
    handle = ad.compile(two, ad.Const(np.ones(4)), mode=ad.Primal)

    def work(t: int) -> Callable[[], bool]:
        x = np.full(5 + t, t + 1.0)

        def right() -> bool:
            first, rest = handle(x)
            return first == 2 * (t + 1.0) and rest.tolist() == [3 * (t + 1.0)] * (5 + t)

        return right

    return work


def dataclass_result() -> Work:
    handle = ad.compile(pair, ad.Const(np.ones(4)), ad.Const(1.0), mode=ad.Primal)

    def work(t: int) -> Callable[[], bool]:
        x = np.full(5, t + 1.0)
        return lambda: handle(x, float(t)) == Pair((t + 1.0) * t, float(t))

    return work


def exception() -> Work:
    handle = ad.compile(element, ad.Const(np.ones(4)), ad.Const(1), mode=ad.Primal)

    def work(t: int) -> Callable[[], bool]:
        x = np.zeros(5 + t)

        def right() -> bool:
            try:
                handle(x, 100 + t)
            except IndexError as error:
                return f"index {100 + t} is out of bounds for axis 0 with size {5 + t}" in str(error)
            return False

        return right

    return work


def workspace() -> Work:
    handle = ad.compile(kept, ad.Duplicated(np.ones(4), np.zeros(4)))

    def work(t: int) -> Callable[[], bool]:
        x = np.linspace(0.1, 1.0 + 0.1 * t, 30 + t)
        expected = ad.grad(kept)(x)
        slope = np.zeros_like(x)

        def right() -> bool:
            slope[:] = 0.0
            handle(x, slope)
            return np.array_equal(slope, expected)

        return right

    return work


def bound_array() -> Work:
    x = np.linspace(1.0, 3.0, 40)
    bound = ad.compile(scaled, ad.Const(x), mode=ad.Primal).bind(x)
    expected = scaled(x)
    return lambda t: lambda: np.allclose(bound(), expected)


def objects() -> Work:
    gradient = ad.grad(bent, wrt=1)

    def work(t: int) -> Callable[[], bool]:
        x, arm = np.full(4, 1.0), Arm(t + 1.0, np.full(4, 2.0))
        return lambda: gradient(arm, x).tolist() == [(t + 1.0) * 2 * 8.0 * 2.0] * 4

    return work


def second_order() -> Work:
    hessian, jacobian, product = ad.hessian(squares), ad.jacobian(scaled), ad.hvp(squares)

    def work(t: int) -> Callable[[], bool]:
        x = np.linspace(1.0, t + 2.0, 3)
        size = np.sqrt(np.sum(x * x))
        expected = (np.eye(3) - np.outer(x, x) / size**2) / size

        def right() -> bool:
            second, first, along = hessian(x), jacobian(x), product(x, vector=x)
            return (
                np.array_equal(second, 2 * np.eye(3)) and np.allclose(first, expected) and np.array_equal(along, 2 * x)
            )

        return right

    return work


def split_sweeps() -> Work:
    handle = ad.compile(kept, ad.Duplicated(np.ones(4), np.zeros(4)), mode=ad.ReverseSplit, pending=THREADS)

    def work(t: int) -> Callable[[], bool]:
        x = np.linspace(0.1, 1.0 + 0.1 * t, 30 + t)
        expected = ad.grad(kept)(x)

        def right() -> bool:
            slope = np.zeros_like(x)
            step = handle.forward(ad.Duplicated(x, slope))
            handle.reverse(step)
            return np.array_equal(slope, expected)

        return right

    return work


KINDS = [float_result, float32_result, array_result, tuple_result, dataclass_result, exception, workspace, bound_array,
         objects, second_order, split_sweeps]  # fmt: skip
SLOW = {second_order: 20, split_sweeps: 10, objects: 2}
"""How many times fewer calls of these are made: they take the general path."""


def together(work: Callable[[int], None]) -> None:
    """`work(t)` in as many threads as there are, all started at once; the first error is raised here."""
    errors: list[BaseException] = []
    start = threading.Barrier(THREADS)

    def body(t: int) -> None:
        start.wait()
        try:
            work(t)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(t,)) for t in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def wrong_calls(make: Callable[[], Work], calls: int) -> int:
    """How many of `calls` calls a thread gave something else than its own result."""
    work = make()
    wrong = [0] * THREADS
    work(0)()

    def body(t: int) -> None:
        right = work(t)
        for _ in range(calls):
            wrong[t] += not right()

    together(body)
    return sum(wrong)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_each_thread_gets_its_own_results(make: Callable[[], Work]) -> None:
    assert wrong_calls(make, max(3, 150 // SLOW.get(make, 1))) == 0


@pytest.mark.slow
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_each_thread_gets_its_own_results_in_a_million_calls(make: Callable[[], Work]) -> None:
    assert wrong_calls(make, 1_000_000 // THREADS // (10 * SLOW[make] if make in SLOW else 1)) == 0


def test_a_call_inside_the_making_of_a_result_has_a_frame_of_its_own() -> None:
    """A collection that runs while a result is made may call the very same handle."""
    handle = ad.compile(two, ad.Const(np.ones(4)), mode=ad.Primal)
    inner: list[Any] = []

    class Calls:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            inner.append(handle(np.full(3, 5.0)))

    thresholds = gc.get_threshold()
    x = np.full(4, 1.0)
    gc.set_threshold(1)
    try:
        for _ in range(200):
            Calls()
            first, rest = handle(x)
            assert (first, rest.tolist()) == (2.0, [3.0] * 4)
    finally:
        gc.set_threshold(*thresholds)
    assert inner
    assert all(first == 10.0 and rest.tolist() == [15.0] * 3 for first, rest in inner)


def test_what_threads_ask_for_at_once_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Counted(specialisations.Specialisation):
        def __init__(self, origin: Any, variant: Any) -> None:
            made.append((origin.python.__name__, variant))
            super().__init__(origin, variant)

    monkeypatch.setattr(specialisations, "Specialisation", Counted)

    def cubes(x):
        return np.sum(x * x * x)

    x = np.array([1.0, 2.0])
    gradient = ad.grad(cubes)

    def work(t: int) -> None:
        assert gradient(x).tolist() == [3.0, 12.0]

    together(work)
    assert made
    assert len(made) == len(set(made))


def test_more_functions_than_are_remembered() -> None:
    """Tables that forget are changed by many threads at once."""

    def work(t: int) -> None:
        for n in range(6):
            k = 10.0 * t + n
            assert ad.grad(lambda x, k=k: x * x * k)(3.0) == 6.0 * k

    together(work)
