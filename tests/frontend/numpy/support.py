"""Array programs: compared with NumPy in the interpreter and as native code, gradients with two other ways to them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

import adcore as ad
from tests.frontend.support import agrees, same

__all__ = ["agrees", "check_gradient", "check_native"]


def check_native(function: Callable[..., Any], *args: Any, exact: bool = False) -> None:
    """Native code gives NumPy's result and writes what NumPy writes."""
    theirs = copy.deepcopy(args)
    with np.errstate(all="ignore"):
        expected = function(*theirs)
    got, _ = ad.vjp(function, *copy.deepcopy(args))
    assert same(expected, got, exact), f"{got!r} instead of {expected!r}"


def check_gradient(function: Callable[..., Any], *args: Any, rtol: float = 1e-6) -> None:
    """Reverse mode agrees with forward mode, and that with central differences, in random directions.

    The function returns a number; its derivatives are by all arguments that are arrays of floats.
    """
    chosen = tuple(k for k, a in enumerate(args) if isinstance(a, np.ndarray) and a.dtype.kind == "f")
    value, gradients = ad.value_and_grad(function, wrt=chosen)(*args)
    with np.errstate(all="ignore"):
        expected = function(*copy.deepcopy(args))
    np.testing.assert_allclose(value, expected, rtol=1e-12 if args[chosen[0]].dtype == np.float64 else 1e-5)
    random = np.random.default_rng(7)
    for _ in range(2):
        directions = [random.standard_normal(args[k].shape).astype(args[k].dtype) for k in chosen]
        reverse = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
        forward = _forward(function, args, chosen, directions)
        np.testing.assert_allclose(
            reverse, forward, rtol=1e-9 if args[chosen[0]].dtype == np.float64 else 1e-3, atol=1e-9
        )
        if args[chosen[0]].dtype == np.float64:
            step = 1e-6
            ends = []
            for sign in (step, -step):
                moved = list(copy.deepcopy(args))
                for k, direction in zip(chosen, directions, strict=True):
                    moved[k] = moved[k] + sign * direction
                ends.append(function(*moved))
            np.testing.assert_allclose(reverse, (ends[0] - ends[1]) / (2 * step), rtol=rtol, atol=1e-6)


def _forward(
    function: Callable[..., Any], args: tuple[Any, ...], chosen: tuple[int, ...], directions: list[Any]
) -> float:
    """The derivative along `directions`."""
    annotated: list[Any] = [ad.Const(a) for a in copy.deepcopy(args)]
    for k, direction in zip(chosen, directions, strict=True):
        annotated[k] = ad.Duplicated(args[k].copy(), direction.copy())
    return float(ad.autodiff(ad.Forward, function, *annotated))
