"""Layers of different shapes in a list, and recursion over what is known while compiling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

import adcore as ad
from adcore.errors import CompileError
from adcore.runtime.values.arguments import describe
from adcore.signature import SequenceArg, UniformArg
from tests.frontend.numpy.support import check_gradient


class Layer(NamedTuple):
    W: np.ndarray
    b: np.ndarray


def by_layer(layers, x):
    a = x
    for layer in layers:
        a = np.tanh(a @ layer.W + layer.b)
    return np.sum(a)


def by_subscript(layers, x):
    a = x
    for i in range(len(layers)):
        a = np.tanh(a @ layers[i].W + layers[i].b)
    return np.sum(a)


def by_zip(Ws, bs, x):
    a = x
    for W, b in zip(Ws, bs, strict=False):
        a = np.tanh(a @ W + b)
    return np.sum(a)


def network(sizes):
    random = np.random.default_rng(3)
    return [Layer(random.normal(size=s), np.full(s[1], 0.1)) for s in sizes]


@pytest.mark.parametrize(
    "sizes",
    [[(4, 5), (5, 5), (5, 2)], pytest.param([(4, 6)] + [(6, 6)] * 9 + [(6, 1)], marks=pytest.mark.slow)],
    ids=len,
)
def test_layers(sizes):
    layers, x = network(sizes), np.linspace(-1.0, 1.0, 12).reshape(3, 4)
    expected = ad.value_and_grad(by_layer)(layers, x)
    for f in (by_layer, by_subscript):
        value, gradient = ad.value_and_grad(f)(layers, x)
        np.testing.assert_allclose(value, f(layers, x), rtol=1e-13)
        for ours, theirs in zip(gradient, expected[1], strict=True):
            assert isinstance(ours, Layer)
            np.testing.assert_array_equal(ours.W, theirs.W)
    Ws, bs = [layer.W for layer in layers], [layer.b for layer in layers]
    _, (by_weight, by_bias) = ad.value_and_grad(by_zip, wrt=(0, 1))(Ws, bs, x)
    for k, layer in enumerate(expected[1]):
        np.testing.assert_allclose(by_weight[k], layer.W, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(by_bias[k], layer.b, rtol=1e-12, atol=1e-15)
    step, moved = 1e-6, layers[1].W.copy()
    moved[2, 0] += step
    ahead = by_layer([layers[0], Layer(moved, layers[1].b), *layers[2:]], x)
    moved[2, 0] -= 2 * step
    behind = by_layer([layers[0], Layer(moved, layers[1].b), *layers[2:]], x)
    np.testing.assert_allclose(expected[1][1].W[2, 0], (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-8)


def test_data_sets_and_series_keep_one_program_for_any_length():
    assert isinstance(describe([np.ones((3, 2)), np.ones((5, 2))], "data"), UniformArg)
    assert isinstance(describe([np.ones(3), np.ones(5)], "series"), UniformArg)
    assert isinstance(describe([np.ones((3, 2)), np.ones((2, 4))], "layers"), SequenceArg)


def power(x, n):
    return 1.0 if n == 0 else x * power(x, n - 1)


def fifth(x):
    return power(x[0], 5) + power(x[1], 2)


def total(tree):
    if not isinstance(tree, tuple):
        return tree * tree
    result = 0.0
    for part in tree:
        result += total(part)
    return result


def of_a_tree(x):
    return total(((x[0], x[1]), (x[0], (x[1], x[1]))))


def test_recursion_over_what_is_known():
    x = np.array([1.5, 0.5])
    check_gradient(fifth, x)
    check_gradient(of_a_tree, x)


def test_other_recursion_is_refused():
    def endless(x, n):
        return endless(x, n + 1)

    for f, args in ((power, (1.5, 3)), (lambda x: endless(x, 0), (1.5,))):
        with pytest.raises(CompileError, match="calls itself"):
            ad.grad(f)(*args)
