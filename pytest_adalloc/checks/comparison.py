"""Is this vector the gradient of that function? The answer is a verdict with its evidence.

Small gradients are compared component by component. Big ones along random directions, which every component enters, and
at a seeded sample of components; a direction that disagrees is halved until the component is found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_adalloc.checks import differences
from pytest_adalloc.checks.arguments import Point, Vector
from pytest_adalloc.checks.differences import Precision, Sides, Slopes, measured_noise
from pytest_adalloc.checks.evaluation import Evaluation
from pytest_adalloc.report.reports import Verdict, Worst

FULL = 256  # up to so many components each of them is differenced
HUGE = 4096  # above, fewer samples
SAFETY = 8.0  # an estimated error is taken that many times
SHARP = {8: 1e-5, 4: 1e-2, 2: 0.3}  # differences that can't see such a relative error are unreliable, by item size

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Tolerance:
    """What the user asked for; None: from the type and the measured noise."""

    rtol: float | None = None
    atol: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The verdict on a gradient, and where it is decided: `component` of the vector, -1 for a random direction."""

    verdict: Verdict
    max_error: float
    component: int
    expected: float
    got: float
    error: float
    left: float
    right: float
    kind: str
    how: str
    noise: float
    trouble: str = ""

    def worst(self, point: Point) -> Worst | None:
        """The decisive component in the user's terms."""
        if self.component < 0:
            return None
        argument, index = point.place(self.component)
        return Worst(argument, index, self.expected, self.got)


@dataclass(frozen=True)
class Directions:
    """Components of the vector and random vectors, numbered one after the other; `scale` is a step's natural size."""

    components: tuple[int, ...]
    vectors: tuple[Vector, ...]
    scale: Vector
    how: str
    counts: Vector | None = None  # where arguments share memory: 1 for each number's first component, else 0

    def slope(self, gradient: Vector) -> Vector:
        """The gradient along each direction."""
        terms = gradient if self.counts is None else gradient * self.counts
        along = [float(np.dot(terms, vector)) for vector in self.vectors]
        return np.concatenate([gradient[list(self.components)], along])


def compare(
    evaluation: Evaluation,
    gradient: Vector,
    *,
    tolerance: Tolerance | None = None,
    domain: Bounds | None = None,
    seed: int = 0,
    tick: Tick | None = None,
) -> Comparison:
    """Judge `gradient` against extrapolated central differences of `evaluation`."""
    with np.errstate(all="ignore"):
        return _compared(
            evaluation, gradient, tolerance or Tolerance(), domain or Bounds.none(evaluation.point.size), seed, tick
        )


def _compared(
    evaluation: Evaluation, gradient: Vector, tolerance: Tolerance, domain: Bounds, seed: int, tick: Tick | None
) -> Comparison:
    point = evaluation.point
    bad = np.flatnonzero(~np.isfinite(point.vector))
    base = evaluation.at(point.vector)
    if len(bad) or not math.isfinite(base):
        return _nowhere(evaluation, gradient, int(bad[0]) if len(bad) else -1)
    directions = chosen_directions(point, domain, seed)
    slopes, noise = _differences(evaluation, directions, base, domain, tick)
    judged = _judge(point, directions, slopes, gradient, base, noise, tolerance)
    judged, directions = _without_drowned(judged, directions)
    wrong = [k for k, verdict in enumerate(judged.verdicts) if verdict not in ("passed", "edge of the domain")]
    if wrong:
        # Before a verdict is spoken, the decisive directions are differenced again at other points.
        again = replace(directions, scale=directions.scale * 0.6875)
        subset = sorted(sorted(wrong, key=lambda k: -judged.excess[k])[:4])
        slopes = _merged(slopes, _differences(evaluation, again, base, domain, None, subset, noise)[0], subset, judged)
        judged = _judge(point, directions, slopes, gradient, base, noise, tolerance)
        judged, directions = _without_drowned(judged, directions)
    result = _decided(directions, slopes, gradient, judged, noise, evaluation.trouble)
    if result.verdict == "gradient wrong" and result.component < 0:
        return _located(evaluation, directions, slopes, gradient, judged, result, base, noise, domain)
    return result


def chosen_directions(point: Point, domain: Bounds, seed: int) -> Directions:
    """Every component where there are few; else random directions and a sample of components."""
    scale = natural_scale(point)
    if point.size <= FULL:
        how = f"all {point.size} component{'' if point.size == 1 else 's'}"
        return Directions(tuple(range(point.size)), (), scale, how)
    count, picked = (8, 8) if point.size > HUGE else (16, 64)
    random = np.random.default_rng(seed)
    components = tuple(sorted(int(k) for k in random.choice(point.size, picked, replace=False)))
    drawn = [point.consistent(_random_direction(point, scale, domain, random)) for _ in range(count)]
    vectors = tuple(vector for vector, _ in drawn)
    how = f"{count} random directions and {picked} of {point.size} components (seed {seed})"
    return Directions(components, vectors, np.concatenate([scale[list(components)], np.ones(count)]), how, drawn[0][1])


def _random_direction(point: Point, scale: Vector, domain: Bounds, random: np.random.Generator) -> Vector:
    # Few bits in every entry keep the steps exact; different sizes keep errors from cancelling in pairs.
    size = random.integers(4, 8, point.size) / 4.0
    sign = random.choice([-1.0, 1.0], point.size)
    at_low, at_high = point.vector <= domain.low, point.vector >= domain.high
    sign = np.where(at_low, 1.0, np.where(at_high, -1.0, sign))
    return np.asarray(sign * size * scale)


def natural_scale(point: Point) -> Vector:
    """For each component a power of two near its size; where it is tiny, near the size of its neighbours."""
    scale = np.ones(point.size)
    for leaf in point.leaves:
        if leaf.moves and leaf.size:
            part = np.abs(point.vector[leaf.start : leaf.start + leaf.size])
            with np.errstate(all="ignore"):
                largest = float(np.max(part[np.isfinite(part)], initial=0.0))
                # Not below the normal numbers: a neighbour of a subnormal must not count as 0, with a step of one.
                least = max(largest * 2.0**-10, float(np.finfo(float).tiny)) if largest > 0 else 0.0
                near = np.maximum(part, least)
                exponent = np.floor(np.log2(np.where((near > 0) & np.isfinite(near), near, 1.0)))
            scale[leaf.start : leaf.start + leaf.size] = 2.0 ** np.clip(exponent, -500, 500)
    return scale


@dataclass(frozen=True)
class Bounds:
    """Where the function is defined, for each component."""

    low: Vector
    high: Vector

    @staticmethod
    def none(size: int) -> Bounds:
        return Bounds(np.full(size, -np.inf), np.full(size, np.inf))

    @staticmethod
    def of(domain: Any, point: Point) -> Bounds:
        """From `domain`: a pair for everything, or a dict from argument names to pairs; None is no bound.

        Raises TypeError for anything else, ValueError if the point is not inside.
        """
        low, high = np.full(point.size, -np.inf), np.full(point.size, np.inf)
        pairs = domain if isinstance(domain, dict) else dict.fromkeys(point.names, domain)
        for name, pair in pairs.items():
            if name not in point.names:
                raise TypeError(f"domain: there is no argument {name!r}; the arguments are {', '.join(point.names)}")
            if pair is None:
                continue
            try:
                lower, upper = pair
            except (TypeError, ValueError):
                raise TypeError(f"domain: bounds are a pair (low, high), not {pair!r}") from None
            for leaf in point.leaves:
                if leaf.moves and point.names[leaf.argument] == name:
                    part = slice(leaf.start, leaf.start + leaf.size)
                    low[part] = -np.inf if lower is None else np.broadcast_to(lower, leaf.shape or ()).reshape(-1)
                    high[part] = np.inf if upper is None else np.broadcast_to(upper, leaf.shape or ()).reshape(-1)
        outside = np.flatnonzero((point.vector < low) | (point.vector > high))
        if len(outside):
            k = int(outside[0])
            raise ValueError(f"domain: {point.spelled(k)} = {point.vector[k]:g} lies outside [{low[k]:g}, {high[k]:g}]")
        return Bounds(low, high)

    def sides(self, point: Point, directions: Directions) -> Sides:
        """How far each direction may go."""
        up, down = self.high - point.vector, point.vector - self.low
        forward = [float(up[k]) for k in directions.components]
        backward = [float(down[k]) for k in directions.components]
        for vector in directions.vectors:
            size = np.abs(vector)
            forward.append(float(np.min(np.where(vector > 0, up, down) / size)))
            backward.append(float(np.min(np.where(vector > 0, down, up) / size)))
        return Sides(np.array(forward), np.array(backward))


def _differences(
    evaluation: Evaluation,
    directions: Directions,
    base: float,
    domain: Bounds,
    tick: Tick | None,
    subset: Sequence[int] | None = None,
    noise: float | None = None,
) -> tuple[Slopes, float]:
    point = evaluation.point
    which = list(range(len(directions.scale))) if subset is None else list(subset)
    precision = Precision.of(point.dtype)

    def sample(k: int, step: float) -> float:
        number = which[k]
        if number < len(directions.components):
            return evaluation.along(directions.components[number], step)
        return evaluation.at(point.vector + step * directions.vectors[number - len(directions.components)])

    if noise is None:
        line, _ = point.consistent(_random_direction(point, natural_scale(point), domain, np.random.default_rng(1)))
        noise = measured_noise(lambda step: evaluation.at(point.vector + step * line), precision, base)
    sides = domain.sides(point, directions)
    sides = Sides(sides.forward[which], sides.backward[which])
    return differences.slopes(
        sample, directions.scale[which], base, noise, precision, sides=sides, thorough=subset is not None, tick=tick
    ), noise


@dataclass(frozen=True)
class _Judged:
    verdicts: tuple[Verdict, ...]
    excess: Vector
    relative: Vector


@dataclass(frozen=True)
class _Evidence:
    """For each direction: how far the gradient is off, what is allowed, whether it agrees, whether that can be seen."""

    off: Vector
    allowed: Vector
    relative: Vector
    agrees: NDArray[np.bool_]
    sees: NDArray[np.bool_]


def _judge(
    point: Point,
    directions: Directions,
    slopes: Slopes,
    gradient: Vector,
    base: float,
    noise: float,
    tolerance: Tolerance,
) -> _Judged:
    got = directions.slope(gradient)
    with np.errstate(all="ignore"):
        found = _evidence(point, directions.scale, slopes, got, base, noise, tolerance)
    verdicts = tuple(_verdict(slopes, found, k) for k in range(len(got)))
    tiny = float(np.finfo(float).tiny)
    excess = np.where(np.isfinite(found.off), found.off, np.inf) / np.maximum(found.allowed, tiny)
    return _Judged(verdicts, excess, found.relative)


def _evidence(
    point: Point, scale: Vector, slopes: Slopes, got: Vector, base: float, noise: float, tolerance: Tolerance
) -> _Evidence:
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
    return _Evidence(off, allowed, off / np.where(reach > 0, reach, 1.0), agrees | doubtful, sees & ~doubtful)


def _without_drowned(judged: _Judged, directions: Directions) -> tuple[_Judged, Directions]:
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
    return _Judged(tuple(verdicts), judged.excess, relative), replace(directions, how=how)


def _verdict(slopes: Slopes, found: _Evidence, k: int) -> Verdict:
    kind = slopes.kind[k]
    if kind in (differences.EDGE, differences.UNDEFINED):
        return "edge of the domain"
    if kind in (differences.JUMP, differences.CUSP):
        return "kink"
    if kind == differences.KINK and abs(slopes.jump[k]) / 2 > found.allowed[k]:
        return "kink"
    if not math.isfinite(slopes.value[k]):
        return "finite differences unreliable here"
    if found.agrees[k]:
        return "passed" if found.sees[k] else "finite differences unreliable here"
    return "gradient wrong"


_FIRST: tuple[Verdict, ...] = (
    "gradient wrong",
    "finite differences unreliable here",
    "kink",
    "edge of the domain",
    "passed",
)


def _decided(
    directions: Directions, slopes: Slopes, gradient: Vector, judged: _Judged, noise: float, trouble: str
) -> Comparison:
    """The gravest verdict of all directions, at its worst direction."""
    verdict: Verdict = min(judged.verdicts, key=_FIRST.index, default="passed")
    among = [k for k, found in enumerate(judged.verdicts) if found == verdict]
    if not among:
        return Comparison("passed", 0.0, -1, 0.0, 0.0, 0.0, 0.0, 0.0, differences.SMOOTH, directions.how, noise)
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


def _merged(first: Slopes, second: Slopes, subset: Sequence[int], judged: _Judged) -> Slopes:
    """The second look replaces the first where it is the more accurate one, and where it no longer sees a kink."""
    fields = {name: getattr(first, name).copy() for name in ("value", "error", "left", "right", "jump", "jump_error")}
    kinds = list(first.kind)
    for place, k in enumerate(subset):
        smoother = kinds[k] != differences.SMOOTH and second.kind[place] == differences.SMOOTH
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
    evaluation: Evaluation,
    directions: Directions,
    slopes: Slopes,
    gradient: Vector,
    judged: _Judged,
    result: Comparison,
    base: float,
    noise: float,
    domain: Bounds,
) -> Comparison:
    """Halve a random direction that disagrees, always into the half that disagrees more, down to one component."""
    wrong = [k for k, verdict in enumerate(judged.verdicts) if verdict == "gradient wrong"]
    vector = directions.vectors[max(wrong, key=lambda k: judged.excess[k]) - len(directions.components)]
    members = np.flatnonzero(vector)
    while len(members) > 1:
        halves = (members[: len(members) // 2], members[len(members) // 2 :])
        masked = tuple(_only(vector, half) for half in halves)
        pair = Directions((), masked, np.ones(2), "", directions.counts)
        found = _differences(evaluation, pair, base, domain, None, noise=noise)[0]
        off = np.abs(found.value - pair.slope(gradient))
        members = halves[int(np.argmax(np.nan_to_num(off, nan=np.inf)))]
    single = Directions((int(members[0]),), (), natural_scale(evaluation.point)[members], result.how)
    found = _differences(evaluation, single, base, domain, None, noise=noise)[0]
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


def _nowhere(evaluation: Evaluation, gradient: Vector, component: int) -> Comparison:
    """The point itself is outside the domain."""
    nan = math.nan
    got = float(gradient[component]) if component >= 0 and len(gradient) > component else nan
    how = "none: the function is not defined at the point"
    trouble = evaluation.trouble
    return Comparison(
        "edge of the domain", nan, component, nan, got, nan, nan, nan, differences.UNDEFINED, how, 0.0, trouble
    )
