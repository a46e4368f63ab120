"""What the values of a function scatter by, seen from its values alone: more than their own rounding where they cancel.

    steps    2^-44, 2^-38, ..., 2^-8 of the natural one (fewer where numbers have fewer bits), nine values a step
    tables   differences of order k of a smooth function vanish like the step to the k-th, those of noise don't
    treads   values that are all equal at one step, and further apart at the next than rounding makes them, are stairs:
             a step function, or large numbers that cancel; by calls alone there is no telling which

Differences of high order: Moré and Wild 2011, SIAM J. Sci. Comput. 33(3), and Hamming's difference tables before them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pytest_adalloc.checks.differences.extrapolation import NOISE_POINTS, noise_of

EXPONENTS = {2.0**-53: (-44, -38, -32, -26, -20, -14, -8), 2.0**-24: (-18, -14, -10, -6), 2.0**-11: (-7, -5)}
"""Of the steps, by unit roundoff: whole roundings of a number of the natural size, and more of them each time."""
LEAST = {2.0**-53: 2.0**-1073, 2.0**-24: 2.0**-148, 2.0**-11: 2.0**-23}
"""What subnormal numbers are rounded by at most, by unit roundoff."""
BESIDE = 16  # steps away from the point: the powers of a cusp are no noise
UNEVEN = 1e-2
QUIET = 8.0  # roundings of the value, which no table tells from none


class Scatter(NamedTuple):
    """`noise`: 0 where it is no more than the rounding of the value, or can't be told. `tread`: how high the stairs
    are, 0 where there are none."""

    noise: float = 0.0
    tread: float = 0.0


def scatter(along: Callable[[float], float], scale: float, roundoff: float, base: float) -> Scatter:
    """What is known of `along` beside 0, on the louder side."""
    floor = QUIET * max(roundoff * abs(base), LEAST[roundoff])
    ahead, moved = _side(along, scale, roundoff, floor)
    if moved and ahead == Scatter():
        return ahead
    behind, _ = _side(along, -scale, roundoff, floor)
    return Scatter(max(ahead.noise, behind.noise), max(ahead.tread, behind.tread))


def _side(along: Callable[[float], float], scale: float, roundoff: float, floor: float) -> tuple[Scatter, bool]:
    """What is known of one side, and whether its values change at the smallest step."""
    noise, flat = 0.0, False
    places = range(BESIDE + 1, BESIDE + NOISE_POINTS + 1)
    for number, exponent in enumerate(EXPONENTS[roundoff]):
        table = np.array([along(k * scale * 2.0**exponent) for k in places])
        height = float(np.ptp(table))
        if height == 0:
            flat = True
            continue
        if not math.isfinite(height):
            break
        found = noise_of(table)
        if flat:
            grown = 64.0 * max(places) * floor  # what a slope may make of less than a rounding, until the next step
            stairs = height > grown and found > UNEVEN * height  # a corner beside the point goes straight on
            return (Scatter(0.0, height) if stairs else Scatter()), False
        # A function that varies within a step looks like noise there; at smaller steps it is smooth.
        if number and found > QUIET * max(noise, floor):
            break
        noise = max(noise, found)
        if noise <= floor:
            break
    return (Scatter(noise) if noise > floor else Scatter()), not flat


__all__ = ["LEAST", "Scatter", "scatter"]
