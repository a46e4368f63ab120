"""Code of NumPy follows the type of its arguments: with float64 in the place of float32 it is the same function, whose
values carry 2^-29 of the noise."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.inputs.arguments import Point, rebuilt, walk
from pytest_adalloc.checks.subjects.evaluation import Evaluator

PLACES = 4
ALIKE = 1e4 * 2.0**-24


class Promotion(NamedTuple):
    """The function of wider arguments, and how far its value was off that of the narrow ones, relatively."""

    evaluator: Evaluator
    off: float


def promoted(evaluator: Evaluator, domain: DomainBounds) -> Promotion | None:
    """`evaluator` with float64 for every float32; None where that is another function, or none of 64 bits.

    Whether it is the same is seen at the point and around it."""
    point = evaluator.point
    single = [leaf for leaf in point.leaves if leaf.floats and leaf.dtype == np.float32]
    if not single or evaluator.weights or point.dtype.itemsize < 4:
        return None
    arguments = tuple(_widened(argument) for argument in point.pristine())
    wide = Evaluator(evaluator.call, Point(point.names, arguments, point.paths))
    try:
        returned = wide.outcome().returned
    except Exception:
        return None
    if not isinstance(returned, (float, np.float64)) and getattr(returned, "dtype", None) != np.float64:
        return None
    random, off = np.random.default_rng(0), 0.0
    for k in range(PLACES):
        factors = 1.0 + (k > 0) * random.integers(-8, 9, point.size) / 64.0
        at = domain.clipped(point.vector * factors).astype(np.float32).astype(np.float64)
        narrow, value = evaluator.at(at), wide.at(at)
        apart = abs(narrow - value)
        if not apart <= ALIKE * max(abs(value), abs(narrow)):
            return None
        if k == 0:
            off = apart / max(abs(value), 1e-300)
    return Promotion(wide, off) if math.isfinite(off) else None


def _widened(argument: Any) -> Any:
    return rebuilt(argument, iter([_wide(leaf) for _, leaf in walk(argument, "")]))


def _wide(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray) and leaf.dtype == np.float32:
        return leaf.astype(np.float64)
    return float(leaf) if isinstance(leaf, np.float32) else leaf
