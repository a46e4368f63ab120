"""The gradient against forward mode, and second derivatives against differences of the gradient."""

from __future__ import annotations

import math

import numpy as np

from pytest_adalloc.checks.differences.directions import natural_scale
from pytest_adalloc.checks.differences.extrapolation import Precision, slopes
from pytest_adalloc.checks.exact.location import about_modes
from pytest_adalloc.checks.exact.slopes import PointReference
from pytest_adalloc.checks.inputs.arguments import Point, Vector
from pytest_adalloc.checks.subjects.subject import GradientSubject, Unmet
from pytest_adalloc.checks.trial import Trial
from pytest_adalloc.checks.verdict import diagnostics


def compare_modes(
    trial: Trial, subject: GradientSubject, reference: PointReference | None, slopes: Vector | None
) -> None:
    """Forward mode along random tangents against the gradient; `slopes` are those that the gradient agrees with."""
    point = trial.about.point
    random = np.random.default_rng(trial.options.seed)
    roundoff = roundoff_of(point)
    for _ in range(2):
        tangent = np.where(random.random(point.size) < 0.5, -1.0, 1.0) * (0.5 + random.random(point.size))
        tangent, counts = point.consistent(tangent)
        forward = subject.forward(tangent)
        if forward is None:
            return
        terms = trial.gradient * tangent * counts
        reverse = float(np.sum(terms))
        allowed = 8.0 * roundoff**0.5 * float(np.sum(np.abs(terms))) + 64.0 * trial.noise
        allowed += 64.0 * float(np.sum(trial.rounding * np.abs(tangent) * counts))
        if not abs(forward - reverse) <= allowed:
            slope = math.nan if slopes is None else float(np.sum(slopes * tangent * counts))
            about = about_modes(trial.about, reference, tangent, forward, reverse, slope)
            raise Unmet("gradient wrong", diagnostics.modes_disagree(about, forward, reverse))


def roundoff_of(point: Point) -> float:
    return Precision.of(point.dtype).roundoff


def compare_second(trial: Trial, subject: GradientSubject) -> None:
    """Second derivatives along random pairs of directions against differences of the gradient."""
    point, about = trial.about.point, trial.about
    random = np.random.default_rng(trial.options.seed)
    precision = Precision.of(point.dtype)
    scale = natural_scale(point)
    for number in range(min(4, 2 * point.size)):
        along = random.choice([-1.0, 1.0], point.size) * random.integers(4, 8, point.size) / 4.0 * scale
        along, _ = point.consistent(along)
        weight = random.choice([-1.0, 1.0], point.size) / scale
        product = subject.second(along)
        got = float(np.sum(weight * product))
        base = float(np.sum(weight * trial.gradient))
        noise = 16.0 * precision.roundoff * float(np.sum(np.abs(weight * trial.gradient)))

        def sample(_: int, step: float, along: Vector = along, weight: Vector = weight) -> float:
            with np.errstate(all="ignore"):
                return float(np.sum(weight * subject.gradient(point.vector + step * along)))

        found = slopes(sample, np.ones(1), base, noise, precision)
        expected, error = float(found.value[0]), float(found.error[0])
        reach = float(np.sum(np.abs(weight * product)))
        if not abs(got - expected) <= 8.0 * error + 16.0 * precision.roundoff**0.5 * max(abs(expected), reach):
            raise Unmet(
                "gradient wrong",
                diagnostics.diagnostic(
                    f"gradient wrong: second derivatives of {about.function}, random directions {number + 1}",
                    f"  expected {expected:.12g} (differences of the gradient, +- {error:.1e})",
                    f"  got      {got:.12g}",
                    about.here(),
                ),
            )
    trial.note("second derivatives agree along random directions")
