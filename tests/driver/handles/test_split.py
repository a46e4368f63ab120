"""`mode=ad.ReverseSplit`: two calls give what one gives, whatever happens in between."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.driver import programs

V = np.array([0.5, 1.5, -0.25, 2.0])


def product(x: Any) -> float:
    p = 1.0
    for i in range(len(x)):
        p = p * math.sin(x[i])
    return p


def summed_while(x: Any) -> float:
    s, i = 0.0, 0
    while i < len(x):
        s = s * s + x[i]
        i += 1
    return s


def decided(x: Any) -> float:
    """Truth values among records (more than a word of them) and in a buffer."""
    s = 0.0
    for i in range(30 * len(x)):
        p = x[i % len(x)]
        for j in range(i % 7):
            p = p * 0.9 if math.cos(p) * x[j % len(x)] > 0.2 else p + 0.1 * x[j % len(x)]
        s = s * 0.99 + p * p if math.sin(s) > 0.1 else s + 0.3 * p
    return s


def smoothed(x: Any) -> float:
    y = np.zeros(len(x))
    for _ in range(3):
        for i in range(1, len(x)):
            y[i] = x[i] * x[i - 1] + 0.5 * y[i - 1] * y[i]
    return y[-1] ** 2


def columns(a: Any) -> float:
    total = 0.0
    for j in range(a.shape[1]):
        c = a[:, j]
        for i in range(len(c)):
            total += c[i] ** 3
    return total


def in_place(x: Any) -> float:
    for _ in range(2):
        for i in range(1, len(x)):
            x[i] = x[i] * x[i - 1]
    return x[-1]


def relaxed(x: Any) -> float:
    """Rolled back in a `while` loop, and in a branch of it."""
    change = 1.0
    while change > 1e-3:
        change = 0.0
        for i in range(1, len(x) - 1):
            new = 0.25 * x[i] * (x[i - 1] + x[i + 1]) + 0.1
            if new < x[i]:
                change = max(change, x[i] - new)
                x[i] = new
    return x[1] * x[2]


def scaled(x: Any, k: float) -> Any:
    total = 0.0
    for i in range(len(x)):
        total += x[i] * k * k
    return total, math.exp(k)


PROGRAMS = [product, summed_while, decided, smoothed, programs.squares, programs.rosenbrock]


@pytest.mark.parametrize("f", PROGRAMS)
def test_two_calls_are_one(f: Any) -> None:
    x, dx = V.copy(), np.zeros(4)
    g = ad.compile(f, ad.Duplicated(x, dx), mode=ad.ReverseSplit)
    step = g.forward(x, dx)
    assert step.value == pytest.approx(f(V.copy()))
    x[:] = np.nan  # the record is the caller's memory as it was
    assert g.reverse(step) is None
    assert np.allclose(dx, ad.grad(f)(V), rtol=1e-13)
    assert g.certificate.proven


@pytest.mark.parametrize("f", PROGRAMS)
def test_pending_calls_in_any_order(f: Any) -> None:
    points = [V, V[::-1].copy(), V * 1.5, V[:3].copy()]
    g = ad.compile(f, ad.Duplicated(V.copy(), np.zeros(4)), mode=ad.ReverseSplit, pending=4)
    for order in ((3, 2, 1, 0), (0, 1, 2, 3), (2, 0, 3, 1)):
        shadows = [np.zeros_like(p) for p in points]
        steps = [g.forward(p, s) for p, s in zip(points, shadows, strict=True)]
        assert g.pending == 4
        for k in order:
            g.reverse(steps[k], float(k + 1))
        for k, (p, s) in enumerate(zip(points, shadows, strict=True)):
            assert np.allclose(s, (k + 1) * ad.grad(f)(p), rtol=1e-12), (order, k)
    assert g.pending == 0


@pytest.mark.parametrize("f", [in_place, relaxed])
def test_what_the_function_writes(f: Any) -> None:
    x, dx = V.copy(), np.array([0.0, 0.0, 0.0, 0.0])
    g = ad.compile(f, ad.Duplicated(V.copy(), dx.copy()), mode=ad.ReverseSplit)
    step = g.forward(x, dx)
    once = V.copy()
    assert step.value == f(once)
    assert np.allclose(x, once)
    g.reverse(step)
    assert np.allclose(x, once)
    assert np.allclose(dx, ad.grad(f)(V))


def test_views_and_numbers() -> None:
    a, da = np.arange(6.0).reshape(2, 3), np.zeros((2, 3))
    g = ad.compile(columns, ad.Duplicated(a, da), mode=ad.ReverseSplit)
    g.forward(a, da)
    g.reverse()
    assert np.allclose(da, 3 * a**2)
    big, dbig = np.arange(24.0).reshape(4, 6), np.zeros((4, 6))
    g = ad.compile(columns, ad.Duplicated(big[::2, 1:4], dbig[::2, 1:4]), mode=ad.ReverseSplit)
    g.forward(ad.Duplicated(big[::2, 1:4], dbig[::2, 1:4]))
    g.reverse()
    assert np.allclose(dbig[::2, 1:4], 3 * big[::2, 1:4] ** 2)
    assert dbig.sum() == dbig[::2, 1:4].sum()


def test_several_results_and_active_numbers() -> None:
    dx = np.zeros(4)
    g = ad.compile(scaled, ad.Duplicated(V, dx), ad.Active(2.0), mode=ad.ReverseSplit)
    step = g.forward(ad.Duplicated(V, dx), ad.Active(3.0))
    assert step.value == (pytest.approx(9.0 * V.sum()), pytest.approx(math.exp(3.0)))
    assert g.reverse(step, (1.0, 0.5)) == (pytest.approx(6.0 * V.sum() + 0.5 * math.exp(3.0)),)
    assert np.allclose(dx, 9.0)


def test_copies_are_explained() -> None:
    g = ad.compile(product, ad.Duplicated(V, np.zeros(4)), mode=ad.ReverseSplit)
    assert g.copied == ("x",)
    assert "Copied by forward, as the caller may change it before reverse: `x` (8*x.size bytes)." in str(g.explain())

    def linear(x: Any) -> float:
        total = 0.0
        for i in range(len(x)):
            total += 3.0 * x[i]
        return total

    assert ad.compile(linear, ad.Duplicated(V, np.zeros(4)), mode=ad.ReverseSplit).copied == ()
    assert "forward" in g.stage("gradient")


@pytest.mark.parametrize("f", PROGRAMS)
def test_no_allocation(f: Any) -> None:
    from pytest_adalloc import measure

    bound = ad.compile(f, ad.Duplicated(V.copy(), np.zeros(4)), mode=ad.ReverseSplit, pending=2).bind()

    def pair() -> None:
        bound.reverse(bound.forward())

    def nested() -> None:
        first = bound.forward()
        bound.reverse(bound.forward())
        bound.reverse(first)

    for call in (pair, nested):
        report = measure(call, calls=50, warmup=3)
        assert sum(report.allocs_per_call) == 0, str(report)


def test_long_records_do_not_meet() -> None:
    """Stack records (while) and buffers (for) of several pending calls, with much in each."""

    def mixed(x: Any, n: int) -> float:
        s, i, p = 0.0, 0, 1.0
        while i < n:
            s = math.sin(s) * x[i % len(x)]
            i += 1
        for k in range(n):
            p = p * (1.0 + 1e-4 * math.sin(x[k % len(x)]) * s)
        return p * s

    g = ad.compile(mixed, ad.Duplicated(V, np.zeros(4)), 10, mode=ad.ReverseSplit, pending=3)
    steps, shadows = [], []
    for k in range(3):
        shadows.append(np.zeros(4))
        steps.append(g.forward(V * (1 + 0.1 * k), shadows[k], 3000 + k))
    for k in (1, 0, 2):
        g.reverse(steps[k])
        assert np.allclose(shadows[k], ad.grad(mixed)(V * (1 + 0.1 * k), 3000 + k), rtol=1e-12)
    assert g.high_water > 8 * 3000


def logistic(x: Any, n: int) -> float:
    y = x[0]
    for _ in range(n):
        y = 3.7 * y * (1.0 - y)
    return y


def test_checkpointed_records() -> None:
    x = np.array([0.3])
    g = ad.compile(logistic, ad.Duplicated(x, np.zeros(1)), 400, mode=ad.ReverseSplit, workspace=1000, pending=2)
    steps, shadows = [], []
    for k in range(2):
        shadows.append(np.zeros(1))
        steps.append(g.forward(x + 0.1 * k, shadows[k], 400))
    for k in range(2):
        g.reverse(steps[k])
        assert np.allclose(shadows[k], ad.grad(logistic)(x + 0.1 * k, 400), rtol=1e-6)


# Misuse


def refused(call: Any, *args: Any) -> str:
    with pytest.raises(ad.ArgumentError) as caught:
        call(*args)
    return str(caught.value)


def test_order_of_calls() -> None:
    dx = np.zeros(4)
    g = ad.compile(product, ad.Duplicated(V, dx), mode=ad.ReverseSplit, pending=2)
    assert "no forward call of product is pending" in refused(g.reverse)
    step = g.forward(V, dx)
    g.reverse(step)
    assert "was reversed already" in refused(g.reverse, step)
    later = g.forward(V, dx)
    assert "was reversed already" in refused(g.reverse, step)
    g.forward(V, dx)
    assert "2 forward calls of product are pending" in refused(g.forward, V, dx)
    other = ad.compile(product, ad.Duplicated(V, dx), mode=ad.ReverseSplit)
    assert "not one of product's" in refused(other.reverse, later)
    g.discard(later)
    g.discard()
    assert g.pending == 0
    assert "were split" in refused(g, V, dx)
    assert "no one native entry" in refused(g.export, "nowhere")
    assert "no one native entry" in refused(lambda: g.ctypes)


def test_arguments_that_changed() -> None:
    dx = np.zeros(4)
    x = V.copy()
    g = ad.compile(product, ad.Duplicated(x, dx), mode=ad.ReverseSplit)
    bound = g.bind(x, dx)
    step = bound.forward()
    dx.resize(2, refcheck=False)
    assert "`x` was resized, moved or reshaped" in refused(bound.reverse, step)
    g = ad.compile(product, ad.Duplicated(V, np.zeros(4)), mode=ad.ReverseSplit)
    bound = g.bind(x, np.zeros(4))
    x.resize(9, refcheck=False)
    assert "`x` was resized, moved or reshaped" in refused(bound.forward)
    assert "shape" in refused(g.forward, V, np.zeros(5))
    assert g.pending == 0


def test_what_cannot_be_split() -> None:
    dx = np.zeros(4)

    def both(x: Any, y: Any) -> float:
        for i in range(len(x)):
            x[i] = x[i] * y[i]
        return x[0]

    x = V.copy()
    assert "shares memory" in refused(lambda: ad.compile(both, ad.Duplicated(x, dx), ad.Const(x), mode=ad.ReverseSplit))
    arrays = [V, V * 2]

    def over(ms: Any) -> float:
        total = 0.0
        for m in ms:
            for i in range(len(m)):
                total += m[i] ** 2
        return total

    shadows = [np.zeros(4), np.zeros(4)]
    assert "list of arrays `ms[]`" in refused(
        lambda: ad.compile(over, ad.Duplicated(arrays, shadows), mode=ad.ReverseSplit)
    )
    for how in ({"workspace": 0}, {"workspace": "heap"}, {"pending": 0}):
        refused(lambda how=how: ad.compile(product, ad.Duplicated(V, dx), mode=ad.ReverseSplit, **how))
    refused(lambda: ad.autodiff(ad.ReverseSplit, product, ad.Duplicated(V, dx)))


def test_a_fault_leaves_no_record() -> None:
    def inverse(x: Any) -> float:
        return 1.0 / x[0]

    zero = np.zeros(4)
    g = ad.compile(inverse, ad.Duplicated(V, np.zeros(4)), mode=ad.ReverseSplit, pending=1)

    def reciprocal(x: float) -> float:
        return 1.0 / x

    h = ad.compile(reciprocal, ad.Active(1.0), mode=ad.ReverseSplit, pending=1)
    with pytest.raises(ZeroDivisionError):
        h.forward(0.0)
    assert h.pending == 0
    assert h.reverse(h.forward(2.0)) == (-0.25,)
    assert g.pending == zero[0]
