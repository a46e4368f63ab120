"""`match`, `:=`, `nonlocal`, `del`, and builtins that run loops of their own."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything

X = np.array([0.75, 1.3, 2.2])
MANY = np.linspace(0.12, 2.0, 90)


def matched(x, kind="b"):
    match kind:
        case "a":
            total = 1.0
        case "b" | "c":
            total = x[0] ** 2
        case _:
            total = 3.0
    for i in range(3):
        match i:
            case 0:
                total += x[i]
            case k if k > 1:
                total += k * x[i] * x[0]
            case None:
                total += 100.0
            case other:
                total += x[other] ** 3
    return total


def matched_at_run_time(x):
    total = 0.0
    for v in x:
        match int(v):
            case 0:
                total += v
            case 1 | 3:
                total += v * v
            case n if n > 1:
                total += n * v
    return total


def named_expressions(x):
    total = 0.0
    if (n := len(x)) > 2:
        total += n * x[0]
    k = 3
    while (k := k - 1) > 0:
        total += x[k] ** 2
    i = 0
    while i < n and (v := x[i]) < 100.0:
        total += v * v
        i += 1
    return total + (m := x[1]) * m


def names_of_functions_around(x):
    total, count = 0.0, 0

    def add(v):
        nonlocal total, count
        total += v * v
        if v > 1.0:
            count += 1

    def twice(v):
        nonlocal total
        add(v)
        total *= 1.1
        add(2 * v)

    for v in x:
        add(v)
    for i in range(len(x)):
        if x[i] > 1.0:
            twice(x[i])
    return total * count


def any_and_all(x):
    total = 0.0
    if any(v > 2.0 for v in x):
        total += x[0] ** 2
    if not all(v > 1.0 for v in x):
        total += x[1] ** 3
    if any(1.0 / (v - 0.1) > 3 for v in MANY) and all([x[0] < 1, x[1] > 1]):
        total *= x[2]
    return total


def sums_with_conditions(x):
    some = sum(v * v for v in x if v > 1.0) + sum(x[i] for i in range(3) if i != 1)
    return some + sum(v for i, v in enumerate(MANY * x[0]) if v > 0.551 and i % 2 == 0) * x[1]


def maps(x):
    return sum(map(lambda a, b: a * b, x, x[::-1])) + sum(map(math.sin, x)) + sum(filter(lambda v: v > 1.0, x)) ** 2


def reduced(x):
    return functools.reduce(lambda s, v: s * v + 1.0, x) + functools.reduce(lambda a, b: a + b * b, MANY * x[2], x[0])


def in_order(x):
    a, b, c = sorted([x[0] * 3, x[1], x[2]])
    first, _, last = sorted((x[0], x[2], x[1]), reverse=True)
    return a * b + 2 * c + first * last


def more_of_math(x):
    near = x[0] ** 2 if math.isclose(x[0], 0.75, abs_tol=0.1) else x[1]
    far = math.dist((x[0], x[1]), (0.0, x[2])) + math.comb(5, 2) * x[0]
    return near + far + math.fsum(x) * math.fsum([x[0], x[1]]) + math.fsum(MANY * x[1])


def asks(x, k=2.0):
    total = 0.0
    if hasattr(x, "shape") and not hasattr(k, "shape"):
        total += x[0] ** 2
    total += getattr(math, "sin")(x[1]) + getattr(np, "nothing", 3.0) * x[2]  # noqa: B009
    if type(k) is float and callable(math.sin):
        total *= 2
    return total * x[1] if isinstance(x, (list, np.ndarray)) else total


PROGRAMS = [matched, matched_at_run_time, named_expressions, names_of_functions_around, any_and_all,
            sums_with_conditions, maps, reduced, in_order, more_of_math, asks]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS)
def test_as_python(f):
    everything(f, X)


def test_any_stops_at_the_first():
    def f(x):
        return x[0] if any(1.0 / v > 2.0 for v in [0.1, x[1]]) else x[1]

    def g(x, zeros):
        return x[0] if any(1.0 / float(v) > 2.0 for v in zeros) else x[1]

    x = np.array([3.0, 0.0])
    np.testing.assert_array_equal(ad.grad(f)(x), [1.0, 0.0])
    np.testing.assert_array_equal(ad.grad(g)(x, np.array([0.1, 0.0])), [1.0, 0.0])
    with pytest.raises(ZeroDivisionError):
        ad.grad(g)(x, np.array([10.0, 0.0]))


def test_a_deleted_name_has_no_value():
    def f(x):
        y = x[0]
        del y
        return y  # noqa: F821

    with pytest.raises(ad.CompileError, match="`y` has no value here"):
        ad.grad(f)(X)


def test_patterns_that_look_inside_are_refused():
    def f(x):
        match (x[0], x[1]):
            case (a, b):
                return a * b

    with pytest.raises(ad.CompileError, match="pattern of `match`"):
        ad.grad(f)(X)


def test_fsum_is_exact():
    values = np.array([1e16, 1.0, -1e16, 1e-3] * 5)
    assert ad.value_and_grad(lambda x: math.fsum(x))(values)[0] == math.fsum(values)
