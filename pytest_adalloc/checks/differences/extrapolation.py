"""Derivatives by finite differences that know how good they are.

Central differences are extrapolated to step 0 with Neville's scheme and the entry with the smallest estimated error
wins (Ridders 1982, Adv. Eng. Software 4(2); Richardson 1911). The error of an entry is the larger of its two
distances to its ancestors plus what rounding can do at that step; the rounding noise itself is measured from a
difference table (Moré and Wild 2011, SIAM J. Sci. Comput. 33(3)). The same samples give the one-sided slopes, whose
difference, extrapolated the same way, tells a kink from a smooth point: no sample is taken twice.

Everything works on many directions at once; arrays have one entry per direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_adalloc.checks.verdict.comparison import CUSP, EDGE, JUMP, KINK, SMOOTH, UNDEFINED

FloatArray = NDArray[np.float64]
Sample = Callable[[int, float], float]
"""`sample(direction, step)`: the function's value `step` along a direction; NaN where it has none."""

LEVELS = 5
NOISE_POINTS = 9
_CENTRAL = tuple(4.0**j for j in range(1, LEVELS))  # errors in h^2, h^4, ...
_ONE_SIDED = tuple(2.0**j for j in range(1, LEVELS))  # h, h^2, ...
_JUMP = tuple(2.0 ** (2 * j - 1) for j in range(1, LEVELS))  # h, h^3, ...


@dataclass(frozen=True)
class Precision:
    """What a floating-point type allows: unit roundoff, and the binary exponents of the steps worth trying."""

    roundoff: float
    first_steps: tuple[int, ...]
    noise_steps: tuple[int, ...]
    last_steps: tuple[int, ...] = ()

    @staticmethod
    def of(dtype: np.dtype[Any]) -> Precision:
        """By the narrowest type that takes part: steps must stay far above its spacing."""
        if dtype.itemsize >= 8:
            return Precision(2.0**-53, (-3, -8, -14, -20), (-22, -32, -42), (-30,))
        if dtype.itemsize == 4:
            return Precision(2.0**-24, (-2, -5), (-11, -16))
        return Precision(2.0**-11, (-1, -2), (-5,))


@dataclass(frozen=True)
class Sides:
    """How far one may go along each direction, forwards and backwards: infinity where nothing bounds it."""

    forward: FloatArray
    backward: FloatArray

    @staticmethod
    def unbounded(count: int) -> Sides:
        return Sides(np.full(count, np.inf), np.full(count, np.inf))


@dataclass(frozen=True)
class Slopes:
    """Derivatives along directions: value, estimated error, the slopes of either side, and what kind of point it is."""

    value: FloatArray
    error: FloatArray
    left: FloatArray
    right: FloatArray
    jump: FloatArray
    jump_error: FloatArray
    kind: tuple[str, ...]
    samples: int


@dataclass
class _Best:
    """The best estimate so far of each direction, and the samples of the finest attempt, which classify the point."""

    value: FloatArray
    error: FloatArray
    left: FloatArray
    right: FloatArray
    jump: FloatArray
    jump_error: FloatArray
    steps: FloatArray
    ahead: FloatArray
    behind: FloatArray

    @staticmethod
    def nothing(count: int) -> _Best:
        def unknown() -> FloatArray:
            return np.full(count, np.nan)

        rows = np.full((LEVELS, count), np.nan)
        infinite = np.full(count, np.inf)
        return _Best(
            unknown(), infinite, unknown(), unknown(), unknown(), infinite.copy(), rows.copy(), rows.copy(), rows.copy()
        )


def slopes(
    sample: Sample,
    scale: FloatArray,
    base: float,
    noise: float,
    precision: Precision,
    *,
    sides: Sides | None = None,
    thorough: bool = False,
    tick: Callable[[int, int], None] | None = None,
) -> Slopes:
    """Derivatives of `sample` along every direction at step 0, with their errors.

    `scale` is the step over which each direction may be expected to be smooth (a power of two keeps steps exact),
    `base` the value at the point, `noise` its rounding noise. A direction is finished when its error is small relative
    to its slope, or at what the noise allows; otherwise other steps are tried. `thorough` tries all of them: an answer
    that depends on the steps is none.
    """
    count = len(scale)
    sides = sides or Sides.unbounded(count)
    best = _Best.nothing(count)
    goal = precision.roundoff**0.5 * 0.1
    samples = 0
    for first in _attempts(scale, precision, thorough):
        steps = _within(first, sides)
        undone = np.arange(count) if thorough else _unfinished(best, goal, noise, scale)
        if not len(undone):
            break
        samples += _attempt(sample, undone, steps, sides, base, noise, precision.roundoff, best, tick)
    return Slopes(
        best.value,
        best.error,
        best.left,
        best.right,
        best.jump,
        best.jump_error,
        _kinds(best, sides, base, noise),
        samples,
    )


def measured_noise(along: Callable[[float], float], precision: Precision, base: float) -> float:
    """The rounding noise of a function at a point, from difference tables along a line (`along(0) == base`).

    Differences of order k of a smooth function vanish like the step to the k-th; those of noise don't: each order
    gives an estimate, and the middle of orders 3 to 6 is robust. The point itself is left out, since a kink there
    would look like noise: the quieter side counts. Never below one rounding of the value itself.
    """
    floor = precision.roundoff * abs(base) if np.isfinite(base) else 0.0
    quietest = np.inf
    for exponent in precision.noise_steps:
        for side in (1.0, -1.0):
            quietest = min(quietest, noise_of(_table(along, side, exponent)))
            if quietest <= 8.0 * floor:
                return max(floor, quietest)
        if quietest <= 1e4 * floor:
            break
        # So much noise may be a function that varies faster than these steps can follow; noise does not shrink with
        # them.
    return max(floor, quietest) if np.isfinite(quietest) else floor


def _table(along: Callable[[float], float], side: float, exponent: int) -> FloatArray:
    # Values that don't change at all over small steps may be rounded to a coarse grid, and differences of 0 would look
    # exact: the steps grow until the values change, or show that they never do. The factor is in step with no grid.
    step = 2.0**exponent
    while True:
        table = np.array([along(side * i * step) for i in range(1, NOISE_POINTS + 1)])
        if np.ptp(table) != 0 or step > 2.0**-5:
            return table
        step *= 61.3


def noise_of(table: FloatArray) -> float:
    if not np.all(np.isfinite(table)):
        return np.inf
    estimates = []
    gamma = 1.0
    for order in range(1, 7):
        table = np.diff(table)
        gamma *= order / (2.0 * (2 * order - 1))
        if order >= 3:
            estimates.append(float(np.sqrt(gamma * np.mean(table * table))))
    return float(np.median(estimates))


def _attempts(scale: FloatArray, precision: Precision, thorough: bool) -> list[FloatArray]:
    # A point near zero says little about the scale on which the function varies: steps around one are tried as well.
    own = [scale * 2.0**e for e in precision.first_steps + (precision.last_steps if thorough else ())]
    if np.all(scale >= 1.0):
        return own
    unit = np.maximum(scale, 1.0)
    return [own[0], *(unit * 2.0**e for e in precision.first_steps[:2]), *own[1:]]


def _within(first: FloatArray, sides: Sides) -> FloatArray:
    """First steps that respect the bounds; a side too short to be used at all does not limit the other one."""
    room = np.where(_usable(sides.backward, first), sides.backward, np.inf)
    room = np.minimum(room, np.where(_usable(sides.forward, first), sides.forward, np.inf))
    limit = 2.0 ** np.floor(np.log2(np.where(np.isfinite(room), room, 1.0)))
    return np.where(np.isfinite(room), np.minimum(first, limit), first)


def _usable(room: FloatArray, first: FloatArray) -> FloatArray:
    return np.asarray(room >= first * 2.0**-12)


def _unfinished(best: _Best, goal: float, noise: float, scale: FloatArray) -> NDArray[np.intp]:
    enough = np.maximum(goal * np.abs(best.value), 64.0 * noise / np.maximum(scale, 1.0))
    with np.errstate(invalid="ignore"):
        settled = (best.error <= enough) & ~(np.abs(best.jump) > np.maximum(enough, 8.0 * best.jump_error))
    return np.flatnonzero(~settled)


def _attempt(
    sample: Sample,
    which: NDArray[np.intp],
    steps: FloatArray,
    sides: Sides,
    base: float,
    noise: float,
    roundoff: float,
    best: _Best,
    tick: Callable[[int, int], None] | None,
) -> int:
    """Sample the given directions at halving steps and keep what is better than before; returns the number of
    samples.
    """
    rows = steps[which] * 2.0 ** -np.arange(LEVELS)[:, None]
    ahead = np.full(rows.shape, np.nan)
    behind = np.full(rows.shape, np.nan)
    can_go = _usable(sides.forward[which], steps[which]), _usable(sides.backward[which], steps[which])
    taken = 0
    for place, direction in enumerate(which):
        for level in range(LEVELS):
            step = float(rows[level, place])
            if can_go[0][place]:
                ahead[level, place] = sample(int(direction), step)
                taken += 1
            if can_go[1][place]:
                behind[level, place] = sample(int(direction), -step)
                taken += 1
        if tick is not None:
            tick(place + 1, len(which))
    _keep(best, which, rows, ahead, behind, base, noise, roundoff, one_sided=can_go[0] != can_go[1])
    return taken


def _keep(
    best: _Best,
    which: NDArray[np.intp],
    rows: FloatArray,
    ahead: FloatArray,
    behind: FloatArray,
    base: float,
    noise: float | FloatArray,
    roundoff: float,
    *,
    one_sided: NDArray[np.bool_],
) -> None:
    with np.errstate(all="ignore"):
        # The noise was measured at the point; values that are larger further away carry their own rounding.
        noise = np.fmax(noise, roundoff * np.fmax(np.abs(ahead), np.abs(behind)))
        value, error = extrapolate((ahead - behind) / (2 * rows), _CENTRAL, noise / rows)
        right, right_error = extrapolate((ahead - base) / rows, _ONE_SIDED, 2 * noise / rows)
        left, left_error = extrapolate((base - behind) / rows, _ONE_SIDED, 2 * noise / rows)
        jump, jump_error = extrapolate((ahead + behind - 2 * base) / rows, _JUMP, 4 * noise / rows)
    side = np.where(np.isfinite(right_error), right, left)
    side_error = np.where(np.isfinite(right_error), right_error, left_error)
    value, error = np.where(one_sided, side, value), np.where(one_sided, side_error, error)
    finer = ~(rows[0] > best.steps[0, which])
    # The more accurate attempt stands; but a smaller step that sees no jump of the slope any more has passed a kink.
    known_jump = np.abs(best.jump[which])
    was_kink = (known_jump > 8.0 * best.jump_error[which]) & (error < known_jump)
    left_behind = finer & was_kink & np.isfinite(jump_error) & (np.abs(jump) < 0.5 * known_jump)
    known_error = best.error[which]
    chosen, error = _weighed(value, error, best.value[which], known_error, finer)
    best.error[which] = known_error
    better = chosen | left_behind
    at = which[better]
    best.value[at], best.error[at] = value[better], error[better]
    for known, new in ((best.left, left), (best.right, right)):
        update = better | np.isnan(known[which])
        known[which[update]] = new[update]
    best.jump[at], best.jump_error[at] = jump[better], jump_error[better]
    for name, sampled in (("steps", rows), ("ahead", ahead), ("behind", behind)):
        getattr(best, name)[:, which[finer]] = sampled[:, finer]


def _weighed(
    value: FloatArray, error: FloatArray, known: FloatArray, known_error: FloatArray, finer: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Which new estimates replace the known ones, and the new errors.

    Where a function varies on a scale far below the steps, its differences look smooth or like a little noise, with a
    small error. So of two estimates that contradict each other the one with the finer steps stands if it is accurate,
    else the one with the smaller relative error; and where the finer one is not accurate, neither is to be believed.
    """
    with np.errstate(all="ignore"):
        apart = np.abs(value - known)
        contradicting = apart > 8.0 * (error + known_error)
        relative, known_relative = error / np.abs(value), known_error / np.abs(known)
        sharp = np.where(finer, relative, known_relative) <= 1e-3
        preferred = np.where(sharp, finer, ~(relative >= known_relative))
        better = np.where(contradicting, preferred, error < known_error)
        hopeless = contradicting & ~sharp
    known_error[hopeless] = np.maximum(known_error, apart)[hopeless]
    return better, np.where(hopeless, np.maximum(error, apart), error)


def extrapolate(rows: FloatArray, ratios: Sequence[float], noise: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The limit of each column of `rows` (step halved from row to row) and its error.

    `ratios[j]` is the factor by which halving the step shrinks the j-th error term, `noise` the rounding error of each
    entry. Columns without two neighbouring finite entries have an infinite error.
    """
    value = np.full(rows.shape[1], np.nan)
    error = np.full(rows.shape[1], np.inf)
    column, grown = rows, noise
    for ratio in ratios[: len(rows) - 1]:
        finer, coarser = column[1:], column[:-1]
        following = finer + (finer - coarser) / (ratio - 1.0)
        grown = grown[1:] * (ratio + 1.0) / (ratio - 1.0)
        guess = np.maximum(np.abs(following - finer), np.abs(following - coarser)) + 2.0 * grown
        guess[~np.isfinite(guess)] = np.inf
        row = np.argmin(guess, axis=0)
        best = np.take_along_axis(guess, row[None], 0)[0]
        chosen = np.take_along_axis(following, row[None], 0)[0]
        improves = best < error
        value, error = np.where(improves, chosen, value), np.where(improves, best, error)
        column = following
    return value, error


def _kinds(best: _Best, sides: Sides, base: float, noise: float) -> tuple[str, ...]:
    kinds = []
    for i in range(len(best.value)):
        ahead, behind, steps = best.ahead[:, i], best.behind[:, i], best.steps[:, i]
        looked = (_looked(sides.forward[i], steps), _looked(sides.backward[i], steps))
        kinds.append(_kind(ahead, behind, steps, looked, (best.jump[i], best.jump_error[i]), base, noise))
    return tuple(kinds)


def _looked(room: float, steps: FloatArray) -> bool:
    return bool(room >= steps[0] * 2.0**-12)


def _kind(
    ahead: FloatArray,
    behind: FloatArray,
    steps: FloatArray,
    looked: tuple[bool, bool],
    jump: tuple[float, float],
    base: float,
    noise: float,
) -> str:
    """What the finest samples of one direction say about the point."""
    defined = bool(np.isfinite(ahead[-1])), bool(np.isfinite(behind[-1]))
    if not np.isfinite(base) or not any(defined):
        return UNDEFINED
    if any(wanted and not found for wanted, found in zip(looked, defined, strict=True)):
        return EDGE
    for values in (ahead, behind):
        growth = _growth(np.abs(values - base), noise)
        if growth < 1.2:
            return JUMP
    even = np.abs(ahead + behind - 2 * base)
    # Halving the step halves the change at a kink, quarters it at a smooth point; it shrinks less where slopes are
    # infinite.
    if _growth(even, noise) < 1.7:
        return CUSP
    if abs(jump[0]) > 8.0 * jump[1]:
        return KINK
    return SMOOTH


def _growth(change: FloatArray, noise: float) -> float:
    """The smallest factor by which doubling the step grows a change; infinite where noise drowns it."""
    if not np.all(np.isfinite(change)) or np.any(change <= 64.0 * noise) or np.any(change == 0):
        return np.inf
    return float(np.max(change[:-1] / change[1:]))
