"""Products with the Jacobian and user's rules, judged as gradients are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adcore as ad
from pytest_adalloc import CheckFailed, check_jvp, check_rule, check_vjp

X = np.array([0.3, -1.2, 2.0])
A = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])


def outputs(x: Any, a: Any) -> Any:
    return a @ np.sin(x), np.sum(x * x)


def swirl(x: Any, a: Any) -> Any:
    return a @ np.sin(x)


def failed(check: Callable[..., Any], *args: Any, **options: Any) -> str:
    with pytest.raises(CheckFailed) as caught:
        check(*args, **options)
    assert caught.value.report.verdict == "gradient wrong"
    return str(caught.value)


@pytest.mark.parametrize("f", [outputs, swirl])
@pytest.mark.parametrize("wrt", [None, 0, "a", (0, 1)])
def test_compiled_products(f: Any, wrt: Any) -> None:
    assert check_jvp(f, X, A, wrt=wrt).verdict == "passed"
    assert check_vjp(f, X, A, wrt=wrt).verdict == "passed"


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-6, -1.0, 0.0])
def test_products_of_the_users(factor: float) -> None:
    def jvp(primals: Any, tangents: Any) -> Any:
        x, a = primals
        return swirl(x, a), factor * (a @ (np.cos(x) * tangents[0]) + tangents[1] @ np.sin(x))

    def vjp(primals: Any, cotangent: Any) -> Any:
        x, a = primals
        return factor * np.cos(x) * (a.T @ cotangent), np.outer(cotangent, np.sin(x))

    if factor == 1.0:
        assert check_jvp(swirl, X, A, jvp=jvp).verdict == "passed"
        assert check_vjp(swirl, X, A, vjp=vjp).verdict == "passed"
    else:
        assert "along random tangents" in failed(check_jvp, swirl, X, A, jvp=jvp)
        assert "with random cotangents" in failed(check_vjp, swirl, X, A, vjp=vjp)


def test_a_cotangent_for_each_argument() -> None:
    text = failed(check_vjp, swirl, X, A, vjp=lambda primals, c: (np.cos(primals[0]) * (primals[1].T @ c),))
    assert "one cotangent for each of 2 arguments, this gave 1" in text


def test_nothing_to_differentiate() -> None:
    with pytest.raises(TypeError, match="no floating-point number"):
        check_jvp(lambda x: 3, X)


def slope(x: float, y: float) -> float:
    return x * math.exp(y)


def test_rules() -> None:
    right = ad.rule(
        slope,
        tangent=lambda x, y, r, dx, dy: dx * math.exp(y) + r * dy,
        adjoint=lambda x, y, r, ct: (ct * math.exp(y), ct * r),
    )
    assert check_rule(right, 1.5, -0.5).verdict == "passed"


def test_a_rule_wrong_in_one_argument() -> None:
    def product(x: float, y: float) -> float:
        return x * y

    wrong = ad.rule(
        product,
        tangent=lambda x, y, r, dx, dy: dx * y + x * dy,
        adjoint=lambda x, y, r, ct: (ct * y, ct * x * 1.001),
    )
    text = failed(check_rule, wrong, 1.5, -0.5)
    assert "d product / d y" in text
    assert "the rule's tangent or adjoint" in text
    with pytest.raises(TypeError, match="no argument is a float"):
        check_rule(wrong, 3, 4)
