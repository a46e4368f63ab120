"""Random programs: split sweeps and batches of tangents give what whole sweeps and single tangents give."""

from __future__ import annotations

from pathlib import Path

import pytest

import adcore as ad
from tests.fuzz.cases import Case
from tests.fuzz.checks import Report, described
from tests.fuzz.modes import batched, split
from tests.fuzz.programs import draw
from tests.fuzz.rounding import Rounding
from tests.samples import sample

SEEDS = range(9000, 9030)


def finite(case: Case) -> bool:
    """Whether the program compiles, runs without a fault, and has a scalar result that is a number."""
    outcome = case.python()
    if outcome.error is not None or case.program.result == "array":
        return False
    try:
        described(case, case.point)
    except ad.CompileError:
        return False
    return outcome.finite


@pytest.mark.parametrize("seed", sample(SEEDS, quick=10))
def test_modes_agree(seed: int, tmp_path: Path) -> None:
    case = Case(draw(seed), tmp_path)
    if not finite(case):
        return  # nothing to compare: the program stops with a fault or has no finite result
    split(case, Rounding(case), Report(seed))
    batched(case, Rounding(case), Report(seed))
