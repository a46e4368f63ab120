"""Is this vector the gradient of that function? The answer is a verdict with its evidence.

Small gradients are compared component by component. Big ones along random directions, which every component enters, and
at a seeded sample of components; a direction that disagrees is halved until the component is found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_adalloc.checks.arguments import Vector
from pytest_adalloc.checks.comparison import GRAVEST_FIRST, SMOOTH, UNDEFINED, Comparison
from pytest_adalloc.checks.differences import extrapolation
from pytest_adalloc.checks.differences.directions import (
    Directions,
    DomainBounds,
    chosen_directions,
    natural_scale,
    random_direction,
)
from pytest_adalloc.checks.differences.extrapolation import Precision, Sides, Slopes, measured_noise
from pytest_adalloc.checks.differences.judging import (
    SAFETY,
    Judgement,
    Tolerance,
    judge,
    without_drowned,
)
from pytest_adalloc.checks.evaluation import Evaluator
from pytest_adalloc.checks.grad_report import Verdict

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
    """Judge `gradient` against extrapolated central differences of `evaluator`."""
    with np.errstate(all="ignore"):
        return _compared(
            evaluator,
            gradient,
            tolerance or Tolerance(),
            domain or DomainBounds.none(evaluator.point.size),
            seed,
            tick,
        )


def _compared(
    evaluator: Evaluator,
    gradient: Vector,
    tolerance: Tolerance,
    domain: DomainBounds,
    seed: int,
    tick: Tick | None,
) -> Comparison:
    point = evaluator.point
    bad = np.flatnonzero(~np.isfinite(point.vector))
    base = evaluator.at(point.vector)
    if len(bad) or not math.isfinite(base):
        return _nowhere(evaluator, gradient, int(bad[0]) if len(bad) else -1)
    directions = chosen_directions(point, domain, seed)
    slopes, noise = _differences(evaluator, directions, base, domain, tick)
    judged = judge(point, directions, slopes, gradient, base, noise, tolerance)
    judged, directions = without_drowned(judged, directions)
    wrong = [k for k, verdict in enumerate(judged.verdicts) if verdict not in ("passed", "edge of the domain")]
    if wrong:
        # Before a verdict is spoken, the decisive directions are differenced again at other points.
        again = replace(directions, scale=directions.scale * 0.6875)
        subset = sorted(sorted(wrong, key=lambda k: -judged.excess[k])[:4])
        slopes = _merged(slopes, _differences(evaluator, again, base, domain, None, subset, noise)[0], subset, judged)
        judged = judge(point, directions, slopes, gradient, base, noise, tolerance)
        judged, directions = without_drowned(judged, directions)
    result = _decided(directions, slopes, gradient, judged, noise, evaluator.trouble)
    if result.verdict == "gradient wrong" and result.component < 0:
        return _located(evaluator, directions, slopes, gradient, judged, result, base, noise, domain)
    return result


def _differences(
    evaluator: Evaluator,
    directions: Directions,
    base: float,
    domain: DomainBounds,
    tick: Tick | None,
    subset: Sequence[int] | None = None,
    noise: float | None = None,
) -> tuple[Slopes, float]:
    point = evaluator.point
    which = list(range(len(directions.scale))) if subset is None else list(subset)
    precision = Precision.of(point.dtype)

    def sample(k: int, step: float) -> float:
        number = which[k]
        if number < len(directions.components):
            return evaluator.along(directions.components[number], step)
        return evaluator.at(point.vector + step * directions.vectors[number - len(directions.components)])

    if noise is None:
        line, _ = point.consistent(random_direction(point, natural_scale(point), domain, np.random.default_rng(1)))
        noise = measured_noise(lambda step: evaluator.at(point.vector + step * line), precision, base)
    sides = domain.sides(point, directions)
    sides = Sides(sides.forward[which], sides.backward[which])
    return extrapolation.slopes(
        sample, directions.scale[which], base, noise, precision, sides=sides, thorough=subset is not None, tick=tick
    ), noise


def _decided(
    directions: Directions, slopes: Slopes, gradient: Vector, judged: Judgement, noise: float, trouble: str
) -> Comparison:
    """The gravest verdict of all directions, at its worst direction."""
    verdict: Verdict = min(judged.verdicts, key=GRAVEST_FIRST.index, default="passed")
    among = [k for k, found in enumerate(judged.verdicts) if found == verdict]
    if not among:
        return Comparison("passed", 0.0, -1, 0.0, 0.0, 0.0, 0.0, 0.0, SMOOTH, directions.how, noise)
    ranking = judged.relative if verdict == "passed" else judged.excess
    k = max(among, key=lambda i: (float(np.nan_to_num(ranking[i], nan=np.inf)), -i))
    relative = judged.relative[~np.isnan(judged.relative)]
    return Comparison(
        verdict,
        float(np.max(relative, initial=0.0)),
        directions.components[k] if k < len(directions.components) else -1,
        float(slopes.value[k]),
        float(directions.slope(gradient)[k]),
        float(slopes.error[k]),
        float(slopes.left[k]),
        float(slopes.right[k]),
        slopes.kind[k],
        directions.how,
        noise,
        trouble,
    )


def _merged(first: Slopes, second: Slopes, subset: Sequence[int], judged: Judgement) -> Slopes:
    """The second look replaces the first where it is the more accurate one, and where it no longer sees a kink."""
    fields = {name: getattr(first, name).copy() for name in ("value", "error", "left", "right", "jump", "jump_error")}
    kinds = list(first.kind)
    for place, k in enumerate(subset):
        smoother = kinds[k] != SMOOTH and second.kind[place] == SMOOTH
        apart = abs(first.value[k] - second.value[place])
        if smoother or second.error[place] < fields["error"][k]:
            for name, values in fields.items():
                values[k] = getattr(second, name)[place]
            kinds[k] = second.kind[place]
        sharp = second.error[place] <= 1e-4 * abs(second.value[place])
        if sharp:
            # It has tried all steps, down to the finest: what it says with confidence stands.
            fields["value"][k], fields["error"][k] = second.value[place], second.error[place]
        elif math.isfinite(apart):
            # Two estimates that disagree by more than their errors say: the distance is the honest error.
            fields["error"][k] = max(fields["error"][k], 2 * apart / SAFETY)
    return replace(first, **fields, kind=tuple(kinds), samples=first.samples + second.samples)


def _located(
    evaluator: Evaluator,
    directions: Directions,
    slopes: Slopes,
    gradient: Vector,
    judged: Judgement,
    result: Comparison,
    base: float,
    noise: float,
    domain: DomainBounds,
) -> Comparison:
    """Halve a random direction that disagrees, always into the half that disagrees more, down to one component."""
    wrong = [k for k, verdict in enumerate(judged.verdicts) if verdict == "gradient wrong"]
    vector = directions.vectors[max(wrong, key=lambda k: judged.excess[k]) - len(directions.components)]
    members = np.flatnonzero(vector)
    while len(members) > 1:
        halves = (members[: len(members) // 2], members[len(members) // 2 :])
        masked = tuple(_only(vector, half) for half in halves)
        pair = Directions((), masked, np.ones(2), "", directions.counts)
        found = _differences(evaluator, pair, base, domain, None, noise=noise)[0]
        off = np.abs(found.value - pair.slope(gradient))
        members = halves[int(np.argmax(np.nan_to_num(off, nan=np.inf)))]
    single = Directions((int(members[0]),), (), natural_scale(evaluator.point)[members], result.how)
    found = _differences(evaluator, single, base, domain, None, noise=noise)[0]
    return replace(
        result,
        component=int(members[0]),
        expected=float(found.value[0]),
        got=float(gradient[members[0]]),
        error=float(found.error[0]),
    )


def _only(vector: Vector, members: Any) -> Vector:
    part = np.zeros_like(vector)
    part[members] = vector[members]
    return part


def _nowhere(evaluator: Evaluator, gradient: Vector, component: int) -> Comparison:
    """The point itself is outside the domain."""
    nan = math.nan
    got = float(gradient[component]) if component >= 0 and len(gradient) > component else nan
    how = "none: the function is not defined at the point"
    trouble = evaluator.trouble
    return Comparison("edge of the domain", nan, component, nan, got, nan, nan, nan, UNDEFINED, how, 0.0, trouble)
