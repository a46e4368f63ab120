"""A verdict for each direction in which a gradient was compared with measured slopes.

Accused is who is off by 32 bars and more, acquitted who is within 8; in between nothing is said. A pass needs bars that
are small beside the slope: what is smaller drowns in the rounding of the values, and is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_adalloc.checks.differences.ladder import UNSURE, Ladder, MeasuredSlope
from pytest_adalloc.checks.inputs.arguments import Vector
from pytest_adalloc.checks.verdict.comparison import CUSP, EDGE, JUMP, KINK, UNDEFINED
from pytest_adalloc.checks.verdict.grad_report import Verdict

SAFETY = 8.0  # an estimated error is taken that many times
ACCUSED = 32.0
USUAL = {2.0**-53: 1e-8, 2.0**-24: 1e-4, 2.0**-11: 1e-2}
"""Relative errors that differences do not see, by unit roundoff."""
SHARP = {2.0**-53: 1e-2, 2.0**-24: 1e-1, 2.0**-11: 0.5}
"""How small, beside the slope, the bars of a pass are."""
FLOOR = 64.0
FAINT = 1e-6  # of the largest influence: what is below may drown without a word from the verdict


@dataclass(frozen=True)
class Tolerance:
    """What the user allows on top of what rounding asks for."""

    rtol: float | None = None
    atol: float | None = None


@dataclass(frozen=True)
class Scene:
    """What the slopes of one comparison share: steps, the value, natural steps, and sizes of what moves.

    `promoted`: the relative error that narrow numbers may have, where the slopes are those of wider ones, and `unit`
    one rounding of them."""

    ladder: Ladder
    base: float
    scale: Vector
    sizes: Vector
    promoted: float = 0.0
    unit: float = 0.0

    @property
    def own(self) -> Vector:
        """Over which change the influence of each is measured."""
        large = self.sizes > self.scale * 2.0**-10
        return np.where(large, np.minimum(self.sizes, 2 * self.scale), self.scale)


@dataclass(frozen=True)
class Judgement:
    """For each direction: the verdict, how far the gradient is off (in units of what is allowed, and relatively),
    whether it drowns, and why nothing better can be said."""

    verdicts: tuple[Verdict, ...]
    excess: Vector
    relative: Vector
    drowned: tuple[bool, ...]
    why: tuple[str, ...]


def judge(scene: Scene, slopes: Sequence[MeasuredSlope], got: Vector, tolerance: Tolerance) -> Judgement:
    """Compare what the gradient says along each direction with its slope."""
    with np.errstate(all="ignore"):
        value = np.array([s.value for s in slopes])
        influence = np.abs(value) * scene.own
        largest = float(np.max(influence[np.isfinite(influence)], initial=0.0))
        found = [
            _Judging(scene, s, float(g), k, largest, tolerance)
            for k, (s, g) in enumerate(zip(slopes, got, strict=True))
        ]
        said = [one.verdict() for one in found]
        off = np.abs(got - value)
        allowed = np.array([one.allowed for one in found])
        reach = np.fmax(np.fmax(np.abs(value), np.where(np.isfinite(got), np.abs(got), 0.0)), largest / scene.scale)
        excess = np.where(np.isfinite(off), off, np.inf) / np.maximum(allowed, float(np.finfo(float).tiny))
        relative = off / np.where(reach > 0, reach, 1.0)
    drowned = tuple(one.drowns for one in found)
    return Judgement(tuple(v for v, _ in said), excess, relative, drowned, tuple(w for _, w in said))


class _Judging:
    """One direction."""

    def __init__(
        self, scene: Scene, slope: MeasuredSlope, got: float, k: int, largest: float, tolerance: Tolerance
    ) -> None:
        self.scene, self.slope, self.got, self.largest = scene, slope, got, largest
        self.scale, self.own = float(scene.scale[k]), float(scene.own[k])
        self.drowns = False
        u, flat = scene.ladder.roundoff, slope.reach == 0
        shared = max(largest, 0.0 if flat else abs(scene.base))
        # The number that moves is rounded with the step: away altogether, where it is far below it.
        lost = 8 * slope.curve * min(float(scene.sizes[k]), u * self.scale)
        floor = FLOOR * max(u, scene.unit) * shared / max(self.own, self.scale * 2.0**-10)
        floor += lost if math.isfinite(lost) else 0.0
        relative = max(USUAL[u], scene.promoted) + (tolerance.rtol or 0.0)
        self.allowed = relative * abs(slope.value) + floor + SAFETY * slope.bar + (tolerance.atol or 0.0)
        if not math.isfinite(self.allowed):
            self.allowed = tolerance.atol or 0.0

    def verdict(self) -> tuple[Verdict, str]:
        slope = self.slope
        if slope.kind in (EDGE, UNDEFINED):
            return "edge of the domain", slope.why
        if slope.kind in (JUMP, CUSP) or (slope.kind == KINK and abs(slope.right - slope.left) / 2 > self.allowed):
            return "kink", slope.why
        if not math.isfinite(self.got):
            return "gradient wrong", ""
        if slope.kind == UNSURE:
            return "finite differences unreliable here", slope.why
        return self._compared()

    def _compared(self) -> tuple[Verdict, str]:
        slope, off = self.slope, abs(self.got - self.slope.value)
        sharp = self._sharp()
        if off > self.allowed:
            hidden = slope.noise > 0 and abs(self.got) * self.scale * 2.0**-12 >= slope.noise
            if sharp and not hidden and off > self.allowed + (ACCUSED - SAFETY) * slope.bar:
                return "gradient wrong", ""
            return "finite differences unreliable here", _noisy(slope)
        if sharp:
            return "passed", ""
        self.drowns = self._faint()
        if self.drowns:
            return "passed", ""
        return "finite differences unreliable here", _noisy(slope)

    def _sharp(self) -> bool:
        slope, flat = self.slope, self.slope.reach == 0
        if flat:
            # A slope too small to change any value may be hidden inside of them; a plain zero is believed.
            u = self.scene.ladder.roundoff
            return self.got == 0 or abs(self.got) * self.scale > FLOOR * u * max(1.0, abs(self.scene.base))
        nothing = abs(slope.value) <= SAFETY * slope.bar
        seen = max(abs(slope.value), abs(self.got), slope.reach / self.scale if nothing else 0.0)
        return SAFETY * slope.bar <= SHARP[self.scene.ladder.roundoff] * seen

    def _faint(self) -> bool:
        """Whether rounding of the values hides so small a slope, or others dwarf it."""
        u = self.scene.ladder.roundoff
        lost = abs(self.got) * self.scale <= FLOOR * u * max(
            abs(self.scene.base), 1.0 if self.slope.reach == 0 else 0.0
        )
        return lost or abs(self.slope.value) * self.own < FAINT * self.largest


def _noisy(slope: MeasuredSlope) -> str:
    if slope.noise:
        return f"its values scatter by {slope.noise:.1e}, which is more than rounding makes"
    return ""
