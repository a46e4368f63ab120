"""Arrays that programs make, and reductions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.frontend.numpy.array_programs import columns, matrix, rows
from tests.frontend.support import agrees


def elements(x, i, j):
    return x[i, j], x[i][j], x[-1, 0], x[i, -1], x[(i, j)], x[i - 1][-j]


def slices(x, a, b):
    v = x[a:b]
    w = x[::2]
    u = x[::-1]
    z = x[b:a:-2]
    s = 1.0
    for part in (v, w, u, z, x[a:], x[:b], x[1:-1], x[-3:], x[:-2], x[-2::-1], x[:], x[2::3], x[:a:-1]):
        s = s * 1.5 + len(part)
        for e in part:
            s = s * 0.5 + e
    return s


def nested_views(x):
    y = x[1:, ::2].T
    z = y[::-1, -1]
    y[0, 0] = 100.0
    s = 0.0
    for a in z:
        s = s * 2 + a
    return s, y.shape, x.T.shape[0], z.shape, x[1:, ::2].size, x[..., 0].ndim, x[0, ...][1]


def fills(x, v):
    x[1] = v
    x[:, 0] = 2
    x[1:, 2:] = v * 2
    x[0, ::2] = -1.0
    x.T[3, 1:].fill(9.0)


def copies(x, y):
    x[0] = y[1]
    x[1:, :2] = y[:-1, 1:3]
    x[2, 1:] = x[2, :-1]
    x[1, ::-1] = x[1]
    x[:, 0] = x[0, :3]
    x[1, 1:3] = 5.0, y[0, 0]


def broadcast(x, y):
    x[:] = y
    x[1:] = np.full(1, 7.0)
    x[:, :2] = np.array([[y[0], y[1]]])


def lengths_differ(x, y):
    x[1:] = y


def whole(x, y):
    x[:] = y[:]
    x[...] = x


def accumulate(x, idx):
    for k in idx:
        x[k] += 0.5
        x[-k - 1] *= 2
    x[idx[0]] -= x[idx[1]]


def three(x):
    s = 0.0
    for i in range(x.shape[0]):
        plane = x[i]
        for j in range(plane.shape[0]):
            for k in range(x.shape[2]):
                s = 0.9 * s + plane[j, k] - x[i, j][k] * x[i][:, k][j] + x[:, j, k][i]
    return s


def zero_d(x, y):
    y[()] = x * 2 + 1
    x += 1.0
    return math.sqrt(x) + y[()] + float(x) + x.item() + x.ndim


def dtypes(a, b, c, d):
    s = 0.0
    for k in range(len(a)):
        a[k] = a[k] * 0.1 + 1
        b[k] = b[k] // 2 + 1
        c[k] += 2.9
        d[k] = a[k] > 1.0 or b[k] > 1
        if d[k]:
            s += a[k] + b[k] / 3
    return s, a[0] * 2.0, a[0] * b[0], b[0] / 2


def narrow(a, b):
    a[0] = b[0] + b[1]
    return a[0] * 2 + b[1]


def unsigned(a):
    return int(a[0]) + 1, float(a[1])


def list_index(x, y):
    s = 0.0
    for i in range(len(x)):
        s += x[y[i]]
    return s


def shapes(x):
    n, m = x.shape
    return n * m + x.shape[-1] + len(x.shape) + x.size + x.ndim + len(x)


def unpack(x):
    a, b, c = x
    (d, e), f = x[:2], x[-1]
    return a + 2 * b + 3 * c + d * e * f


VIEWS = [
    (elements, [(matrix(), 1, 2), (matrix(), -3, 0), (matrix(), 3, 0), (matrix(), 0, 4), (matrix().T, 1, 2)]),
    (rows, [(matrix(), 1), (matrix(), -1), (matrix(), 3)]),
    (columns, [(matrix(), 1), (matrix(), -4)]),
    (slices, [(np.arange(7.0), a, b) for a, b in ((1, 5), (-2, 3), (0, 0), (-20, 20), (6, 2), (3, -1))]),
    (slices, [(np.arange(float(n)), 1, 4) for n in (0, 1, 2)]),
    (nested_views, [(matrix(),), (matrix(4, 5)[::-1],)]),
    (fills, [(matrix(), 3.5)]),
    (copies, [(matrix(), matrix() * 10)]),
    (broadcast, [(matrix(), np.arange(4.0))]),
    (lengths_differ, [(np.zeros(3), np.ones(3))]),
    (whole, [(matrix(), matrix() + 1)]),
    (accumulate, [(np.arange(5.0), np.array([0, 2, 2, 4]))]),
    (three, [(np.arange(24.0).reshape(2, 3, 4),), (np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),)]),
    (zero_d, [(np.array(2.0), np.array(0.0))]),
    (dtypes, [(np.ones(3, np.float32), np.arange(3), np.arange(3.0), np.zeros(3, bool))]),
    (dtypes, [(np.ones(3, np.float32), np.arange(3, dtype=np.int32) - 5, np.arange(3), np.zeros(3, bool))]),
    (narrow, [(np.zeros(1, np.int16), np.array([3, 4], np.uint8))]),
    (unsigned, [(np.array([1, 2**63 - 1], np.uint64),), (np.array([3, 4], np.uint8),)]),
    (list_index, [(np.arange(4.0), np.array([3, 1, -1, 0])), (np.arange(2.0), np.array([5, 0]))]),
    (shapes, [(matrix(),)]),
    (unpack, [(np.array([1.0, 2.0, 4.0]),)]),
]  # fmt: skip


# Local arrays and reductions ------------------------------------------------------------------------------------------


def local_arrays(x):
    n = len(x)
    a = np.zeros(n)
    b = np.ones((n, 2))
    c = np.empty(3)
    d = np.full(n, 2.5)
    e = np.zeros_like(x)
    f = np.array([[1.0, 2.0], [x[0], 4]])
    for i in range(n):
        a[i] = x[i] * d[i]
        b[i, 1] = a[i] + b[i, 0]
        e[i] = b[i, 1]
    c[:] = 1.0
    g = a.copy()
    g[0] = 100.0
    h = np.arange(n)
    return a[-1] + e[0] + f[1, 0] * f[0, 1] + c[2] + h[-1] + np.full_like(x, 3.0)[1] + np.ones_like(x)[0] + a[0]


def typed_arrays(x):
    a = np.zeros(3, dtype=np.int64)
    b = np.full(2, 7)
    c = np.zeros(2, np.float32)
    d = np.array([1, 2, 3], dtype=float)
    e = np.empty_like(x, dtype=np.float64)
    a[1] = 5
    c[0] = x[0] / 3
    e[0] = 0.25
    return a[1] / 2 + b[0] // 2, c[0], d[2], e[0], np.array([True, False])[0]


def returned(x):
    out = np.zeros((len(x), 2))
    for i in range(len(x)):
        out[i, 0] = x[i]
        out[i, 1] = x[i] * x[i]
    return out, out[:, 1], x


def exact_reductions(x):
    return np.min(x), np.max(x), x.min(), x.max(), min(x), max(x), sum(x), np.size(x), np.shape(x), np.ndim(x)


def extrema(x):
    return np.min(x), np.max(x), x.min(), x.max()


def sums(x):
    return np.sum(x), np.mean(x), np.prod(x), x.sum(), x.mean(), x.prod()


def dots(x, y):
    return np.dot(x, y), x.dot(y), np.dot(x, x[::-1])


def extrema_of_tuples(a, b):
    return np.max([a, b]), np.sum((a, b)), np.mean([a, b])


def empty_extremum(x):
    return np.min(x)


def python_minimum(x):
    return max(x)


LOCALS = [
    (local_arrays, [(np.array([1.0, 2.0, 3.0]),)]),
    (typed_arrays, [(np.array([1.0, 2.0]),), (np.array([1.0, 2.0], np.float32),)]),
    (returned, [(np.array([1.0, 2.0, 3.0]),)]),
    (exact_reductions, [(np.array([3.0, -1.0, 2.0]),), (np.array([3, -1, 2]),), (np.array([2.0], np.float32),)]),
    (extrema, [(np.array([1.0, math.nan, 2.0]),), (matrix(),), (np.array(3.0),)]),
    (extrema_of_tuples, [(1.0, 2.5), (1, 2.5)]),
    (empty_extremum, [(np.zeros(0),), (np.zeros((0, 2)),)]),
    (python_minimum, [(np.zeros(0),), (np.array([1.0, math.nan]),), (np.array([math.nan, 1.0]),)]),
]
NEARLY = [
    (sums, [(matrix(),), (matrix().T,), (np.array([1, 2, 3]),), (np.array([True, True]),), (np.array(2.5),)]),
    (dots, [(np.arange(4.0), np.arange(4.0) + 1), (np.arange(4), np.arange(4.0)), (np.arange(3.0), np.arange(2.0))]),
]


@pytest.mark.parametrize(
    ("function", "arguments", "exact"),
    [
        pytest.param(function, arguments, table is not NEARLY, id=f"{function.__name__}-{k}")
        for table in (VIEWS, LOCALS, NEARLY)
        for function, cases in table
        for k, arguments in enumerate(cases)
    ],
)
def test_agrees_with_numpy(function, arguments, exact):
    agrees(function, *arguments, exact=exact, message=function is not copies)


# The seed's programs --------------------------------------------------------------------------------------------------
