"""`ad.rule`: a user's tangents and adjoints, in every mode, for Python functions and native ones."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
import pytest

import adcore as ad

X = np.array([0.5, 1.25, 3.0])


def root(a: float) -> float:
    """Newton's method: sixty steps forwards, and no loop in its derivative."""
    x = a
    for _ in range(60):
        x -= (x * x - a) / (2.0 * x)
    return x


@ad.rule(root)
class _Root:
    def tangent(a: Any, result: Any, d_a: Any) -> Any:
        return d_a / (2.0 * result)

    def adjoint(a: Any, result: Any, cotangent: Any) -> Any:
        return cotangent / (2.0 * result)


def roots(x: Any) -> float:
    total = 0.0
    for i in range(len(x)):
        total += root(x[i]) * x[i]
    return total


def plain_square(x: float) -> float:
    return x * x


def lying_square(x: float) -> float:
    return x * x


ad.rule(lying_square, adjoint=lambda x, result, cotangent: 100.0 * cotangent)


def lies(x: Any) -> float:
    total = 0.0
    for i in range(len(x)):
        total += lying_square(math.sin(x[i]))
    return total


def test_a_rule_replaces_the_derivative() -> None:
    assert np.allclose(ad.grad(lies)(X), 100.0 * np.cos(X))
    assert ad.grad(lying_square)(3.0) == 100.0
    assert ad.grad(plain_square)(3.0) == 6.0
    value, gradient = ad.value_and_grad(lies)(X)
    assert value == pytest.approx(float(np.sum(np.sin(X) ** 2)))
    assert gradient.shape == (3,)


def test_either_follows_from_the_other() -> None:
    t = np.array([1.0, -2.0, 0.5])
    assert ad.jvp(lies, (X,), (t,))[1] == pytest.approx(float(np.sum(100.0 * np.cos(X) * t)))

    def cube(x: float) -> float:
        return x**3

    ad.rule(cube, tangent=lambda x, result, d_x: 7.0 * x * d_x)
    assert ad.grad(cube)(2.0) == 14.0
    assert ad.jvp(cube, (2.0,), (3.0,)) == (8.0, 42.0)


def test_reverse_forward_and_second_order() -> None:
    gradient = 1.5 * np.sqrt(X)
    assert np.allclose(ad.grad(roots)(X), gradient)
    assert ad.jvp(roots, (X,), (np.ones(3),))[1] == pytest.approx(gradient.sum())
    v = np.array([1.0, 2.0, -1.0])
    assert np.allclose(ad.hvp(roots)(X, vector=v), 0.75 / np.sqrt(X) * v)
    assert np.allclose(ad.hessian(roots)(X), np.diag(0.75 / np.sqrt(X)))


def test_the_loop_of_the_primal_is_not_reversed() -> None:
    g = ad.compile(roots, ad.Duplicated(X, np.zeros(3)))
    assert g.workspace_bytes == 8 * 3
    assert "root" in g.explain().stored[0].value
    bare = ad.compile(roots, ad.Duplicated(X, np.zeros(3)), workspace=0)
    assert bare.certificate.proven
    dx = np.zeros(3)
    bare(ad.Duplicated(X, dx))
    assert np.allclose(dx, 1.5 * np.sqrt(X))


def test_batches_and_split_sweeps() -> None:
    tangents = [np.eye(3)[k] for k in range(3)]
    assert np.allclose(ad.autodiff(ad.Forward, roots, ad.BatchDuplicated(X, tangents)), 1.5 * np.sqrt(X))
    dx = np.zeros(3)
    g = ad.compile(roots, ad.Duplicated(X, dx), mode=ad.ReverseSplit)
    step = g.forward(X, dx)
    g.reverse(step, 2.0)
    assert np.allclose(dx, 3.0 * np.sqrt(X))


def reciprocal(x: float) -> float:
    return 1.0 / x


ad.rule(reciprocal, adjoint=lambda x, result, cotangent: -cotangent * result * result)


def test_faults_point_at_the_function_itself() -> None:
    def use(x: float) -> float:
        return 2.0 * reciprocal(x)

    assert ad.grad(use)(2.0) == -0.5
    g = ad.compile(use, ad.Active(2.0))
    with pytest.raises(ZeroDivisionError) as caught:
        g(0.0)
    assert caught.traceback[-1].lineno == reciprocal.__code__.co_firstlineno  # counted from 0: the line below `def`
    with pytest.raises(ZeroDivisionError):
        ad.grad(use)(0.0)


def test_no_allocation() -> None:
    from pytest_adalloc import measure

    for bound in (ad.compile(roots, ad.Duplicated(X, np.zeros(3))).bind(), ad.hessian(roots).bind(X)):
        report = measure(bound, calls=30, warmup=2)
        assert sum(report.allocs_per_call) == 0, str(report)


def test_a_new_rule_replaces_the_old() -> None:
    def line(x: float) -> float:
        return x

    def use(x: float) -> float:
        return line(x)

    assert ad.grad(use)(1.0) == 1.0
    ad.rule(line, tangent=lambda x, result, d_x: 2.0 * d_x)
    assert ad.grad(use)(1.0) == 2.0
    ad.rule(line, tangent=lambda x, result, d_x: 3.0 * d_x)
    assert ad.grad(use)(1.0) == 3.0


def test_several_arguments_and_integers() -> None:
    def scaled(x: float, n: int, y: float) -> float:
        return x**n * y

    @ad.rule(scaled)
    class _:
        def adjoint(x: Any, n: Any, y: Any, result: Any, cotangent: Any) -> Any:
            return cotangent * n * scaled(x, n - 1, y), cotangent * x**n

    def f(x: float, y: float) -> float:
        return scaled(x, 3, y) + scaled(x=y, y=x, n=2)

    dx, dy = ad.grad(f, (0, 1))(2.0, 5.0)
    assert (dx, dy) == (3 * 4 * 5.0 + 25.0, 8.0 + 2 * 5.0 * 2.0)
    hessian = ad.hessian(f, (0, 1))(2.0, 5.0)
    assert np.allclose(hessian, [[6 * 2.0 * 5.0, 3 * 4.0 + 10.0], [12.0 + 10.0, 2 * 2.0]])


def scaled(x: float, label: float) -> float:
    return 2.0 * x


ad.rule(scaled, adjoint=lambda x, label, result, cotangent: (2.0 * cotangent, 0.0))


def labelled(x: float, label: float) -> float:
    return scaled(x, label) * x


def test_an_adjoint_may_give_a_constant() -> None:
    assert ad.grad(labelled, wrt=(0, 1))(1.5, 4.0) == (6.0, 0.0)
    assert ad.jvp(labelled, (1.5, 4.0), (1.0, 1.0)) == (4.5, 6.0)


def test_a_cotangent_of_none_is_zero() -> None:
    def gated(x: float, y: float) -> float:
        return x * y

    ad.rule(gated, adjoint=lambda x, y, result, cotangent: (cotangent * y, None))
    assert ad.grad(gated, (0, 1))(2.0, 5.0) == (5.0, 0.0)


def test_float32() -> None:
    def half(x: np.float32) -> np.float32:
        return x * np.float32(0.5)

    ad.rule(half, adjoint=lambda x, result, cotangent: 2.0 * cotangent)

    def total(x: Any) -> Any:
        t = np.float32(0.0)
        for i in range(len(x)):
            t += half(x[i])
        return t

    gradient = ad.grad(total)(X.astype(np.float32))
    assert gradient.dtype == np.float32
    assert gradient.tolist() == [2.0, 2.0, 2.0]


# Native functions

libm = ctypes.CDLL("libm.so.6")
libm.cbrt.argtypes, libm.cbrt.restype = [ctypes.c_double], ctypes.c_double
CBRT = libm.cbrt


def cbrt_adjoint(x: Any, result: Any, cotangent: Any) -> Any:
    return cotangent * result / (3.0 * x)


ad.rule(CBRT, adjoint=cbrt_adjoint)


def cube_roots(x: Any) -> float:
    total = 0.0
    for i in range(len(x)):
        total += CBRT(x[i])
    return total


def test_a_native_function_by_pointer() -> None:
    assert np.allclose(ad.grad(cube_roots)(X), np.cbrt(X) / (3 * X))
    assert ad.jvp(cube_roots, (X,), (np.ones(3),))[0] == pytest.approx(np.cbrt(X).sum())
    assert np.allclose(ad.hessian(cube_roots)(X), np.diag(-2.0 / 9.0 * X ** (-5.0 / 3.0)))


def test_the_certificate_does_not_trust_native_code() -> None:
    g = ad.compile(cube_roots, ad.Duplicated(X, np.zeros(3)))
    assert not g.certificate.proven
    assert "adcore_rule_cbrt" in str(g.certificate)


def test_a_declared_native_function_by_address() -> None:
    address = ctypes.cast(libm.cbrt, ctypes.c_void_p).value
    declared = ad.rule(address, argtypes=[float], adjoint=cbrt_adjoint, allocates=False, reason="computes in registers")
    assert declared(27.0) == pytest.approx(3.0)

    def f(x: float) -> float:
        return declared(x)

    g = ad.compile(f, ad.Active(8.0))
    assert g(8.0) == (pytest.approx(1.0 / 12.0),)
    assert g.certificate.proven
    assert "computes in registers" in str(g.certificate)


def test_a_native_function_that_needs_the_gil_is_refused() -> None:
    """Kernels that take long run without it."""
    kind = ctypes.PYFUNCTYPE(ctypes.c_double, ctypes.c_double)
    with pytest.raises(ad.ArgumentError, match="needs the GIL, and kernels that take long run without it"):
        ad.rule(kind(lambda a: a * a), adjoint=lambda a, result, cotangent: 2.0 * a * cotangent)


def test_a_function_made_by_llvm() -> None:
    from adcore.lower.objects.object_code import emit
    from adcore.runtime.loading.linker import load

    code = emit("define double @twice(double %x) {\n  %y = fadd double %x, %x\n  ret double %y\n}").object_code
    loaded = load(code, ["twice"])
    twice = ad.rule(loaded["twice"], argtypes=[ctypes.c_double], tangent=lambda x, r, d: 2.0 * d)

    def f(x: float) -> float:
        return twice(x) ** 2

    assert ad.value_and_grad(f)(3.0) == (36.0, 24.0)
    assert ad.hessian(f)(3.0) == 8.0


def test_a_primal_stands_in_for_what_has_no_source() -> None:
    special = pytest.importorskip("scipy.special")
    ad.rule(special.expit, primal=lambda x: 1.0 / (1.0 + math.exp(-x)),
            adjoint=lambda x, r, ct: ct * r * (1.0 - r))  # fmt: skip

    def f(x: float) -> float:
        return special.expit(x)

    r = 1.0 / (1.0 + math.exp(-0.3))
    assert ad.grad(f)(0.3) == pytest.approx(r * (1.0 - r))
    assert ad.hessian(f)(0.3) == pytest.approx(r * (1.0 - r) * (1.0 - 2.0 * r))


# Rules that do not fit


def refused(function: Any, error: type[Exception] = ad.ArgumentError, **how: Any) -> str:
    with pytest.raises(error) as caught:
        ad.rule(function, **how)
    return str(caught.value)


def test_wrong_arity() -> None:
    def f(x: float, y: float) -> float:
        return x * y

    assert "takes 3 arguments; it needs 4" in refused(f, adjoint=lambda x, result, ct: ct)
    assert "the tangent of f takes 3 arguments" in refused(f, tangent=lambda x, y, result: x)
    assert "neither" in refused_class(f)
    assert "no Python source" in refused(print, adjoint=lambda x, result, ct: ct)
    assert "argtypes" in refused(12345, adjoint=lambda x, result, ct: ct)
    assert "without a reason" in refused(libm.cbrt, adjoint=cbrt_adjoint, allocates=False)


def refused_class(f: Any) -> str:
    with pytest.raises(ad.ArgumentError) as caught:
        ad.rule(f)(type("Empty", (), {}))
    return str(caught.value)


def wrong(x: float, y: float) -> float:
    return x * y


def test_wrong_results() -> None:
    def use(x: float, y: float) -> float:
        return wrong(x, y)

    for adjoint, title in (
        (lambda x, y, result, ct: ct, "must return a tuple of 2 floats, a cotangent per float argument"),
        (lambda x, y, result, ct: (ct, ct, ct), "it returns 3 values"),
    ):
        ad.rule(wrong, adjoint=adjoint)
        with pytest.raises(ad.CompileError, match=title):
            ad.grad(use)(1.0, 2.0)
    ad.rule(wrong, adjoint=lambda x, y, result, ct: (y * ct, x * ct))
    assert ad.grad(use, (0, 1))(3.0, 2.0) == (2.0, 3.0)


def pair(x: float) -> Any:
    return x, x


def fact(n: float) -> float:
    return 1.0 if n < 1.0 else n * fact(n - 1.0)


def reads_array(x: float) -> float:
    return x * X[0]


def test_functions_that_no_rule_fits() -> None:
    for function, title in ((pair, "must return one float"), (fact, "calls itself"), (reads_array, "reads the array")):
        ad.rule(function, adjoint=lambda x, result, ct: ct)
        with pytest.raises(ad.CompileError, match=title):
            ad.grad(lambda x, function=function: function(x))(1.0)

    def of_array(x: Any) -> Any:
        return plain_with_rule(x)

    with pytest.raises(ad.CompileError, match="called on an array"):
        ad.grad(of_array)(X)


def plain_with_rule(x: float) -> float:
    return x


ad.rule(plain_with_rule, adjoint=lambda x, result, ct: ct)
