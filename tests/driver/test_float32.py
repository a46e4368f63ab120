"""float32 throughout: arrays and scalars in every mode, against the plugin's differences and float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad
from pytest_adalloc import check, measure

X = np.linspace(0.3, 1.5, 7).astype(np.float32)
K = np.float32(0.7)


def cubes(x: Any) -> Any:
    t = 0.0  # a Python float adapts to what it meets
    for i in range(len(x)):
        t += x[i] * x[i] * x[i]
    return t


def waves(x: Any, k: Any) -> Any:
    t = 0.0
    for v in x:
        t += np.exp(v * k) * np.sin(v)
    return t


def chained(x: Any) -> Any:
    for i in range(1, len(x)):
        x[i] = x[i] * x[i - 1]
    return x[-1]


def swept(x: Any) -> Any:
    y = np.zeros(len(x), dtype=np.float32)
    for _ in range(3):
        for i in range(1, len(x)):
            y[i] = x[i] * x[i - 1] + y[i - 1] * np.float32(0.5) * y[i]
    return y[-1] ** 2


def ratio(a: Any, b: Any) -> Any:
    return a * np.sqrt(b) / (a + b)


def root(a: Any) -> Any:
    x = a
    while abs(x * x - a) > np.float32(1e-5):
        x = x - (x * x - a) / (np.float32(2) * x)
    return x


def branching(x: Any) -> Any:
    t = 0.0
    for v in x:
        t += v * v if v > 1.0 else 3.0 * v
    return t


ARRAYS = [(cubes, (X,)), (waves, (X, K)), (chained, (X,)), (swept, (X,)), (branching, (X,))]
SCALARS = [(ratio, (np.float32(2), np.float32(3))), (root, (np.float32(2),))]


def widened(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(a.astype(np.float64) if isinstance(a, np.ndarray) else np.float64(a) for a in args)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize(("f", "args"), [*ARRAYS, *SCALARS[:1]])
def test_the_plugin_agrees(f: Any, args: Any, mode: str) -> None:
    report = check(f, *(a.copy() for a in args), mode=mode, calls=20)
    assert report.verdict == "passed"
    assert sum(report.allocs_per_call) == 0


@pytest.mark.parametrize(("f", "args"), [a for a in ARRAYS if a[0] not in (swept, waves)])
def test_values_and_gradients(f: Any, args: Any) -> None:
    value, gradient = ad.value_and_grad(f)(*args)
    assert type(value) is np.float32
    assert value == f(*(a.copy() for a in args))
    assert gradient.dtype == np.float32
    assert np.allclose(gradient, ad.grad(f)(*widened(args)), rtol=2e-6)


def test_scalars() -> None:
    for f, args in SCALARS:
        every = tuple(range(len(args)))
        assert np.allclose(ad.grad(f, every)(*args), ad.grad(f, every)(*widened(args)), rtol=1e-4)
        assert type(ad.value_and_grad(f)(*args)[0]) is np.float32
    derivatives, value = ad.autodiff(ad.ReverseWithPrimal, ratio, *map(ad.Active, SCALARS[0][1]))
    assert type(value) is np.float32
    assert derivatives == pytest.approx(ad.grad(ratio, (0, 1))(2.0, 3.0), rel=1e-6)


def test_forward_modes() -> None:
    tangents = [np.eye(7, dtype=np.float32)[k] for k in range(3)]
    single = [ad.autodiff(ad.Forward, cubes, ad.Duplicated(X, t)) for t in tangents]
    assert np.allclose(single, 3 * X[:3] ** 2, rtol=1e-6)
    assert ad.autodiff(ad.Forward, cubes, ad.BatchDuplicated(X, tangents)) == tuple(single)
    value, tangent = ad.jvp(swept, (X,), (np.ones(7, np.float32),))
    assert type(value) is np.float32
    assert tangent == pytest.approx(float(ad.grad(swept)(X).sum()), rel=1e-5)


@pytest.mark.parametrize(("f", "args"), ARRAYS)
def test_second_derivatives(f: Any, args: Any) -> None:
    hessian = ad.hessian(f)(*args)
    assert hessian.dtype == np.float32
    assert np.allclose(hessian, ad.hessian(f)(*widened(args)) if f is not swept else hessian.T, rtol=1e-4, atol=1e-4)
    v = np.linspace(-1, 1, 7).astype(np.float32)
    product = ad.hvp(f)(*args, vector=v)
    assert product.dtype == np.float32
    assert np.allclose(product, hessian @ v, rtol=1e-3, atol=1e-3)


def test_jacobians() -> None:
    def squares(x: Any) -> Any:
        y = np.zeros(len(x), dtype=np.float32)
        for i in range(len(x)):
            y[i] = x[i] * x[i]
        return y

    assert ad.jacobian(squares)(X).dtype == np.float32
    assert np.allclose(ad.jacobian(squares)(X), np.diag(2 * X))


def test_split_and_compiled() -> None:
    dx = np.zeros_like(X)
    g = ad.compile(waves, ad.Duplicated(X, dx), ad.Active(K), mode=ad.ReverseSplit)
    step = g.forward(X, dx, K)
    (dk,) = g.reverse(step)
    assert type(step.value) is np.float32
    reference, dk_reference = ad.grad(waves, (0, 1))(X, K)
    assert np.allclose(dx, reference, rtol=1e-6)
    assert dk == pytest.approx(dk_reference, rel=1e-6)

    again = np.zeros_like(X)
    h = ad.compile(waves, ad.Duplicated(X, again), ad.Active(K))
    assert h(X, again, K) == (pytest.approx(dk_reference, rel=1e-6),)
    assert h.certificate.proven


def test_four_bytes_are_kept_for_a_float32() -> None:
    def product(x: Any) -> Any:
        p = np.float32(1.0)
        for i in range(len(x)):
            p = p * x[i]
        return p

    g = ad.compile(product, ad.Duplicated(X, np.zeros_like(X)))
    assert g.workspace_bytes == 4 * len(X)
    report = measure(g.bind(), calls=50)
    assert sum(report.allocs_per_call) == 0
