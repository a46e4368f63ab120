"""What the compiler advises in place of a function of NumPy's gives the same, and compiles."""

from __future__ import annotations

import re

import numpy as np
import pytest

import adcore as ad
from adcore.frontend.python.advice import ADVICE
from adcore.frontend.registry import FUNCTIONS

X, Y = np.array([0.3, 1.7, 2.5, -0.4]), np.array([1.1, 0.2, -0.7, 2.0])
A, B = np.arange(6.0).reshape(2, 3) ** 1.5, np.cos(np.arange(6.0)).reshape(2, 3)
EDGES = np.array([0.0, 1.0, 2.0, 3.0])

SAME = {
    "numpy.logspace": (lambda x: 10.0 ** np.linspace(x[0], x[1], 4), lambda x: np.logspace(x[0], x[1], 4)),
    "numpy.geomspace": (
        lambda x: np.exp(np.linspace(np.log(x[0]), np.log(x[1]), 4)), lambda x: np.geomspace(x[0], x[1], 4)),
    "numpy.dstack": (lambda x: np.stack((A * x[0], B), axis=2), lambda x: np.dstack((A * x[0], B))),
    "numpy.digitize": (lambda x: np.sum(x[1] >= EDGES) * x[0], lambda x: np.digitize(x[1], EDGES) * x[0]),
    "numpy.searchsorted": (lambda x: np.sum(x[1] > EDGES) * x[0], lambda x: np.searchsorted(EDGES, x[1]) * x[0]),
    "numpy.rot90": (lambda x: (A * x[0]).T[::-1], lambda x: np.rot90(A * x[0])),
    "numpy.diagonal": (lambda x: np.diag(A * x[0]), lambda x: np.diagonal(A * x[0])),
    "numpy.moveaxis": (lambda x: np.transpose(A * x[0], (1, 0)), lambda x: np.moveaxis(A * x[0], 0, 1)),
    "numpy.heaviside": (
        lambda x: np.where(x < 0.0, 0.0, np.where(x == 0.0, 0.5, 1.0)) * x, lambda x: np.heaviside(x, 0.5) * x),
    "numpy.sinc": (lambda x: np.where(x == 0.0, 1.0, np.sin(np.pi * x) / (np.pi * x)), np.sinc),
    "numpy.vander": (lambda x: x[:, None] ** np.arange(3)[::-1], lambda x: np.vander(x, 3)),
    "numpy.insert": (lambda x: np.concatenate((x[:2], Y, x[2:])), lambda x: np.insert(x, 2, Y)),
    "numpy.delete": (lambda x: np.concatenate((x[:2], x[3:])), lambda x: np.delete(x, 2)),
    "numpy.ediff1d": (lambda x: np.diff(x), np.ediff1d),
    "numpy.float_power": (lambda x: (x * x) ** 1.5, lambda x: np.float_power(x * x, 1.5)),
    "numpy.ldexp": (lambda x: x * 2.0**3, lambda x: np.ldexp(x, 3)),
    "numpy.cumulative_sum": (lambda x: np.cumsum(x), np.cumsum),
    "numpy.vecdot": (lambda x: np.sum(x * Y, axis=-1), lambda x: x @ Y),
    "numpy.cov": (
        lambda x: covariance(A * x[0]), lambda x: np.cov(A * x[0])),
    "numpy.array_equal": (lambda x: x if np.all(x == X) else -x, lambda x: x if np.array_equal(x, X) else -x),
    "numpy.trapezoid": (
        lambda x: np.sum(0.5 * (x[1:] + x[:-1]) * np.diff(EDGES)),
        lambda x: sum(0.5 * (x[k] + x[k + 1]) for k in range(3))),
    "numpy.kron": (
        lambda x: (A[:, None, :, None] * (B * x[0])[None, :, None, :]).reshape(4, 9), lambda x: np.kron(A, B * x[0])),
}  # fmt: skip
"""By function: as advised, and as NumPy has it."""


def covariance(a):
    d = a - np.mean(a, axis=1, keepdims=True)
    return d @ d.T / (a.shape[1] - 1)


@pytest.mark.parametrize("name", SAME)
def test_the_advice_is_right(name):
    advised, original = SAME[name]
    assert name in ADVICE
    np.testing.assert_allclose(ad.vjp(advised, X)[0], original(X), rtol=1e-12, atol=1e-14)


def test_no_advice_for_what_is_supported():
    names = {f"numpy.{entry.name.removeprefix('np.')}" for entry in FUNCTIONS.values() if entry.name.startswith("np.")}
    assert not names & ADVICE.keys()


def test_what_is_advised_is_supported():
    known = {entry.name for entry in FUNCTIONS.values()}
    for name, (_, text) in ADVICE.items():
        for code in re.findall(r"`([^`]*)`", text):
            calls = set(re.findall(r"(np\.[a-z_0-9.]+)\(?", code)) - {"np.pi", "np.linalg.inv", "np.linalg.solve"}
            assert calls <= known, name
