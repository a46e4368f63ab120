"""Numbers that are Python's or NumPy's as the data decide: each raises, or not, as the object that Python has there."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest

# Ways to come to a number `m`: `x` is an array (NumPy's floats), `c` a Python float, `k` an integer that decides.
from tests.frontend.values.numeric.weak_numbers import agree, of_a_list_of_any_length, points, replaced


def minimum(x, c, k):
    return min(x[k], c)


def maximum_of_three(x, c, k):
    return max(c, x[k], -2.0)


def chained(x, c, k):
    return min(max(x[0], c), x[1], c)


def conditional(x, c, k):
    return x[0] if k > 0 else c


def branches(x, c, k):
    if k > 0:
        m = c
    else:
        m = x[0]
    return m


def one_branch(x, c, k):
    m = c
    if k > 0:
        m = x[1]
    return m


def elif_branches(x, c, k):
    if k > 1:
        m = c
    elif k > 0:
        m = x[0]
    else:
        m = 0.0
    return m


def running(x, c, k):
    m = 0.0
    for i in range(k):
        m = max(m, x[i])
    return m


def replaced_by_pythons(x, c, k):
    m = x[0]
    for _ in range(k):
        m = c
    return m


def alternating(x, c, k):
    m, other = c, x[0]
    for _ in range(k):
        m, other = other, m
    return m


def counted_down(x, c, k):
    m = c
    while k > 0:
        m = x[k]
        k -= 1
    return m


def with_break(x, c, k):
    m = c
    for i in range(len(x)):
        if i >= k:
            break
        m = x[i]
    return m


def with_continue(x, c, k):
    m = c
    for i in range(len(x)):
        if i != k + 1:
            continue
        m = x[i]
    return m


def with_else(x, c, k):
    m = x[0]
    for i in range(len(x)):
        if i > k:
            break
    else:
        m = c
    return m


def unbound_before(x, c, k):
    for i in range(k + 1):
        m = x[i] if i < 1 else c
    return m


def nested_loops(x, c, k):
    m = c
    for i in range(k):
        for j in range(i):
            m = min(m, x[j])
    return m


def early(x, c, k):
    def first_above(y):
        for i in range(k):
            if x[i] > y:
                return x[i]
        return c

    return first_above(0.25)


def helper(x, c, k):
    return picked(x[0], c, k)


def picked(a, b, k):
    if k > 1:
        return a
    return b


def operand(x, c, k):
    return (c and x[k]) if k > 0 else (x[0] or c)


def of_a_tuple(x, c, k):
    return (x[0], c, x[1])[k]


def of_a_long_tuple(x, c, k):
    return (x[0], c, x[1], c, c, x[0], x[1], c, 0.5, x[0])[k]


def of_a_list(x, c, k):
    m = [x[0], c, x[1]]
    m[k] = c
    return m[k - 1]


def of_a_long_list(x, c, k):
    m = [c] * 12
    for i in range(k):
        m[i] = x[i]
    return m[1]


def of_a_slice(x, c, k):
    m = [c] * len(x)
    m[k] = x[k]
    return m[1:][0]


def of_a_comprehension(x, c, k):
    m = [(x[i] if i > k else c) for i in range(len(x))]
    return m[1]


def unrolled_comprehension(x, c, k):
    m = [(x[i] if i > k else c) for i in range(3)]
    return m[1]


def list_in_a_loop(x, c, k):
    m = [c, c]
    for i in range(k):
        m[0], m[1] = x[i], m[0]
    return m[1]


def summed(x, c, k):
    return sum(x[:k])


def summed_from(x, c, k):
    return sum(x[:k], c)


def summed_generator(x, c, k):
    return sum((x[i] if x[i] < 0.2 else 0.0) for i in range(k))


def least_of_generator(x, c, k):
    return min((x[i] if i > 1 else c) for i in range(k + 1))


class Pair(NamedTuple):
    first: float
    second: float


def in_a_record(x, c, k):
    p = Pair(c, x[0])
    for _ in range(k):
        p = Pair(p.second, p.first)
    return p.first


def in_a_tuple(x, c, k):
    p = (c, x[0])
    if k > 0:
        p = (x[0], c)
    return p[0]


def same_number(x, c, k):
    m = x[0]
    if k > 0:
        m = float(m)
    return m


def same_number_in_a_loop(x, c, k):
    m = x[0]
    for _ in range(k):
        m = float(m)
    return m


def computed(x, c, k):
    m = min(x[k], c)
    return m * 1.0 + 0.0 * max(c, x[0])


def absolute(x, c, k):
    return abs(-min(x[k], c))


def over_items(x, c, k):
    m = 1.0
    for v in (c, x[0], x[1]):
        if k > 0:
            m = v
        k -= 1
    return m


def default_argument(x, c, k):
    def own(a, m=c):
        if k > 0:
            m = a
        return m

    return own(x[0])


JOINS = (
    minimum, maximum_of_three, chained, conditional, branches, one_branch, elif_branches, running, replaced,
    replaced_by_pythons, alternating, counted_down, with_break, with_continue, with_else, unbound_before, nested_loops,
    early, helper, operand, of_a_tuple, of_a_long_tuple, of_a_list, of_a_long_list, of_a_list_of_any_length, of_a_slice,
    of_a_comprehension, unrolled_comprehension, list_in_a_loop, summed, summed_from, summed_generator,
    least_of_generator, in_a_record, in_a_tuple, same_number, same_number_in_a_loop, computed, absolute, over_items,
    default_argument,
)  # fmt: skip

OPERATIONS = {
    "divided": lambda m, x: 1.0 / m,
    "divides": lambda m, x: m / 0.0,
    "integer zero": lambda m, x: m / 0,
    "floor": lambda m, x: 1.0 // m,
    "modulo": lambda m, x: 1.0 % m,
    "divmod": lambda m, x: divmod(2.0, m)[1],
    "itself": lambda m, x: m / m,
    "negative power": lambda m, x: m**-1.0,
    "negative integer power": lambda m, x: m**-3,
    "unknown power": lambda m, x: m ** (m - 1.0),
    "power of a negative": lambda m, x: (m - 0.5) ** 2.0,
    "overflowing square": lambda m, x: (1e200 * (m + 1.0)) ** 2,
    "overflowing power": lambda m, x: 10.0 ** (400.0 + m),
    "overflowing cube": lambda m, x: pow(1e150 * abs(1.0 + m), 3.5),
    "by NumPy's": lambda m, x: x[0] / m,
    "of NumPy's": lambda m, x: m / np.float64(0.0),
    "made Python's": lambda m, x: 1.0 / float(m),
    "made NumPy's": lambda m, x: 1.0 / np.float64(m),
    "NumPy function": lambda m, x: 1.0 / np.sin(m),
    "math function": lambda m, x: 1.0 / math.sin(m),
    "negated": lambda m, x: 1.0 / -m,
    "added up": lambda m, x: 1.0 / (m + m),
    "doubled": lambda m, x: 3.0 / (2 * m + 0),
    "as a flag": lambda m, x: 1.0 / (m * (m > -5.0)),
    "class": lambda m, x: isinstance(m, np.floating),
    "both classes": lambda m, x: isinstance(m, float),
}


@pytest.mark.parametrize("join", JOINS, ids=lambda f: f.__name__)
def test_a_number_of_either_kind(join):
    for operation in (OPERATIONS[name] for name in ("divided", "by NumPy's", "class", "negative power")):

        def program(x, c, k, operation=operation):
            return operation(join(x, c, k), x)

        agree(program, list(points()))
    classes = {isinstance(join(*point), np.floating) for point in points()}
    assert classes == {False, True}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_at_all_values(name):
    operation = OPERATIONS[name]

    def program(x, c, k):
        return operation(min(x[k], c), x)

    values = (0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -400.0, math.inf, -math.inf, math.nan)
    agree(program, [(np.array([own]), c, 0) for own, c in itertools.product(values, values)])


# Integers and bools
