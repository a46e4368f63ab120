"""A verdict for each component from exact slopes, and the gravest of them for the whole.

Two questions, answered apart. What is the derivative? The slope in wide arithmetic; where a comparison ends in a tie or
a slope is not finite, what the function does an instant to either side. How far may rounding move it? As far as the
same slopes in the program's own types are off, at the point and a few roundings beside it. Nobody is accused within
`SAFETY` times that.

    no value on one side             edge of the domain
    a jump, or two slopes            kink
    within what is allowed           passed
    rounding turns a decision        unreliable
    anything else                    gradient wrong
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.differences.judging import Tolerance
from pytest_adalloc.checks.exact.slopes import PointReference, ProgramSlopes
from pytest_adalloc.checks.inputs.arguments import Point, Vector
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

SAFETY = 8.0
USUAL = {2.0**-53: 1e-10, 2.0**-24: 1e-5}
"""Relative errors that no rule of differentiation makes, by unit roundoff."""
FLOOR = 64.0  # roundings of the largest component's influence
DROWNED = 0.1  # a component of whose slope so much is rounding has no digit
MOST_SIDES = 64  # components at a tie that are looked at from both sides


@dataclass
class _Judged:
    """What is found by component, on the way."""

    slopes: ProgramSlopes
    right: Vector
    left: Vector
    kinds: list[str]
    crossed: set[int]
    trouble: dict[int, str] = field(default_factory=dict)


def compare_exactly(
    reference: PointReference,
    slopes: ProgramSlopes,
    point: Point,
    gradient: Vector,
    tolerance: Tolerance,
    domain: DomainBounds,
) -> Comparison | None:
    """Judge `gradient` by exact slopes; None where too many components are at a tie."""
    if len(slopes.undecided) > MOST_SIDES:
        return None
    with np.errstate(all="ignore"):
        judged = _sided(reference, point, slopes, domain)
        return _decided(reference, point, judged, gradient, tolerance)


def _sided(reference: PointReference, point: Point, slopes: ProgramSlopes, domain: DomainBounds) -> _Judged:
    """The slopes of both sides, where they may differ."""
    crossed = set(slopes.crossed)
    judged = _Judged(slopes, slopes.slopes.copy(), slopes.slopes.copy(), [SMOOTH] * point.size, crossed)
    for k in slopes.undecided:
        found = {sign: reference.side(k, sign) for sign in _open_sides(point, domain, k)}
        if any(side.crossed for side in found.values()):
            crossed.add(k)
        undefined = [sign for sign, side in found.items() if not side.defined]
        away = 64 * reference.roundoff * abs(slopes.wide) + 16 * abs(slopes.value - slopes.wide)
        if undefined:
            judged.kinds[k] = EDGE if len(undefined) < len(found) else UNDEFINED
            judged.trouble[k] = f"no value to the {'left' if undefined[0] < 0 else 'right'}"
        elif any(abs(side.start - slopes.wide) > away for side in found.values()):
            judged.kinds[k] = JUMP
        elif any(not math.isfinite(side.slope) for side in found.values()):
            judged.kinds[k] = CUSP
        own = {sign: sign * float(side.slope) + 0.0 for sign, side in found.items() if side.defined}
        judged.right[k] = own.get(1, own.get(-1, math.nan) if not undefined else math.nan)
        judged.left[k] = own.get(-1, own.get(1, math.nan) if not undefined else math.nan)
    return judged


def _open_sides(point: Point, domain: DomainBounds, k: int) -> tuple[int, ...]:
    if point.vector[k] <= domain.low[k]:
        return (1,)
    return (-1,) if point.vector[k] >= domain.high[k] else (-1, 1)


def sizes(point: Point) -> Vector:
    """Over which change a component's influence is measured: its size, or that of its neighbours."""
    vector = np.abs(point.vector)
    own = np.maximum(vector, 2.0**-10 * float(np.max(vector, initial=0.0)))
    return np.where(own > 0, own, 1.0)


def _decided(
    reference: PointReference, point: Point, judged: _Judged, gradient: Vector, tolerance: Tolerance
) -> Comparison:
    u, expected = reference.roundoff, judged.right
    rounding = _rounding(judged, u)
    scale = sizes(point)
    influence = np.abs(expected) * scale
    floor = FLOOR * u * float(np.max(influence[np.isfinite(influence)], initial=0.0)) / scale
    size = np.abs(expected)
    hidden = floor + SAFETY * rounding
    allowed = USUAL[u] * size + hidden + (tolerance.rtol or 0.0) * size + (tolerance.atol or 0.0)
    off = np.abs(gradient - expected)
    verdicts = [_verdict(judged, gradient, allowed, k) for k in range(point.size)]
    drowned = (hidden > DROWNED * size) & (size > 0)
    relative = np.where(size > 0, off / np.where(size > 0, size, 1.0), np.where(off > 0, np.inf, 0.0))
    clear = ~drowned & (size > 0) & np.isfinite(relative)
    reach = np.fmax(np.where(np.isfinite(size), size, 0.0), np.where(np.isfinite(gradient), np.abs(gradient), 0.0))
    told = off / np.where(reach > 0, reach, 1.0)
    verdict: Verdict = min(verdicts, key=GRAVEST_FIRST.index)
    among = [k for k, found in enumerate(verdicts) if found == verdict]
    excess = np.nan_to_num(off / np.maximum(allowed, float(np.finfo(float).tiny)), nan=np.inf)
    rank = np.where(drowned, -1.0, np.nan_to_num(told)) if verdict == "passed" else excess
    if verdict in ("kink", "edge of the domain"):
        rank = np.zeros(point.size)  # any gradient is a choice there: the first of them is as good as the others
    k = max(among, key=lambda i: (float(rank[i]), -i))
    largest = float(np.max(told[clear], initial=0.0))
    agreed, leaves = (_digits(r, clear, drowned) for r in (relative, rounding / np.where(size > 0, size, 1.0)))
    return Comparison(
        verdict, float(largest if verdict == "passed" else np.nanmax(told, initial=0.0)), k, float(expected[k]),
        float(gradient[k]), float(rounding[k]), float(judged.left[k]), float(judged.right[k]), judged.kinds[k],
        _how(point), abs(judged.slopes.value - judged.slopes.wide), judged.trouble.get(k, ""),
        digits=None if agreed is None or leaves is None else min(agreed, leaves),
        leaves=leaves,
        drowned=tuple(int(i) for i in np.flatnonzero(drowned)),
        why="rounding turns a decision of the program: the point lies within rounding of a branch",
        exact=True,
        places=reference.places(k) if verdict != "passed" else (),
    )  # fmt: skip


def _digits(relative: Vector, clear: NDArray[np.bool_], drowned: NDArray[np.bool_]) -> int | None:
    """To how many digits all components agree that have any."""
    if not np.any(clear):
        return 0 if np.any(drowned) else None
    return digits_of(float(np.max(relative[clear])))


def _how(point: Point) -> str:
    return f"exact slopes of all {point.size} component{'' if point.size == 1 else 's'}"


def _rounding(judged: _Judged, roundoff: float) -> Vector:
    """How far the program's own slopes are off."""
    narrow = judged.slopes.narrow
    off = np.minimum(np.abs(narrow - judged.right), np.abs(narrow - judged.left))
    # Where the program's types overflow on the way, they say nothing about rounding.
    unknown = 1e4 * roundoff * np.abs(judged.right)
    return np.asarray(np.max(np.where(np.isfinite(off), off, unknown), axis=0))


def _verdict(judged: _Judged, gradient: Vector, allowed: Vector, k: int) -> Verdict:
    kind, left, right = judged.kinds[k], judged.left[k], judged.right[k]
    if kind in (EDGE, UNDEFINED):
        return "edge of the domain"
    if kind in (JUMP, CUSP):
        return "kink"
    if abs(right - left) > allowed[k]:
        judged.kinds[k] = KINK
        return "kink"
    if not math.isfinite(right):
        return "finite differences unreliable here"
    if math.isfinite(gradient[k]) and abs(gradient[k] - right) <= allowed[k]:
        return "passed"
    return "finite differences unreliable here" if k in judged.crossed else "gradient wrong"


__all__ = ["compare_exactly", "sizes"]
