"""Ordinary programs, each with arguments, whose checks are meant to see a broken compiler."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import adcore as ad
from tests.analysis.planning import goldens

Program = tuple[Callable[..., Any], tuple[Any, ...]]
X = np.array([0.3, 0.8, 1.7, 2.4, 0.9])


def straight(x, y):
    z = x * y
    return z * math.sin(z) + x / y


def sum_in_a_loop(x):
    total = 0.0
    for i in range(len(x)):
        total += math.sin(x[i]) * x[i]
    return total


def carried(x, n):
    a, b = x, 1.0
    for _ in range(n):
        a, b = a * b + 0.1, math.cos(a)
    return a * b


def branches(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 1.0:
            total += x[i] * x[i]
        elif x[i] > 0.5:
            total += math.exp(x[i])
        else:
            total -= x[i]
    return total


def nested_branches(x, y):
    if x > 0.0:
        z = x * y
        if y > 0.0:
            w = z * z
        else:
            w = z + x
    else:
        w = y
    return w * x


def rows(a, x):
    total = 0.0
    for i in range(a.shape[0]):
        row = 0.0
        for j in range(a.shape[1]):
            row += a[i, j] * x[j]
        total += row * row
    return total


def triangle(x):
    y = x.copy()
    for i in range(len(x)):
        for j in range(i):
            y[i] = y[i] - 0.3 * y[j] * x[i]
    return y[len(x) - 1] * y[1]


def in_place(x):
    for i in range(1, len(x)):
        x[i] = x[i] * x[i - 1]
    return x[len(x) - 1]


def read_between_stores(x):
    total = 0.0
    for i in range(len(x)):
        x[i] = x[i] * x[i]
        total += x[i]
        x[i] = math.sin(x[i])
        total += x[i] * x[i]
    return total


def cleared_inside(x, m):
    """The clear of an inner loop is not that of an outer one."""
    total = 0.0
    buffer = np.zeros(3)
    for i in range(len(x)):
        for k in range(3):
            buffer[k] = 0.0
        for j in range(m):
            for k in range(3):
                buffer[k] += x[i] * x[j] * (k + 1.0)
        total += buffer[0] * buffer[2]
    return total


def kept_across(x, m):
    buffer = np.zeros(3)
    for i in range(len(x)):
        if i % 2 == 0:
            for k in range(3):
                buffer[k] = 0.5 * x[i]
        for j in range(m):
            buffer[j] = buffer[j] * x[i]
    return np.sum(buffer * buffer)


def newton(x):
    r = x
    while abs(r * r - x) > 1e-9:
        r = 0.5 * (r + x / r)
    return r * x


def leaves_early(x, limit):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        if total > limit:
            break
    return total * x[0]


def gathered(x, index):
    total = 0.0
    for i in range(len(index)):
        total += x[index[i]] * x[i]
    return total


def scattered(x, index):
    y = np.zeros(len(x))
    for i in range(len(index)):
        y[index[i]] += x[i] * x[i]
    return np.sum(y * y * y)


def expressions(x, y):
    z = np.exp(-x) * y + np.where(x > 1.0, x * x, y)
    return np.sum(z) / (1.0 + np.sum(np.maximum(x, y)))


def matrices(a, b):
    c = a @ b
    return np.sum(c * c) + np.sum(np.tanh(a.T))


def weights_of(x, w):
    total = 0.0
    for k in range(len(w)):
        total += w[k] * math.sqrt(x[k])
    return total


def discards(x):
    return np.sum(np.where(x > 0.0, np.sqrt(x), x))


def squares(x):
    r = np.sqrt(np.sum(x * x))
    return r * r + r


def inner(t):
    return t * t * math.sin(t)


def second(x):
    return ad.grad(inner)(x) * x


def second_of_sum(x):
    g = ad.grad(sum_in_a_loop)(x)
    return np.sum(g * g)


def helper(a, b):
    return a * b + math.cos(a)


def calls(x, y):
    return helper(x, y) * helper(y, x)


def lists(parts):
    total = 0.0
    for part in parts:
        total += np.sum(part * part) * part[0]
    return total


def two_arguments_of_one_sum(x, y):
    total = 0.0
    for i in range(len(x)):
        y[i] = y[i] + x[i] * x[i]
    for i in range(len(x)):
        total += y[i] * y[i]
    return total


OWN: list[Program] = [
    (sum_in_a_loop, (X,)),
    (straight, (1.2, 0.7)),
    (carried, (0.4, 6)),
    (branches, (X,)),
    (nested_branches, (0.7, -1.3)),
    (nested_branches, (0.7, 1.3)),
    (rows, (np.outer(X, X + 1.0), X)),
    (triangle, (X,)),
    (in_place, (X,)),
    (read_between_stores, (X,)),
    (cleared_inside, (X, 3)),
    (kept_across, (X, 3)),
    (newton, (2.3,)),
    (leaves_early, (X, 3.0)),
    (gathered, (X, np.array([3, 0, 3, 1]))),
    (scattered, (X, np.array([2, 0, 2, 1]))),
    (expressions, (X, X[::-1] + 0.1)),
    (matrices, (np.outer(X, X)[:2, :3].copy(), np.outer(X, X)[:3, 2:4].copy())),
    (weights_of, (X, X + 2.0)),
    (discards, (np.array([0.4, -1.0, 2.0]),)),
    (squares, (X,)),
    (second, (0.8,)),
    (second_of_sum, (X,)),
    (calls, (0.8, 1.4)),
    (lists, ([X, 2 * X, X[:3].copy()],)),
    (two_arguments_of_one_sum, (X, X + 1.0)),
]


def programs(everything: bool) -> list[Program]:
    """Those of this module; if `everything`, also those that are explained (tests/analysis/planning/programs)."""
    if not everything:
        return OWN
    explained = [goldens.load(name) for name in goldens.names()]
    return OWN + [(module.program, module.ARGS) for module in explained]
