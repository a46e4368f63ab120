"""How far apart two computations of the same thing may be.

Backward stability is all that floating-point code can promise: a result is right if it is the exact one for inputs
that differ in their last places. So the first comparison is strict (`unit`, relative to the larger of a scale and the
number). Only where it fails, the program is run again at inputs that are rounded differently, and what that changes in
the result is how little its last digits mean: a multiple of it is allowed as well, and the program is reported as
ill-conditioned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from tests.fuzz.cases import Array, Case, Outcome, Point
from tests.fuzz.programs import SINGLE

UNIT = 1e-12
SINGLE_ROUNDOFF = 2.0**29
"""Of float32, in units of that of float64."""
SAMPLES = 6
AMPLIFIED = 64.0
"""Roundings inside the program, in units of one rounding of its inputs."""


class Rounding:
    """Tolerances for one case; `unit` is 1e-12, or as many roundings of float32 where that takes part."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.single = f"b[{SINGLE}]" in case.program.source or "float32" in case.program.source
        self.unit = UNIT * (SINGLE_ROUNDOFF if self.single else 1.0)
        self.nudge = 2.0**-51 * (SINGLE_ROUNDOFF if self.single else 1.0)
        self.ill_conditioned = False

    def close(self, got: Array, expected: Array, scale: float = 1.0, spread: Callable[[], Array] | None = None) -> bool:
        """Whether all numbers are close, relative to the larger of `scale` and the number itself, or no further apart
        than rounded inputs explain; what those change is computed by `spread` (default: that of the outcome)."""
        gaps = _gaps(got, expected)
        allowed = self.unit * np.maximum(scale, np.where(np.isfinite(expected), np.abs(expected), 0.0))
        if np.all(gaps <= allowed):
            return True
        self.ill_conditioned = True
        return bool(np.all(gaps <= allowed + AMPLIFIED * (spread() if spread else self.spread)))

    @cached_property
    def spread(self) -> Array:
        """What rounding the inputs changes in each number of the outcome."""
        return self.spread_of(lambda at: self.case.python(at).flat())

    def spread_of(self, numbers: Callable[[Point], Array]) -> Array:
        """What rounding the inputs changes in each of `numbers`; infinite where they have no answer any more."""
        rng = np.random.default_rng(self.case.program.seed)
        base = numbers(self.case.point)
        worst = np.zeros(base.shape)
        for _ in range(SAMPLES):
            found = numbers(self.case.point.nudged(rng, self.nudge))
            if found.shape != base.shape:
                return np.full(base.shape, np.inf)
            worst = np.fmax(worst, np.nan_to_num(_gaps(found, base), nan=np.inf))
        return worst


def _gaps(got: Array, expected: Array) -> Array:
    """How far apart numbers are; infinities and NaN are as far from themselves as other numbers: not at all."""
    with np.errstate(all="ignore"):
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
        gaps: Array = np.where(same, 0.0, np.abs(got - expected))
    return gaps


def first_difference(got: Outcome, expected: Outcome) -> str:
    """Where two outcomes differ most."""
    a, b = got.flat(), expected.flat()
    if a.shape != b.shape:
        return f"{got.value!r} not {expected.value!r}"
    k = int(np.argmax(np.nan_to_num(_gaps(a, b), nan=np.inf)))
    return f"number {k} of value and buffers: {a[k]!r} not {b[k]!r}"
