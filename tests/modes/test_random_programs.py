"""Random programs: split sweeps and batches of tangents give what whole sweeps and single tangents give."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.fuzz.cases import Case, Point, same_buffers
from tests.fuzz.programs import draw

CLOSE = 1e-8
SEEDS = range(9000, 9030)


def finite(case: Case) -> bool:
    """Whether the program compiles, runs without a fault, and has a scalar result that is a number."""
    outcome = case.outcome(lambda at: case.function(*case.arguments(at)))
    if outcome.error is not None or case.program.result == "array":
        return False
    try:
        value = ad.autodiff(ad.Primal, case.function, *case.annotated(case.point.copy(), case.point.copy(), False))
    except (ad.CompileError, ad.ArgumentError):
        return False
    parts = np.ravel(np.array(value, dtype=float)) if value is not None else np.zeros(0)
    return bool(np.isfinite(parts).all() and all(np.isfinite(b).all() for b in outcome.buffers))


def gradients(case: Case, run: Any) -> list[Any]:
    at, shadow = case.point.copy(), Point.random(np.random.default_rng(1), case.program.numbers)
    annotated = case.annotated(at, shadow, False)
    derivatives, _ = run(annotated, at)
    numbers = np.array([0.0, *(float(d) for d in derivatives or () if isinstance(d, float))])
    return [*shadow.buffers, numbers]


def check_split(case: Case) -> bool:
    whole = gradients(case, lambda annotated, _: ad.autodiff(ad.ReverseWithPrimal, case.function, *annotated))

    def run(annotated: list[Any], at: Point) -> Any:
        g = ad.compile(case.function, *annotated, mode=ad.ReverseSplit, pending=2)
        step = g.forward(*annotated)
        other = Point.random(np.random.default_rng(2), case.program.numbers)
        with contextlib.suppress(ArithmeticError, LookupError, ValueError, NameError, AssertionError):
            g.forward(*case.annotated(other, other.copy(), False))  # perhaps outside the domain
        for buffer in at.buffers:
            buffer.fill(np.nan)
        return g.reverse(step), step.value

    try:
        split = gradients(case, run)
    except ad.ArgumentError as error:
        if "can't be split" in str(error) or "list of arrays" in str(error):
            return False
        raise
    assert same_buffers(split, whole, CLOSE), (split, whole)
    return True


def check_batch(case: Case) -> bool:
    tangents = [Point.random(np.random.default_rng(k), case.program.numbers) for k in range(3)]

    def shadows(point: Point) -> list[Any]:
        return [getattr(a, "shadow", None) for a in case.annotated(point.copy(), point, True)]

    single, after = [], []
    for tangent in tangents:
        own = tangent.copy()
        single.append(ad.autodiff(ad.Forward, case.function, *case.annotated(case.point.copy(), own, True)))
        after += own.buffers
    lanes = [t.copy() for t in tangents]
    columns = zip(*(shadows(lane) for lane in lanes), strict=True)
    arguments = case.annotated(case.point.copy(), case.point.copy(), True)
    batched = [
        ad.BatchDuplicated(a.value, column) if isinstance(a, ad.Duplicated) else a
        for a, column in zip(arguments, columns, strict=True)
    ]
    if not any(isinstance(a, ad.BatchDuplicated) for a in batched):
        return False
    found = ad.autodiff(ad.Forward, case.function, *batched)
    assert same_buffers([b for lane in lanes for b in lane.buffers], after, CLOSE)
    for one, other in zip(found, single, strict=True):
        assert same_buffers([np.ravel(np.array(one, dtype=float))], [np.ravel(np.array(other, dtype=float))], CLOSE)
    return True


@pytest.mark.parametrize("seed", SEEDS)
def test_modes_agree(seed: int, tmp_path: Path) -> None:
    case = Case(draw(seed), tmp_path)
    if not finite(case):
        return  # nothing to compare: the program stops with a fault or has no finite result
    check_split(case)
    check_batch(case)
