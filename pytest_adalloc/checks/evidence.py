"""What a plot of a gradient's error is drawn from. Measured only where a report asks for it, after the check."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.inputs.arguments import Point, Vector
from pytest_adalloc.checks.subjects.evaluation import Evaluator
from pytest_adalloc.checks.verdict.comparison import Comparison

STEPS = 13  # powers of ten below the size of the number that is moved
LONGEST = 1.0  # seconds that the calls may take: a slow function has a shorter curve, from large steps down
MOST_COMPONENTS = 65_536  # errors of larger gradients are not kept
MOST_CELLS = 64  # along an axis; longer ones are told in blocks, each with its largest error


@dataclass(frozen=True)
class StepCurve:
    """Central differences of the function at one component: `errors` of `steps` against `expected`, relative to it
    (absolute where it is 0); `off` is the gradient's own error, `sure` how far `expected` may be off."""

    component: str
    steps: tuple[float, ...]
    errors: tuple[float, ...]
    expected: float
    got: float
    off: float
    sure: float


@dataclass(frozen=True)
class ErrorMap:
    """Errors of the components of an array, over its largest slope: the last two axes, `block` components a cell,
    where axes before them are folded into the largest error."""

    argument: str
    shape: tuple[int, ...]
    block: tuple[int, int]
    cells: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class GradientEvidence:
    """How far a gradient is off, at one component by step and at all of them."""

    curve: StepCurve | None
    maps: tuple[ErrorMap, ...]


def gathered(
    evaluator: Evaluator, domain: DomainBounds, found: Comparison, gradient: Vector, slopes: Vector | None
) -> GradientEvidence:
    """`slopes` are the exact ones, where they are known. The function is called twice a step."""
    maps = () if slopes is None else error_maps(evaluator.point, gradient, slopes)
    return GradientEvidence(_curve(evaluator, domain, found, gradient, slopes), maps)


def _curve(
    evaluator: Evaluator, domain: DomainBounds, found: Comparison, gradient: Vector, slopes: Vector | None
) -> StepCurve | None:
    k = found.component
    if not 0 <= k < len(gradient):
        return None
    expected = float(found.expected if slopes is None else slopes[k])
    if not math.isfinite(expected):
        return None
    x, unit = float(evaluator.point.vector[k]), abs(expected) or 1.0
    steps, errors, until = [], [], time.perf_counter() + LONGEST
    for power in range(1, STEPS + 1):
        step = (abs(x) or 1.0) * 10.0**-power
        if not domain.low[k] <= x - step <= x + step <= domain.high[k]:
            continue
        if time.perf_counter() > until:
            break
        slope = (evaluator.along(k, step) - evaluator.along(k, -step)) / (2.0 * step)
        if math.isfinite(slope):
            steps.append(step)
            errors.append(abs(slope - expected) / unit)
    got = float(gradient[k])
    off = abs(got - expected) / unit
    sure = abs(found.error) / unit
    return StepCurve(evaluator.point.spelled(k), tuple(steps), tuple(errors), expected, got, off, sure)


def error_maps(point: Point, gradient: Vector, slopes: Vector) -> tuple[ErrorMap, ...]:
    """The errors by array; numbers that stand alone have none."""
    if len(gradient) > MOST_COMPONENTS:
        return ()
    by_array: dict[str, dict[tuple[int, ...], int]] = {}
    for k in range(len(gradient)):
        argument, index = point.place(k)
        if index is not None:
            by_array.setdefault(argument, {})[index if isinstance(index, tuple) else (index,)] = k
    return tuple(_map(argument, places, gradient, slopes) for argument, places in by_array.items())


def _map(argument: str, places: dict[tuple[int, ...], int], gradient: Vector, slopes: Vector) -> ErrorMap:
    shape = tuple(max(index[axis] for index in places) + 1 for axis in range(len(next(iter(places)))))
    chosen = np.fromiter(places.values(), int)
    largest = float(np.max(np.abs(slopes[chosen]), initial=0.0)) or 1.0
    errors = np.zeros(shape)
    for index, k in places.items():
        off = abs(float(gradient[k]) - float(slopes[k])) / largest
        errors[index] = off if math.isfinite(off) else math.inf
    flat = errors.reshape((-1, *shape[-2:])).max(axis=0) if len(shape) > 1 else errors.reshape(1, -1)
    rows, columns = (-(-size // MOST_CELLS) for size in flat.shape)
    cells = [
        [float(flat[i : i + rows, j : j + columns].max()) for j in range(0, flat.shape[1], columns)]
        for i in range(0, flat.shape[0], rows)
    ]
    return ErrorMap(argument, shape, (rows, columns), tuple(map(tuple, cells)))


__all__ = ["ErrorMap", "GradientEvidence", "StepCurve", "error_maps", "gathered"]
