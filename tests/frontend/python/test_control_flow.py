"""Loops, jumps, branches and conditions: the compiled function does what plain Python does."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adcore as ad
from tests.frontend.support import agrees

# Loops and jumps ------------------------------------------------------------------------------------------------------


def total(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i] * x[i]
    return s


def count_down(x):
    s = 0.0
    for i in range(len(x) - 1, -1, -2):
        s = 2.0 * s + x[i]
    return s


def index_after_loop(n):
    k = -1
    for i in range(n):
        k = i
    return k


def sum_of_ints_then_floats(x):
    s = 0
    for v in x:
        s = s + v
    return s


def first_above(x, t):
    for i, v in enumerate(x, 1):
        if v > t:
            return i
    return -1


def break_with_else(x, t):
    for v in x:
        if v > t:
            r = v
            break
    else:
        r = -1.0
    return r


def skip_negative(x):
    s = 0.0
    for v in x:
        if v < 0:
            continue
        s += math.sqrt(v)
    return s


def nested_break(x, t):
    s = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] > t:
                break
            if x[i, j] < -t:
                continue
            s += x[i, j]
        else:
            s += 100.0
        s *= 2.0
    return s


def return_from_nest(x, t):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] > t:
                return i * 10 + j
    return -1


def while_with_break(n):
    k = 0
    s = 0
    while True:
        k += 1
        if k > n:
            break
        if k % 3 == 0:
            continue
        s += k
    return s, k


def while_else(n):
    k = n
    while k > 0:
        if k == 7:
            r = "never"
            r = 1
            break
        k -= 2
    else:
        r = 0
    return r + k


def while_true_return(x):
    while True:
        x = x * 0.5
        if x < 1:
            return x


def newton(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def dynamic_step(lo, hi, step):
    s = 0
    for i in range(lo, hi, step):
        s = s * 3 + i
    return s


def reversed_ranges(lo, hi, step):
    s = 0
    for i in reversed(range(lo, hi)):
        s = s * 3 + i
    for i in reversed(range(lo, hi, step)):
        s = s * 3 + i
    for i in reversed(range(5)):
        s = s * 3 + i
    for i in reversed(range(0, hi, 3)):
        s = s * 3 + i
    return s


def zips(x, y):
    s = 0.0
    for i, (a, b) in enumerate(zip(x, y, strict=False)):
        s += i * a * b
    for a, k in zip(x, range(100, 110), strict=False):
        s += a * k
    for a, b in zip(reversed(x), y, strict=False):
        s += a * b
    return s


def over_tuple(a, b):
    s = 0.0
    for w, v in ((1.0, a), (2, b), (a, b)):
        s += w * v
    for k in (1, 2, 3):
        s += k
    return s


def over_rows(x):
    s = 0.0
    for row in x:
        for v in row:
            s = 0.5 * s + v
    return s


def unrolled_jumps(a, x):
    s = 0.0
    for k in range(4):
        if x[k] > a:
            break
        if x[k] < -a:
            continue
        s += x[k]
    else:
        s += 1000.0
    return s


def unrolled_return(a):
    for k in range(3):
        if k > a:
            return k
    return 7


def loop_variable_rebound(n):
    s = 0
    for i in range(n):
        i = i * 2
        s += i
    return s


def bounds_are_read_once(n):
    s = 0
    for i in range(n):
        n = 2
        s += i + n
    return s


LOOPS = [
    (total, [(np.arange(5.0),), (np.zeros(0),)]),
    (count_down, [(np.arange(7.0),), (np.arange(4.0),), (np.zeros(0),)]),
    (index_after_loop, [(4,), (0,), (-3,)]),
    (sum_of_ints_then_floats, [(np.arange(5.0) + 0.1,), (np.arange(5),)]),
    (first_above, [(np.arange(5.0), 2.5), (np.arange(5.0), 9.0), (np.zeros(0), 0.0)]),
    (break_with_else, [(np.arange(5.0), 2.5), (np.arange(5.0), 9.0)]),
    (skip_negative, [(np.array([1.0, -2.0, 3.0]),)]),
    (nested_break, [(np.arange(12.0).reshape(3, 4) - 5, t) for t in (0.5, 2.5, 50.0)]),
    (return_from_nest, [(np.arange(12.0).reshape(3, 4), t) for t in (0.5, 6.5, 50.0)]),
    (while_with_break, [(0,), (10,)]),
    (while_else, [(9,), (8,), (0,)]),
    (while_true_return, [(10.0,), (0.5,)]),
    (newton, [(2.0,), (100.0,), (0.0,)]),
    (collatz, [(27,), (1,)]),
    (dynamic_step, [(0, 10, 3), (10, 0, -3), (0, 10, -1), (1, 2, 100), (0, 5, 0)]),
    (reversed_ranges, [(0, 10, 3), (10, 0, -3), (0, 10, -1), (3, 3, 2), (-2, 7, 4)]),
    (zips, [(np.arange(5.0), np.arange(3.0) + 1), (np.arange(2.0), np.arange(3.0) + 1), (np.zeros(0), np.ones(2))]),
    (over_tuple, [(2.0, 3.5)]),
    (over_rows, [(np.arange(6.0).reshape(2, 3),), (np.arange(6.0).reshape(3, 2).T,)]),
    (unrolled_jumps, [(1.5, np.array(v)) for v in ([0.0, 1, 2, 0], [0.0, -2, 1, 1], [0.0, 1, 1, 1], [9.0, 0, 0, 0])]),
    (unrolled_return, [(0,), (1,), (5,), (-1,)]),
    (loop_variable_rebound, [(4,)]),
    (bounds_are_read_once, [(4,)]),
]


# Branches and conditions ----------------------------------------------------------------------------------------------


def signs(x):
    if x > 0:
        return 1.0
    elif x < 0:
        return -1.0
    return 0.0


def chained(a, b, c):
    return (a < b < c) + 2 * (a <= b == c) + 4 * (a != b > c)


def logic(a, b):
    return (a and b, a or b, not a, not b, a and 1.0 / b > 0.1, bool(a or b))


def short_circuit(x, i):
    if 0 <= i < len(x) and x[i] > 0.5:
        return x[i]
    if i < 0 or x[i] < 0.1:
        return -1.0
    return 0.0


def conditional(a, b):
    return (a if a > b else b) + (1 if a else 2.5) * (-1.0 if b < 0 else b)


def guarded_conversion(a):
    return (int(a) if a < 1e18 else -1) + (2 if a > 0 else 1)


def many_branches(x, k):
    y = 0.0
    if k == 0:
        y = x
        z = 2
    elif k == 1:
        z = 3
        if x > 1:
            y = x * x
            z = 4
        else:
            y = -x
    elif k == 2:
        return y
    else:
        z = 5
    return y * z


def static_branches(x, flag=None):
    if flag is None:
        n = 2
    else:
        n = "text"
    if isinstance(x, float):
        return x * n
    if isinstance(x, np.ndarray):
        return x[0] * n
    return n


def one_path_only(x, c):
    if c:
        y = x * 2
    if c:
        return y
    return x


def unbound(x, c):
    if c > 0:
        y = x * 2
    return y + 1


def unbound_after_loop(n):
    for i in range(n):
        last = i * 1.5
    return last


def raises(x):
    if x < 0:
        raise ValueError("x must not be negative")
    assert x < 10, "too large"
    return math.sqrt(x)


def raise_at_the_end(x):
    if x > 0:
        return x
    elif x == 0:
        return 1.0
    else:
        raise ZeroDivisionError("negative")


def minima(a, b, c):
    return min(a, b), max(a, b), min(a, b, c), max(c, b, a), min((a, 2.0)), max([a, b])


BRANCHES = [
    (signs, [(2.0,), (-2.0,), (0.0,), (math.nan,)]),
    (chained, [(1, 2, 3), (3, 2, 1), (1, 2, 2), (2.0, 2.0, 2.0), (1, math.nan, 3)]),
    (logic, [(1.0, 2.0), (0.0, 2.0), (0.5, 20.0), (1, 5), (True, 3.0)]),
    (short_circuit, [(np.array([0.7, 0.05, 0.3]), k) for k in (-1, 0, 1, 2)]),
    (conditional, [(1.0, 2.0), (0.0, -2.0), (3, 2.0)]),
    (guarded_conversion, [(2.5,), (1e300,), (math.inf,), (-math.nan,)]),
    (many_branches, [(x, k) for x in (0.5, 2.0) for k in range(4)]),
    (static_branches, [(2.0,), (np.array([3.0]),), (7,)]),
    (one_path_only, [(2.0, True), (2.0, False)]),
    (unbound, [(2.0, 1)]),
    (unbound_after_loop, [(3,)]),
    (raises, [(4.0,), (-1.0,), (11.0,)]),
    (raise_at_the_end, [(4.0,), (0.0,), (-1.0,)]),
    (minima, [(1.0, 2.0, 3.0), (2.0, 1.0, 0.5), (1, 2.5, 0), (0.0, -0.0, 1.0), (1.0, 1.0, 1.0)]),
]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        pytest.param(function, arguments, id=f"{function.__name__}-{k}")
        for function, cases in (*LOOPS, *BRANCHES)
        for k, arguments in enumerate(cases)
    ],
)
def test_agrees_with_python(function, arguments):
    agrees(function, *arguments)


def test_a_name_that_may_be_unbound_raises_at_its_line():
    for function, arguments in ((unbound, (2.0, 0)), (unbound_after_loop, (0,))):
        agrees(function, *arguments, message=False)


def early_return(x):
    if x > 1:
        return x
    return None


def test_a_result_on_some_paths_only_is_an_error_on_the_others():
    assert ad.value_and_grad(early_return)(2.0) == (2.0, 1.0)
    with pytest.raises(TypeError, match="early_return returns None here"):
        ad.value_and_grad(early_return)(0.5)
