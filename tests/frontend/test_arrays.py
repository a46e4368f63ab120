"""Arrays: subscripts, views, stores, constructors, reductions; the seed's programs."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tests.frontend.support import agrees, compiled, run


def matrix(rows=3, columns=4):
    return np.arange(float(rows * columns)).reshape(rows, columns) + 0.5


# Subscripts and views -------------------------------------------------------------------------------------------------


def elements(x, i, j):
    return x[i, j], x[i][j], x[-1, 0], x[i, -1], x[(i, j)], x[i - 1][-j]


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


@dataclasses.dataclass
class Holder:
    matrix: Any


def func_to_be_differentiated(mat_vec, vec):
    length = len(vec)
    for i in range(length):
        mat = mat_vec[i]
        a = vec[i]
        new_column = (a, a, a)
        for j in range(3):
            mat[j, 0] = new_column[j]
        mat[0, 0] = vec[i]


def over_matrices(mat_vec, vec):
    func_to_be_differentiated(mat_vec, vec)
    return mat_vec[2][0, 0]


def over_holders(holders, vec):
    for i in range(len(vec)):
        mat = holders[i].matrix
        new_column = [vec[i]] * 3
        for j in range(3):
            mat[j, 0] = new_column[j]
        mat[0, 0] = vec[i]
    return holders[2].matrix[0, 0]


def square_then_sum(x):
    for i in range(len(x)):
        x[i] = x[i] ** 2
    return sum(x)


def two_squares(x):
    return x[0] ** 2 + x[1] ** 2


def read_then_clear(x):
    res = 0.0
    for i in range(10):
        res += x[i] * x[i]
        x[i] = 0
    return res


def product_into(out, inp):
    out[0] = inp[0] * inp[1]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (over_matrices, ([np.zeros((3, 1)) for _ in range(3)], np.arange(3.0))),
        (over_matrices, (tuple(np.zeros((3, 1)) for _ in range(3)), np.arange(3.0))),
        (over_matrices, (np.zeros((3, 3, 1)), np.arange(3.0))),
        (over_matrices, ([np.zeros((3, 1)) for _ in range(2)], np.arange(3.0))),
        (over_holders, ([Holder(np.zeros((3, 1))) for _ in range(3)], np.arange(3.0))),
        (square_then_sum, (np.array([1.0, 2.0]),)),
        (two_squares, (np.array([1.0, 2.0]),)),
        (read_then_clear, (np.arange(12.0),)),
        (read_then_clear, (np.arange(4.0),)),
        (product_into, (np.zeros(1), np.array([2.0, 3.0]))),
    ],
)
def test_programs_of_the_seed(function, arguments):
    agrees(function, *arguments, message=not isinstance(arguments[0], list))


# Properties -----------------------------------------------------------------------------------------------------------


def step_1(x, a, b):
    return x[a:b:1].copy()


def step_2(x, a, b):
    return x[a:b:2].copy()


def step_3(x, a, b):
    return x[a:b:3].copy()


def step_m1(x, a, b):
    return x[a:b:-1].copy()


def step_m2(x, a, b):
    return x[a:b:-2].copy()


def step_m3(x, a, b):
    return x[a:b:-3].copy()


STEPPED = {f: compiled(f, np.zeros(1), 0, 0) for f in (step_1, step_2, step_3, step_m1, step_m2, step_m3)}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(STEPPED)), st.integers(0, 6), st.integers(-9, 9), st.integers(-9, 9)
)  # fmt: skip
def test_slices_clamp_as_python_clamps(function, n, a, b):
    x = np.arange(float(n))
    np.testing.assert_array_equal(run(STEPPED[function], x, a, b), function(x, a, b))


def constant_slices(x):
    y = np.zeros(5)
    y[:] = x
    return (y[1:-1].copy(), y[-2:].copy(), y[:-7].copy(), y[7:].copy(), y[4:0:-2].copy(), y[::-3].copy(),
            y[-9:9].copy(), y[3:1].copy(), y[1:1:-1].copy())  # fmt: skip


def test_slices_of_known_length():
    agrees(constant_slices, np.arange(5.0))


def overlapping(x, a, b, c):
    x[a : a + c] = x[b : b + c]
    x[c::-1] = x[: c + 1]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3))
def test_overlapping_copies_behave_as_numpy(a, b, c):
    x = np.arange(8.0)
    y = x.copy()
    run(OVERLAPPING, x, a, b, c)
    overlapping(y, a, b, c)
    np.testing.assert_array_equal(x, y)


OVERLAPPING = compiled(overlapping, np.zeros(8), 0, 0, 0)


def test_writing_into_a_read_only_array_raises():
    x = np.zeros(3)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="assignment destination is read-only"):
        run(compiled(read_then_clear, x), x)


def test_arguments_that_overlap_are_copied_through_a_temporary():
    from adcore.frontend import compile_function
    from adcore.ir import print_module
    from adcore.signature import ArrayArg, Signature

    def f(x, y):
        x[1:] = y[:-1]

    args = (ArrayArg("f64", 1), ArrayArg("f64", 1))
    disjoint = print_module(compile_function(f, Signature(("x", "y"), args)).module)
    overlapping = print_module(compile_function(f, Signature(("x", "y"), args, ((0, 1),))).module)
    assert "alloc" not in disjoint
    assert "alloc" in overlapping


def test_whole_axes_keep_the_layout():
    from adcore.ir import print_module

    def f(x):
        return x[1, :][0] + x[0][1]

    text = print_module(compiled(f, matrix()).module)
    assert text.count("array<f64,1,C>") == 2


def test_sums_without_visible_order_are_marked():
    from adcore.ir import walk

    def f(x):
        s = 0.0
        for v in x:
            s += v
        return s + np.sum(x) + np.dot(x, x)

    adds = [i for i in walk(compiled(f, np.zeros(3)).module.main.region) if i.op == "add"]
    assert sorted(i.attrs.get("flags", "") for i in adds) == ["", "", "", "sum", "sum"]
