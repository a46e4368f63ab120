"""`hvp`, `hessian` and `jacobian`: bound to buffers without allocation, several columns at once, explained."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.driver import programs

X = np.linspace(0.3, 1.7, 11)


def coupled(x: Any) -> float:
    p = 1.0
    for i in range(len(x)):
        p = p * math.cos(x[i])
    return p


def outer(x: Any) -> Any:
    y = np.zeros(3)
    for i in range(len(x)):
        y[i % 3] += math.exp(x[i]) * x[0]
    return y


def spread(a: float, b: float) -> Any:
    y = np.zeros(20)
    for i in range(20):
        y[i] = math.sin(a * i) * b
    return y


def doubled(x: Any) -> float:
    for i in range(len(x)):
        x[i] = x[i] * x[i]
    t = 0.0
    for i in range(1, len(x)):
        t += x[i] * x[i - 1]
    return t


def exact_hessian(x: Any) -> Any:
    p, t = np.prod(np.cos(x)), np.tan(x)
    h = p * np.outer(t, t)
    np.fill_diagonal(h, -p)
    return h


def test_a_hessian_in_chunks() -> None:
    assert np.allclose(ad.hessian(coupled)(X), exact_hessian(X), rtol=1e-12)
    bound = ad.hessian(coupled).bind(X)
    assert np.array_equal(bound(), ad.hessian(coupled)(X))


def test_a_bound_hessian_follows_its_argument() -> None:
    x = X.copy()
    bound = ad.hessian(coupled).bind(x)
    first = bound()
    x *= 0.5
    assert bound() is first
    assert np.allclose(first, exact_hessian(X * 0.5), rtol=1e-12)
    v = np.ones(11)
    product = ad.hvp(coupled).bind(x, vector=v)
    assert np.allclose(product(), first.sum(axis=1), rtol=1e-12)
    v[1:] = 0.0
    assert np.allclose(product(), first[:, 0], rtol=1e-12)


def test_what_the_function_overwrites_is_brought_back() -> None:
    x = X[:5].copy()
    bound = ad.hessian(doubled).bind(x)
    assert np.array_equal(bound().copy(), bound())
    assert np.array_equal(x, X[:5])
    h = np.zeros((5, 5))
    for i in range(5):
        for j in (i - 1, i + 1):
            if 0 <= j < 5:
                h[i, j] = 4 * x[i] * x[j]
                h[i, i] += 2 * x[j] ** 2
    assert np.allclose(bound(), h)


def test_jacobians_by_the_cheaper_mode() -> None:
    tall, wide = ad.jacobian(spread, (0, 1)), ad.jacobian(outer)
    i = np.arange(20)
    da, db = tall(0.7, 2.0)
    assert np.allclose(da, np.cos(0.7 * i) * i * 2.0)
    assert np.allclose(db, np.sin(0.7 * i))
    assert "Forward mode, the inputs being fewer: 1 sweep of 2 directions for 2 columns." in str(tall.explain(0.7, 2.0))
    x = np.linspace(0.1, 1.0, 40)
    jac = wide(x)
    expected = np.zeros((3, 40))
    for k in range(40):
        expected[k % 3, k] += np.exp(x[k]) * x[0]
        expected[k % 3, 0] += np.exp(x[k])
    assert np.allclose(jac, expected)
    assert "Reverse mode, the outputs being fewer: 3 sweeps for 3 rows." in str(wide.explain(x))
    assert "2 sweeps of 8 directions for 11 columns" in str(ad.jacobian(outer).explain(X))
    assert np.allclose(ad.jacobian(outer)(X), wide.bind(X)())


def test_explanations() -> None:
    text = str(ad.hessian(coupled).explain(X))
    assert "keeps 88 bytes (8*x.shape[0])" in text or "88 bytes" in text
    assert "Forward mode over the reverse sweep: 2 sweeps of 8 directions for 11 columns." in text
    assert "Each value that is kept comes with its 8 tangents: 9 times the bytes above." in text
    explained = ad.hvp(coupled).explain(X, vector=X)
    assert explained.stored
    assert "its tangent: 2 times the bytes above" in str(explained)


def test_hvp_needs_a_vector() -> None:
    with pytest.raises(TypeError, match="without `vector=`"):
        ad.hvp(coupled)(X)


@pytest.mark.parametrize("make", [
    lambda: ad.hvp(coupled).bind(X, vector=X),
    lambda: ad.hessian(coupled).bind(X),
    lambda: ad.hessian(doubled).bind(X),
    lambda: ad.hessian(programs.rosenbrock).bind(X),
    lambda: ad.jacobian(spread, (0, 1)).bind(0.7, 2.0),
    lambda: ad.jacobian(outer).bind(np.linspace(0.1, 1.0, 40)),
    lambda: ad.jacobian(outer).bind(X),
], ids=["hvp", "hessian", "in place", "rosenbrock", "columns", "rows", "batches"])  # fmt: skip
def test_no_allocation(make: Any) -> None:
    from pytest_adalloc import measure

    report = measure(make(), calls=30, warmup=3)
    assert sum(report.allocs_per_call) == 0, str(report)


def multiplied(x: Any, y: Any) -> float:
    t = 0.0
    for i in range(1, len(x)):
        x[i] = x[i] * y[i - 1]
    for i in range(len(x)):
        t += x[i] * y[i] * y[0]
    return t


def test_arguments_that_share_memory() -> None:
    """One location has one derivative: the Hessian is that of the function of the memory."""
    base = np.array([0.5, 1.5, -0.7, 1.1])

    def apart(b: Any) -> Any:
        x = b.copy()
        return ad.grad(multiplied)(x, x)

    columns = []
    for k in range(4):
        step = 1e-6 * np.eye(4)[k]
        columns.append((apart(base + step) - apart(base - step)) / 2e-6)
    x = base.copy()
    assert np.allclose(ad.hessian(multiplied)(x, x), np.array(columns), atol=1e-6)
    assert np.allclose(ad.hvp(multiplied)(x, x, vector=np.ones(4)), np.array(columns).sum(axis=0), atol=1e-6)
    assert np.array_equal(x, base)


def test_tangents_of_arguments_that_share_memory() -> None:
    x, v = np.array([0.5, 1.5, -0.7, 1.1]), np.array([1.0, 2.0, 3.0, 4.0])
    along = ad.grad(multiplied)(x, x) @ v
    assert ad.jvp(multiplied, (x, x), (v, None))[1] == pytest.approx(along)
    assert ad.jvp(multiplied, (x, x), (v, v))[1] == pytest.approx(along)
    with pytest.raises(ad.ArgumentError, match="its tangent differs there"):
        ad.jvp(multiplied, (x, x), (v, 2 * v))
