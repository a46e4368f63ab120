"""Every feature of the language: the compiled function does what plain Python does."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.frontend.support import agrees, compiled, run

SCALE = 2.5
POWERS = (1, 2, 3)


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


# Arithmetic -----------------------------------------------------------------------------------------------------------


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


# Containers and calls -------------------------------------------------------------------------------------------------


class Point(NamedTuple):
    x: float
    y: float


@dataclasses.dataclass
class Particle:
    mass: float
    position: Any


@dataclasses.dataclass
class Body:
    particle: Particle
    weight: float = 2.0


def named(p):
    x, y = p
    return p.x * 2 + p[1] + x * y + len(p)


def make_point(a, b):
    return Point(a, y=b), Particle(a, (b, a)).mass


def nested_record(b):
    b.particle.position[0] += b.weight
    return b.particle.mass * b.particle.position[0]


def kinetic(ps):
    e = 0.0
    for p in ps:
        e += p.mass * p.position[0]
    for i in range(len(ps)):
        ps[i].position[1] = e
    return e + ps[-1].mass


def list_of_numbers(xs, k):
    s = 0.0
    for v in xs:
        s += v / 2
    return s + xs[k] + len(xs) + max(xs) + sum(xs) + min(xs)


def mixed_tuple(t):
    (a, x), k = t
    return a * x[0] + k


def local_lists(a, b):
    v = [a, b, 0.0]
    w = v
    w[2] = a * b
    v[0] += 1.0
    u = [0.0] * 3
    u[1] = v[2]
    return v, w[2], u, sum(v), v[1:], v[-1]


def dynamic_list(n, k):
    v = [0, 0, 0, 0]
    for i in range(n):
        v[i % 4] += i * 0.5
    return v[k] + len(v)


def dynamic_list_read(k):
    t = (1.0, 2.0, 4.0)
    v = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    return t[k] * v[k]


def list_in_loop(n, a):
    state = [a, 0.0]
    for _ in range(n):
        state[0] = state[0] * 0.5 + state[1]
        state[1] = a - state[0]
    return state


def tuple_state(n, a):
    y = (a, 0.0, 1)
    for _ in range(n):
        y = (y[1], y[0] - y[1], y[2] * 2)
    return y


def list_state(n, a):
    y = [a, 0.0]
    for _ in range(n):
        y = [y[1] + 1, y[0] * 0.5]
    return y


def midpoint_steps(y, dt, n):
    def slope(s):
        return s[1], -s[0]

    for _ in range(n):
        k = slope(y)
        k = slope((y[0] + dt / 2 * k[0], y[1] + dt / 2 * k[1]))
        y = (y[0] + dt * k[0], y[1] + dt * k[1])
    return y


def static_strings(x, mode):
    if mode == "double":
        return 2 * x
    elif mode in ("half", "quarter"):
        return x / 2
    return x


def always_outside(x):
    t = (1.0, 2.0)
    if x > 0:
        return t[5]
    return x


def list_branches(a):
    if a > 0:
        v = [a, 2 * a]
    else:
        v = [0.0, 1.0]
    v[0] += 1
    return v


def aliases(a):
    v = [a, 2.0]
    w = v
    if a > 0:
        w[1] = 7.0
    for i in range(3):
        v[0] += w[1] * i
    return v[0] + w[0] + w[1], v is w


def sized_list(n):
    v = [0.0] * n
    w = [i * i for i in range(n)]
    for i in range(n):
        v[i] = i * 0.5 + w[i]
    return sum(v) + len(w)


def comprehensions(a, x):
    v = [a * k for k in range(4)]
    w = [b * c for b in v for c in (1, 2) if c > 1]
    k = 100
    return v, w, sum([t * t for t in v]), k, sum([e * a for e in x])


def appended(a):
    v = []
    for k in range(3):
        v.append(a**k)
    return v, len(v)


def helper(x, k=2, *, scale=1.0):
    if k > 2:
        return x * k
    return x * scale


def variadic(*values):
    s = 0.0
    for v in values:
        s += v
    return s


def calls(x):
    def twice(y):
        return 2 * y + x

    square = lambda z: z * z  # noqa: E731
    args = (x, 5)
    return helper(x), helper(x, 3), helper(x, scale=x), twice(x), square(x), variadic(x, 1, 2), helper(*args)


def apply(f, x, n):
    for _ in range(n):
        x = f(x)
    return x


def higher_order(x, n):
    k = 0.5
    step = lambda v: v * k + 1  # noqa: E731
    k = 0.25
    return apply(step, x, n) + apply(math.sin, x, 2)


def early_return(x):
    if x > 1:
        return x
    return None


def nothing(x):
    """Writes only."""
    for i in range(len(x)):
        x[i] = 1.0 / (1.0 + i)


def fill_until(x, t):
    for i in range(len(x)):
        if x[i] > t:
            return
        x[i] = t


def deep(x):
    a = x
    b = 0
    for i in range(10):
        for j in range(i):
            for k in range(j):
                b += 1
                a = a * 0.5 + k
    return a, b


TABLE = np.array([1.0, 10.0, 100.0])
SETTINGS = (0.5, (3, TABLE), Point(1.0, 2.0))


def globals_and_modules(x):
    return x * TABLE[1] + SETTINGS[0] * SETTINGS[1][1][2] + SETTINGS[2].y * np.pi + math.inf * 0


CONTAINERS = [
    (named, [(Point(1.5, 2.0),)]),
    (make_point, [(1.5, 2)]),
    (nested_record, [(Body(Particle(2.0, np.array([1.0, 2.0])), 3.0),)]),
    (kinetic, [([Particle(1.0, np.arange(3.0)), Particle(2.5, np.ones(3))],)]),
    (list_of_numbers, [([1.0, 2.0, 3.5], 1), ((1, 2, 3), -1), ([1.0], 3)]),
    (mixed_tuple, [(((2.0, np.array([3.0])), 4),)]),
    (local_lists, [(1.5, 2.0)]),
    (dynamic_list, [(10, 3), (0, -1), (3, 4)]),
    (dynamic_list_read, [(1,), (-1,), (3,), (-4,)]),
    (list_in_loop, [(5, 2.0), (0, 2.0)]),
    (tuple_state, [(5, 2.0)]),
    (list_state, [(5, 2.0)]),
    (midpoint_steps, [((1.0, 0.5), 0.1, 10), ((1, 0.5), 0.1, 3)]),
    (static_strings, [(3.0, "double"), (3.0, "half"), (3.0, "")]),
    (always_outside, [(1.0,), (-1.0,)]),
    (list_branches, [(1.0,), (-1.0,)]),
    (aliases, [(1.0,), (-1.0,)]),
    (sized_list, [(5,), (0,)]),
    (comprehensions, [(1.5, np.arange(3.0))]),
    (appended, [(1.5,)]),
    (calls, [(1.5,), (3,)]),
    (higher_order, [(1.5, 4), (1.5, 0)]),
    (nothing, [(np.zeros(4),)]),
    (fill_until, [(np.arange(5.0), 2.5)]),
    (deep, [(1.0,)]),
    (globals_and_modules, [(2.0,)]),
]


# The ops have one message each: lists and arrays share `index`, `//` and `%` of integers their division.
WORDED_DIFFERENTLY = (modulo, list_of_numbers, dynamic_list, dynamic_list_read)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        pytest.param(function, arguments, id=f"{function.__name__}-{k}")
        for function, cases in (*LOOPS, *BRANCHES, *ARITHMETIC, *CONTAINERS)
        for k, arguments in enumerate(cases)
    ],
)
def test_agrees_with_python(function, arguments):
    agrees(function, *arguments, message=function not in WORDED_DIFFERENTLY)


def test_a_name_that_may_be_unbound_raises_at_its_line():
    for function, arguments in ((unbound, (2.0, 0)), (unbound_after_loop, (0,))):
        agrees(function, *arguments, message=False)


def test_integers_never_wrap():
    program = compiled(overflow, 10)
    with pytest.raises(OverflowError):
        run(program, 2**40)


def test_what_python_makes_complex_is_refused_at_run_time():
    with pytest.raises(ValueError, match="complex"):
        run(compiled(fraction_power, 1.0, 0.5), -2.0, 0.5)


def test_lists_that_are_one_on_some_paths_only_must_not_change():
    from adcore.errors import CompileError

    def f(a):
        v = [a, 2.0]
        w = v
        if a > 0:
            v = [1.0, 3.0]
        v[0] = 5.0
        return w[0]

    def g(a):
        def store(u):
            if a > 0:
                u = [1.0, 2.0]
            u[0] = 5.0

        v = [a, 2.0]
        store(v)
        return v[0]

    for function in (f, g):
        with pytest.raises(CompileError, match="one list with another"):
            compiled(function, 1.0)


def test_a_result_on_some_paths_only_is_refused():
    from adcore.errors import CompileError

    with pytest.raises(CompileError, match="None on another"):
        compiled(early_return, 2.0)


def test_results_say_whether_they_are_python_numbers():
    def f(x, a):
        return x[0], a, a * 2, x[0] * a, len(x), a > 0

    from adcore.signature import ScalarArg

    kinds = compiled(f, np.ones(2), 1.0).result.items
    assert kinds == (
        ScalarArg("f64", weak=False), ScalarArg("f64"), ScalarArg("f64"), ScalarArg("f64", weak=False),
        ScalarArg("i64"), ScalarArg("bool"),
    )  # fmt: skip
