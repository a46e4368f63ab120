"""Operators and functions of whole arrays: values to the bit, element types and shapes as NumPy gives them."""

from __future__ import annotations

import numpy as np
import pytest

from adcore.errors import CompileError
from tests.frontend.numpy.support import agrees, check_native
from tests.frontend.support import compiled

RNG = np.random.default_rng(3)


def numbers(*shape, dtype="f8"):
    values = RNG.standard_normal(shape) * 3
    return values.astype(bool) if dtype == "?" else values.astype(dtype)


def layouts(x):
    """The same values in other layouts of memory."""
    big = np.repeat(x, 2, axis=-1)
    return {"C": x, "strided": big[..., ::2], "backwards": x[::-1].copy()[::-1], "F": np.asfortranarray(x)}


# Operators ------------------------------------------------------------------------------------------------------------


def arithmetic(x, y):
    return x + y, x - y, x * y, -x, +x, abs(y), x + 1, 2 * y, 3.5 - x, x * 0.1


def division(x, y):
    return x / y, x // y, x % y, x / 3, x // 2, 7 % y, 1 / y


def powers(x):
    return x**2, x**3, x**0, x**1


def float_powers(x):
    return x**0.5, x**-1, x**-2, x**1.5, x ** x[0]


def comparisons(x, y):
    return x < y, x <= y, x > y, x >= y, x == y, x != y, x > 1, x >= 0


def logic(a, b):
    return a & b, a | b, a ^ b, ~a, a & True, np.logical_and(a, b), np.logical_or(a, b), np.logical_not(a)


def bools(a, b):
    return a + b, a * b, np.maximum(a, b), a + 1, a * 2.5, a == b, np.logical_xor(a, b), a.sum(), a / 2


def bits(a, b):
    return a & b, a | b, a ^ b, ~a, a << 3, a >> 1


TYPES = ("f8", "f4", "i8", "i4", "i2", "u1", "?")


def widths(a, b):
    """Whether NumPy has this pair of types, in types that are compiled."""
    return np.result_type(a, b) not in (np.uint64, np.float16)


@pytest.mark.parametrize("b", TYPES)
@pytest.mark.parametrize("a", TYPES)
def test_types_of_operators(a, b):
    if a == b == "?":
        agrees(bools, numbers(4, dtype="?"), numbers(4, dtype="?"))
        return

    def f(x, y):
        return x + y, x * y, x < y, np.maximum(x, y), np.where(x > 0, x, y)

    agrees(f, np.abs(numbers(5)).astype(a), np.abs(numbers(5)).astype(b))


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i4", "u1"])
def test_arithmetic(dtype):
    x, y = np.abs(numbers(2, 3)).astype(dtype) + 1, np.abs(numbers(2, 3)).astype(dtype) + 2
    if dtype != "u1":
        for layout in ("C", "strided", "backwards", "F"):
            agrees(arithmetic, layouts(x)[layout], layouts(y.astype(dtype))[layout])
    if dtype not in ("u1", "i4"):
        agrees(division, x.astype(dtype), y.astype(dtype))
    agrees(comparisons, x, y)
    agrees(powers, x)


def test_floats():
    x = np.array([0.5, 2.0, 4.0, 0.0, np.inf, 1e300])
    agrees(float_powers, x)
    agrees(float_powers, x[:3].astype("f4"), exact=False)
    agrees(division, np.array([1.0, -1.0, 0.0, 5.5]), np.array([0.0, 0.0, 0.0, -2.0]))


def test_integers_divide_by_zero_as_arrays_do():
    agrees(division, np.array([7, -7, 5]), np.array([2, 0, -3]))


def test_logic():
    agrees(logic, numbers(5, dtype="?"), np.arange(5) % 2 == 0)
    agrees(bits, np.array([5, -3, 12]), np.array([3, 7, -8]))
    agrees(bits, np.array([5, -3, 12], "i2"), np.array([3, 7, -8], "i2"))


def test_narrow_integers_wrap():
    def f(a, b):
        return a + b, a * b, -a, a - b, (a + b) > 100, np.abs(a)

    agrees(f, np.array([100, -128, 3], "i1"), np.array([100, -1, 4], "i1"))


# Functions ------------------------------------------------------------------------------------------------------------

UNARY = (
    "sqrt cbrt exp exp2 expm1 log log1p log2 log10 sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh "
    "arctanh floor ceil trunc rint fabs absolute negative sign square deg2rad rad2deg isnan isinf isfinite positive "
    "reciprocal round"
)
BINARY = (
    "arctan2 hypot copysign fmod logaddexp minimum maximum add subtract multiply divide power floor_divide remainder "
    "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor"
)


@pytest.mark.parametrize("name", UNARY.split())
def test_functions_of_one_array(name):
    function = getattr(np, name)

    def f(x):
        return function(x)

    for dtype in ("f8", "f4"):
        x = np.array([0.5, -0.25, 1.5, 0.0, -2.5, np.nan, np.inf, 30.0], dtype)
        with np.errstate(all="ignore"):
            agrees(f, x, exact=name in ("floor", "ceil", "trunc", "rint", "fabs", "absolute", "negative", "sign"))
    if name not in ("sign", "reciprocal", "isnan", "isinf", "isfinite"):
        agrees(f, np.array([[1, 2], [3, 4]]), exact=False)


@pytest.mark.parametrize("name", BINARY.split())
def test_functions_of_two_arrays(name):
    function = getattr(np, name)

    def f(x, y, a):
        return function(x, y), function(x, a), function(2.5, y)

    x, y = np.array([0.5, -0.25, 1.5, 0.0, 3.0]), np.array([1.5, 2.0, -0.5, 4.0, np.nan])
    agrees(f, x, y, 1.25, exact=False)
    agrees(f, x.astype("f4"), y.astype("f4"), 1.25, exact=False)


def formulas(x, y, a):
    m = x > y
    return (np.where(m, x, y), np.where(m, 1.0, x), np.where(x, y, 0), np.clip(x, -1.0, a), x.clip(0, 1),
            np.clip(x, None, y), np.where(m, 1, 0), np.float32(x), x.astype(int), x.astype(np.float32) * a,
            m.astype(float), np.where(m[0], x, y))  # fmt: skip


def test_formulas():
    for dtype in ("f8", "f4"):
        agrees(formulas, numbers(6, dtype=dtype), numbers(6, dtype=dtype), 1.5, message=False)


# Shapes ---------------------------------------------------------------------------------------------------------------


def broadcasting(A, x, c):
    return A + x, x * A, A * x[None, :], A.T + c[None], c[:, None] - x, A + 2, A - np.ones((1, 4)), A * c[:, np.newaxis]


def views(A):
    return (A[1:] - A[:-1], A[::2, 1:-1] * 2, A[::-1] + A[:, ::-1], A.T @ A, A[1] * A[:, :1][1], A[..., 0] + A[..., -1],
            A[-2:, -3:] / 2, A[:, None] * A[None], A[0, :, None, None] + A[1])  # fmt: skip


def test_shapes():
    A = numbers(3, 4)
    for layout in ("C", "strided", "backwards", "F"):
        agrees(broadcasting, layouts(A)[layout], numbers(4), numbers(3))
        agrees(views, layouts(A)[layout], exact=False)


def empty(x, A):
    y = x * 2 + 1
    y += x
    y[:] = -x
    return y, A + x, np.sum(A), A.sum(axis=0), A.sum(axis=1), y[1:], (A * 2).shape


def test_empty_arrays():
    agrees(empty, np.zeros(0), np.zeros((3, 0)))
    agrees(empty, np.zeros(4), np.zeros((0, 4)))


def attributes(A):
    B = A * 2
    return ((A + 1).shape, (A + 1).ndim, (A * B).size, len(A + B), (A + 1).T, (A - B)[0], (A - B)[1, 2],
            B.dtype == A.dtype, (A[:, None] + B).shape, A[None].ndim)  # fmt: skip


def test_attributes_of_expressions():
    agrees(attributes, numbers(3, 4))


# Stores ---------------------------------------------------------------------------------------------------------------


def in_place(x, y, A):
    x += y
    x -= 1
    x *= y * 2 + x
    x /= 3
    A += x
    A[1:] *= 2
    A[:, 0] -= A[:, 1]
    A[::-1] += A
    A.T[1] **= 2
    x[1:-1] //= 2
    x[...] %= 5
    alias = x
    alias += 1.0
    A[:, None] += 1
    return x


def test_in_place():
    agrees(in_place, numbers(4), numbers(4) + 10, numbers(3, 4))
    agrees(in_place, numbers(4, dtype="f4"), numbers(4, dtype="f4") + 10, numbers(3, 4, dtype="f4"))


def whole_stores(x, A):
    x[:] = 2 * x
    A[...] = x
    A[0] = A[1] * x
    A[:, ::2] = A[:, 1::2] + 1
    A[1:, 1:] = A[:-1, :-1] * 0.5
    a = b = x + 1
    a[0] = 100.0
    A[2], x[:] = x + 1, A[2] - 1
    x[1:3] = A[:2, 3] * A[1:, 0]
    return a, b


def test_stores():
    agrees(whole_stores, numbers(4), numbers(3, 4))


OVERLAPS = [
    "x[1:] += x[:-1]", "x[:-1] += x[1:]", "x[:] = x[::-1]", "x[:] = x[::-1] * 2", "x[::2] = x[1::2] + x[::2]",
    "x *= x[::-1]", "x[1:] = x[:-1] + x[1:]", "x[2:] = x[:-2]", "A[:] = A.T", "A += A.T", "A[:] = A.T * 2",
    "A[:, -1] = A[:, -2]", "A[1:] = A[:-1]", "A[:-1, 1:] = A[1:, :-1] + A[1:, 1:]", "A[0] = A[:, 0]",
    "A *= A[0]", "A -= A[:, :1]", "A[:] = A[::-1, ::-1]", "A[:, 0] += A[0]", "x += A[0]", "A += x[:, None]",
    "A[1] = A.sum(axis=0)", "A -= A.mean(axis=1, keepdims=True)", "A[1:, 1:] -= A[1:, :1] * A[:1, 1:]",
]  # fmt: skip


@pytest.mark.parametrize("line", OVERLAPS)
def test_overlapping_stores(line, tmp_path):
    f = from_text(f"def f(x, A):\n    {line}\n", tmp_path)
    agrees(f, numbers(4), numbers(4, 4), exact="sum" not in line and "mean" not in line)
    check_native(f, numbers(4), numbers(4, 4))
    A = numbers(4, 4)
    check_native(f, A[1], A)
    check_native(f, A[:, 2], A)


def from_text(text, folder, **outside):
    """The function `f` of a piece of source; it has to be in a file to be compiled."""
    file = folder / "program.py"
    file.write_text("import numpy as np\n" + text)
    space = {"__name__": "program", **outside}
    exec(compile(file.read_text(), str(file), "exec"), space)
    return space["f"]


def shared(x, y):
    x[1:] = y[:-1] * 2
    y += x
    x[:] = x * y + y[::-1]


def test_arguments_that_share_memory():
    z = numbers(8)
    for a, b in ((z[:5], z[3:]), (z[:4], z[4:]), (z[::2], z[1::2]), (z[:4], z[3::-1]), (z, z)):
        import adcore as ad

        theirs = z.copy()
        parts = [np.lib.stride_tricks.as_strided(theirs[(v.ctypes.data - z.ctypes.data) // 8 :], v.shape, v.strides)
                 for v in (a, b)]  # fmt: skip
        shared(*parts)
        ours = z.copy()
        mine = [np.lib.stride_tricks.as_strided(ours[(v.ctypes.data - z.ctypes.data) // 8 :], v.shape, v.strides)
                for v in (a, b)]  # fmt: skip
        ad.autodiff(ad.Forward, shared, *map(ad.Const, mine))
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


# Order ----------------------------------------------------------------------------------------------------------------


def bump(x):
    x += 1.0
    return x


def clear(x):
    x[:] = 0.0
    return 1.0


def order(x, y):
    a = x * 2 + bump(x)
    b = x + bump(x)
    c = (y * 2) - clear(y)
    d = np.maximum(x * 1, bump(x))
    e = (x > 3) & (bump(x) > 3)
    x[:1] = x[:1] * 2 + bump(x)[:1]
    return a, b, c, d, e, (x * 2).dot(bump(x))


def test_operands_are_read_when_python_evaluates_them():
    agrees(order, numbers(4), numbers(4), exact=False)


def test_names_hold_arrays_not_formulas():
    def f(x):
        y = x * 2
        v = x[1:]
        w = x[:, None]
        x[:] = 1.0
        v += 1
        w[0, 0] = 50.0
        return y, v, x, w.sum()

    agrees(f, numbers(4))


def test_functions_see_the_arrays_of_their_callers():
    def scale(a, k):
        a *= k
        return a + 1

    def f(x):
        y = scale(x, 2.0) * scale(x[1:].copy(), 3.0)[0]
        z = scale(x * 2, 0.5)
        return y, z

    agrees(f, numbers(4))


def test_lists_join_in():
    def f(x):
        return x - [1, 2, 3], x * (0.5, 1.5, 2.5), np.maximum(x, [0, 0, 1])

    agrees(f, numbers(3))


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: np.sin([a, b]),
        lambda a, b: np.radians((a, b)),
        lambda a, b: np.maximum([a, b, 2.0], (b, a, 0.3)),
        lambda a, b: np.where([True, False, True], [a, b, a], 2.0),
        lambda a, b: np.clip([a, b], 0.0, 0.35),
        lambda a, b: np.hypot([a, 1], b),
    ],
)
def test_lists_and_tuples_are_arrays_to_numpy(function):
    agrees(function, 0.3, 0.4)


def test_nested_lists_are_refused_with_a_way_out():
    with pytest.raises(CompileError, match=r"np.exp does not take a list here[\s\S]*np.array"):
        compiled(lambda a, b: np.exp([[a, b], [b, a]]), 0.3, 0.4)
