"""Terms that cancel: the compiler's own gradient is not accused where another order of the terms is exact by luck."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcore.jets import Jets, RoundedJets
from pytest_adalloc import CheckFailed, check_gradient


def one(x):
    return math.sin(x) ** 2 + math.cos(x) ** 2


def tangent_minus_sine(x):
    return math.tan(x) - math.sin(x)


@pytest.mark.parametrize("f", [one, tangent_minus_sine])
@pytest.mark.parametrize("x", [1e-6, 1e-5, 1e-3, 0.3, 40.0])
def test_nobody_is_accused_of_the_rounding_of_terms(f: Callable[..., Any], x: float) -> None:
    assert check_gradient(f, x).passed


@pytest.mark.parametrize("size", [1e-14, 1.0])
def test_but_of_more(size: float) -> None:
    with pytest.raises(CheckFailed, match="gradient wrong"):
        check_gradient(one, 40.0, grad=lambda x: size)


@pytest.mark.parametrize(("kind", "unit"), [(float, 2.0**-52), (np.float32, 2.0**-23)])
def test_slopes_are_rounded_by_one_unit(kind: Any, unit: float) -> None:
    def cubed(arithmetic: Any) -> Any:
        x = arithmetic.variable(kind(1), 0)
        return arithmetic.mul_(arithmetic.mul_(x, x), x).d

    plain = cubed(Jets(1, wide=False))
    found = [cubed(RoundedJets(1, seed=seed)) for seed in range(20)]
    assert {type(d) for d in found} == {type(plain)}
    assert len({float(d) for d in found}) > 3
    assert max(abs(float(d) / float(plain) - 1) for d in found) <= 3 * unit
