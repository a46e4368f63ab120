"""Arithmetic: the compiled function computes what plain Python computes, and raises what it raises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adcore.signature import ScalarArg
from tests.frontend.support import agrees, compiled, run

SCALE = 2.5
POWERS = (1, 2, 3)


def arithmetic(a, b):
    return a + b, a - b, a * b, a / b, a // b, a % b, -a, +b, abs(a)


def divisions(a, b):
    return a / b


def floor_division(a, b):
    return a // b


def modulo(a, b):
    return a % b


def powers(a):
    return a**0, a**1, a**2, a**3, a**7


def fraction_power(a, b):
    return a**b


def negative_power(a):
    return a**-2


def bits(a, b):
    return a & b, a | b, a ^ b, a << 2, a >> 1, ~a


def conversions(a):
    return int(a), float(a), bool(a), round(a), math.floor(a), math.ceil(a), math.trunc(a)


def constants(x):
    n = 3
    m = n * 2 + 1
    return x * m / n + math.pi + SCALE * sum(POWERS) + 2**10 - 7 // 2 - -7 // 2 - 7 % -3


def augmented(a):
    b = a
    b += 1
    b -= 0.5
    b *= a
    b /= 3
    b **= 2
    b //= 1
    b %= 5
    return b


def tuples(a, b):
    a, b = b, a + b
    (c, d), e = (a * 2, b), 1
    f = g = c - d
    t = (a, b, (c, d))
    h, (i, j) = t[0], t[-1]
    k, *o, m = t
    return t, e, f * g, h + i + j, t[1:], len(t), k, o, m


def weak_and_strong(x, a):
    y = x[0]
    return y / 0.0 + 1.0, a / y, math.sqrt(y) * a, y * 2 + a, 3 // y


def overflow(a):
    return a * a * a


def walk_ints(n):
    s = 1
    for i in range(1, n):
        s *= i
    return s


def divide_modulo(a, b):
    return divmod(a, b)


NUMBERS = [(7, 2), (-7, 2), (7, -2), (7.5, 2.0), (-7.5, 2.0), (7.5, -2), (1e300, 1e-3), (0.0, 3.0), (-0.0, 3.0)]
ARITHMETIC = [
    (arithmetic, NUMBERS),
    (divide_modulo, NUMBERS),
    (divisions, [(1.0, 0.0), (1, 0), (0.0, 0.0), (1.0, 0), (True, 2)]),
    (floor_division, [(1.0, 0.0), (1, 0), (1.0, 0), (True, 2), (math.inf, 2.0)]),
    (modulo, [(1.0, 0.0), (1, 0), (1.0, 0), (5.0, math.inf), (-5.0, math.inf)]),
    (powers, [(3,), (-2,), (1.7,), (-1.7,), (0.0,), (1e200,), (math.inf,), (math.nan,)]),
    (fraction_power, [(2.0, 0.5), (2.0, -1.5), (0.0, -1.0), (0.0, 0.5), (10.0, 400.0), (-2.0, 3.0), (2, 0.5), (3, 4),
                      (-math.inf, 0.5), (-1.0, math.inf), (math.nan, 0.0)]),
    (negative_power, [(2,), (-4,), (0,), (2.5,), (0.0,)]),
    (bits, [(12, 10), (-5, 3), (7, True)]),
    (conversions, [(2.5,), (-2.5,), (3,), (1e15,), (True,), (0.49,)]),
    (conversions, [(math.inf,), (math.nan,)]),
    (constants, [(1.5,), (2,)]),
    (augmented, [(2.5,), (3,)]),
    (tuples, [(1.5, 2), (3, 4)]),
    (weak_and_strong, [(np.array([2.0]), 3.0), (np.array([0.0]), 1.0)]),
    (overflow, [(10,), (1.5,)]),
    (walk_ints, [(12,)]),
]  # fmt: skip

# `//` and `%` of integers have one message between them.
WORDED_DIFFERENTLY = (modulo,)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        pytest.param(function, arguments, id=f"{function.__name__}-{k}")
        for function, cases in ARITHMETIC
        for k, arguments in enumerate(cases)
    ],
)
def test_agrees_with_python(function, arguments):
    agrees(function, *arguments, message=function not in WORDED_DIFFERENTLY)


def test_integers_never_wrap():
    program = compiled(overflow, 10)
    with pytest.raises(OverflowError):
        run(program, 2**40)


def test_what_python_makes_complex_is_refused_at_run_time():
    with pytest.raises(ValueError, match="complex"):
        run(compiled(fraction_power, 1.0, 0.5), -2.0, 0.5)


def test_results_say_whether_they_are_python_numbers():
    def f(x, a):
        return x[0], a, a * 2, x[0] * a, len(x), a > 0

    kinds = compiled(f, np.ones(2), 1.0).result.items
    assert kinds == (
        ScalarArg("f64", weak=False), ScalarArg("f64"), ScalarArg("f64"), ScalarArg("f64", weak=False),
        ScalarArg("i64"), ScalarArg("bool"),
    )  # fmt: skip
