"""A program in every way in which it can be differentiated, compared with plain Python and with differences."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

import adcore as ad
import pytest_adalloc


def everything(f: Callable[..., Any], *args: Any, order: int = 2, split: bool = True) -> None:
    """The value, reverse and forward mode, second order, allocations; in place, and the two sweeps apart.

    The first argument is an array; derivatives are taken by it.
    """
    expected = f(*copy.deepcopy(args))
    pytest_adalloc.check(f, *args, wrt=0, order=order, calls=3)
    value, gradient = ad.value_and_grad(f)(*args)
    assert value == expected or np.isclose(value, expected, rtol=1e-13)
    x, *others = copy.deepcopy(args)
    shadow = np.zeros_like(x)
    ad.autodiff(ad.Reverse, f, ad.Duplicated(x, shadow), *others)
    np.testing.assert_allclose(shadow, gradient, rtol=1e-12, atol=1e-14)
    if split:
        x, *others = copy.deepcopy(args)
        shadow = np.zeros_like(x)
        g = ad.compile(f, ad.Duplicated(x, shadow), *others, mode=ad.ReverseSplit)
        x, *others = copy.deepcopy(args)
        g.reverse(g.forward(ad.Duplicated(x, shadow), *others))
        np.testing.assert_allclose(shadow, gradient, rtol=1e-12, atol=1e-14)
