"""Programs over arrays that several tests share."""

from __future__ import annotations

import numpy as np


def matrix(rows=3, columns=4):
    return np.arange(float(rows * columns)).reshape(rows, columns) + 0.5


# Subscripts and views -------------------------------------------------------------------------------------------------


def rows(x, i):
    row = x[i]
    row[0] = 7.0
    s = 0.0
    for v in row:
        s += v
    return s + len(row) + row[-1]


def columns(x, j):
    c = x[:, j]
    for k in range(len(c)):
        c[k] *= 2.0
    return c[0] + c.size + c.ndim


def read_then_clear(x):
    res = 0.0
    for i in range(10):
        res += x[i] * x[i]
        x[i] = 0
    return res
