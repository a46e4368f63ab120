"""Tuples, lists, records, calls and outside variables: the compiled function does what plain Python does."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from adcore.errors import CompileError
from tests.frontend.support import agrees, compiled


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


def generators(a, x, ms):
    k = 3.0
    s = sum(v * v + k for v in x)
    t = max(abs(v) for v in x), min(v if v > 0 else -v for v in (a, 2.0, -1))
    u = sum(m[0, 0] * w for m, w in zip(ms, x, strict=False)) + sum(i * a for i in range(3) if i != 1)
    return s, t, u, tuple(v + 1 for v in (a, 2)), sum(sum(e for e in row) for row in ms[0])


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
    (generators, [(1.5, np.array([1.0, -4.0]), [np.eye(2), np.ones((2, 2))])]),
    (appended, [(1.5,)]),
    (calls, [(1.5,), (3,)]),
    (higher_order, [(1.5, 4), (1.5, 0)]),
    (nothing, [(np.zeros(4),)]),
    (fill_until, [(np.arange(5.0), 2.5)]),
    (deep, [(1.0,)]),
    (globals_and_modules, [(2.0,)]),
]

# Lists share the message of `index` with arrays.
WORDED_DIFFERENTLY = (list_of_numbers, dynamic_list, dynamic_list_read)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        pytest.param(function, arguments, id=f"{function.__name__}-{k}")
        for function, cases in CONTAINERS
        for k, arguments in enumerate(cases)
    ],
)
def test_agrees_with_python(function, arguments):
    agrees(function, *arguments, message=function not in WORDED_DIFFERENTLY)


def test_iterators_run_once():
    def twice(x):
        z = zip(x, x, strict=False)
        s = 0.0
        for a, b in z:
            s += a * b
        for a, _ in z:
            s += a
        return s

    def used(g):
        return sum(g) + sum(g)

    def through_a_call(x):
        return used(v for v in x)

    def length(x):
        return len(enumerate(x))

    for function, text in ((twice, "zip is used up"), (through_a_call, "generator is used up"), (length, "no length")):
        with pytest.raises(CompileError, match=text):
            compiled(function, np.ones(3))


def test_lists_that_are_one_on_some_paths_only_must_not_change():
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
