"""Vector forward mode: several tangents in one sweep give what one sweep for each gives, and share the primal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.driver import programs

V = np.array([0.5, 1.5, -0.25])
DIRECTIONS = [np.array(d) for d in ([1.0, 0.0, 2.0], [0.0, -1.0, 0.5], [0.3, 0.3, 0.3])]


def carried(x: Any, n: int) -> float:
    a, b = x[0], x[1]
    for _ in range(n):
        a, b = math.sin(a * b) + x[2], a - b
    return a * b


def branching(x: Any) -> float:
    total = 0.0
    for v in x:
        if v > 0.0:
            total += math.exp(v) * v
        else:
            total -= v**3
    return total


def newton(a: float) -> float:
    x = a
    while abs(x * x - a) > 1e-12:
        x = x - (x * x - a) / (2.0 * x)
    return x


def summed_while(x: Any) -> float:
    s, i = 0.0, 0
    while i < len(x):
        s = s * s + x[i]
        i += 1
    return s


def smoothed(x: Any) -> float:
    y = np.zeros(len(x))
    for _ in range(3):
        for i in range(1, len(x)):
            y[i] = x[i] * x[i - 1] + 0.5 * y[i - 1]
    return y[-1] ** 2


def outputs(x: Any, k: float) -> Any:
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = x[i] * k
    return y, k * k, len(x)


@pytest.mark.parametrize("f", [programs.squares, programs.rosenbrock, branching, smoothed, summed_while])
def test_lanes_are_single_sweeps(f: Any) -> None:
    batch = ad.autodiff(ad.Forward, f, ad.BatchDuplicated(V, DIRECTIONS))
    single = [ad.autodiff(ad.Forward, f, ad.Duplicated(V, d)) for d in DIRECTIONS]
    assert isinstance(batch, tuple)
    assert np.allclose(batch, single, rtol=1e-14)
    assert np.allclose(batch, [d @ ad.grad(f)(V) for d in DIRECTIONS])


def test_numbers_and_what_is_duplicated_beside() -> None:
    tangents, value = ad.autodiff(ad.ForwardWithPrimal, newton, ad.BatchDuplicated(2.0, (1.0, 2.0)))
    assert value == pytest.approx(math.sqrt(2.0))
    assert tangents == pytest.approx((0.5 / math.sqrt(2.0), 1.0 / math.sqrt(2.0)))
    both = ad.autodiff(ad.Forward, outputs, ad.BatchDuplicated(V, DIRECTIONS[:2]), ad.Duplicated(2.0, 1.0))
    for lane, d in zip(both, DIRECTIONS, strict=False):
        assert np.allclose(lane[0], 2.0 * d + V)
        assert lane[1:] == (4.0, None)


def test_arrays_written_in_place() -> None:
    x, tangents = V.copy(), [d.copy() for d in DIRECTIONS]
    ad.autodiff(ad.Forward, programs.squares_in_place, ad.BatchDuplicated(x, tangents))
    once, tangent = V.copy(), DIRECTIONS[1].copy()
    ad.autodiff(ad.Forward, programs.squares_in_place, ad.Duplicated(once, tangent))
    assert np.array_equal(x, once)
    assert np.array_equal(tangents[1], tangent)


def test_compiled_and_bound() -> None:
    tangents = [d.copy() for d in DIRECTIONS]
    g = ad.compile(carried, ad.BatchDuplicated(V, tangents), 20, mode=ad.Forward)
    expected = [ad.jvp(carried, (V, 20), (d, None))[1] for d in DIRECTIONS]
    assert np.allclose(g(V, tangents, 20), expected, rtol=1e-13)
    assert np.allclose(g(ad.BatchDuplicated(V, tangents), 20), expected, rtol=1e-13)
    bound = g.bind()
    assert np.allclose(bound(), expected, rtol=1e-13)
    tangents[0][:] = 0.0
    assert bound()[0] == 0.0
    assert g.certificate.proven
    assert len(bound.buffers) == 4


def test_no_allocation() -> None:
    from pytest_adalloc import measure

    tangents = [d.copy() for d in DIRECTIONS]
    bound = ad.compile(smoothed, ad.BatchDuplicated(V, tangents), mode=ad.Forward).bind()
    report = measure(bound, calls=50)
    assert sum(report.allocs_per_call) == 0, str(report)


@pytest.mark.parametrize(
    ("mode", "shadows", "title"),
    [
        (ad.Primal, DIRECTIONS, "are for forward and reverse mode"),
        (ad.Forward, [], "have 0 tangents"),
        (ad.Forward, [V, np.zeros(2)], "shape"),
    ],
)
def test_refused(mode: Any, shadows: Any, title: str) -> None:
    with pytest.raises(ad.ArgumentError, match=title):
        ad.autodiff(mode, programs.squares, ad.BatchDuplicated(V, shadows))


def test_tangents_that_are_written_must_not_meet() -> None:
    shared = V.copy()
    with pytest.raises(ad.ArgumentError, match="share memory"):
        ad.autodiff(ad.Forward, programs.squares_in_place, ad.BatchDuplicated(V.copy(), [shared, shared]))
    # Where they are only read they may.
    assert ad.autodiff(ad.Forward, programs.squares, ad.BatchDuplicated(V, [shared, shared]))[0] == 5.125


def test_second_derivatives_of_loops_that_keep_their_values_on_the_stack() -> None:
    """What a `while` pushes for its reverse sweep carries tangents, too."""
    x = np.array([0.3, 0.4, 0.5])
    h00 = 8.0 * x[0] ** 2 + 4.0 * (x[0] ** 2 + x[1])
    assert np.allclose(ad.hessian(summed_while)(x), [[h00, 4 * x[0], 0.0], [4 * x[0], 2.0, 0.0], [0.0, 0.0, 0.0]])
    assert ad.hvp(newton)(2.0, vector=1.0) == pytest.approx(-0.25 * 2.0**-1.5, rel=1e-6)
