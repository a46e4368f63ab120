"""The slope of a function that can only be called: one model (slope and noise) has to explain every step size.

    steps        1/4, 1/16, ... of the natural one, over twelve decades (fewer where numbers have fewer bits)
    differences  central ones, extrapolated twice (Richardson 1911): what is left is of the order of the step to the 6th
    window       three neighbouring steps whose extrapolations agree within their bars

A bar is what extrapolation still changes, and twice what rounding of the values (and of the point: a step is rounded
with it) makes of a difference; where values cancel, tables of differences tell how much that is (`noise`). What finer
steps than those of a window say beyond rounding is noise, and enters the bars again. Where two windows say different
things, or the window has only small steps, the function may be a flight of stairs: the residual of the slope is halved
down to where it is made. If it is made in one place, that is a step, and nothing is said; else the finer window
stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_adalloc.checks.differences.noise import LEAST, scatter
from pytest_adalloc.checks.differences.stairs import made_in_one_place
from pytest_adalloc.checks.verdict.comparison import CUSP, EDGE, JUMP, KINK, SMOOTH, UNDEFINED

Array = NDArray[np.float64]
Along = Callable[[float], float]
"""The function's value a step along a direction; NaN where it has none."""

UNSURE = "unsure"
"""The kind of a point of which nothing can be said."""

FAR = (4.0, 16.0, 64.0)
LEAST_LEVELS = 5
SCATTERED = 4.0  # standard deviations that one value may be off
STEEP = 1e-8
"""Stairs that are lower, beside all that is seen of a function, are rounding."""
EVENLY = 1.4
"""By how much the trend of a corner may change from step to step."""


class Ladder(NamedTuple):
    """The steps for numbers of some width: unit roundoff, the ratio of neighbours, and how many."""

    roundoff: float
    ratio: float
    levels: int
    first: float

    @staticmethod
    def of(itemsize: int) -> Ladder:
        """By the bytes of the narrowest number that takes part."""
        if itemsize >= 8:
            return Ladder(2.0**-53, 4.0, 20, 0.25)
        return Ladder(2.0**-24, 2.0, 13, 0.5) if itemsize == 4 else Ladder(2.0**-11, 2.0, 6, 1.0)


@dataclass(frozen=True)
class MeasuredSlope:
    """A slope and how far it may be off. `reach`: the largest change that was seen; `curve`: the second derivative;
    `noise`: beyond rounding; `scale`: the
    natural step that was taken. `kind` UNSURE: nothing can be said, `why` says so."""

    value: float = math.nan
    bar: float = math.inf
    left: float = math.nan
    right: float = math.nan
    kind: str = UNSURE
    why: str = ""
    reach: float = 0.0
    curve: float = 0.0
    noise: float = 0.0
    scale: float = 1.0
    stairs: bool = False


class _Window(NamedTuple):
    bar: float
    value: float
    at: int


def measured(
    along: Along,
    scale: float,
    base: float,
    ladder: Ladder,
    size: float,
    room: tuple[float, float] = (math.inf, math.inf),
) -> MeasuredSlope:
    """The slope of `along` at 0.

    `scale`: a natural step, a power of two; `base`: the value at 0; `size`: how large the number that moves is; `room`:
    how far one may go ahead and behind, which is never left.
    """
    ahead_room, behind_room = room
    steps: Array = np.asarray(scale * ladder.first * ladder.ratio ** -np.arange(float(ladder.levels)))
    least = steps[min(LEAST_LEVELS, ladder.levels) - 1] if ladder.levels <= LEAST_LEVELS else steps[ladder.levels // 2]
    sides = (ahead_room >= least, behind_room >= least)
    if not any(sides):
        return MeasuredSlope(why="the domain is too small for any step")
    limit = min(r for r, open_ in zip(room, sides, strict=True) if open_)
    steps = steps[steps <= limit]

    def bounded(step: float) -> float:
        return along(step) if -behind_room <= step <= ahead_room else math.nan

    ahead = np.array([bounded(s) for s in steps]) if sides[0] else None
    behind = np.array([bounded(-s) for s in steps]) if sides[1] else None
    noise, tread = scatter(bounded, scale, ladder.roundoff, base)
    if tread:
        reach = float(np.nanmax(np.abs(np.concatenate([v for v in (ahead, behind) if v is not None]) - base)))
        if tread > STEEP * reach:
            why = f"its values change in steps of {tread:.1e}: a step function, or large numbers that cancel"
            return MeasuredSlope(why=why, reach=reach, stairs=True)
        noise = max(noise, tread)
    if ahead is None or behind is None:
        return _one_sided(steps, ahead, behind, base, ladder, size, noise)
    return _Measuring(bounded, scale, base, ladder, size, noise).of(steps, ahead, behind)


def _one_sided(
    steps: Array, ahead: Array | None, behind: Array | None, base: float, ladder: Ladder, size: float, noise: float
) -> MeasuredSlope:
    """From the inner side of a bound: differences whose errors go with the first, second, ... power of the step."""
    sign, values = (1.0, ahead) if ahead is not None else (-1.0, behind)
    assert values is not None
    steps, values = _defined(steps, values)
    if len(steps) < LEAST_LEVELS:
        return MeasuredSlope(kind=UNDEFINED, why="not defined inside of the bounds")
    c, r = sign * (values - base) / steps, ladder.ratio
    first = (r * c[1:] - c[:-1]) / (r - 1)
    q = (r**2 * first[1:] - first[:-1]) / (r**2 - 1)
    fine = steps[2:]
    low = _rounding(base, values, None, c, ladder, size, noise)[2:]
    bars = np.maximum(np.abs(q - first[1:]), np.abs(np.diff(q, prepend=q[:1]))) + 4.0 * low / fine
    found = _windows(q, bars)
    if not found:
        return MeasuredSlope(why="no three step sizes agree")
    best = min(found)
    reach = _reach(values, values, base)
    return MeasuredSlope(best.value, best.bar, best.value, best.value, kind=SMOOTH, reach=reach)


def _defined(steps: Array, *values: Array) -> tuple[Array, ...]:
    """The fine end of the ladder, where everything is finite."""
    bad = np.flatnonzero(~np.all([np.isfinite(v) for v in values], axis=0))
    first = int(bad[-1]) + 1 if len(bad) else 0
    return (steps[first:], *(v[first:] for v in values))


def _reach(ahead: Array, behind: Array, base: float) -> float:
    return float(max(np.max(np.abs(ahead - base), initial=0.0), np.max(np.abs(behind - base), initial=0.0)))


def _rounding(
    base: float, ahead: Array, behind: Array | None, c: Array, ladder: Ladder, size: float, noise: float
) -> Array:
    """What rounding makes of a difference at each step: of the values, and of the point that the step is added to."""
    largest = np.abs(ahead) if behind is None else np.maximum(np.abs(ahead), np.abs(behind))
    one = 2.0 * ladder.roundoff * (abs(base) + largest + size * float(np.median(np.abs(c)))) + LEAST[ladder.roundoff]
    return np.maximum(one, SCATTERED * noise)


def _windows(q: Array, bars: Array) -> list[_Window]:
    """Three neighbours that agree."""
    found = []
    for i in range(len(q) - 2):
        three, b = q[i : i + 3], bars[i : i + 3]
        if float(np.ptp(three)) <= 4 * float(np.min(b) + np.max(b)):
            found.append(_Window(float(np.min(b)), float(three[int(np.argmin(b))]), i))
    return found


@dataclass(frozen=True)
class _Measuring:
    """What stays the same while a ladder is read."""

    along: Along
    scale: float
    base: float
    ladder: Ladder
    size: float
    noise: float

    def of(self, steps: Array, ahead: Array, behind: Array) -> MeasuredSlope:
        finest = np.isfinite(ahead[-1]), np.isfinite(behind[-1])
        if not all(finest):
            kind = EDGE if any(finest) else UNDEFINED
            left = math.nan if not finest[1] else (self.base - behind[-1]) / steps[-1]
            right = math.nan if not finest[0] else (ahead[-1] - self.base) / steps[-1]
            return MeasuredSlope(kind=kind, left=float(left), right=float(right), why="not defined on both sides")
        steps, ahead, behind = _defined(steps, ahead, behind)
        reach = _reach(ahead, behind, self.base)
        if reach == 0 and self._jumps_further_away():
            why = "flat nearby, not further away: a step function, or digits that cancel"
            return MeasuredSlope(0.0, why=why, stairs=True)
        if len(steps) < LEAST_LEVELS:
            return MeasuredSlope(why="too few steps stay inside of the domain", reach=reach)
        return replace(self._read(steps, ahead, behind), reach=reach)

    def _jumps_further_away(self) -> bool:
        """Whether a function that is flat nearby makes a step. (A unit that is off is flat as well, but has none.)"""
        for far in (s * sign for s in FAR for sign in (self.scale, -self.scale)):
            value = self.along(far)
            if math.isfinite(value) and value != self.base:
                least = 16 * max(self.ladder.roundoff * max(abs(self.base), abs(value)), self.noise)
                return made_in_one_place(self.along, far, 0.0, self.base, least)
        return False

    def _read(self, steps: Array, ahead: Array, behind: Array) -> MeasuredSlope:
        c = (ahead - behind) / (2 * steps)
        e = self.ladder.ratio**2
        r = (e * c[1:] - c[:-1]) / (e - 1)
        q = (e * e * r[1:] - r[:-1]) / (e * e - 1)
        fine = steps[2:]
        # Corners of the slope converge like the step, not its square: what the step before said bounds that.
        change = np.abs(np.diff(q)) / (self.ladder.ratio - 1)
        left_over = np.maximum(np.abs(q - r[1:]), np.abs(r[1:] - c[2:]) / e)
        left_over = np.maximum(left_over, np.concatenate([change[:1], change]))
        low = _rounding(self.base, ahead, behind, c, self.ladder, self.size, self.noise)
        clean = _windows(q, left_over + 2.0 * low[2:] / fine)
        corner = self._corner(steps, ahead, behind, c, low)
        if corner is not None:
            return corner
        level = np.maximum(low, self._noise(q, fine, low[2:], left_over, clean))
        found = _windows(q, left_over + 2.0 * level[2:] / fine)
        if not found:
            return MeasuredSlope(why="no three step sizes in a row agree: noise, or a scale too small to sample")
        best = min(found)
        return self._settled(best, clean, steps, c, q, low, ahead, behind)

    def _noise(self, q: Array, fine: Array, low: Array, left_over: Array, clean: list[_Window]) -> float:
        """What the values scatter by, beyond rounding."""
        if clean:
            best = min(clean)
            told = best.bar < abs(best.value) or not best.value
            return _excess(q, best.value, best.at + 3, fine, low) if told else 0.0
        # No plateau at the rounding of single values: the scatter of the finest steps is the noise.
        noise = float(np.median(np.abs(np.diff(q)[-6:]) * fine[1:][-6:]))
        for _ in range(3):
            found = _windows(q, left_over + 2.0 * np.maximum(low, noise) / fine)
            if not found:
                break
            best = min(found)
            noise = max(noise, _excess(q, best.value, best.at + 3, fine, low))
        return noise

    def _corner(self, steps: Array, ahead: Array, behind: Array, c: Array, level: Array) -> MeasuredSlope | None:
        """A kink, a cusp or a jump at the point itself."""
        even, bars = (ahead + behind - 2 * self.base) / steps, 4 * level / steps
        clear = (np.abs(even) > 8 * bars) & (np.abs(even) > 1e-5 * np.maximum(np.abs(c), 1e-300))
        usable = np.flatnonzero(bars <= 1e-3 * max(float(np.max(np.abs(c))), float(np.max(np.abs(even)))))[-4:]
        if len(usable) == 4 and np.all(clear[usable]):
            heights, k = np.abs(even[usable]), usable[-1]
            grown = heights[1:] / heights[:-1]
            if float(np.max(grown)) > EVENLY * float(np.min(grown)):
                return None  # scatter, not the trend that a corner makes
            right, left = float((ahead[k] - self.base) / steps[k]), float((self.base - behind[k]) / steps[k])
            if heights[-1] > 1.3 * heights[0]:
                grows = float(max(abs(right), abs(left))) * steps[k] > 64 * float(np.max(level))
                kind = JUMP if grows and self._jumps_here(ahead, behind, level) else CUSP
                return MeasuredSlope(float(c[k]), left=left, right=right, kind=kind)
            if heights[-1] > 0.7 * heights[0]:
                return MeasuredSlope(float(c[k]), 0.0, left, right, KINK)
        if self._jumps_here(ahead, behind, level):
            return MeasuredSlope(float(c[-1]), kind=JUMP)
        return None

    def _jumps_here(self, ahead: Array, behind: Array, level: Array) -> bool:
        """Whether the value changes by the same amount however small the step is."""
        changes = (np.abs(side[-6:] - self.base) for side in (ahead, behind))
        return any(np.min(d) > 64 * np.max(level) and np.max(d) < 1.3 * np.min(d) for d in changes)

    def _settled(
        self,
        best: _Window,
        clean: list[_Window],
        steps: Array,
        c: Array,
        q: Array,
        low: Array,
        ahead: Array,
        behind: Array,
    ) -> MeasuredSlope:
        """The window that stands, once it is known that the function has no stairs."""
        for other in sorted(clean, key=lambda w: -w.at):
            sharp = other.bar < 1e-2 * max(abs(other.value), abs(best.value))
            if not sharp or abs(other.value - best.value) <= 8 * (other.bar + best.bar):
                continue
            coarse, finer = (other, best) if best.at > other.at else (best, other)
            least = self._least(finer.value, ahead, c, finer.at)
            stays = made_in_one_place(self.along, steps[coarse.at + 1], finer.value, self.base, least)
            if stays and steps[finer.at] < self.scale * 2.0**-12:
                why = (
                    f"steps near {steps[coarse.at]:.1e} say {coarse.value:.6g}, near {steps[finer.at]:.1e} "
                    f"{finer.value:.6g}, and the function jumps in between"
                )
                return MeasuredSlope(finer.value, why=why, stairs=True)
            best = finer
        if steps[best.at] < self.scale * 2.0**-8 and self._stairs(best, steps, c, ahead):
            return MeasuredSlope(
                best.value,
                why=f"steps below {steps[best.at]:.1e} say {best.value:.6g}, and the function jumps nearby",
                stairs=True,
            )
        scattered = _excess(q, best.value, best.at + 3, steps[2:], low[2:])
        noise = scattered if scattered > 1e3 * float(np.max(low)) else 0.0
        if self.noise > 1e-3 * _reach(ahead, behind, self.base):
            noise = max(noise, self.noise)  # as large as all that is seen of the function
        k = best.at + 1
        curve = abs(ahead[k] + behind[k] - 2 * self.base) / steps[k] ** 2
        return MeasuredSlope(best.value, best.bar, best.value, best.value, SMOOTH, curve=float(curve), noise=noise)

    def _stairs(self, best: _Window, steps: Array, c: Array, ahead: Array) -> bool:
        """Larger steps say something else: only a function without jumps in between may do so."""
        j = best.at
        while j > 0 and abs(c[j - 1] - best.value) <= 1e-2 * abs(best.value) + 8 * best.bar:
            j -= 1
        tops = {float(steps[k]) for k in (max(j - 1, 0), max(j - 3, 0), j // 2, min(1, j))}
        least = self._least(best.value, ahead, c, best.at)
        return any(made_in_one_place(self.along, top, best.value, self.base, least) for top in tops)

    def _least(self, slope: float, ahead: Array, c: Array, at: int) -> float:
        """Changes that rounding of the values and of the point makes."""
        steepest = max(abs(slope), float(np.max(np.abs(c[: at + 3]))))
        value = max(abs(self.base), float(np.max(np.abs(ahead[2:]))), self.scale * steepest)
        return 16 * max(self.ladder.roundoff * value, self.noise)


def _excess(q: Array, value: float, start: int, fine: Array, low: Array) -> float:
    """The noise that steps finer than those of a window need to be explained, beyond rounding."""
    rest = np.abs(q[start:] - value) * fine[start:]
    return float(np.max(rest[rest > 8 * low[start:]], initial=0.0))
