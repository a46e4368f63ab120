"""No right gradient is accused, and none is refused where it has a slope: the compiler's, and those by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_adalloc import CheckFailed, check_gradient
from tests.soundness.catalogue import cases
from tests.soundness.catalogue.family import Case

ALL = list(cases())
STRIDE = 11  # what the default run takes of them


def verdict(case: Case) -> Any:
    """The report, whether it passed or not."""
    grad = case.family.grad if case.by_hand else None
    try:
        return check_gradient(case.family.f, *case.args, wrt=0, grad=grad)
    except CheckFailed as failure:
        return failure.report


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=() if i % STRIDE == 0 else pytest.mark.slow)
        for i, (name, case) in enumerate(ALL)
    ],
)
def test_the_verdict_is_honest(case: Case) -> None:
    report = verdict(case)
    assert report.verdict in case.family.verdicts, report


def test_the_catalogue_is_large() -> None:
    passing = [case for _, case in ALL if case.family.verdicts == ("passed",)]
    assert len(passing) >= 450
    assert len({name for name, _ in ALL}) == len(ALL)
