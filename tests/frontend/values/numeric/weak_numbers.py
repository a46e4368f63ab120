"""Ways to come to a number that is Python's or NumPy's as the data decide."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.frontend.support import compiled, outcome, run

# Ways to come to a number `m`: `x` is an array (NumPy's floats), `c` a Python float, `k` an integer that decides.


def replaced(x, c, k):
    m = c
    for i in range(k):
        m = x[i]
    return m


def of_a_list_of_any_length(x, c, k):
    m = [0.0] * len(x)
    m[k] = x[k]
    return m[1]


def agree(function, cases):
    """The compiled function does what Python does for all `cases`, which agree in their kinds."""
    program = compiled(function, *cases[0])
    for args in cases:
        expected, error, line = outcome(function, *args)
        got, our_error, our_line = outcome(lambda *a: run(program, *a), *args)
        assert type(our_error) is type(error), f"{our_error!r}, {got!r} instead of {error!r}, {expected!r} of {args}"

        assert str(our_error) == str(error) or "divmod" in str(error)
        assert our_line == line
        assert error is not None or got == pytest.approx(expected, rel=1e-13, abs=0.0, nan_ok=True), args


def points():
    """Values of which many are zero, in all orders in which `min` and `max` can meet them."""
    for first, second, c, k in itertools.product((0.0, 1.0), (0.0, -1.0), (0.0, -0.5, 0.5), range(3)):
        yield np.array([first, second, 0.25]), c, k


def integer(n, c, k):
    return min(n[k], c)


def flags(x, c, k):
    found = False
    for i in range(k):
        found = found or x[i] > c
    return found


def added(x, c, k):
    return flags(x, c, k) + True
