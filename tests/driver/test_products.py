"""Python programs that multiply matrices: values and gradients beside NumPy's, whatever the sizes and the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad
import pytest_adalloc
from tests.samples import sample


def inner(a, b, c):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            s = 0.0
            for k in range(a.shape[1]):
                s += a[i, k] * b[k, j]
            c[i, j] = s
    return squares(c)


def outer(a, b, c):
    for k in range(a.shape[1]):
        for i in range(a.shape[0]):
            for j in range(b.shape[1]):
                c[i, j] += a[i, k] * b[k, j]
    return squares(c)


def rows(a, b, c):
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                c[i, j] += 0.5 * a[i, k] * b[k, j]
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                c[i, j] += 0.5 * a[i, k] * b[k, j]
    return squares(c)


def subtracted(a, b, c):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            s = c[i, j]
            for k in range(a.shape[1]):
                s -= a[i, k] * b[k, j]
            c[i, j] = s
    return squares(c)


def own(a, b, c):
    product = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                product[i, j] += a[i, k] * b[k, j]
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            c[i, j] = product[i, j]
    return squares(c)


def squares(c):
    total = 0.0
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            total += c[i, j] * c[i, j]
    return total


def never_stored(a, b, c):
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            s = 0.0
            for k in range(a.shape[1]):
                s += a[i, k] * b[k, j]
            total += s * s
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                c[i, j] += a[i, k] * b[k, j]
    return total


def by_rows(a, b, c):
    for i in range(a.shape[0]):
        row = np.zeros(b.shape[1])
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                row[j] += a[i, k] * b[k, j]
        for j in range(b.shape[1]):
            c[i, j] = row[j]
    return squares(c)


def at_once(a, b, c):
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            s = 0.0
            for k in range(a.shape[1]):
                s += a[i, k] * b[k, j]
            c[i, j] = s
            total += s * s
    return total


PROGRAMS = (inner, outer, rows, subtracted, own, never_stored, by_rows, at_once)
SHAPES = ((0, 3, 4), (12, 0, 12), (1, 1, 1), (9, 30, 30), (10, 11, 12), (13, 17, 29), (40, 31, 27))


def matrices(shape: tuple[int, int, int], seed: int = 0) -> list[Any]:
    n, d, m = shape
    random = np.random.default_rng(seed)
    return [random.normal(size=(n, d)), random.normal(size=(d, m)), np.zeros((n, m))]


def handle(f: Any, given: list[Any], **options: Any) -> Any:
    shadows = [np.zeros_like(x) for x in given]
    annotated = [ad.Duplicated(x, s) for x, s in zip(given, shadows, strict=True)]
    compiled = ad.compile(f, *annotated, mode=ad.ReverseWithPrimal, **options)
    return compiled, shadows, annotated


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("options", [{}, {"fastmath": True}, {"workspace": "heap"}], ids=["", "fast", "heap"])
def test_gradients(f: Any, options: dict[str, Any]) -> None:
    for shape in SHAPES:
        a, b, c = matrices(shape)
        compiled, shadows, given = handle(f, [a, b, c], **options)
        value = compiled.bind(*given)()[-1]
        product = a @ b
        np.testing.assert_allclose(value, np.sum(product * product), rtol=1e-12)
        np.testing.assert_allclose(np.abs(c), np.abs(product), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(shadows[0], 2 * product @ b.T, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(shadows[1], a.T @ (2 * product), rtol=1e-10, atol=1e-10)


def test_the_gradients_are_products() -> None:
    calls = {}
    for f in PROGRAMS:
        compiled, _, _ = handle(f, matrices((4, 5, 6)))
        calls[f.__name__] = compiled.stage("llvm").count("call void @product.f64")
        assert compiled.certificate.proven
    assert calls == {
        "inner": 3,
        "outer": 3,
        "rows": 6,
        "subtracted": 3,
        "own": 3,
        "never_stored": 6,
        "by_rows": 3,
        "at_once": 3,
    }


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_the_users_order_is_kept(f: Any) -> None:
    """Every bit of the values is Python's."""
    a, b, c = matrices((14, 35, 26), seed=3)
    meant = c.copy()
    f(a, b, meant)
    ad.compile(f, a, b, c, mode=ad.Primal).bind(a, b, c)()
    np.testing.assert_array_equal(c, meant)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("pick", ["left", "right", "shifted"])
def test_arguments_that_overlap(f: Any, pick: str) -> None:
    """What a program means where its target is an operand is what Python makes of it."""
    room = np.random.default_rng(1).normal(size=(14, 13)) / 4
    other = np.random.default_rng(2).normal(size=(13, 13)) / 4

    def given(x: Any) -> tuple[Any, ...]:
        operands = {"left": (x[:13], other), "right": (other, x[:13]), "shifted": (x[1:], other)}[pick]
        return *operands, x[:13]

    plain = room.copy()
    value = f(*given(plain))
    np.testing.assert_allclose(ad.compile(f, *given(room), mode=ad.Primal)(*given(room)), value, rtol=1e-12)
    np.testing.assert_allclose(room, plain, rtol=1e-12, atol=1e-13)


def transposed_views(x, y):
    a, b = x[::2].T, y[:, 1:]
    c = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                c[i, j] += a[i, k] * b[k, j]
    return squares(c)


def test_views() -> None:
    random = np.random.default_rng(5)
    x, y = random.normal(size=(30, 11)), random.normal(size=(15, 21))
    value, (dx, dy) = ad.value_and_grad(transposed_views, wrt=(0, 1))(x, y)
    a, b = x[::2].T, y[:, 1:]
    np.testing.assert_allclose(value, np.sum((a @ b) ** 2), rtol=1e-12)
    np.testing.assert_allclose(dx[::2].T, 2 * a @ b @ b.T, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dy[:, 1:], a.T @ (2 * a @ b), rtol=1e-10, atol=1e-10)
    assert not dx[1::2].any()
    assert not dy[:, 0].any()


def inside(a):
    n = a.shape[0]
    h = n // 2
    for i in range(h, n):
        for j in range(h, n):
            for k in range(1, h):
                a[i, j] -= a[i, k] * a[k, j]
    return squares(a)


def test_blocks_of_one_matrix() -> None:
    """An update as blocked factorisations have it: target and operands are parts of one array that never meet."""
    a = np.random.default_rng(7).normal(size=(24, 24))
    given, seed = a.copy(), np.zeros_like(a)
    compiled = ad.compile(inside, ad.Duplicated(given, seed), mode=ad.ReverseWithPrimal)
    value = compiled.bind(ad.Duplicated(given, seed))()[-1]
    x, left, right = a.copy(), a[12:, 1:12], a[1:12, 12:]
    x[12:, 12:] -= left @ right
    np.testing.assert_allclose(given, x, rtol=1e-12)
    np.testing.assert_allclose(value, np.sum(x * x), rtol=1e-12)
    expected = 2 * x
    expected[12:, 1:12] -= 2 * x[12:, 12:] @ right.T
    expected[1:12, 12:] -= left.T @ (2 * x[12:, 12:])
    np.testing.assert_allclose(seed, expected, rtol=1e-10, atol=1e-10)


def batched(a, b):
    total = 0.0
    c = np.zeros((a.shape[1], b.shape[2]))
    for n in range(a.shape[0]):
        for i in range(a.shape[1]):
            for j in range(b.shape[2]):
                s = 0.0
                for k in range(a.shape[2]):
                    s += a[n, i, k] * b[n, k, j]
                c[i, j] = s
        total += squares(c)
    return total


def test_products_in_a_loop() -> None:
    random = np.random.default_rng(6)
    a, b = random.normal(size=(3, 12, 15)), random.normal(size=(3, 15, 11))
    value, (da, db) = ad.value_and_grad(batched, wrt=(0, 1))(a, b)
    np.testing.assert_allclose(value, np.sum((a @ b) ** 2), rtol=1e-12)
    np.testing.assert_allclose(da, 2 * a @ b @ b.transpose(0, 2, 1), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(db, a.transpose(0, 2, 1) @ (2 * a @ b), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("f", sample(PROGRAMS, quick=3), ids=lambda f: f.__name__)
def test_nothing_is_allocated(f: Any) -> None:
    pytest_adalloc.check(f, *matrices((11, 12, 13)))


def single(a, b, c):
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                c[i, j] += a[i, k] * b[k, j]
    total = 0.0
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            total += np.float64(c[i, j]) * np.float64(c[i, j])
    return total


def test_single_precision() -> None:
    a, b, c = (x.astype(np.float32) for x in matrices((20, 30, 25)))
    compiled, shadows, given = handle(single, [a, b, c])
    compiled.bind(*given)()
    assert "call void @product.f32" in compiled.stage("llvm")
    product = a.astype(float) @ b.astype(float)
    np.testing.assert_allclose(c, product, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(shadows[0], 2 * product @ b.T, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(shadows[1], a.T @ (2 * product), rtol=1e-3, atol=1e-3)
