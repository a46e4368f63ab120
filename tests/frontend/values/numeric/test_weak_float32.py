"""float32 numbers, and arguments of custom derivatives, that are Python's or NumPy's as the data decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adcore as ad
from adcore.ir.core import walk
from tests.frontend.support import agrees, compiled, run

# Ways to come to a number `m`: `x` is an array (NumPy's floats), `c` a Python float, `k` an integer that decides.
from tests.frontend.values.numeric.weak_numbers import agree, points


def single_sum(x, c, k):
    s = 0.0
    for i in range(k):
        s += x[i]
    return 0.5 * s, s / 2, s - 1, s < 0.1, -s, abs(s), s * x[0], math.sqrt(s), float(s), s * s


def single_average(x, c, k):
    s = 0.0
    for i in range(k):
        s = s * 0.75 + x[i]
    return s


def single_quotient(x, c, k):
    s = 0.0
    for i in range(k):
        s += x[i]
    return 1.0 / s


def single_tenth(x, c, k):
    s = 1.0
    for i in range(k):
        s += x[i]
    return s * 0.1


def single_wave(x, c, k):
    s = 0.0
    for i in range(k):
        s += x[i]
    return np.exp(s)


def single_by_either(x, c, k):
    m = c
    for _ in range(k):
        m = np.float64(1.5)
    return x[0] * m


def compared_single(x, c, k):
    s = np.float32(0.1)
    m = min(x[0], 0.5)
    return m == s, m < 0.3, m > 0.1, max(m, 0.25)


@pytest.mark.parametrize("function", [single_sum, single_average, single_quotient])
def test_float32_of_either_kind(function):
    for k in range(3):
        agrees(function, np.array([0.1, 0.7, 0.0], np.float32), 0.3, k)


def test_comparisons_of_float32_of_either_kind():
    for value in (0.1, 0.3, 0.5, 0.7):
        agrees(compared_single, np.array([value], np.float32), 0.3, 0)


@pytest.mark.parametrize("function", [single_tenth, single_wave, single_by_either])
def test_where_the_precision_depends_on_whose_a_number_is_nothing_goes_on(function):
    x = np.array([0.1, 0.7], np.float32)
    program = compiled(function, x, 0.3, 0)
    with pytest.raises(TypeError, match=r"a Python float here .* write float") as caught:
        run(program, x, 0.3, 0)
    assert caught.value.span.line == function.__code__.co_firstlineno + 4
    if function is not single_by_either:
        agrees(function, x, 0.3, 2)
    else:
        assert run(program, x, 0.3, 1) == function(x, 0.3, 1)


# Rules


def scaled(a, b):
    return a * b


def quotient(a, b):
    return a / b


ad.rule(scaled, adjoint=lambda a, b, result, ct: (b * ct, a * ct))
ad.rule(quotient, adjoint=lambda a, b, result, ct: (ct / b, -ct * a / (b * b)))


def by_a_rule(x, c, k):
    m = min(x[k], c)
    return scaled(m, m) + 1.0 / scaled(m, 2.0) + quotient(1.0, m) + quotient(max(x[0], c), m)


def test_a_rule_for_numbers_of_either_kind():
    agree(by_a_rule, list(points()))
    # What is the same for both is called once.
    once = compiled(lambda x, c: scaled(min(x[0], c), 2.0), np.ones(1), 1.0)
    assert [i.op for i in walk(once.module.main.region)].count("rule") == 1


def test_derivatives_by_a_rule_for_numbers_of_either_kind():
    def program(x, c):
        return quotient(2.0, max(x[0], c)) + scaled(min(x[0], c), x[1])

    for own in (0.5, 2.0):
        value, gradient = ad.value_and_grad(program)(np.array([own, 3.0]), 1.0)
        assert value == program(np.array([own, 3.0]), 1.0)
        expected = [3.0 if own < 1.0 else -2.0 / own**2, min(own, 1.0)]
        np.testing.assert_allclose(gradient, expected, rtol=1e-14)


# What it costs
