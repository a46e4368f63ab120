"""NumPy's narrow integers in scalar code: they wrap around, and adapt to Python's numbers, as NumPy's do."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from adcore.errors import CompileError
from tests.frontend.support import agrees, compiled

TYPES = [np.int8, np.int16, np.int32, np.uint8, np.uint16, np.uint32]

OPERATIONS = {
    "sum": lambda p, q, k: p + q,
    "difference": lambda p, q, k: p - q,
    "product": lambda p, q, k: p * q,
    "three of them": lambda p, q, k: p * q + p - q * q,
    "quotient": lambda p, q, k: p / q,
    "whole quotient": lambda p, q, k: p // q + p % q,
    "by zero": lambda p, q, k: p // (q - q) + p % (q - q),
    "square": lambda p, q, k: p**2,
    "cube": lambda p, q, k: q**3,
    "negative": lambda p, q, k: -p,
    "magnitude": lambda p, q, k: abs(q - p),
    "inverted": lambda p, q, k: ~p,
    "bits": lambda p, q, k: (p & q) | (p ^ q),
    "shifted": lambda p, q, k: (p << 3) + (q >> 1),
    "far": lambda p, q, k: p << 40,
    "Python's": lambda p, q, k: p * 3 + q - 100,
    "unknown Python's": lambda p, q, k: p + k,
    "float": lambda p, q, k: p * 0.5,
    "float32": lambda p, q, k: p * np.float32(0.1),
    "int64": lambda p, q, k: p * np.int64(k) - q,
    "bool": lambda p, q, k: p + True,
    "compared": lambda p, q, k: (p - q < 0) + 2 * (p > 300) + 4 * (q == k),
    "int of it": lambda p, q, k: int(p) - int(q) * 1000,
    "smallest": lambda p, q, k: min(p, q, 3) - q,
    "np.maximum": lambda p, q, k: np.maximum(p - q, q),
    "np.add": lambda p, q, k: np.add(p, q) - p,
    "np.where": lambda p, q, k: np.where(p > q, p - q, q - p) + 0,
    "conditional": lambda p, q, k: (p if k > 1 else 1) - 7,
    "narrowed": lambda p, q, k: np.uint8(p) + np.uint8(q) - np.uint8(k),
    "class": lambda p, q, k: isinstance(p + q, np.integer) + 2 * isinstance(p, int),
}


@pytest.mark.parametrize("dtype", TYPES, ids=lambda t: t.__name__)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name, dtype):
    operation = OPERATIONS[name]
    limits = np.iinfo(dtype)
    for pair in ((limits.max, 3), (limits.min + 1, limits.max // 2), (17, 5), (limits.max, limits.max)):
        agrees(lambda x, k: operation(x[0], x[1], k), np.array(pair, dtype), 2)


def test_two_types_meet():
    for a in TYPES:
        for b in TYPES:
            agrees(lambda p, q: p[0] * q[0] - p[1], np.array([100, 120], a), np.array([120], b))


def test_arguments():
    for dtype in TYPES:
        agrees(lambda p: p + p, dtype(np.iinfo(dtype).max))


def carried(image):
    total, last, best = 0, image[0], 0.0
    for value in image:
        total += value - last
        last = value
        if value > best:
            best = value
    return total, sum(image), max(image) - min(image) - 90, best * 2.0


def held(image, k):
    parts = [image[0] - image[1], image[1] + image[1], image[2]]
    many = [v + v for v in image]
    return parts[k] + parts[0], many[k] - many[0], np.array(parts)[0] - parts[1], np.full(2, image[0])[1] - image[1]


def reduced(image):
    return np.min(image) - np.max(image), np.sum(image) // 2, np.sum(image * image[1])


def test_names_loops_and_containers():
    image = np.array([10, 200, 30, 90], np.uint8)
    agrees(carried, image)
    agrees(held, image, 1)
    agrees(reduced, image)
    agrees(reduced, np.array([10, -100, 100], np.int8))


def test_what_python_refuses():
    agrees(lambda x: x[0] * 300, np.ones(1, np.uint8))
    agrees(lambda x, k: x[0] + k, np.ones(1, np.uint8), -1)
    agrees(lambda x, k: np.uint8(k), np.ones(1), 256)


def generated(x, n):
    state = np.uint32(12345)
    total = 0.0
    for _ in range(n):
        state = state * np.uint32(1664525) + np.uint32(1013904223)
        total += x[0] * (state / 2**32)
    return total


def edges(x, image):
    total = 0.0
    for k in range(1, len(image)):
        total += x[0] ** 2 * abs(image[k] - image[k - 1])
    return total


def test_gradients():
    image = np.array([10, 200, 30, 90], np.uint8)
    value, slope = ad.value_and_grad(edges)(np.array([2.0]), image)
    with np.errstate(over="ignore"):
        assert value == edges(np.array([2.0]), image)
    assert slope == value
    value, slope = ad.value_and_grad(generated)(np.ones(1), 20)
    with np.errstate(over="ignore"):
        assert value == slope == pytest.approx(generated(np.ones(1), 20), rel=1e-14)


def test_what_has_no_one_meaning_is_refused():
    def two(x, k):
        s = x[0] if k else np.int64(3)
        return s + 1

    def halved(x, k):
        s = x[0] if k else 0.5
        return s + s

    with pytest.raises(CompileError, match="uint8 on one path and int64 on another"):
        compiled(two, np.ones(1, np.uint8), 2)
    with pytest.raises(CompileError, match="float on one path and uint8"):
        compiled(halved, np.ones(1, np.uint8), 2)
    with pytest.raises(CompileError, match="float16"):
        compiled(lambda x: np.sqrt(x[0]), np.ones(1, np.uint8))
