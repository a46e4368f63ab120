"""`ad.grad(f, out=...)`: what `ad.grad(f)` gives, in the caller's arrays, whatever path a call takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import adcore as ad
import pytest_adalloc

X = np.linspace(1.0, 2.0, 5)


def scaled(x, k):
    return k * np.sum(x * x)


def erased(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


def listed(xs):
    return np.sum(xs[0] * xs[1])


@dataclass
class Arm:
    length: float
    mass: Any


def of_arm(arm):
    return arm.length * np.sum(arm.mass * arm.mass)


def test_an_array_is_filled_and_returned_in_every_call() -> None:
    out = np.full(5, 7.0)
    gradient = ad.grad(scaled, out=out)
    for k in (2.0, 3.0, 4.0, 5.0):
        assert gradient(X, k) is out
        np.testing.assert_array_equal(out, 2.0 * k * X)


def test_value_and_several() -> None:
    x, k = np.zeros(5), np.zeros(())
    both = ad.value_and_grad(scaled, wrt=("x", "k"), out=(x, k))
    for _ in range(3):
        value, found = both(X, 3.0)
        assert value == scaled(X, 3.0)
        assert found[0] is x
        assert found[1] is k
        assert k == np.sum(X * X)
        np.testing.assert_array_equal(x, 6.0 * X)


def test_none_leaves_a_derivative_as_it_is() -> None:
    x = np.zeros(5)
    for _ in range(3):
        found = ad.grad(scaled, wrt=(0, 1), out=(x, None))(X, 3.0)
        assert found[0] is x
        assert found[1] == np.sum(X * X)


def test_arguments_stay_what_they_are() -> None:
    x, out = X.copy(), np.zeros(5)
    gradient = ad.grad(erased, out=out)
    for _ in range(3):
        gradient(x)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(out, 2.0 * X)


@pytest.mark.parametrize("kind", ["strided", "reversed", "other order"])
def test_buffers_of_any_layout(kind: str) -> None:
    m = np.arange(6.0).reshape(2, 3)
    room = np.zeros((4, 6))
    out = {"strided": room[::2, ::2], "reversed": room[:2, 2::-1], "other order": np.zeros((2, 3), order="F")}[kind]
    gradient = ad.grad(lambda m: np.sum(m * m), out=out)
    for _ in range(3):
        assert gradient(m) is out
        np.testing.assert_array_equal(out, 2.0 * m)


def test_lists_and_objects() -> None:
    some = [np.zeros(5), np.zeros(5)]
    found = ad.grad(listed, out=some)([X, X + 1.0])
    np.testing.assert_array_equal(some[0], X + 1.0)
    np.testing.assert_array_equal(some[1], X)
    assert found[0] is some[0]
    arm = Arm(2.0, X)
    into = ad.zeros_like(arm)
    slopes = ad.grad(of_arm, out=Arm(np.zeros(()), into.mass))(arm)
    np.testing.assert_array_equal(into.mass, 4.0 * X)
    assert slopes.mass is into.mass
    assert slopes.length == np.sum(X * X)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros(4), r"out has shape \(4,\); the derivative has shape \(5,\)"),
        (np.zeros((5, 1)), r"out has shape \(5, 1\)"),
        (np.zeros(5, np.float32), "out holds float32; the derivative is float64"),
        ([0.0] * 5, "out is a list where the derivative is a ndarray"),
        (1.0, "out is a float where"),
    ],
)
def test_buffers_that_do_not_fit(out: Any, message: str) -> None:
    gradient = ad.grad(scaled, out=out)
    ad.grad(scaled)(X, 1.0)
    for _ in range(2):
        with pytest.raises(ad.ArgumentError, match=message):
            gradient(X, 1.0)


def test_buffers_that_nobody_may_write() -> None:
    x, closed = X.copy(), np.zeros(5)
    closed.flags.writeable = False
    with pytest.raises(ad.ArgumentError, match="out is read-only"):
        ad.grad(scaled, out=closed)(x, 1.0)
    for shared in (x, x[:], x[::-1]):
        gradient = ad.grad(scaled, out=shared)
        for _ in range(2):
            with pytest.raises(ad.ArgumentError, match="out shares memory with an argument"):
                gradient(x, 1.0)
            np.testing.assert_array_equal(x, X)
    with pytest.raises(ad.ArgumentError, match="shares memory with another part of out="):
        ad.grad(lambda a, b: np.sum(a * b), wrt=(0, 1), out=(closed.copy(),) * 2)(X, X + 1.0)
    with pytest.raises(ad.ArgumentError, match="out= is a tuple like wrt="):
        ad.grad(scaled, wrt=(0, 1), out=np.zeros(5))
    with pytest.raises(ad.ArgumentError, match="out= has 1 entries for 2 derivatives"):
        ad.grad(scaled, wrt=(0, 1), out=(np.zeros(5),))(X, 1.0)


class Held:
    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner


def of_held(held, x):
    return np.sum(held.inner[0].mass * x)


@pytest.mark.parametrize("step", [1, 2])
def test_arrays_deep_in_objects_are_not_overwritten(step: int) -> None:
    mass = np.arange(1.0, 11.0)[::step][:5]
    before = mass.copy()
    gradient = ad.grad(of_held, wrt="x", out=mass)
    for _ in range(2):
        with pytest.raises(ad.ArgumentError, match="out shares memory with an argument"):
            gradient(Held([Arm(1.0, mass)]), X)
        np.testing.assert_array_equal(mass, before)


def test_no_array_is_made() -> None:
    x, out = np.ones(100_000), np.zeros(100_000)
    gradient = ad.grad(scaled, out=out)
    gradient(x, 2.0)
    report = pytest_adalloc.measure(gradient, x, 2.0, calls=10)
    assert report.allocs_per_call == (0,) * 10
    assert report.python["numpy"].calls == 0


def test_compiled_code_does_not_pass_over_the_buffer() -> None:
    out, plain = np.zeros(5), ad.grad(scaled)
    into = ad.grad(scaled, out=out)

    def calls(x):
        return np.sum(into(x, 1.0))

    def stores(x, found):
        found[:] = plain(x, 1.0)
        return np.sum(found)

    with pytest.raises(ad.CompileError, match=r"`into` was made with out=.*\n(.*\n)*.*out\[:\] = into\(x, 1\.0\)"):
        ad.compile(calls, ad.Const(X), mode=ad.Primal)
    assert ad.compile(stores, ad.Const(X), ad.Const(out), mode=ad.Primal)(X, out) == pytest.approx(2 * X.sum())
    np.testing.assert_array_equal(out, 2 * X)
