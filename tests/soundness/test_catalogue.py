"""No right gradient is accused, and none is refused where it has a slope: the compiler's, and those by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, check_gradient
from pytest_adalloc.checks.differences.comparison import compare
from pytest_adalloc.checks.inputs.arguments import Point
from pytest_adalloc.checks.inputs.flat import in_a_row
from pytest_adalloc.checks.subjects.evaluation import Evaluator
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


def alone(case: Case) -> str:
    """The verdict on the gradient by hand, by calls alone."""
    point = Point(in_a_row(case.family.f, case.args, {}, None)[0].names, case.args, (0,))
    with np.errstate(all="ignore"):
        gradient = np.asarray(case.family.grad(*case.args), dtype=float).reshape(-1)
        return compare(Evaluator(case.family.f, point), gradient).verdict


UNSEEN = "finite differences unreliable here"
BY_CALLS = [(i, name, case) for i, (name, case) in enumerate((n, c) for n, c in ALL if c.by_hand)]


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=name, marks=() if i % STRIDE == 0 else pytest.mark.slow) for i, name, c in BY_CALLS],
)
def test_calls_alone_accuse_nobody(case: Case) -> None:
    """Where they see nothing they say so."""
    found = alone(case)
    assert found in (*case.family.verdicts, UNSEEN)


@pytest.mark.slow
def test_calls_alone_refuse_few() -> None:
    passing = [case for _, _, case in BY_CALLS if case.family.verdicts == ("passed",)]
    refused = [case.name for case in passing if alone(case) == UNSEEN]
    assert len(refused) <= 0.12 * len(passing), refused


def test_the_catalogue_is_large() -> None:
    passing = [case for _, case in ALL if case.family.verdicts == ("passed",)]
    assert len(passing) >= 450
    assert len({name for name, _ in ALL}) == len(ALL)
