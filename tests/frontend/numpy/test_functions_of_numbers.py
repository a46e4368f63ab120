"""Functions of numbers, `math`'s and NumPy's: each does what Python does, at the edges, too, and errors match."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adcore.frontend.functions import FUNCTIONS
from adcore.frontend.numpy.functions.ufuncs import CLASSIFY, OF_ANY, OF_FLOATS, OPERATORS
from adcore.frontend.python.functions.math_functions import MATH, ROUNDING, SPECIAL
from tests.frontend.support import compiled, outcome, run, same

ONE = [
    0.0,
    -0.0,
    0.3,
    -0.3,
    0.999,
    1.0,
    -1.0,
    1.5,
    -2.0,
    3.0,
    170.5,
    710.0,
    -710.0,
    1e300,
    math.inf,
    -math.inf,
    math.nan,
]
TWO = [0.0, 1.5, -2.0, 1e200, math.inf, -math.inf, math.nan]


def apply_one(function):
    def f(x):
        return function(x)

    return f


def apply_two(function):
    def f(x, y):
        return function(x, y)

    return f


def cases(functions, count):
    return [pytest.param(f, id=f.__name__) for f in functions if FUNCTIONS[f].numbers == count]


def check(wrapped, *values, exact):
    expected, error, _ = outcome(wrapped, *values)
    got, our_error, _ = outcome(run, compiled(wrapped, *values), *values)
    if error is not None or our_error is not None:
        assert (type(our_error), str(our_error)) == (type(error), str(error)), (values, got, expected)
    else:
        assert same(expected, got, exact), (values, got, expected)


@pytest.mark.parametrize("function", cases([*MATH, *SPECIAL, *ROUNDING], 1))
@pytest.mark.parametrize("value", ONE)
def test_math_of_one_float(function, value):
    if function not in ROUNDING or abs(value) != 1e300:  # whose integer does not fit
        check(apply_one(function), value, exact=False)


@pytest.mark.parametrize("function", cases([*MATH, *SPECIAL], 2))
def test_math_of_two_floats(function):
    for x in TWO:
        for y in TWO:
            check(apply_two(function), x, y, exact=False)


@pytest.mark.parametrize("function", cases([*OF_FLOATS, *OF_ANY, *CLASSIFY], 1))
def test_numpy_of_one_number(function):
    for value in (*ONE, 2, -3, np.float32(0.5), np.float64(-2.0)):
        if function is not np.sign or not isinstance(value, int):
            check(apply_one(function), value, exact=False)


@pytest.mark.parametrize("function", cases([*OF_FLOATS, *OF_ANY, *OPERATORS], 2))
def test_numpy_of_two_numbers(function):
    for x in (*TWO, 3, np.float32(0.5)):
        for y in (*TWO, 2):
            check(apply_two(function), x, y, exact=False)


def formulas(x, a):
    return np.square(x), np.square(a), np.clip(x, 0.0, a), np.where(x > a, x, a), np.deg2rad(x), np.rad2deg(a)


@pytest.mark.parametrize("values", [(2.0, 1.5), (-3, 2.5), (np.float32(0.5), 2.0), (math.nan, 1.0)])
def test_formulas(values):
    check(formulas, *values, exact=False)


def log_of_base(x, b):
    return math.log(x, b)


def long_hypot(x, y, z):
    return math.hypot(x, y, z)


@pytest.mark.parametrize("values", [(2.0, 10.0), (2.0, 1.0), (-1.0, 2.0), (8, 2)])
def test_log_with_a_base(values):
    check(log_of_base, *values, exact=False)


def test_hypot_of_three():
    check(long_hypot, 1.0, 2.0, 2.0, exact=False)


def test_precision_of_the_arguments_is_kept():
    def f(x, a):
        return np.sqrt(x), np.sqrt(a), x * 2, x * a, np.float32(a), np.float64(x), x + np.float64(1.0)

    from adcore.ir.types import SCALARS

    program = compiled(f, np.float32(2.0), 2.0)
    values = run(program, np.float32(2.0), 2.0)
    assert same(tuple(map(float, f(np.float32(2.0), 2.0))), tuple(map(float, values)))
    names = [SCALARS[kind.dtype].name for kind in program.result.items]
    assert names == ["f32", "f64", "f32", "f32", "f32", "f64", "f64"]
