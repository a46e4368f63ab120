"""Options of checks that a project and its folders set, and the checks that have their own."""

from __future__ import annotations

import pytest

from .conftest import Session

pytest_plugins = ["pytester"]

TEST = """
import numpy as np
import pytest


def energy(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


@pytest.mark.no_alloc_grad(energy, np.ones(4))
def test_mark():
    pass


@pytest.mark.no_alloc_grad(x=np.ones(4))
def test_body(x):
    return energy(x)


def test_fixture(adalloc):
    adalloc.check(energy, np.ones(4))


@pytest.mark.no_alloc_grad(energy, np.ones(4), max_workspace=None)
def test_own():
    pass
"""

FOLDER = """
def pytest_adalloc_options(item):
    return {"max_workspace": "4*n"} if item.name != "test_own" else None
"""


@pytest.mark.slow
def test_a_project_and_a_folder(session: Session, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nadalloc_max_workspace = 8*n\nadalloc_mode = both")
    session(TEST).assert_outcomes(passed=4)
    pytester.makeini("[pytest]\nadalloc_max_workspace = 31")
    session(TEST).assert_outcomes(passed=1, failed=3)
    pytester.makeconftest(FOLDER.replace('"4*n"', "32"))
    session(TEST).assert_outcomes(passed=4)
    pytester.makeconftest(FOLDER)
    session(TEST).assert_outcomes(passed=1, failed=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("adalloc_rtol = much", "ini option adalloc_rtol='much': it is a number, at least 0"),
        ("adalloc_prove = maybe", "ini option adalloc_prove='maybe': it is one of 'require', 'report', 'off'"),
        ("adalloc_max_workspace = 8*", "ini option adalloc_max_workspace='8*': it is a number of bytes or a formula"),
    ],
)
def test_a_value_that_makes_no_sense_ends_the_run(
    line: str, complaint: str, session: Session, pytester: pytest.Pytester
) -> None:
    pytester.makeini(f"[pytest]\n{line}")
    result = session(TEST)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{complaint}*"])
