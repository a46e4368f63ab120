"""Integers and bools that are Python's or NumPy's as the data decide."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from adcore.errors import CompileError
from tests.frontend.support import agrees, compiled

# Ways to come to a number `m`: `x` is an array (NumPy's floats), `c` a Python float, `k` an integer that decides.
from tests.frontend.values.numeric.weak_numbers import added, agree, flags, points

INTEGER_OPERATIONS = {
    "divided": lambda m, n: 1 / m,
    "float by it": lambda m, n: 1.0 / m,
    "by NumPy's": lambda m, n: n[0] / m,
    "negative power": lambda m, n: m**-1,
    "negative float power": lambda m, n: m**-1.0,
    "square": lambda m, n: m**2,
    "power": lambda m, n: 2 ** abs(m),
    "bits": lambda m, n: (m & 3) + (m | 4) + (m ^ 1) + (m << 1) + (m >> 1) + ~m,
    "rounded": lambda m, n: (round(m), math.floor(m), math.ceil(m), int(m), abs(m), -m, +m)[3],
    "truncated": lambda m, n: math.trunc(m),
    "floored": lambda m, n: math.floor(m + (2**60 + 1)) - 2**60,
    "class": lambda m, n: isinstance(m, int),
    "subscript": lambda m, n: n[m],
    "range": lambda m, n: sum(i for i in range(m)),
}


@pytest.mark.parametrize("name", INTEGER_OPERATIONS)
def test_integers_of_either_kind(name):
    operation = INTEGER_OPERATIONS[name]

    def program(n, c, k):
        return operation(min(n[k], c), n)

    values = (0, 1, -1, 2)
    agree(program, [(np.array([a, b, 2]), c, k) for a in values for b in values for c in values for k in (0, 1)])


@pytest.mark.parametrize("name", ["truncated", "floored"])
def test_rounding_of_numpys_integers(name):
    # They have no `__trunc__`, and no `__floor__`, so that floor goes through a float and loses digits.
    operation = INTEGER_OPERATIONS[name]

    def program(n, c, k):
        return operation(n[k], n)

    if name == "floored":
        agree(program, [(np.array([k]), 1, 0) for k in range(5)])
    else:
        with pytest.raises(CompileError, match=r"math\.trunc does not take NumPy i64"):
            compiled(program, np.array([1]), 1, 0)


BOOL_OPERATIONS = {
    "not": lambda m, x: not m,
    "and": lambda m, x: m and x[0] > 0.0,
    "or": lambda m, x: isinstance(m or True, bool),
    "as a number": lambda m, x: 1.0 * m + 2 * m,
    "bits": lambda m, x: m & (x[0] > 0.0) | m ^ True,
    "class": lambda m, x: isinstance(m, bool),
    "compared": lambda m, x: m == True,  # noqa: E712
    "chosen": lambda m, x: (1.0 if m else 0.0) / (0.0 if m else x[0]),
    "integer": lambda m, x: ~int(m),
}


@pytest.mark.parametrize("name", BOOL_OPERATIONS)
def test_bools_of_either_kind(name):
    operation = BOOL_OPERATIONS[name]

    def program(x, c, k):
        return operation(flags(x, c, k), x)

    agree(program, list(points()))


def inverted(x, c, k):
    return ~flags(x, c, k)


def minus(x, c, k):
    return -flags(x, c, k)


def plus(x, c, k):
    return +flags(x, c, k)


def absolute_bool(x, c, k):
    return abs(flags(x, c, k))


def rounded_bool(x, c, k):
    return round(flags(x, c, k))


def range_of_bool(x, c, k):
    return sum(1.0 for i in range(flags(x, c, k)))


def indexed_by_bool(x, c, k):
    return (1.0, 2.0)[flags(x, c, k)]


def real_bool(x, c, k):
    return flags(x, c, k).real


def item_of_either(x, c, k):
    return min(x[0], c).item()


def item_of_pythons(x, c, k):
    return (c * 2.0).item()


@pytest.mark.parametrize(
    ("function", "title"),
    [
        (inverted, "`~` of a bool that is Python's on one path and NumPy's on another"),
        (minus, "`-` of a NumPy bool"),
        (plus, "`[+]` of a NumPy bool"),
        (added, "`[+]` of NumPy bools"),
        (absolute_bool, "abs of a NumPy bool"),
        (rounded_bool, "round does not take a NumPy bool"),
        (range_of_bool, "range does not take a NumPy bool"),
        (indexed_by_bool, "a subscript or a length can't be a NumPy bool"),
        (real_bool, "`.real` of a bool that may be NumPy's or Python's"),
        (item_of_either, "a number that may be Python's own has no `item`"),
        (item_of_pythons, "a number that is Python's own has no `item`"),
    ],
)
def test_what_is_ambiguous_is_refused_where_it_stands(function, title):
    line = function.__code__.co_firstlineno + 1
    with pytest.raises(CompileError, match=title) as caught:
        compiled(function, np.array([1.0, 0.0]), 0.5, 1)
    assert caught.value.diagnostics[0].span.line == line
    assert caught.value.diagnostics[0].help


def small(a, v, w, k):
    a[0] = min(v[0], w)
    a[1] = v[0]


def small_slice(a, v, w, k):
    a[:] = min(v[0], w)


def small_copy(a, v, w, k):
    a[:] = v


def test_integers_that_do_not_fit():
    for dtype in (np.int8, np.uint8, np.int16, np.uint32, np.uint64, np.int64):
        for value, own in itertools.product((5, 300, -1), (7, 400, -2)):
            for function in (small, small_slice, small_copy):
                agrees(function, np.zeros(2, dtype), np.array([value, value]), own, 0)


# float32
