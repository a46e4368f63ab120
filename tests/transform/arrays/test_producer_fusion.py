"""Arrays of a program's own that are only there to hand values on: they go, and nothing else changes by one bit."""

from __future__ import annotations

import inspect
import math
import re
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adcore as ad
from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.driver.pipeline import GRADIENT, SIMPLIFIED, compile_request
from adcore.driver.request import Request, Sweep
from adcore.ir import ArrayType, Function, interpret, verify
from adcore.ir.core import walk
from adcore.ir.printer import print_function
from adcore.ops import TABLE
from adcore.runtime.values.arguments import signature
from adcore.transform.arrays import producer_fusion
from adcore.transform.arrays.producer_fusion import fuse_producers
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.forward import forward
from adcore.transform.diff.reverse import emit_reverse
from tests.transform.array_programs import array_program
from tests.transform.test_random_programs import Problem
from tests.transform.texts import check_docstring, check_unchanged

Groups = tuple[tuple[int, ...], ...]
SIZE = 6


# What tests compare


def simplified(f: Callable[..., Any], arguments: Sequence[Any]) -> Function:
    given = signature(list(inspect.signature(f).parameters), arguments)
    function: Function = compile_request(Request(f, given), until=SIMPLIFIED).product(SIMPLIFIED)
    return function


def copies(arguments: Sequence[Any]) -> list[Any]:
    """The same data, overlapping in the same way."""
    buffers: dict[int, np.ndarray] = {}
    made: list[Any] = []
    for value in arguments:
        if not isinstance(value, np.ndarray):
            made.append(value)
            continue
        buffer = value
        while isinstance(buffer.base, np.ndarray):
            buffer = buffer.base
        offset = value.__array_interface__["data"][0] - buffer.__array_interface__["data"][0]
        copy = buffers.setdefault(id(buffer), buffer.copy())
        made.append(np.ndarray(value.shape, value.dtype, copy, offset, value.strides))
    return made


def outcome(function: Function, arguments: Sequence[Any]) -> tuple[Any, list[bytes]]:
    """What a call returns or raises, and what it leaves in its arguments, to the bit."""
    arguments = copies(arguments)
    try:
        returned: Any = [np.float64(r).tobytes() for r in interpret(function, TABLE, arguments)]
    except (ValueError, IndexError, ZeroDivisionError) as error:
        returned = (type(error), str(error))
    return returned, [np.asarray(a).tobytes() for a in arguments]


def merged(f: Callable[..., Any], *arguments: Any, groups: Groups = ()) -> Function:
    """The program after the pass, which must do the same."""
    before = simplified(f, arguments)
    after = verify(fuse_producers(before, TABLE, AliasClasses(groups)), TABLE)
    assert outcome(after, arguments) == outcome(before, arguments)
    return after


def own(function: Function) -> dict[str, int]:
    """The arrays that a program makes, with their numbers of dimensions."""
    allocs = (i.result for i in walk(function.region) if i.op == "alloc" and not i.attrs.get("role"))
    return {v.hint: v.type.rank for v in allocs if isinstance(v.type, ArrayType)}


def loops(function: Function) -> list[bool]:
    """Whether each loop runs backwards."""
    return [bool(i.attrs.get("reverse")) for i in walk(function.region) if i.op == "for"]


class Live:
    """Counts the bytes of the arrays that a program has at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def evaluate(self, *shape: int, **attrs: Any) -> Any:
        evaluate = TABLE["alloc"].evaluate
        assert evaluate is not None
        array = evaluate(*shape, **attrs)
        self.now += array.nbytes
        self.most = max(self.most, self.now)
        weakref.finalize(array, self.drop, array.nbytes)
        return array

    def drop(self, size: int) -> None:
        self.now -= size


def workspace(f: Callable[..., Any], *arguments: Any) -> int:
    """The most bytes of arrays that the gradient has at once: its own, their shadows, and what is kept."""
    given = signature(list(inspect.signature(f).parameters), arguments)
    kinds = tuple("duplicated" if isinstance(a, np.ndarray) else "const" for a in arguments)
    request = Request(f, given, (Sweep("reverse", kinds, ()),))
    gradient = compile_request(request, until=GRADIENT).product(GRADIENT)
    live = Live()
    shadows = [np.ones_like(a) for a in arguments if isinstance(a, np.ndarray)]
    interpret(gradient, TABLE.changed("alloc", evaluate=live.evaluate), [*copies(arguments), *shadows])
    return live.most


# Programs


def sine_of_product(a, b, out):
    n = len(a)
    t = np.empty(n)
    u = np.empty(n)
    for i in range(n):
        t[i] = a[i] * b[i]
    for i in range(n):
        u[i] = np.sin(t[i]) + t[i]
    for i in range(n):
        out[i] = u[i]


def sine_of_product_by_hand(a, b, out):
    for i in range(len(a)):
        v = a[i] * b[i]
        out[i] = np.sin(v) + v


def softmax(x, out):
    n, m = x.shape
    largest = np.empty(n)
    e = np.empty((n, m))
    total = np.empty(n)
    for i in range(n):
        largest[i] = x[i, 0]
        for j in range(m):
            largest[i] = max(largest[i], x[i, j])
    for i in range(n):
        for j in range(m):
            e[i, j] = np.exp(x[i, j] - largest[i])
    for i in range(n):
        total[i] = 0.0
        for j in range(m):
            total[i] += e[i, j]
    for i in range(n):
        for j in range(m):
            out[i, j] = e[i, j] / total[i]


def softmax_by_hand(x, out):
    n, m = x.shape
    for i in range(n):
        e = np.empty(m)
        largest = x[i, 0]
        for j in range(m):
            largest = max(largest, x[i, j])
        for j in range(m):
            e[j] = np.exp(x[i, j] - largest)
        total = 0.0
        for j in range(m):
            total += e[j]
        for j in range(m):
            out[i, j] = e[j] / total


def horizontal_diffusion(x, out, c):
    n, m = x.shape
    lap = np.empty((n, m))
    flx = np.empty((n, m))
    fly = np.empty((n, m))
    for i in range(1, n - 1):
        for j in range(1, m - 1):
            lap[i, j] = 4.0 * x[i, j] - (x[i + 1, j] + x[i - 1, j] + x[i, j + 1] + x[i, j - 1])
    for i in range(1, n - 2):
        for j in range(1, m - 1):
            flux = lap[i + 1, j] - lap[i, j]
            flx[i, j] = 0.0 if flux * (x[i + 1, j] - x[i, j]) > 0.0 else flux
    for i in range(1, n - 1):
        for j in range(1, m - 2):
            flux = lap[i, j + 1] - lap[i, j]
            fly[i, j] = 0.0 if flux * (x[i, j + 1] - x[i, j]) > 0.0 else flux
    for i in range(2, n - 2):
        for j in range(2, m - 2):
            out[i, j] = x[i, j] - c * (flx[i, j] - flx[i - 1, j] + fly[i, j] - fly[i, j - 1])


def laplacian(x, i, j):
    return 4.0 * x[i, j] - (x[i + 1, j] + x[i - 1, j] + x[i, j + 1] + x[i, j - 1])


def limited(x, i, j, k, m):
    flux = laplacian(x, k, m) - laplacian(x, i, j)
    return 0.0 if flux * (x[k, m] - x[i, j]) > 0.0 else flux


def horizontal_diffusion_by_hand(x, out, c):
    n, m = x.shape
    for i in range(2, n - 2):
        for j in range(2, m - 2):
            along = limited(x, i, j, i + 1, j) - limited(x, i - 1, j, i, j)
            across = limited(x, i, j, i, j + 1) - limited(x, i, j - 1, i, j)
            out[i, j] = x[i, j] - c * (along + across)


def accelerations(x, y, mass, out):
    n = len(mass)
    dx = np.empty((n, n))
    dy = np.empty((n, n))
    inverse = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            dx[i, j] = x[j] - x[i]
    for i in range(n):
        for j in range(n):
            dy[i, j] = y[j] - y[i]
    for i in range(n):
        for j in range(n):
            inverse[i, j] = dx[i, j] * dx[i, j] + dy[i, j] * dy[i, j] + 0.01
    for i in range(n):
        for j in range(n):
            if inverse[i, j] > 0.02:
                inverse[i, j] = inverse[i, j] ** -1.5
    ax = np.empty(n)
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += dx[i, j] * inverse[i, j] * mass[j]
        ax[i] = s
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += dy[i, j] * inverse[i, j] * mass[j]
        out[i] = s + ax[i]


def jacobi(x, steps):
    n = len(x)
    t = np.empty(n)
    for _ in range(steps):
        for i in range(1, n - 1):
            t[i] = (x[i - 1] + x[i] + x[i + 1]) / 3.0
        for i in range(1, n - 1):
            x[i] = t[i]


def transposed(a):
    n = a.shape[0]
    t = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            t[i, j] = a[j, i]
    for i in range(n):
        for j in range(n):
            a[i, j] = t[i, j]


def added_to_the_right(x):
    n = len(x)
    t = np.empty(n - 1)
    for i in range(n - 1):
        t[i] = x[i + 1] + x[i]
    for i in range(n - 1):
        x[i + 1] = t[i]


def down_and_left(x):
    n, m = x.shape
    t = np.empty((n - 1, m - 1))
    for i in range(n - 1):
        for j in range(m - 1):
            t[i, j] = x[i, j + 1] * 2.0
    for i in range(n - 1):
        for j in range(m - 1):
            x[i + 1, j] = t[i, j]


def edge(p):
    n = p.shape[0]
    t = np.empty(n)
    for i in range(n):
        t[i] = p[i, 1]
    for i in range(n):
        p[i, 0] = t[i]


def variance(x):
    n = len(x)
    mean = 0.0
    for i in range(n):
        mean += x[i]
    mean = mean / n
    d = np.empty(n)
    for i in range(n):
        d[i] = x[i] - mean
    total = 0.0
    for i in range(n):
        total += d[i] * d[i]
    return total


def inside_and_outside(x, y):
    """The ends of `b` stay zero."""
    b = np.zeros(len(x))
    for i in range(1, len(x) - 1):
        b[i] = 0.25 * x[i - 1] + 0.5 * x[i] + 0.25 * x[i + 1]
    for i in range(len(x)):
        y[i] = x[i] - b[i]


def read_before_it_is_filled(x, y, steps):
    t = np.zeros(len(x))
    for _ in range(steps):
        for i in range(len(x)):
            y[i] += t[i]
        for i in range(len(x)):
            t[i] = x[i] * y[i]


def source_is_cleared(x, y):
    t = np.empty(len(x))
    for i in range(len(x)):
        t[i] = x[i] * 2.0
    for i in range(len(x)):
        x[i] = 0.0
    for i in range(1, len(x)):
        y[i] = t[i] + t[i - 1]


def source_is_cleared_on_the_way(x, y):
    t = np.empty(len(x))
    for i in range(len(x) - 1):
        t[i] = x[i + 1] * 2.0
        x[i] = 0.0
    for i in range(1, len(x) - 1):
        y[i] = t[i] + t[i - 1]


def neighbours(x, y, z):
    t = np.empty(len(x))
    for i in range(len(x)):
        t[i] = x[i] * y[i]
    for i in range(1, len(x)):
        z[i] = t[i] + t[i - 1]


def neighbours_of_quotients(x, y, z):
    t = np.empty(len(x))
    for i in range(len(x)):
        t[i] = x[i] / y[i]
    for i in range(1, len(x)):
        z[i] = t[i] + t[i - 1]


def quotients_added_up(x, y, z):
    t = np.empty(len(x))
    s = 0.0
    for i in range(len(x)):
        t[i] = x[i] / y[i]
        s += t[i]
    for i in range(len(x)):
        z[i] = t[i] / s


def read_in_each_turn(x, a, y):
    t = np.empty(len(x))
    for i in range(len(x)):
        t[i] = x[i] * x[i]
    for k in range(len(a)):
        for i in range(len(x)):
            y[k] += a[k] * t[i]


def one_row(x, y):
    """The length of what is left is known just before the array is made."""
    m = 2 * len(x) - 1
    t = np.zeros((3, m))
    t[1, 0] = x[0]
    for i in range(1, len(x)):
        t[1, i] = t[1, i - 1] * x[i]
    for i in range(len(x)):
        y[i] = t[1, i]


def views(a, out):
    t = np.empty((a.shape[0], a.shape[1]))
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            t[i, j] = a[i, j] * 2.0
    for i in range(a.shape[0]):
        row = t[i]
        for j in range(a.shape[1]):
            out[i, j] = row[j] + 1.0


RNG = np.random.default_rng(5)
X, Y, Z = (RNG.uniform(0.5, 1.5, SIZE) for _ in range(3))
A, B = (RNG.uniform(0.5, 1.5, (SIZE, SIZE + 2)) for _ in range(2))
S = A[:, :SIZE].copy()


@pytest.mark.parametrize(
    ("f", "arguments", "left"),
    [
        (sine_of_product, (X, Y, Z), {}),
        (softmax, (A, B), {"e": 1}),
        (horizontal_diffusion, (A, B, 0.1), {}),
        (accelerations, (X, Y, Z, X.copy()), {}),
        (jacobi, (X, 3), {"t": 1}),
        (transposed, (S,), {"t": 2}),
        (added_to_the_right, (X,), {}),
        (down_and_left, (A,), {}),
        (edge, (S,), {}),
        (variance, (X,), {}),
        (inside_and_outside, (X, Y), {"b": 1}),
        (read_before_it_is_filled, (X, Y, 3), {"t": 1}),
        (source_is_cleared, (X, Y), {"t": 1}),
        (source_is_cleared_on_the_way, (X, Y), {"t": 1}),
        (neighbours, (X, Y, Z), {}),
        (neighbours_of_quotients, (X, Y, Z), {"t": 1}),
        (quotients_added_up, (X, Y, Z), {"t": 1}),
        (read_in_each_turn, (X, Y, Z), {"t": 1}),
        (one_row, (X, Y), {"t": 1}),
        (views, (A, B), {}),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_is_left(f: Any, arguments: tuple[Any, ...], left: dict[str, int]) -> None:
    assert own(merged(f, *arguments)) == left


def test_three_loops_become_one() -> None:
    """A golden of the loop, with its values numbered from 0. What was an array keeps its name."""
    text = print_function(merged(sine_of_product, X, Y, Z)).split("  (%i: i64):\n")[1]
    numbers: dict[str, str] = {}
    text = re.sub(r"%\d+", lambda match: numbers.setdefault(match[0], f"%{len(numbers)}"), text)
    assert (
        text
        == """\
    %0: f64 = load %a, %i
    %1: f64 = load %b, %i
    %t: f64 = mul %0, %1
    %2: f64 = sin %t
    %u: f64 = add %2, %t
    store %u, %out, %i
    yield
  }
  return
}
"""
    )


def test_rows_are_joined_as_far_as_they_have_to_be() -> None:
    """Four loops over columns stay: joining two of them would take no memory away."""
    assert len(loops(merged(softmax, A, B))) == 5


def test_loops_are_turned_round_where_that_helps() -> None:
    assert loops(merged(added_to_the_right, X)) == [True]
    assert loops(merged(down_and_left, A)) == [True, False]


def test_a_program_that_gains_nothing_stays_as_it_is() -> None:
    for f, arguments in ((jacobi, (X, 3)), (transposed, (S,)), (softmax_by_hand, (A, B))):
        function = simplified(f, arguments)
        assert fuse_producers(function, TABLE) is function


def test_arguments_that_overlap_are_read_before_they_are_written() -> None:
    """With `out` one element behind `a`, joined loops would read what they have just stored."""
    buffer = RNG.uniform(0.5, 1.5, SIZE + 1)
    ahead, behind = (buffer[:SIZE], Y, buffer[1:]), (buffer[1:], Y, buffer[:SIZE])
    assert own(merged(sine_of_product, *ahead, groups=((0, 2),))) == {"u": 1}
    assert own(merged(sine_of_product, *behind, groups=((0, 2),))) == {"u": 1}


@pytest.mark.parametrize(
    ("f", "by_hand", "arguments"),
    [
        (sine_of_product, sine_of_product_by_hand, (X, Y, Z)),
        (softmax, softmax_by_hand, (A, B)),
        (horizontal_diffusion, horizontal_diffusion_by_hand, (A, B, 0.1)),
    ],
    ids=["sine", "softmax", "diffusion"],
)
def test_the_gradient_has_no_more_than_one_by_hand(f: Any, by_hand: Any, arguments: tuple[Any, ...]) -> None:
    assert workspace(f, *arguments) <= workspace(by_hand, *arguments)


def diffused(x, out, c):
    lap = 4.0 * x[1:-1, 1:-1] - (x[2:, 1:-1] + x[:-2, 1:-1] + x[1:-1, 2:] + x[1:-1, :-2])
    flux = lap[1:, 1:-1] - lap[:-1, 1:-1]
    flx = np.where(flux * (x[2:-1, 2:-2] - x[1:-2, 2:-2]) > 0.0, 0.0, flux)
    flux = lap[1:-1, 1:] - lap[1:-1, :-1]
    fly = np.where(flux * (x[2:-2, 2:-1] - x[2:-2, 1:-2]) > 0.0, 0.0, flux)
    out[2:-2, 2:-2] = x[2:-2, 2:-2] - c * (flx[1:, :] - flx[:-1, :] + fly[:, 1:] - fly[:, :-1])


def softmax_of_rows(x, out):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    out[:] = e / np.sum(e, axis=1, keepdims=True)


def shifted(x):
    x[1:] += x[:-1]


def edges(p):
    p[:, -1] = p[:, -2]
    p[0, :] = p[1, :]


def swapped(a):
    a[:] = a.T


@pytest.mark.parametrize(
    ("f", "arguments", "left"),
    [
        (diffused, (A, B, 0.1), [1]),
        (softmax_of_rows, (A, B), [1]),
        (shifted, (X,), []),
        (edges, (S,), []),
        (swapped, (S,), [2]),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_is_left_of_array_expressions(f: Any, arguments: tuple[Any, ...], left: list[int]) -> None:
    """Views, broadcasting, lengths that are `max(n - 2, 0)`, and checks that they agree."""
    after = merged(f, *arguments)
    assert [len(i.operands) for i in walk(after.region) if i.op == "alloc"] == left
    given = copies(arguments)
    interpret(after, TABLE, given)
    expected = copies(arguments)
    f(*expected)
    for found, want in zip(given, expected, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-14)


# Errors


def beyond_the_shorter(x, k):
    """The loop runs to the greater of two numbers, not to either."""
    t = np.zeros(k)
    for i in range(np.maximum(k, 3)):
        t[i] = x[i]
    return t[0]


def test_a_loop_to_the_greater_of_two_numbers() -> None:
    assert ad.value_and_grad(beyond_the_shorter)(X, 4)[0] == X[0]
    with pytest.raises(IndexError, match="index 2 is out of bounds for axis 0 with size 2"):
        ad.grad(beyond_the_shorter)(X, 2)


def root_of_each(x, y):
    t = np.empty(len(x))
    for i in range(len(x)):
        t[i] = math.sqrt(x[i])
    for i in range(len(x)):
        y[i] = t[i]


def root_of_what_was_stored(x, y):
    t = np.empty(len(x))
    for i in range(len(x)):
        t[i] = x[i] + 1.0
        y[i] = t[i]
    for i in range(len(x)):
        y[i] += math.sqrt(t[i])


def two_errors(x, y):
    t = np.empty(len(x))
    for i in range(len(x)):
        t[i] = math.sqrt(x[i])
    s = 0.0
    for i in range(len(x)):
        s += math.log(t[i] - 1.0)
    return s


def too_short(x, n):
    t = np.zeros(n - 8)
    for i in range(n - 8):
        t[i] = x[i]
    s = 0.0
    for i in range(n - 8):
        s += t[i] * t[i]
    return s


@pytest.mark.parametrize("f", [root_of_each, root_of_what_was_stored, two_errors], ids=lambda f: f.__name__)
def test_an_error_finds_the_arguments_as_they_were(f: Any) -> None:
    for bad in (1.0, -0.5, -1.5):
        x, y = np.array([2.0, 3.0, bad, 4.0]), np.ones(4)
        merged(f, x, y)


def test_an_array_of_negative_size_is_refused_though_it_is_gone() -> None:
    after = merged(too_short, X, 3)
    assert own(after) == {}
    assert outcome(after, (X, 3))[0] == (ValueError, "negative dimensions are not allowed")
    with pytest.raises(ValueError, match="negative dimensions are not allowed"):
        ad.grad(too_short)(X, 3)


# Limits


def outlasting(x):
    """The array is there in the reverse sweep; without it, its values would have to be kept."""
    t = np.empty(len(x))
    for i in range(len(x)):
        t[i] = np.exp(x[i])
        x[i] = 0.0
    s = 0.0
    for i in range(len(x)):
        s += t[i] * t[i]
    return s


def test_a_limit_is_kept_where_the_plain_program_keeps_it() -> None:
    def annotated() -> ad.Duplicated:
        return ad.Duplicated(X.copy(), np.zeros_like(X))

    assert own(merged(outlasting, X)) == {}
    assert "keeps nothing" not in str(ad.compile(outlasting, annotated()).explain())
    leanest, argument = ad.compile(outlasting, annotated(), workspace=0), annotated()
    assert "keeps nothing" in str(leanest.explain())
    leanest(argument)
    np.testing.assert_allclose(argument.shadow, 2.0 * np.exp(2.0 * X))


# Random programs


def overlapping(seed: int, how: str) -> tuple[list[np.ndarray], Groups]:
    """Three vectors and two matrices, and which of them overlap."""
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=(3, SIZE))
    x, y, w = x.copy(), y.copy(), w.copy()
    a, b = (rng.normal(size=(SIZE, SIZE)) for _ in range(2))
    if how == "shifted":
        buffer = rng.normal(size=SIZE + 2)
        return [buffer[:SIZE], buffer[seed % 3 :][:SIZE], w, a, b], ((0, 1),)
    if how == "transposed":
        return [x, y, w, a, a.T], ((3, 4),)
    if how == "row and column":
        return [a[seed % SIZE], a[:, seed // 7 % SIZE], w, a, b], ((0, 1, 3),)
    return [x, y, w, a, b], ()


@given(st.integers(0, 10**9), st.sampled_from(["apart", "shifted", "transposed", "row and column"]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_bit_stays(seed: int, how: str, raising: bool) -> None:
    arguments, groups = overlapping(seed, how)
    before = simplify(verify(array_program(seed, raising), TABLE), TABLE)
    after = verify(fuse_producers(before, TABLE, AliasClasses(groups)), TABLE)
    assert outcome(after, arguments) == outcome(before, arguments)


@given(st.integers(0, 10**9))
@settings(max_examples=80, deadline=None)
def test_every_bit_stays_in_other_programs(seed: int) -> None:
    """With `while`, branches, views, and arrays made in the body of a loop."""
    problem = Problem(seed, temporaries=True)
    before = simplify(problem.program, TABLE)
    after = verify(fuse_producers(before, TABLE), TABLE)
    assert outcome(after, problem.arguments) == outcome(before, problem.arguments)


def test_most_random_programs_get_smaller() -> None:
    """A pass that does nothing would pass the test above."""
    dims = [0, 0]
    for seed in range(60):
        before = simplify(array_program(seed), TABLE)
        for k, function in enumerate((before, fuse_producers(before, TABLE))):
            dims[k] += sum(len(i.operands) for i in walk(function.region) if i.op == "alloc")
    assert dims[1] < 0.75 * dims[0]


KINDS = ("duplicated",) * 5


@given(st.integers(0, 10**9), st.sampled_from([0.02, 1.0, 20.0]))
@settings(max_examples=60, deadline=None)
def test_the_gradient_stays(seed: int, price: float) -> None:
    arguments, _ = overlapping(seed, "apart")
    directions, _ = overlapping(seed + 1, "apart")
    weights, _ = overlapping(seed + 2, "apart")
    before = simplify(array_program(seed), TABLE)
    after = fuse_producers(before, TABLE)
    shadows = copies(directions)
    (_, tangent) = interpret(forward(before, KINDS, TABLE), TABLE, [*copies(arguments), *shadows])
    expected = float(tangent) + sum(float((w * t).sum()) for w, t in zip(weights, shadows, strict=True))
    planner = analyse(after, KINDS, [True], AliasClasses(), TABLE)
    gradient = verify(emit_reverse(planner, planner.plan(price), KINDS, [True], TABLE).function, TABLE)
    shadows = copies(weights)
    interpret(gradient, TABLE, [*copies(arguments), *shadows, 1.0])
    found = sum(float((s * d).sum()) for s, d in zip(shadows, directions, strict=True))
    scale = sum(float(np.abs(s * d).sum()) for s, d in zip(shadows, directions, strict=True))
    assert abs(found - expected) <= 1e-10 * max(1.0, scale)


# Texts


def run(function: Function) -> Function:
    return fuse_producers(function, TABLE)


def test_values_go_from_one_loop_to_the_next() -> None:
    check_docstring(producer_fusion, run)


def test_an_array_that_has_to_be_whole_stays() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,1,C> = alloc %n [element='f64']
        %last: i64 = sub %n, 1 [exact=True]
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %t, %i
          yield
        }
        for 0, %n [step=1] {
        (%j: i64):
          %back: i64 = sub %last, %j [exact=True]
          %w: f64 = load %t, %back
          store %w, %x, %j
          yield
        }
        """,
    )
