"""Whether a gradient agrees with its differences: for each direction a verdict, from what can be seen there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pytest_adalloc.checks.arguments import Point, Vector
from pytest_adalloc.checks.comparison import CUSP, EDGE, JUMP, KINK, UNDEFINED
from pytest_adalloc.checks.differences.directions import Directions
from pytest_adalloc.checks.differences.extrapolation import Precision, Slopes
from pytest_adalloc.checks.grad_report import Verdict

SAFETY = 8.0  # an estimated error is taken that many times
SHARP = {8: 1e-5, 4: 1e-2, 2: 0.3}  # differences that can't see such a relative error are unreliable, by item size


@dataclass(frozen=True)
class Tolerance:
    """What the user asked for; None: from the type and the measured noise."""

    rtol: float | None = None
    atol: float | None = None


@dataclass(frozen=True)
class Judgement:
    """A verdict for each direction, and how far the gradient is off there: in units of what is allowed, relatively."""

    verdicts: tuple[Verdict, ...]
    excess: Vector
    relative: Vector


@dataclass(frozen=True)
class _Deviation:
    """For each direction: how far the gradient is off, what is allowed, whether it agrees, whether that can be seen."""

    off: Vector
    allowed: Vector
    relative: Vector
    agrees: NDArray[np.bool_]
    sees: NDArray[np.bool_]


def judge(
    point: Point,
    directions: Directions,
    slopes: Slopes,
    gradient: Vector,
    base: float,
    noise: float,
    tolerance: Tolerance,
) -> Judgement:
    """Compare the gradient along each direction with its slope; `noise` is that of the values, `base` their size."""
    got = directions.slope(gradient)
    with np.errstate(all="ignore"):
        found = _deviation(point, directions.scale, slopes, got, base, noise, tolerance)
    verdicts = tuple(_verdict(slopes, found, k) for k in range(len(got)))
    tiny = float(np.finfo(float).tiny)
    excess = np.where(np.isfinite(found.off), found.off, np.inf) / np.maximum(found.allowed, tiny)
    return Judgement(verdicts, excess, found.relative)


def _deviation(
    point: Point, scale: Vector, slopes: Slopes, got: Vector, base: float, noise: float, tolerance: Tolerance
) -> _Deviation:
    expected, error = slopes.value, slopes.error
    precision = Precision.of(point.dtype)
    roundoff, finite = precision.roundoff, np.isfinite(got)
    rtol = 8.0 * roundoff**0.5 if tolerance.rtol is None else tolerance.rtol
    off = np.abs(expected - got)
    # Influence on the function over a natural step: what is far below the largest one drowns in rounding. Where the
    # natural steps are smaller than one, steps around one are tried as well.
    largest = float(np.nanmax(np.abs(expected) * scale, initial=0.0))
    reach = np.fmax(np.fmax(np.abs(expected), np.where(finite, np.abs(got), 0.0)), largest / scale)
    step = np.maximum(scale, 1.0)
    rounding = roundoff * abs(base) / step
    floor = np.fmax(64.0 * rounding, 64.0 * roundoff * largest / scale) if tolerance.atol is None else tolerance.atol
    allowed = rtol * np.abs(expected) + floor + SAFETY * error
    agrees = finite & (off <= allowed)
    sees = SAFETY * error <= max(SHARP[min(point.dtype.itemsize, 8)], rtol) * reach
    # Nothing on either side, as far as the rounding of the values lets see, is agreement on zero.
    nothing = np.fmax(np.abs(got), np.abs(expected)) <= SAFETY * error
    unit = np.where(got == 0, roundoff / step, 0.0)  # a plain zero is believed where values are zero as well
    sees |= nothing & (error <= 1024.0 * np.fmax(np.fmax(noise / step, rounding), unit))
    # Noise that rounding does not explain may be a function as steep as the gradient says, too steep for any step; and
    # nobody is accused of an error that rounding could hide.
    steepest = float(np.nanmax(np.abs(got) * scale, initial=0.0)) * 2.0 ** precision.noise_steps[-1]
    unexplained = noise > 1e4 * roundoff * abs(base) and steepest >= noise
    doubtful = finite & ~agrees & (unexplained | (off <= 1e4 * rounding))
    return _Deviation(off, allowed, off / np.where(reach > 0, reach, 1.0), agrees | doubtful, sees & ~doubtful)


def without_drowned(judged: Judgement, directions: Directions) -> tuple[Judgement, Directions]:
    """Where every random direction passes, a sampled component that drowns in rounding noise decides nothing.

    One of a million terms of a float32 sum can't be seen by moving it alone; the directions move it with the others.
    """
    first = len(directions.components)
    unseen: Verdict = "finite differences unreliable here"
    drowned = [k for k in range(first) if judged.verdicts[k] == unseen]
    if not drowned or not directions.vectors or any(v != "passed" for v in judged.verdicts[first:]):
        return judged, directions
    verdicts: list[Verdict] = ["passed" if k in drowned else verdict for k, verdict in enumerate(judged.verdicts)]
    relative = judged.relative.copy()
    relative[drowned] = 0.0
    how = f"{directions.how}; {len(drowned)} of these components drown in rounding noise"
    return Judgement(tuple(verdicts), judged.excess, relative), replace(directions, how=how)


def _verdict(slopes: Slopes, found: _Deviation, k: int) -> Verdict:
    kind = slopes.kind[k]
    if kind in (EDGE, UNDEFINED):
        return "edge of the domain"
    if kind in (JUMP, CUSP):
        return "kink"
    if kind == KINK and abs(slopes.jump[k]) / 2 > found.allowed[k]:
        return "kink"
    if not math.isfinite(slopes.value[k]):
        return "finite differences unreliable here"
    if found.agrees[k]:
        return "passed" if found.sees[k] else "finite differences unreliable here"
    return "gradient wrong"
