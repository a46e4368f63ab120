"""A value that is discarded contributes nothing to a derivative, however singular it is: in every mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.derivatives.discarding import Case, cases

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
CASES = list(cases())


def both(f: Callable[..., Any], x: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient in reverse and in forward mode."""
    forward = np.array([ad.jvp(f, (x,), (row,))[1] for row in np.eye(len(x))])
    return {"reverse": ad.grad(f)(x), "forward": forward}


def gradients(f: Callable[..., Any], x: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient in reverse mode, forward mode, in several directions at once, and by split sweeps."""
    batch = ad.autodiff(ad.Forward, f, ad.BatchDuplicated(x, tuple(np.eye(len(x)))))
    return {
        **both(f, x),
        "batched": np.asarray(batch[0] if isinstance(batch, tuple) and len(batch) == 1 else batch, float).reshape(-1),
        "split": split(f, x),
    }


def split(f: Callable[..., Any], x: np.ndarray) -> np.ndarray:
    shadow = np.zeros_like(x)
    halves = ad.compile(f, ad.Duplicated(x, shadow), mode=ad.ReverseSplit)
    halves.reverse(halves.forward(ad.Duplicated(x, shadow)))
    return shadow


def check(f: Callable[..., Any], x: Any, gradient: Any, hessian: Any = None, modes: Any = None) -> None:
    x = np.asarray(x, float)
    for mode, found in (modes or gradients)(f, x).items():
        np.testing.assert_allclose(found, gradient, rtol=1e-10, atol=1e-10, err_msg=mode)
    if hessian is not None:
        np.testing.assert_allclose(ad.hessian(f)(x), hessian, rtol=1e-9, atol=1e-9)


SAMPLE = [case for k, case in enumerate(CASES) if k % 7 == 0]
"""Every function and every way at least once."""


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_in_every_way(case: Case) -> None:
    check(case.program, case.x, case.gradient, case.hessian)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case not in SAMPLE], ids=lambda case: case.name)
def test_every_function_in_every_way(case: Case) -> None:
    check(case.program, case.x, case.gradient, case.hessian)


# Others: text of the program, argument, gradient, Hessian


def root_of_clipped(x):
    return np.sum(np.sqrt(np.maximum(x, 0.0)))


def logarithm_under_a_weight(x):
    return np.sum((x > 0.0) * np.log(np.clip(x, 0.0, 9.0) + (x <= 0.0)))


def root_of_clipped_number(x):
    return math.sqrt(max(x[0], 0.0)) * x[1]


def weights_of_zero(x):
    w = np.zeros(len(x))
    w[1] = 3.0
    return np.sum(w * np.sqrt(x * x))


def distances_above_the_diagonal(x):
    d = x.reshape((x.shape[0], 1)) - x
    return np.sum(np.triu(np.sqrt(d * d), 1))


def branches_in_branches(x):
    total = 0.0
    for v in x:
        low, high = np.sqrt(v), np.log(v - 1.0)
        if v > 0.0:
            if v > 1.0:
                total += high
            else:
                total += low
        else:
            total += v * v
    return total


def cube_over_distance(x):
    r = math.sqrt(x[0] * x[0] + x[1] * x[1])
    if r == 0.0:
        return 0.0 * x[0]
    return x[0] ** 3 / r


def bell(x):
    r = np.sqrt(x[0] * x[0] + x[1] * x[1])
    return np.exp(-r * r)


def bell_of_norm(x):
    return np.exp(-(np.linalg.norm(x) ** 2))


def spring(x):
    r = np.hypot(x[0], x[1])
    return 0.5 * 3.0 * r * r


def unless_missing(x):
    return np.sum(np.where(np.isnan(x), 0.0, np.abs(x) * x * x))


def where_finite(x):
    return np.sum(np.where(np.isfinite(x), x * x * x, 0.0))


def overwritten(x):
    t = np.sqrt(1.0 + 2.0 * x) * x
    t[1] = 2.0
    return np.sum(t * t)


def overwritten_by_another(x):
    t = np.sqrt(1.0 + 2.0 * x) * x
    t[1] = x[0]
    return np.sum(t * t)


def sigmoid(x):
    return np.sum(np.where(x >= 0, 1.0 / (1.0 + np.exp(-x)), np.exp(x) / (1.0 + np.exp(x))))


def stops(x):
    total = 0.0
    for v in x:
        r = np.sqrt(v)
        if v < 0.0:
            break
        total += r * r * r
    return total


def stored_and_cleared(x):
    t = np.zeros(len(x))
    for i in range(len(x)):
        t[i] = np.log(x[i]) * x[i]
    for i in range(len(x)):
        if x[i] <= 0:
            t[i] = 0.0
    total = 0.0
    for i in range(len(x)):
        total += t[i] * t[i]
    return total


def largest_of_chosen(x):
    return np.max(np.where(x > 0, np.log(x), -5.0))


def angle_off_the_axis(x):
    return np.where(x[0] == 0, 7.0, np.arctan2(x[0], x[1]))


E = math.e
OTHERS = [
    (root_of_clipped, [-3.0, 4.0], [0, 0.25], [[0, 0], [0, -1 / 32]]),
    (logarithm_under_a_weight, [-1.0, 4.0], [0, 0.25], [[0, 0], [0, -1 / 16]]),
    (root_of_clipped_number, [-3.0, 1.0], [0, 0], np.zeros((2, 2))),
    (weights_of_zero, [0.0, 3.0, 0.0], [0, 3, 0], np.zeros((3, 3))),
    (distances_above_the_diagonal, [0.3, 1.1, -0.7], [0, 2, -2], np.zeros((3, 3))),
    (branches_in_branches, [-1.0, 0.25, 2.0], [-2, 1, 1], np.diag([2.0, -2.0, -1.0])),
    (cube_over_distance, [0.0, 0.0], [0, 0], None),
    (bell, [0.0, 0.0], [0, 0], [[-2, 0], [0, -2]]),
    (bell_of_norm, [0.0, 0.0], [0, 0], [[-2, 0], [0, -2]]),
    (spring, [0.0, 0.0], [0, 0], [[3, 0], [0, 3]]),
    (unless_missing, [np.nan, 3.0], [0, 27], [[0, 0], [0, 18]]),
    (where_finite, [np.inf, 3.0], [0, 27], [[0, 0], [0, 18]]),
    (overwritten, [0.5, -1.0], [2 * 0.5 * 2 + 2 * 0.25, 0], None),
    (overwritten_by_another, [0.5, -1.0], [2 * 0.5 * 2 + 2 * 0.25 + 1, 0], None),
    (sigmoid, [-1000.0, 0.0, 1000.0], [0, 0.25, 0], np.zeros((3, 3))),
    (stops, [4.0, 1.0, -2.0, 3.0], [3, 1.5, 0, 0], None),
    (stored_and_cleared, [0.0, E], [0, 4 * E], None),
    (largest_of_chosen, [0.0, 2.0, 1.0], [0, 0.5, 0], None),
    (angle_off_the_axis, [0.0, 0.0], [0, 0], np.zeros((2, 2))),
]


@pytest.mark.parametrize(("f", "x", "gradient", "hessian"), OTHERS, ids=lambda p: getattr(p, "__name__", ""))
def test_other_programs(f: Any, x: Any, gradient: Any, hessian: Any) -> None:
    check(f, x, gradient, hessian, both)


def roots_and_squares(x):
    return np.array([np.sqrt(x[0]), np.log(x[0]) * x[1], x[1] * x[1]])


def test_an_infinite_slope_stays_in_its_row() -> None:
    jacobian = ad.jacobian(roots_and_squares)(np.array([0.0, 3.0]))
    np.testing.assert_array_equal(jacobian[::2], [[np.inf, 0], [0, 6]])  # the other row has an infinite value
    _, pullback = ad.vjp(roots_and_squares, np.array([0.0, 3.0]))
    np.testing.assert_array_equal(np.ravel(pullback(np.array([0.0, 0.0, 1.0]))), [0.0, 6.0])


def roots(x):
    return np.sum(np.sqrt(x))


@pytest.mark.parametrize(("x", "slope"), [(0.0, np.inf), (-1.0, np.nan)])
def test_what_is_used_stays_infinite_or_nan(x: float, slope: float) -> None:
    for found in gradients(roots, np.array([x, 4.0])).values():
        np.testing.assert_array_equal(found, [slope, 0.25])


def iterated(x, n):
    s = x[0]
    for _ in range(n):
        s = np.log(s) * s + s * s
    return np.where(x[0] > 0, s, 3.0 * x[0])


@pytest.mark.parametrize("x", [0.0, -1.0])
@pytest.mark.parametrize("workspace", ["auto", 64])
def test_across_checkpoints(x: float, workspace: Any) -> None:
    """The steps of the loop are functions of their own, in which nothing is discarded."""
    given = ad.Duplicated(np.array([x]), np.zeros(1))
    gradient = ad.compile(iterated, given, ad.Const(40), workspace=workspace)
    gradient(given, ad.Const(40))
    assert given.shadow.tolist() == [3.0]


def diffused(u, n, out):
    """Rewinding keeps one row of `u` per step."""
    for _ in range(n):
        for i in range(1, len(u) - 1):
            u[i] = np.sqrt(u[i - 1]) * u[i + 1]
    for i in range(len(u)):
        out[i] = u[i] if u[i] > 0.0 else 0.0
    return np.sum(out)


def test_across_steps_that_run_again() -> None:
    u = np.array([-1.0, 2.0, 3.0, 4.0])
    for workspace in ("auto", 256):
        given = ad.Duplicated(u.copy(), np.zeros(4)), ad.Const(3), ad.Const(np.zeros(4))
        ad.compile(diffused, *given, workspace=workspace)(*given)
        assert np.isfinite(given[0].shadow).all()
        assert given[0].shadow[3] == 1.0


def test_single_precision() -> None:
    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(x) * np.log(x), x * np.float32(3.0)))

    x = np.array([0.0, 4.0, -1.0], np.float32)
    expected = [3.0, math.log(4.0) / 4 + 0.5, 3.0]
    np.testing.assert_allclose(ad.grad(f)(x), expected, rtol=1e-6)
    np.testing.assert_allclose([ad.jvp(f, (x,), (row,))[1] for row in np.eye(3, dtype=np.float32)], expected, rtol=1e-6)


def false_zero(x):
    c = np.cbrt(x[0])
    return c * c * c


def test_what_remains_wrong() -> None:
    """A factor that vanishes with the same input: no rule can tell it from a discarded value. The page on special
    points says so; differences tell."""
    assert ad.grad(false_zero)(np.zeros(1)).tolist() == [0.0]  # 1 is right
    assert math.isnan(ad.jvp(false_zero, (np.zeros(1),), (np.ones(1),))[1])


def logarithm_of_determinant(a):
    n = a.shape[0]
    total = 0.0
    for k in range(n):
        for i in range(k + 1, n):
            a[i, k] = a[i, k] / a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
        total += np.log(a[k, k])
    return total


def squared_product(a, b):
    return np.sum(np.where(a @ b > 0.0, a @ b, 0.0) ** 2)


def depths(f: Callable[..., Any], *arguments: ad.Duplicated) -> list[int]:
    """In how many loops each strong product of the gradient stands."""
    text = ad.compile(f, *arguments).stage("gradient")
    return [(len(line) - len(line.lstrip())) // 2 - 1 for line in text.split("\n") if "= mulz" in line]


def test_inner_products_stay_plain() -> None:
    """What follows a division in an elimination is used: nothing is discarded, and no comparison slows its innermost
    loops. Products of matrices stay recognised where what they give is discarded."""
    a = np.eye(5) * 4.0 + 1.0
    found = depths(logarithm_of_determinant, ad.Duplicated(a, np.zeros_like(a)))
    assert found
    assert max(found) == 2
    b = ad.Duplicated(a.copy(), np.zeros_like(a))
    assert depths(squared_product, ad.Duplicated(a, np.zeros_like(a)), b) == []
