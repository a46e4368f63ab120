"""Derivatives inside compiled code: part of one native function, differentiated once more, without allocations."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import adcore as ad
import pytest_adalloc
from adcore.errors import CompileError


def f(x):
    return np.sin(x) * x + x**3


def energy(q, k=0.1):
    return 0.5 * np.sum(q * q) + k * np.sum(q**4)


outside = ad.grad(f)


def newton(x):
    for _ in range(5):
        x = x - f(x) / ad.grad(f)(x)
    return x


def made_outside(x):
    return outside(x) ** 2


def trajectory(q, p, n):
    for _ in range(n):
        p = p - 0.05 * ad.grad(energy)(q)
        q = q + 0.1 * p
        p = p - 0.05 * ad.grad(energy)(q)
    return np.sum(q * p)


def over_a_closure(x):
    k = x[0]

    def inner(y):
        return np.sum(y * y * k)

    value, gradient = ad.value_and_grad(inner)(x)
    return value + np.sum(gradient * x)


def curvature(x):
    H = ad.hessian(energy)(x)
    return np.sum(H @ x) + H[0, 0]


def of_a_number(x):
    return ad.hessian(f)(x)


def direction(x):
    value, change = ad.jvp(energy, (x, 0.2), (np.cos(x), None))
    rows, moved = ad.jvp(lambda y: y * y * x[0], (x,), (x,))
    return value * change + np.sum(rows * moved)


def by_two(a, b):
    first, second = ad.grad(lambda u, w: u * u * w, wrt=(0, 1))(a, b)
    return first * second + ad.grad(lambda u, w: u * u * w, wrt="w")(a, b)


def nested(x):
    return ad.grad(lambda t: ad.grad(f)(t) * t)(x)


def loops(x, n):
    def inner(y):
        total = 0.0
        for k in range(n):
            if y[k] > 0.0:
                total += np.sin(y[k]) * y[k - 1]
            else:
                total *= y[k]
        return total

    steps = []
    for _ in range(3):
        x = x - 0.1 * ad.grad(inner)(x)
        steps.append(inner(x))
    return sum(steps)


class Body(NamedTuple):
    mass: float
    at: np.ndarray


def of_a_record(x):
    gradient = ad.grad(lambda b: b.mass * np.sum(b.at**2))(Body(x[0], x))
    return gradient.mass + np.sum(gradient.at * x)


X = np.array([0.5, -0.3, 0.8])
PROGRAMS = [
    (newton, (0.9,)), (made_outside, (0.7,)), (trajectory, (X, X[::-1].copy(), 4)), (over_a_closure, (X,)),
    (curvature, (X,)), (of_a_number, (0.4,)), (direction, (X,)), (by_two, (0.5, 0.7)), (nested, (0.4,)),
    (loops, (X, 3)), (of_a_record, (X,)),
]  # fmt: skip


@pytest.mark.parametrize(("program", "args"), PROGRAMS, ids=lambda v: getattr(v, "__name__", ""))
def test_values_and_derivatives(program, args):
    """The same as in Python, where each derivative is a call of its own; and differentiated once more."""
    value, gradient = ad.value_and_grad(program)(*args)
    np.testing.assert_allclose(value, program(*args), rtol=1e-12)
    first, *others = args
    step = 1e-6
    directions = [1.0] if isinstance(first, float) else list(np.eye(len(first)))
    for k, d in enumerate(directions):
        ends = [program(first + sign * step * d, *others) for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(np.ravel(gradient)[k], expected, rtol=1e-5, atol=1e-7)
        tangents = (d, *[None] * len(others))
        np.testing.assert_allclose(ad.jvp(program, args, tangents)[1], expected, rtol=1e-5, atol=1e-7)


def test_second_order():
    for program in (newton, of_a_number):
        step = 1e-5
        ends = [ad.grad(program)(0.4 + sign * step) for sign in (1, -1)]
        np.testing.assert_allclose(ad.hessian(program)(0.4), (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-8)


def test_one_function_without_allocations(tmp_path: Path) -> None:
    q, p = X.copy(), X[::-1].copy()
    handle = ad.compile(trajectory, ad.Duplicated(q, 0 * q), ad.Duplicated(p, 0 * p), ad.Const(4), mode=ad.Reverse)
    assert handle.workspace_formula == "16*len(q)*n"
    code, header = handle.export(tmp_path)
    assert code.stat().st_size > 0
    assert "trajectory" in header.read_text()
    # Raises where something is allocated, or where the gradient is not that of differences.
    pytest_adalloc.check(trajectory, q, p, 4)


def test_split_sweeps_and_arrays_in_place():
    def changed(x, out):
        out[:] = ad.grad(energy)(x)
        return np.sum(out)

    x, out = X.copy(), np.zeros(3)
    dx, dout = np.zeros(3), np.zeros(3)
    ad.autodiff(ad.Reverse, changed, ad.Duplicated(x, dx), ad.Duplicated(out, dout))
    np.testing.assert_allclose(out, x + 0.4 * x**3)
    np.testing.assert_allclose(dx, 1.0 + 1.2 * x**2)


def test_what_is_refused():
    def in_place(x):
        def inner(y):
            y[0] = 2.0
            return np.sum(y)

        return np.sum(ad.grad(inner)(x))

    def an_array(x):
        return np.sum(ad.grad(lambda y: y * 2.0)(x))

    def an_integer(x):
        return ad.grad(lambda k: k * 2.0)(3) * x

    for program, args, text in ((in_place, (X,), "changes arrays in place"), (an_array, (X,), "returns an array"),
                                (an_integer, (1.0,), "nothing here has a derivative")):  # fmt: skip
        with pytest.raises(CompileError, match=text):
            ad.grad(program)(*args)
