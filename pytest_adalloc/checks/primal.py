"""The compiled primal against plain Python: its value, and every array that it writes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pytest_adalloc.checks.differences.directions import DomainBounds, natural_scale, random_direction
from pytest_adalloc.checks.differences.extrapolation import Precision, measured_noise
from pytest_adalloc.checks.exact.location import about_primal
from pytest_adalloc.checks.exact.slopes import PointReference, ProgramSlopes
from pytest_adalloc.checks.inputs.arguments import Vector
from pytest_adalloc.checks.subjects.evaluation import Evaluator, Outcome
from pytest_adalloc.checks.subjects.subject import Unmet
from pytest_adalloc.checks.trial import Trial
from pytest_adalloc.checks.verdict import diagnostics

POINTS = 5
"""So many points around are looked at beside the point itself."""


def allowed_difference(evaluator: Evaluator, domain: DomainBounds) -> tuple[float, float]:
    """How far values at the point may be apart, and their rounding noise, by calls alone."""
    point = evaluator.point
    precision = Precision.of(point.dtype)
    line, _ = point.consistent(random_direction(point, natural_scale(point), domain, np.random.default_rng(1)))
    base = evaluator.at(point.vector)
    noise = measured_noise(lambda step: evaluator.at(domain.clipped(point.vector + step * line)), precision, base)
    return 64.0 * noise + 1e3 * precision.roundoff * abs(base if math.isfinite(base) else 0.0), noise


def reads_otherwise(
    evaluator: Evaluator,
    reference: PointReference,
    slopes: ProgramSlopes,
    value: float,
    domain: DomainBounds,
    seed: int,
    points: int = POINTS,
) -> tuple[Vector, float, float] | None:
    """A point at which the compiler's reading of the function has another value than Python: vector, Python's, its.

    The point itself and some around it: a front end that reads a function wrong, or takes a variable for a constant,
    gives the right value where it was compiled and slopes that agree with its own derivative.
    """
    random = np.random.default_rng(seed)
    vector = reference.vector
    size = np.where(vector != 0, np.abs(vector), 1.0)
    for k in range(points + 1):
        steps = random.choice([-1.0, 1.0], len(vector)) * 2.0 ** random.integers(-12, -3, len(vector)) * size
        at = domain.clipped(vector + steps) if k else vector
        python = evaluator.at(at) if k else value
        found = reference.value(at, seed + k) if k else (slopes.wide, slopes.noise)
        if found is None or not math.isfinite(python):
            continue
        wide, noise = found
        if abs(python - wide) > 16.0 * noise + 1e3 * reference.roundoff * abs(python):
            return at, python, wide
    return None


def compare_primal(
    trial: Trial, plain: Outcome, native: Outcome, allowed: float, reference: PointReference | None = None
) -> None:
    """The compiled primal agrees with Python as far as the order of operations is free."""
    about = trial.about
    point = about.point
    precision = Precision.of(point.dtype)
    if plain.value is not None or native.value is not None:
        values = (plain.value, native.value)
        if None in values or not same(np.float64(values[0]), np.float64(values[1]), allowed):
            about = about_primal(about, reference, plain.value, native.value)
            text = diagnostics.primal_differs(about, "the value", _shown(plain.value), _shown(native.value))
            raise Unmet("primal differs from Python", text)
    for k in sorted({*plain.written, *native.written}):
        expected = plain.written.get(k, point.held(k))
        got = native.written.get(k, point.held(k))
        largest = float(np.max(np.abs(expected), initial=0.0)) if expected.dtype.kind == "f" else 0.0
        tolerance = 1e4 * precision.roundoff * largest if math.isfinite(largest) else math.inf
        wrong = np.flatnonzero(~same(expected, got, tolerance))
        if len(wrong):
            at = tuple(int(i) for i in np.unravel_index(wrong[0], expected.shape))
            what = f"what it writes into {point.leaves[k].path}[{', '.join(map(str, at))}]"
            text = diagnostics.primal_differs(about, what, _shown(expected[at]), _shown(got[at]))
            raise Unmet("primal differs from Python", text)


def same(expected: Any, got: Any, allowed: float) -> Any:
    with np.errstate(all="ignore"):
        both_nan = (expected != expected) & (got != got)
        return (expected == got) | both_nan | (np.abs(np.subtract(expected, got, dtype=np.float64)) <= allowed)


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{float(value):.17g}"
