"""Jacobians, Hessians and Hessian-vector products, against closed forms and differences of exact gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.driver import programs
from tests.driver.programs import Body, Pair

V = np.array([1.0, 2.0, 3.0])


def differences(f: Any, x: Any, *rest: Any) -> Any:
    """The Jacobian of the gradient by central differences."""
    columns = []
    for k in range(x.size):
        step = np.zeros(x.size)
        step[k] = 1e-5
        high, low = (ad.grad(f)(x + s * step.reshape(x.shape), *rest) for s in (1, -1))
        columns.append((high - low).ravel() / 2e-5)
    return np.array(columns).reshape(x.shape + x.shape)


@pytest.mark.parametrize(
    "f", [programs.squares, programs.squares_in_place, programs.read_square_clear, programs.rosenbrock]
)
def test_hessians(f: Any) -> None:
    hessian = ad.hessian(f)(V)
    assert hessian.shape == (3, 3)
    assert np.allclose(hessian, differences(f, V), atol=1e-5)
    assert np.array_equal(hessian, hessian.T)
    v = np.array([1.0, -1.0, 2.0])
    assert np.allclose(ad.hvp(f)(V, vector=v), hessian @ v)
    assert V.tolist() == [1.0, 2.0, 3.0]


def test_hessian_of_numbers() -> None:
    assert ad.hessian(programs.polynomial)(2.0, 3.0) == 6.0
    assert ad.hessian(programs.polynomial, (0, 1))(2.0, 3.0) == ((6.0, 4.0), (4.0, 0.0))
    assert ad.hvp(programs.polynomial, (0, 1))(2.0, 3.0, vector=(1.0, 1.0)) == (10.0, 4.0)
    assert ad.hessian(programs.square_root)(2.0) == pytest.approx(-0.25 * 2.0**-1.5, rel=1e-6)


def test_hvp_keeps_structures() -> None:
    product = ad.hvp(programs.energies)([Body(1.0, V)], vector=[Body(1.0, np.array([1.0, 0.0, 0.0]))])
    assert (product[0].mass, product[0].position.tolist()) == (2.0, [4.0, 0.0, 0.0])
    pair = ad.hvp(programs.named)(Pair(2.0, V), vector=Pair(0.0, np.ones(3)))
    assert (pair.p, pair.q.tolist()) == (1.0, [0.0, 0.0, 0.0])


def test_jacobians() -> None:
    assert ad.jacobian(programs.tail)(V).tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert ad.jacobian(programs.scaled)(V, 2.0).tolist() == np.diag(4 * V).tolist()
    assert ad.jacobian(programs.scaled, 1)(V, 2.0).tolist() == [1.0, 4.0, 9.0]
    by_x, by_k = ad.jacobian(programs.scaled, (0, "k"))(V, 2.0)
    assert (by_x.tolist(), by_k.tolist()) == (np.diag(4 * V).tolist(), [1.0, 4.0, 9.0])
    assert ad.jacobian(programs.squares)(V).tolist() == [2.0, 4.0, 6.0]
    assert ad.jacobian(programs.numbers)([1.0, 2.0]).tolist() == [2.0, 4.0]
    assert ad.jacobian(programs.polynomial)(2.0, 3.0) == 12.0
    assert ad.jacobian(programs.several)(2.0, 3.0) == (3.0, math.cos(2.0), 0.0)


def test_what_has_no_one_shape_is_refused() -> None:
    with pytest.raises(ad.ArgumentError, match="`bodies` has no one shape"):
        ad.hessian(programs.energies)([Body(1.0, V)])
    with pytest.raises(ad.ArgumentError, match="2 vectors for 1"):
        ad.hvp(programs.squares, (0,))(V, vector=(V, V))
