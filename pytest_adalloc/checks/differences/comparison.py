"""Is this vector the gradient of that function? By calls of the function alone, for those that can't be read.

Small gradients are compared component by component. Big ones along random directions, which every component enters, and
at a seeded sample of components; a direction that disagrees, or has a kink, is halved until the component is found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_adalloc.checks.differences.directions import (
    Directions,
    DomainBounds,
    chosen_directions,
    natural_scale,
)
from pytest_adalloc.checks.differences.judging import SAFETY, Judgement, Scene, Tolerance, judge
from pytest_adalloc.checks.differences.ladder import UNSURE, Ladder, MeasuredSlope, measured
from pytest_adalloc.checks.differences.promotion import promoted
from pytest_adalloc.checks.differences.stairs import made_in_one_place
from pytest_adalloc.checks.inputs.arguments import Vector
from pytest_adalloc.checks.subjects.evaluation import Evaluator
from pytest_adalloc.checks.verdict.comparison import (
    CUSP,
    EDGE,
    GRAVEST_FIRST,
    JUMP,
    KINK,
    SMOOTH,
    UNDEFINED,
    Comparison,
    digits_of,
)
from pytest_adalloc.checks.verdict.grad_report import Verdict

BLUNT = 1e-6
"""Bars of more than that part of a slope are reason to try other steps."""
CORNER = 1e-3
"""Bars of less than that part of a slope show corners."""
TINY = 2.0**-10
"""Numbers whose natural steps are smaller are looked at further away before anyone is accused."""
FURTHER = (2.0**4, 2.0**8, 2.0**16)

Tick = Callable[[int, int], None]


def compare(
    evaluator: Evaluator,
    gradient: Vector,
    *,
    tolerance: Tolerance | None = None,
    domain: DomainBounds | None = None,
    seed: int = 0,
    tick: Tick | None = None,
) -> Comparison:
    """Judge `gradient` by extrapolated central differences of `evaluator`."""
    bounds = domain or DomainBounds.none(evaluator.point.size)
    with np.errstate(all="ignore"):
        return _CallsAlone(evaluator, gradient, tolerance or Tolerance(), bounds, seed).comparison(tick)


class _CallsAlone:
    """One comparison."""

    def __init__(
        self, evaluator: Evaluator, gradient: Vector, tolerance: Tolerance, domain: DomainBounds, seed: int
    ) -> None:
        self.narrow, self.gradient, self.tolerance, self.domain, self.seed = (
            evaluator,
            gradient,
            tolerance,
            domain,
            seed,
        )
        self.point = evaluator.point
        self.base = evaluator.at(self.point.vector)
        self.evaluator, self.off = evaluator, 0.0

    def comparison(self, tick: Tick | None) -> Comparison:
        bad = np.flatnonzero(~np.isfinite(self.point.vector))
        if len(bad) or not math.isfinite(self.base):
            return self._nowhere(int(bad[0]) if len(bad) else -1)
        self.ladder = Ladder.of(self.point.dtype.itemsize)
        wide = promoted(self.narrow, self.domain)
        if wide is not None:
            self.evaluator, self.off, self.ladder = wide.evaluator, max(64 * 2.0**-24, 32 * wide.off), Ladder.of(8)
            self.base = wide.evaluator.at(self.point.vector)
        directions = chosen_directions(self.point, self.domain, self.seed)
        slopes = self._slopes(directions, tick)
        judged = self._judged(directions, slopes)
        slopes, judged = self._looked_further(directions, slopes, judged)
        judged = _spared(judged, directions, slopes)
        result = self._decided(directions, slopes, judged)
        if result.component < 0 and result.verdict in ("gradient wrong", "kink"):
            return self._located(directions, judged, result)
        return result

    def _slopes(self, directions: Directions, tick: Tick | None = None) -> list[MeasuredSlope]:
        sides = self.domain.sides(self.point, directions)
        found = []
        for k in range(len(directions.scale)):
            room = float(sides.forward[k]), float(sides.backward[k])
            found.append(self._slope(directions, k, room))
            if tick is not None:
                tick(k + 1, len(directions.scale))
        return found

    def _slope(self, directions: Directions, k: int, room: tuple[float, float]) -> MeasuredSlope:
        evaluator, point = self.evaluator, self.point
        scale = float(directions.scale[k])
        if k >= len(directions.components):
            vector = directions.vectors[k - len(directions.components)]
            return measured(lambda s: evaluator.at(point.vector + s * vector), scale, self.base, self.ladder, 2.0, room)
        component = directions.components[k]
        size = abs(float(point.vector[component]))

        def along(step: float) -> float:
            return evaluator.along(component, step)

        found = None
        for tried in sorted({_own_scale(size, scale), scale, max(scale, 1.0)}):
            # A number near zero, or among larger ones, says little about the scale on which the function varies.
            wider = measured(along, tried, self.base, self.ladder, size, room)
            if found is None or _better(wider, found):
                found = replace(wider, scale=tried)
            if not _blunt(found):
                break
        assert found is not None
        return found

    def _looked_further(
        self, directions: Directions, slopes: list[MeasuredSlope], judged: Judgement
    ) -> tuple[list[MeasuredSlope], Judgement]:
        """Nobody is accused beside a stair that is much wider than the number that moves: x + 1e9 stands still."""
        sides = self.domain.sides(self.point, directions)
        found = list(slopes)
        for k, component in enumerate(directions.components):
            slope = slopes[k]
            if judged.verdicts[k] != "gradient wrong" or slope.scale >= TINY:
                continue
            room = min(float(sides.forward[k]), float(sides.backward[k]))

            def along(step: float, component: int = component) -> float:
                return self.evaluator.along(component, step)

            if any(
                self._jumps(along, slope, width)
                for width in (*(slope.scale * s for s in FURTHER), 1.0)
                if width <= room
            ):
                why = "the function jumps nearby: a step function, or a number that is lost beside a much larger one"
                found[k] = replace(slope, kind=UNSURE, why=why, stairs=True)
        return (found, self._judged(directions, found)) if found != slopes else (slopes, judged)

    def _jumps(self, along: Callable[[float], float], slope: MeasuredSlope, width: float) -> bool:
        far = along(width)
        least = 64 * self.ladder.roundoff * max(abs(self.base), abs(far) if math.isfinite(far) else 0.0)
        return made_in_one_place(along, width, slope.value, self.base, least)

    def _judged(self, directions: Directions, slopes: list[MeasuredSlope]) -> Judgement:
        sizes = np.abs(self.point.vector[list(directions.components)])
        sizes = np.concatenate([sizes, np.full(len(directions.vectors), 2.0)])
        scale = np.array([slope.scale for slope in slopes])
        unit = Ladder.of(self.point.dtype.itemsize).roundoff if self.off else 0.0
        scene = Scene(self.ladder, self.base, scale, sizes, self.off, unit)
        return judge(scene, slopes, directions.slope(self.gradient), self.tolerance)

    def _decided(self, directions: Directions, slopes: list[MeasuredSlope], judged: Judgement) -> Comparison:
        """The gravest verdict of all directions, at its worst direction."""
        verdict: Verdict = min(judged.verdicts, key=GRAVEST_FIRST.index, default="passed")
        among = [k for k, found in enumerate(judged.verdicts) if found == verdict]
        if not among:
            return Comparison("passed", 0.0, -1, 0.0, 0.0, 0.0, 0.0, 0.0, SMOOTH, directions.how, 0.0)
        count = len(directions.components)
        drowned = tuple(directions.components[k] for k in range(count) if judged.drowned[k])
        ranking = judged.relative if verdict == "passed" else judged.excess
        if verdict == "passed" and drowned:
            ranking = np.where(judged.drowned, -1.0, ranking)
        k = max(among, key=lambda i: (float(np.nan_to_num(ranking[i], nan=np.inf)), -i))
        got, slope = directions.slope(self.gradient), slopes[k]
        clear = [i for i, s in enumerate(slopes) if s.value and not judged.drowned[i] and math.isfinite(s.bar)]
        agreed = min((digits_of(abs(got[i] / slopes[i].value - 1)) for i in clear), default=None)
        leaves = min((digits_of(slopes[i].bar / abs(slopes[i].value)) for i in clear), default=None)
        relative = judged.relative[~np.isnan(judged.relative) & ~np.array(judged.drowned, dtype=bool)]
        return Comparison(
            verdict,
            float(np.max(relative, initial=0.0)),
            directions.components[k] if k < count else -1,
            slope.value,
            float(got[k]),
            slope.bar,
            slope.left,
            slope.right,
            slope.kind,
            directions.how + (f"; {len(drowned)} of these components drown in rounding noise" if drowned else ""),
            max((s.noise for s in slopes), default=0.0) or self.ladder.roundoff * abs(self.base),
            self.narrow.trouble or self.evaluator.trouble,
            digits=None if agreed is None or leaves is None else min(agreed, leaves),
            leaves=leaves,
            drowned=drowned,
            why=judged.why[k],
        )

    def _located(self, directions: Directions, judged: Judgement, result: Comparison) -> Comparison:
        """Halve a random direction with this verdict, always into the half that has more of it, down to a component."""
        first = len(directions.components)
        having = [k for k, verdict in enumerate(judged.verdicts) if verdict == result.verdict and k >= first]
        vector = directions.vectors[max(having, key=lambda k: judged.excess[k]) - first]
        members = np.flatnonzero(vector)
        while len(members) > 1:
            halves = (members[: len(members) // 2], members[len(members) // 2 :])
            pair = Directions((), tuple(_only(vector, half) for half in halves), np.ones(2), "", directions.counts)
            members = halves[int(np.argmax([_amount(s, g, result.verdict) for s, g in self._of(pair)]))]
        scale = natural_scale(self.point)[members]
        single = Directions((int(members[0]),), (), scale, result.how)
        ((slope, got),) = self._of(single)
        if result.verdict == "kink" and slope.kind == SMOOTH:
            return result  # made by components that only move together
        alone = self._judged(single, [slope]).verdicts[0]
        verdict = alone if alone in ("kink", "edge of the domain") else result.verdict
        return replace(
            result, verdict=verdict, component=int(members[0]), expected=slope.value, got=got, error=slope.bar,
            left=slope.left, right=slope.right, kind=slope.kind,
        )  # fmt: skip

    def _of(self, directions: Directions) -> list[tuple[MeasuredSlope, float]]:
        return list(zip(self._slopes(directions), map(float, directions.slope(self.gradient)), strict=True))

    def _nowhere(self, component: int) -> Comparison:
        """The point itself is outside of the domain."""
        nan, gradient = math.nan, self.gradient
        got = float(gradient[component]) if component >= 0 and len(gradient) > component else nan
        how = "none: the function is not defined at the point"
        trouble = self.narrow.trouble
        return Comparison("edge of the domain", nan, component, nan, got, nan, nan, nan, UNDEFINED, how, 0.0, trouble)


def _own_scale(size: float, natural: float) -> float:
    """A step's natural size for a number of this size, whatever its neighbours are."""
    least = float(np.finfo(float).tiny)
    return min(natural, 2.0 ** math.floor(math.log2(size))) if least <= size < math.inf else natural


def _blunt(found: MeasuredSlope) -> bool:
    """Whether larger steps may tell more. A corner may be made by rounding: of exp(x) - 1 beside 0 on one side, say."""
    if found.stairs or found.kind in (EDGE, UNDEFINED):
        return False
    corner = found.kind in (KINK, CUSP, JUMP)
    return corner or found.reach == 0 or not SAFETY * found.bar <= BLUNT * abs(found.value)


def _better(wider: MeasuredSlope, found: MeasuredSlope) -> bool:
    """Whether the slope by larger steps is to be believed."""
    if wider.kind in (UNSURE, EDGE, UNDEFINED):
        return False
    if found.kind in (KINK, CUSP, JUMP):
        # A corner shows at any step, if it is more than what rounding makes.
        height = abs(found.right - found.left)
        return wider.kind == SMOOTH and not SAFETY * wider.bar > CORNER * max(abs(wider.value), height)
    apart = abs(wider.value - found.value)
    return not (apart > SAFETY * (wider.bar + found.bar) or wider.bar >= found.bar > 0)


def _amount(slope: MeasuredSlope, got: float, verdict: Verdict) -> float:
    """How much of what is looked for a half has."""
    found = abs(slope.right - slope.left) if verdict == "kink" else abs(slope.value - got)
    if verdict == "kink" and slope.kind == SMOOTH:
        return 0.0
    return math.inf if math.isnan(found) else found


def _only(vector: Vector, members: Any) -> Vector:
    part = np.zeros_like(vector)
    part[members] = vector[members]
    return part


def _spared(judged: Judgement, directions: Directions, slopes: Sequence[MeasuredSlope]) -> Judgement:
    """What drowns decides nothing, where something that counts is seen, or the function is flat.

    One of a million terms of a float32 sum can't be seen by moving it alone; the directions move it with the others.
    """
    first = len(directions.components)
    unseen: Verdict = "finite differences unreliable here"
    verdicts, drowned = list(judged.verdicts), list(judged.drowned)
    if directions.vectors and all(v == "passed" for v in verdicts[first:]) and not all(drowned[first:]):
        for k in range(first):
            if verdicts[k] == unseen:
                verdicts[k], drowned[k] = "passed", True
    elif drowned and all(drowned) and any(slope.reach for slope in slopes):
        verdicts = [unseen if v == "passed" else v for v in verdicts]
    return replace(judged, verdicts=tuple(verdicts), drowned=tuple(drowned))


__all__ = ["SAFETY", "Tolerance", "compare"]
