"""Functions and gradients as 80-bit code: what they compute, in which numbers, and where there are none."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adcore as ad
from adcore.driver.evidence.twin import Twin, has_long_double

pytestmark = pytest.mark.skipif(not has_long_double(), reason="no 80-bit numbers here")


def leaky(x, n):
    total = 0.0
    for _ in range(n):
        total = total * 0.999999 + x
    return total


def test_rounding_is_gone() -> None:
    n, a = 40_000, 0.999999
    twin = Twin(leaky, (1.7, n), (1.0, 0), (0,))
    at = np.array([1.7], np.longdouble)
    # Python rounds product and sum; so does the twin that stands for it, bit for bit.
    assert twin.rounded_value(at) == leaky(1.7, n)
    exact = (1 - np.longdouble(a) ** n) / (1 - np.longdouble(a))
    right = np.longdouble(1.7) * exact
    assert float(abs(twin.value(at) / right - 1)) < 1e-15 < float(abs(leaky(1.7, n) / right - 1))
    assert float(abs(twin.gradient(at)[0] / exact - 1)) < 1e-15


def everything(x, w, ms):
    y = np.empty(len(x))
    total = 0.0
    for i in range(len(x)):
        y[i] = math.tanh(x[i] * w) + max(x[i], 0.0) ** 2 + abs(x[i]) ** 1.5 + math.atan2(x[i], 2.0)
    for m in ms:
        total += np.sum(np.logaddexp(m, 0.5 * m)) + np.linalg.norm(m)
    k = 0
    while total > 1.0 and k < 3:
        total *= 0.5
        k += 1
    return np.sum(y * y) + total + np.sign(x[0]) * x[1] + math.erf(x[0])


def test_gradients_of_numbers_arrays_and_lists() -> None:
    r = np.random.default_rng(0)
    x, w, ms = r.normal(size=50), 0.7, [r.normal(size=(2, 3)) for _ in range(2)]
    numbers = (np.arange(1.0, 51.0), 51.0, [np.arange(52.0, 58.0).reshape(2, 3), np.arange(58.0, 64.0).reshape(2, 3)])
    twin = Twin(everything, (x, w, ms), numbers, (0, 1, 2))
    at = np.concatenate([x, [w], *(m.ravel() for m in ms)]).astype(np.longdouble)
    assert float(twin.value(at)) == pytest.approx(everything(x, w, ms), rel=1e-14)
    gx, gw, gms = ad.grad(everything, wrt=(0, 1, 2))(x, w, ms)
    expected = np.concatenate([gx, [gw], *(g.ravel() for g in gms)])
    found = twin.gradient(at)
    assert found.dtype == np.longdouble
    assert found.astype(float) == pytest.approx(expected, rel=1e-12)
    assert twin.gradient(at, "f32").astype(float) == pytest.approx(expected, rel=1e-3)
    # A step along a direction, in 80 bits: a central difference with 12 digits.
    along, h = np.cos(np.arange(len(at))).astype(np.longdouble), np.longdouble(2.0) ** -16
    slope = (twin.value(at + h * along) - twin.value(at - h * along)) / (2 * h)
    assert float(slope) == pytest.approx(float(found @ along), rel=1e-8)


def test_numbers_of_32_bits() -> None:
    def f(a):
        return np.sum(a * a * np.float32(0.1))

    a = np.linspace(0.5, 1.5, 7).astype(np.float32)
    twin = Twin(f, (a,), (np.arange(1, 8, dtype=np.float32),), (0,))
    assert twin.single
    at = a.astype(np.longdouble)
    tenth = np.longdouble(np.float32(0.1))
    assert float(np.max(np.abs(twin.gradient(at) - 2 * tenth * at))) < 1e-18


def test_where_there_are_none() -> None:
    def with_gamma(x):
        return math.lgamma(x[0])

    def writes(x, y):
        x[0] = y[1]
        return x[0] * y[0]

    x, numbers = np.ones(2), np.array([1.0, 2.0])
    twin = Twin(with_gamma, (x,), (numbers,), (0,))
    with pytest.raises(ad.NoReference, match="polygamma"):
        twin.gradient(x.astype(np.longdouble))
    with pytest.raises(ad.NoReference, match="share memory"):
        Twin(writes, (x, x), (numbers, numbers), (0, 1))
