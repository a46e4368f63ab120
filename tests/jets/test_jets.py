"""Slopes and sides of small programs against closed forms; every elementary function, every kind of decision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.jets import elementary, taylor
from adcore.jets.program import PLAIN
from adcore.ops import TABLE

WIDE = np.longdouble


def slope(f: Callable[..., Any], x: Any, *, wide: bool = True) -> Any:
    return ad.reference(f, x).slopes((x,), (1.0,), count=1, wide=wide).slopes[0]


def sides(f: Callable[..., Any], x: float) -> tuple[float, float]:
    """Slopes from the left and from the right; NaN where there is no value."""
    reference = ad.reference(f, x)
    assert reference.slopes((x,), (1.0,), count=1).undecided == (0,)
    left, right = (reference.side((x,), (s,)) for s in (-1.0, 1.0))
    return -float(left.slope), float(right.slope)


def by_differences(f: Callable[[Any], Any], x: Any) -> Any:
    """A slope in long double: the sixth order at a step that leaves 15 digits."""
    h = WIDE(2.0**-9)
    near, mid, far = ((f(x + k * h) - f(x - k * h)) / (2 * k * h) for k in (1, 2, 3))
    return (15 * near - 6 * mid + far) / 10


@pytest.mark.parametrize("op", sorted(elementary.SLOPES))
def test_textbook_slopes(op: str) -> None:
    for (sample,) in TABLE[op].samples:
        x = WIDE(sample)
        found = elementary.slope(op, x, elementary.value(op, x))
        # Error and gamma functions have double precision values: their differences lose digits at such a step.
        tolerance = 1e-11 if op in ("erf", "erfc", "gamma", "lgamma") else 3e-12
        assert float(found) == pytest.approx(float(by_differences(lambda v: elementary.value(op, v), x)), rel=tolerance)


def test_a_slope_has_the_digits_that_the_program_loses() -> None:
    def cosc(x):
        return (1.0 - math.cos(x)) / (x * x)

    x = 1e-3
    right = -x / 12 + x**3 / 180
    assert float(slope(cosc, x)) == pytest.approx(right, rel=1e-6)
    assert float(slope(cosc, x, wide=False)) != pytest.approx(right, rel=1e-6)


def square_of_positive(x):
    return max(x, 0.0) ** 2


def signed_square(x):
    return x * abs(x)


def cube(x):
    return abs(x) ** 3


def three_halves(x):
    return abs(x) ** 1.5


def root_of_square(x):
    return math.sqrt(x * x)


def root_of_fourth(x):
    return math.sqrt(x**4)


def by_hypot(x):
    return math.hypot(x, x * x)


def sign_times(x):
    return math.copysign(1.0, x) * x


def difference_of_relus(x):
    return max(x, 0.0) - max(-x, 0.0)


def branch(x):
    if x > 0:
        return 3 * x
    return 2 * x


def smooth_branch(x):
    if x > 0:
        return math.sin(x)
    return x - x**3 / 6


def nested(x):
    return max(min(x, 2 * x), -abs(x) + x * x)


@pytest.mark.parametrize(
    ("f", "left", "right"),
    [
        (abs, -1.0, 1.0),
        (square_of_positive, 0.0, 0.0),
        (signed_square, 0.0, 0.0),
        (cube, 0.0, 0.0),
        (three_halves, 0.0, 0.0),
        (root_of_square, -1.0, 1.0),
        (root_of_fourth, 0.0, 0.0),
        (by_hypot, -1.0, 1.0),
        (sign_times, -1.0, 1.0),
        (difference_of_relus, 1.0, 1.0),
        (branch, 2.0, 3.0),
        (smooth_branch, 1.0, 1.0),
        (nested, 1.0, 1.0),
    ],
)
def test_corners_at_zero(f: Callable[..., Any], left: float, right: float) -> None:
    if f is abs:

        def f(x):
            return abs(x)

    assert sides(f, 0.0) == (left, right)


def root(x):
    return math.sqrt(x)


def root_times(x):
    return math.sqrt(x) * x + x


def arc(x):
    return math.acos(x) ** 2


def area(x):
    return math.acosh(x) ** 2


def power(x):
    return x**1.5


def test_edges_have_a_slope_on_one_side() -> None:
    assert sides(root, 0.0) == pytest.approx((math.nan, math.inf), nan_ok=True)
    assert sides(root_times, 0.0) == pytest.approx((math.nan, 1.0), nan_ok=True)
    assert sides(power, 0.0) == pytest.approx((math.nan, 0.0), nan_ok=True)
    # acos(x)^2 = 2 (1 - x) + ... and acosh(x)^2 = 2 (x - 1) + ...
    assert sides(arc, 1.0) == pytest.approx((-2.0, math.nan), nan_ok=True)
    assert sides(area, 1.0) == pytest.approx((math.nan, 2.0), nan_ok=True)


def floor_times(x):
    return math.floor(x) * x


def remainder(x):
    return x % 1.0


def angle(x):
    return math.atan2(x, -1.0)


def cast(x):
    return int(x) * x


@pytest.mark.parametrize(
    ("f", "x", "left", "right"),
    [(floor_times, 2.0, 2.0, 4.0), (remainder, 1.0, 1.0, 0.0), (angle, 0.0, -math.pi, math.pi), (cast, 3.0, 6.0, 9.0)],
)
def test_jumps_start_from_another_value(f: Callable[..., Any], x: float, left: float, right: float) -> None:
    reference = ad.reference(f, x)
    found = [reference.side((x,), (s,)).start for s in (-1.0, 1.0)]
    assert found == pytest.approx([left, right])


def test_a_step_that_does_not_matter_is_no_jump() -> None:
    assert [ad.reference(floor_times, 0.0).side((0.0,), (s,)).start for s in (-1.0, 1.0)] == [0.0, 0.0]


def many(x, y):
    out = np.empty(len(x))
    total = 0.0
    for i in range(len(x)):
        out[i] = math.sin(x[i]) * y
    k = 0
    while total < 1.0 and k < len(x):
        total += out[k] * out[k]
        k += 1
    return total + np.sum(out[::2] * x[::2])


def test_all_components_at_once() -> None:
    x, y = np.linspace(0.5, 1.5, 5), 1.25
    found = ad.reference(many, x, y).slopes((x, y), (np.arange(1.0, 6.0), 6.0), count=6)
    gradients = ad.grad(many, wrt=(0, 1))(x, y)
    assert found.value == pytest.approx(many(x, y), rel=1e-15)
    assert np.asarray(found.slopes, float) == pytest.approx(np.append(gradients[0], gradients[1]), rel=1e-14)
    assert found.undecided == found.crossed == ()


def test_only_what_a_tie_depends_on_is_undecided() -> None:
    def f(x):
        return max(x[0], x[1]) + x[2] * x[3]

    x = np.array([1.0, 1.0, 2.0, 3.0])
    found = ad.reference(f, x).slopes((x,), (np.arange(1.0, 5.0),), count=4)
    assert found.undecided == (0, 1)
    assert [float(s) for s in found.slopes[2:]] == [3.0, 2.0]


def test_a_decision_that_rounding_turns_is_crossed() -> None:
    def f(x):
        rest = (x + 1e16) - 1e16 - x
        return x * x if rest < 0 else 3 * x

    assert ad.reference(f, 1.0).slopes((1.0,), (1.0,), count=1).crossed == (0,)


def test_numbers_of_32_bits_keep_their_width_in_the_narrow_arithmetic() -> None:
    def f(x):
        out = np.empty(1, dtype=np.float32)
        out[0] = x * 0.1
        return out[0] * 3.0

    reference = ad.reference(f, 1.7)
    assert reference.single
    wide, narrow = (reference.slopes((1.7,), (1.0,), count=1, wide=w).slopes[0] for w in (True, False))
    assert float(wide) == pytest.approx(0.3, rel=1e-15)
    assert float(narrow) == float(np.float32(0.1) * np.float32(3.0))


def test_what_a_function_writes_can_be_weighted() -> None:
    def f(out, x):
        for i in range(len(x)):
            out[i] = x[i] * x[i]

    x, out = np.array([1.0, 2.0, 3.0]), np.zeros(3)
    numbers = (np.zeros(3), np.array([1.0, 2.0, 3.0]))
    weights = (np.array([1.0, 10.0, 100.0]), np.zeros(3))
    found = ad.reference(f, out, x).slopes((out, x), numbers, weights, count=3)
    assert found.value == 1 + 40 + 900
    assert [float(s) for s in found.slopes] == [2.0, 40.0, 600.0]


def test_what_cannot_be_read_says_so() -> None:
    def long(x, n):
        total = x
        for _ in range(n):
            total = total * 0.5
        return total

    reference = ad.reference(long, 1.0, 1000)
    with pytest.raises(ad.NoReference, match="more instructions"):
        reference.slopes((1.0, 1000), (1.0, 0), count=1, budget=100)
    with pytest.raises(ad.NoReference, match="1000 components"):
        reference.slopes((1.0, 1000), (1.0, 0), count=1000)

    def writes(a, b):
        a[0] = b[0]
        return a[0] * b[0]

    x = np.ones(2)
    with pytest.raises(ad.NoReference, match="share memory"):
        ad.reference(writes, x, x)


def test_where_a_component_is_read() -> None:
    def f(x, y):
        total = 0.0
        for v in y:
            total += v
        return total * x[0]

    x, y = np.ones(2), np.ones(3)
    reference = ad.reference(f, x, y)
    numbers = (np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    first = f.__code__.co_firstlineno
    assert [span.line - first for span in reference.places(numbers, 0)] == [4]
    assert next(span.line - first for span in reference.places(numbers, 4)) in (2, 3)


def test_every_function_of_floats_has_a_reference() -> None:
    """A new one needs its slope and its Taylor coefficients here, apart from the rule that they check."""
    kinds = {"polygamma", *elementary.SLOPES}
    smooth = {name for name, op in TABLE.items() if op.partials is not None and op.samples and len(op.samples[0]) == 1}
    assert smooth - {"neg", "abs"} <= kinds
    assert set(elementary.SLOPES) - {"sqrt", "cbrt"} <= set(taylor.FUNCTIONS)
    two = {name for name, op in TABLE.items() if op.partials is not None and op.samples and len(op.samples[0]) == 2}
    assert two <= PLAIN


@pytest.mark.parametrize("op", sorted(taylor.FUNCTIONS))
def test_taylor_coefficients(op: str) -> None:
    """The series at the sample, summed a little beside it, is the function there."""
    for (sample,) in TABLE[op].samples:
        found = taylor.coefficients(op, WIDE(sample), 8)
        z = WIDE(2.0**-10)
        total = sum(c * z**k for k, c in enumerate(found))
        assert float(total) == pytest.approx(float(elementary.value(op, WIDE(sample) + z)), rel=1e-13)
