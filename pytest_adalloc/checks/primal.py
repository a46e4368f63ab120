"""The compiled primal against plain Python: its value, and every array that it writes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pytest_adalloc.checks import diagnostics
from pytest_adalloc.checks.differences.directions import natural_scale
from pytest_adalloc.checks.differences.extrapolation import Precision, measured_noise
from pytest_adalloc.checks.evaluation import Evaluator, Outcome
from pytest_adalloc.checks.subject import Unmet
from pytest_adalloc.checks.trial import Trial


def compare_primal(trial: Trial, plain: Outcome, native: Outcome, evaluator: Evaluator) -> None:
    """The compiled primal agrees with Python as far as the order of operations is free."""
    about = trial.about
    point = about.point
    precision = Precision.of(point.dtype)
    line, _ = point.consistent(natural_scale(point))
    base = evaluator.at(point.vector)
    noise = measured_noise(lambda step: evaluator.at(point.vector + step * line), precision, base)
    trial.noise = noise
    allowed = 64.0 * noise + 1e3 * precision.roundoff * abs(base if math.isfinite(base) else 0.0)
    if plain.value is not None or native.value is not None:
        values = (plain.value, native.value)
        if None in values or not same(np.float64(values[0]), np.float64(values[1]), allowed):
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
