"""grad, value_and_grad, vjp, jvp: values, structures, and arguments left alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.driver import programs
from tests.driver.programs import Body, Pair

V = np.array([1.0, 2.0, 3.0])
A = np.arange(12.0).reshape(3, 4)
WEIGHT = np.arange(3.0)[:, None] + 2 * np.arange(4.0)


def plain(value: Any) -> Any:
    """Nested structures of arrays as comparable text-free values."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Body):
        return ("Body", plain(value.mass), plain(value.position), value.name, value.kind)
    if isinstance(value, Pair):
        return ("Pair", *map(plain, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    return value


Z3 = [[[0.0], [0.0], [0.0]]] * 3

GRADIENTS = {
    "array": (programs.squares, (V,), [2.0, 4.0, 6.0]),
    "in place": (programs.squares_in_place, (V,), [2.0, 4.0, 6.0]),
    "overwritten": (programs.read_square_clear, (V,), [2.0, 4.0, 6.0]),
    "rosenbrock": (programs.rosenbrock, (V,), [-400.0, 1002.0, -200.0]),
    "numbers": (programs.polynomial, (2.0, 3.0), 12.0),
    "list of numbers": (programs.numbers, ([1.0, 2.0],), [2.0, 4.0]),
    "tuple of numbers": (programs.product, ((2.0, 3.0),), (3.0, 2.0)),
    "named tuple": (programs.named, (Pair(2.0, V),), ("Pair", 2.0, [0.0, 2.0, 0.0])),
    "dataclass": (programs.energy, (Body(2.0, V), 3.0), ("Body", 3.0, [2.0, 2.0, 2.0], None, None)),
    "list of dataclasses": (
        programs.energies,
        ([Body(1.0, V), Body(2.0, 2 * V)],),
        [("Body", 1.0, [2.0, 0.0, 0.0], None, None), ("Body", 4.0, [8.0, 0.0, 0.0], None, None)],
    ),
    "list of matrices": (programs.fill_matrices, ([np.zeros((3, 1))] * 3, V), Z3),
    "tuple of matrices": (programs.fill_matrices, (tuple(np.zeros((3, 1)) for _ in V), V), tuple(Z3)),
    "three axes": (programs.fill_matrices, (np.zeros((3, 3, 1)), V), Z3),
    "C order": (programs.weighted, (A,), (2 * A * WEIGHT).tolist()),
    "Fortran order": (programs.weighted, (np.asfortranarray(A),), (2 * A * WEIGHT).tolist()),
    "negative strides": (programs.weighted, (A[::-1, ::-1],), (2 * A[::-1, ::-1] * WEIGHT).tolist()),
    "steps": (programs.weighted, (np.repeat(A, 2, axis=1)[:, ::2],), (2 * A * WEIGHT).tolist()),
    "zero strides": (programs.squares, (np.broadcast_to(2.0, (3,)),), [4.0, 4.0, 4.0]),
    "empty": (programs.weighted, (np.zeros((0, 4)),), []),
    "no axes": (programs.scalar_array, (np.array(2.0),), 3.0),
    "while": (programs.square_root, (2.0,), 0.5 / math.sqrt(2.0)),
    "captured": (programs.with_globals, (V,), [3.0, 6.0, 9.0]),
}


@pytest.mark.parametrize(("f", "args", "expected"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradient(f: Any, args: Any, expected: Any) -> None:
    before = plain(list(args))
    gradient = plain(ad.grad(f)(*args))
    if f is programs.square_root:
        assert gradient == pytest.approx(expected, rel=1e-9)
    else:
        assert gradient == expected
    assert plain(list(args)) == before, "arguments are left alone"


def test_values_are_pythons() -> None:
    value, gradient = ad.value_and_grad(programs.polynomial)(2.0, 3.0)
    assert (value, gradient) == (15.0, 12.0)
    assert type(value) is float
    assert type(gradient) is float
    assert type(ad.grad(programs.squares)(V)) is np.ndarray
    value, _ = ad.value_and_grad(programs.squares)(V)
    assert type(value) is float


def test_single_precision_stays_single() -> None:
    gradient = ad.grad(programs.single_precision)(V.astype(np.float32))
    assert gradient.dtype == np.float32
    assert gradient.tolist() == [2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("wrt", "expected"),
    [(0, 12.0), (1, 5.0), (-1, 5.0), ("b", 5.0), ((0, 1), (12.0, 5.0)), (("b", 0), (5.0, 12.0)), ((1,), (5.0,))],
)
def test_wrt(wrt: Any, expected: Any) -> None:
    assert ad.grad(programs.polynomial, wrt)(2.0, 3.0) == expected


def test_keywords_and_defaults() -> None:
    assert ad.grad(programs.with_default)(2.0) == 12.0
    assert ad.grad(programs.with_default, "k")(2.0, n=3) == 8.0
    assert ad.grad(programs.with_default, wrt=("x", "k"))(x=2.0, k=1.0) == (4.0, 4.0)
    with pytest.raises(TypeError, match="missing a required argument"):
        ad.grad(programs.with_default)()


def test_special_values_just_work() -> None:
    value, gradient = ad.value_and_grad(programs.squares)(np.array([math.nan, math.inf, 1.0]))
    assert math.isnan(value)
    assert np.array_equal(gradient, [math.nan, math.inf, 2.0], equal_nan=True)


def test_a_million_elements() -> None:
    x = np.linspace(-1.0, 1.0, 1_000_000)
    assert np.array_equal(ad.grad(programs.squares)(x), 2 * x)
    assert ad.grad(programs.numbers)(x.tolist()) == (2 * x).tolist()


def test_globals_are_looked_up_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    gradient = ad.grad(programs.with_globals)
    assert gradient(V).tolist() == [3.0, 6.0, 9.0]
    monkeypatch.setattr(programs, "FACTOR", 5.0)
    assert gradient(V).tolist() == [5.0, 10.0, 15.0]
    monkeypatch.setattr(programs, "WEIGHTS", np.ones(3))
    assert gradient(V).tolist() == [5.0, 5.0, 5.0]
    programs.WEIGHTS[0] = 7.0
    assert gradient(V).tolist() == [35.0, 5.0, 5.0]


def test_closures() -> None:
    k = 2.0

    def f(x):
        return x * x * k

    assert ad.grad(f)(3.0) == 12.0
    k = 5.0
    assert ad.grad(f)(3.0) == 30.0


def test_the_same_array_twice_when_nothing_is_written() -> None:
    def dot(x, y):
        total = 0.0
        for i in range(len(x)):
            total += x[i] * y[i]
        return total

    dx, dy = ad.grad(dot, (0, 1))(V, V)
    assert dx.tolist() == dy.tolist() == V.tolist(), "partial derivatives: y is held fixed"
    assert ad.grad(dot)(V, V).tolist() == V.tolist()


def test_overlapping_arguments_that_are_written() -> None:
    b = np.array([3.0, 4.0])
    assert ad.value_and_grad(programs.multiply_and_return, 1)(b, b)[0] == 12.0
    assert ad.grad(programs.multiply_and_return, 1)(b, b).tolist() == [4.0, 3.0]
    assert b.tolist() == [3.0, 4.0]
    x = np.array([1.0, 2.0, 3.0, 4.0])
    # y[i] = 2 x[i] with y one ahead of x: x[k] becomes 2^k x[0] as the loop runs
    value, gradient = ad.value_and_grad(programs.overlapping)(x[:3], x[1:])
    copy = x.copy()
    assert value == programs.overlapping(copy[:3], copy[1:])
    assert gradient.tolist() == [21.0, 0.0, 0.0]
    assert x.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_constants_that_share_memory_that_is_written() -> None:
    def through(x, y, z):
        for i in range(len(x)):
            y[i] = z * z * (i + 1.0)
        return np.sum(x)

    b = np.zeros(3)
    assert ad.grad(through, "z")(b, b, 2.0) == 24.0
    assert ad.grad(through, "z")(b, b.copy(), 2.0) == 0.0
    assert ad.grad(through, ("x", "z"))(b[:2], b[1:], 2.0)[1] == 4.0
    assert ad.autodiff(ad.Reverse, through, b, b, ad.Active(2.0)) == (24.0,)
    with pytest.raises(ad.ArgumentError, match="`y` is constant and shares memory"):
        ad.autodiff(ad.Reverse, through, ad.Duplicated(b, np.zeros(3)), b, ad.Active(2.0))


def test_a_marked_function_stays_a_function() -> None:
    @ad.differentiable
    def f(x):
        return x * x

    assert f(3.0) == 9.0
    assert ad.grad(f)(3.0) == 6.0


def test_the_inner_function_of_a_jitted_one_is_taken() -> None:
    class Dispatcher:
        py_func = staticmethod(programs.polynomial)

        def __call__(self, *args: Any) -> Any:
            raise AssertionError("not called")

    assert ad.grad(Dispatcher())(2.0, 3.0) == 12.0


def test_vjp() -> None:
    (xy, sine, greater), pullback = ad.vjp(programs.several, 2.0, 3.0)
    assert (xy, sine, greater) == (6.0, math.sin(2.0), False)
    assert pullback((1.0, 0.0, None)) == (3.0, 2.0)
    assert pullback((0.0, 2.0, None)) == (2 * math.cos(2.0), 0.0)
    x = V.copy()
    out, pullback = ad.vjp(programs.scaled, x, 2.0)
    assert out.tolist() == [2.0, 8.0, 18.0]
    x[:] = 0.0  # a pullback belongs to the point at which it was made
    dx, dk = pullback(np.array([1.0, 0.0, 1.0]))
    assert (dx.tolist(), dk) == ([4.0, 0.0, 12.0], 10.0)
    out, pullback = ad.vjp(programs.tail, V)
    assert pullback(np.array([1.0, 2.0]))[0].tolist() == [0.0, 1.0, 2.0]


def test_vjp_refuses_cotangents_that_do_not_fit() -> None:
    _, pullback = ad.vjp(programs.scaled, V, 2.0)
    with pytest.raises(ad.ArgumentError, match=r"cotangent has shape \(2,\); the output has shape \(3,\)"):
        pullback(np.ones(2))


def test_jvp() -> None:
    assert ad.jvp(programs.polynomial, (2.0, 3.0), (1.0, None)) == (15.0, 12.0)
    assert ad.jvp(programs.polynomial, (2.0, 3.0), (1, 1)) == (15.0, 17.0)
    out, tangent = ad.jvp(programs.scaled, (V, 2.0), (np.ones(3), 0.0))
    assert (out.tolist(), tangent.tolist()) == ([2.0, 8.0, 18.0], [4.0, 8.0, 12.0])
    tangent = Body(1.0, np.zeros(3))
    assert ad.jvp(programs.energies, ([Body(1.0, V)],), ([tangent],)) == (1.0, 1.0)
    x, t = V.copy(), np.ones(3)
    assert ad.jvp(programs.squares_in_place, (x,), (t,)) == (14.0, 12.0)
    assert (x.tolist(), t.tolist()) == (V.tolist(), [1.0, 1.0, 1.0])
    with pytest.raises(ad.ArgumentError, match="the shadow of `x` has shape"):
        ad.jvp(programs.squares, (V,), (np.ones(2),))


REFUSED = {
    "integer": (programs.polynomial, 0, (2, 3.0), "`a` is an integer: it has no derivative", "pass float(a)"),
    "bool": (programs.polynomial, 0, (True, 3.0), "`a` is a bool", "float"),
    "integers": (programs.squares, 0, (np.arange(3),), "`x` is an array of integers", "astype"),
    "list of integers": (programs.numbers, 0, ([1, 2],), "`ws` is a list without floats", ""),
    "none": (programs.polynomial, 0, (None, 1.0), "`a` is no number", "wrt"),
    "array result": (programs.tail, 0, (V,), "tail returns an array; its gradient needs a float", "ad.jacobian"),
    "several": (programs.several, 0, (1.0, 2.0), "several returns several values", "ad.vjp"),
    "no result": (programs.nothing, 0, (V,), "nothing returns nothing", "ad.autodiff"),
    "integer result": (programs.count, 0, (V, 1), "count returns an integer", ""),
    "wrt name": (programs.polynomial, "c", (1.0, 2.0), "polynomial has no argument `c`", "a, b"),
    "wrt number": (programs.polynomial, 2, (1.0, 2.0), "polynomial has 2 arguments", ""),
    "wrt twice": (programs.polynomial, (0, "a"), (1.0, 2.0), "names an argument twice", ""),
    "wrt type": (programs.polynomial, 1.0, (1.0, 2.0), "give argument numbers or names", ""),
    "dict": (programs.polynomial, 0, ({}, 2.0), "`a` is a dict without floats", "pass floats"),
    "second": (ad.grad(programs.polynomial), 0, (1.0, 2.0), "polynomial is the gradient of a function", "ad.hessian"),
    "no function": (3, 0, (), "3 is not a function", "Python function"),
}


@pytest.mark.parametrize(("f", "wrt", "args", "title", "instead"), REFUSED.values(), ids=REFUSED)
def test_refused(f: Any, wrt: Any, args: Any, title: str, instead: str) -> None:
    with pytest.raises(ad.ArgumentError) as refusal:
        ad.grad(f, wrt)(*args)
    (finding,) = refusal.value.diagnostics
    assert title in finding.title
    assert instead in finding.help


@pytest.mark.parametrize("function", [math.sin, len, eval("lambda x: x * x")])
def test_a_source_that_cannot_be_read(function: Any) -> None:
    with pytest.raises(ad.CompileError, match="source"):
        ad.grad(function)(2.0)


def test_faults_are_pythons_own_at_the_users_line() -> None:
    with pytest.raises(IndexError, match="index 10 is out of bounds for axis 0 with size 3") as raised:
        ad.grad(programs.element)(V, 10)
    last = raised.traceback[-1]
    assert str(last.path) == programs.__file__
    assert str(last.statement).strip() == "return x[i]"
    with pytest.raises(ZeroDivisionError):
        ad.grad(programs.reciprocal)(0.0)


def test_workspace_limits() -> None:
    assert ad.grad(programs.squares, workspace=0)(V).tolist() == [2.0, 4.0, 6.0]
    with pytest.raises(ad.WorkspaceError, match=r"needs `x\[i\]`, and workspace=0") as refusal:
        ad.grad(programs.read_square_clear, workspace=0)(V)
    assert "x[i] = 0.0" in str(refusal.value)
    assert ad.grad(programs.read_square_clear, workspace=24)(V).tolist() == [2.0, 4.0, 6.0]
    with pytest.raises(ad.WorkspaceError, match="workspace=23"):
        ad.grad(programs.read_square_clear, workspace=23)(V)
    with pytest.raises(ad.ArgumentError, match="workspace=-1"):
        ad.grad(programs.squares, workspace=-1)
