"""Parameters of every kind, defaults, `*` and `**`: of the function itself and of those that it calls."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything

X = np.array([0.7, 1.3, 2.1])


def weighted(x, k=2.0, *, w=np.array([1.0, 2.0, 3.0]), t=(0.5, 0.25)):  # noqa: B008
    return k * np.sum(x * w) * t[0] + t[1]


def calls_with_defaults(x):
    return weighted(x) + weighted(x, k=x[0]) + weighted(x, 1.0, t=(1.0, 2.0)) * weighted(w=x, x=x)


def own_defaults(x, k=2.0, *, m=3.0, kind="square", scale=None):
    if scale is None:
        scale = 1.5
    if kind == "square":
        return k * np.sum(x * x) * m * scale
    raise ValueError(f"unknown kind {kind}")


def collected(*parts, factor=1.0, **options):
    first, *others = parts
    gain = options.pop("gain", 1.0)
    return first * factor + sum(others) * gain * len(options)


def unpacked(x):
    parts = (x[0], x[1] * x[2])
    named = {"gain": x[1], "unused": None}
    return collected(*parts) * collected(x[0], *parts, factor=2.0, **named, more=1)


def lambdas_with_defaults(x):
    f = lambda a, b=2.0, *rest, d=x[1]: a * b * d + sum(rest)  # noqa: E731
    return f(x[0]) + f(x[1], 3.0, x[2], d=1.0)


def decorated(function):
    @functools.wraps(function)
    def around(*args, **kwargs):
        return 2.0 * function(*args, **kwargs)

    return around


@decorated
def doubled(x, power=2):
    return np.sum(x**power)


@pytest.mark.parametrize("f", [calls_with_defaults, own_defaults, unpacked, lambdas_with_defaults, doubled])
def test_calls(f):
    everything(f, X)


def rest_and_options(x, *rest, **options):
    total = np.sum(x * x) * options.get("gain", 1.0)
    for k, r in enumerate(rest):
        total += r * x[k]
    return total


def test_stars_of_the_function_itself():
    everything(rest_and_options, X)
    everything(rest_and_options, X, 2.0, 3.0)
    value, (dx, drest, dgain) = ad.value_and_grad(rest_and_options, wrt=("x", "rest[1]", "gain"))(X, 2.0, 3.0, gain=4.0)
    assert np.isclose(value, rest_and_options(X, 2.0, 3.0, gain=4.0))
    np.testing.assert_allclose(dx, 8.0 * X + [2.0, 3.0, 0.0])
    assert np.allclose([drest, dgain], [X[1], np.sum(X * X)])


def test_a_lambda_with_defaults_as_the_function():
    assert ad.grad(lambda x, k=4.0: x * k)(1.0) == 4.0
    assert ad.grad(lambda x, *, k=(3.0, 2.0): x * k[0])(1.0) == 3.0


def test_defaults_in_a_handle():
    dx = np.zeros(3)
    g = ad.compile(own_defaults, ad.Duplicated(X, dx))
    g(X, dx)
    np.testing.assert_allclose(dx, 2.0 * X * 9.0)
    dx[:] = 0.0
    g(ad.Duplicated(X, dx))
    np.testing.assert_allclose(dx, 2.0 * X * 9.0)
    dx[:] = 0.0
    g(X, dx, 1.0, m=1.0)
    np.testing.assert_allclose(dx, 2.0 * X * 1.5)
    with pytest.raises(ad.ArgumentError, match="kind"):
        g(X, dx, kind="other")
    # Given when it was compiled, left out in a call: the default of the function.
    h = ad.compile(own_defaults, ad.Duplicated(X, dx), 5.0)
    dx[:] = 0.0
    h(X, dx)
    np.testing.assert_allclose(dx, 2.0 * X * 9.0)


def test_wrong_calls_are_refused():
    def no_such_keyword(x):
        return weighted(x, j=1.0)

    def not_a_dict(x):
        return weighted(x, **(1.0,))

    for f, text in ((no_such_keyword, "has no parameter `j`"), (not_a_dict, "not a dict")):
        with pytest.raises(ad.CompileError, match=text):
            ad.grad(f)(X)
