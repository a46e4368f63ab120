"""Programs of these tests: one per shape of arguments, results and memory."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np

Pair = namedtuple("Pair", "p q")


@dataclass
class Body:
    mass: float
    position: Any
    name: str = "body"
    kind: int = 2


def squares(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


def squares_in_place(x):
    for i in range(len(x)):
        x[i] = x[i] ** 2
    return np.sum(x)


def read_square_clear(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def polynomial(a, b):
    return a * a * b + b


def multiply(out, given):
    out[0] = given[0] * given[1]


def multiply_and_return(out, given):
    out[0] = given[0] * given[1]
    return out[0]


def fill_matrices(matrices, vector):
    for i in range(len(vector)):
        matrix = matrices[i]
        a = vector[i]
        for j in range(3):
            matrix[j, 0] = a
        matrix[0, 0] = vector[i]
    return matrices[2][0, 0]


def weighted(a):
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            total += a[i, j] ** 2 * (i + 2 * j)
    return total


def energy(body, k):
    return body.mass * k + np.sum(body.position) * body.kind


def energies(bodies):
    total = 0.0
    for body in bodies:
        total += body.mass * body.position[0] ** 2
    return total


def numbers(ws):
    total = 0.0
    for w in ws:
        total += w * w
    return total


def product(pair):
    a, b = pair
    return a * b


def named(pair):
    return pair.p * pair.q[1]


def several(x, y):
    return x * y, np.sin(x), x > y


def tail(x):
    return x[1:]


def scaled(x, k):
    out = np.zeros(len(x))
    for i in range(len(x)):
        out[i] = x[i] * x[i] * k
    return out


def square_root(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


def reciprocal(x):
    return 1.0 / x


def scalar_array(x):
    return x[()] * 3.0


def single_precision(x):
    total = np.float32(0)
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


def with_default(x, k=3.0, *, n=2):
    return x**n * k


def nothing(x):
    x[0] = x[0] * 2.0


def empty(x):
    return ()


def count(x, n):
    return n + len(x)


def element(x, i):
    return x[i]


FACTOR = 3.0
WEIGHTS = np.array([1.0, 2.0, 3.0])


def with_globals(x):
    total = 0.0
    for i in range(len(x)):
        total += WEIGHTS[i] * x[i] * FACTOR
    return total


def overlapping(x, y):
    for i in range(len(x)):
        y[i] = x[i] * 2.0
    return np.sum(y) + np.sum(x)
