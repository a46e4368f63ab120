"""Limits of a whole run, which no single test exceeds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.report.formats import asked_for
from pytest_adalloc.report.limits import REPORT
from pytest_adalloc.report.outputs import NOT_WRITTEN, OVER_LIMIT, write
from pytest_adalloc.session import Settings
from tests.report.test_outputs import found

RUN = [
    json.dumps({**found(workspace_bytes=size), "test": f"test_{size}", "seconds": seconds})
    for size, seconds in ((80, 0.5), (40, 2.25))
]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"total_workspace": 120}, None),
        ({"total_workspace": 119}, "120 bytes of workspace together, more than the 119 .* test_80: 80"),
        ({"total_workspace": 0}, "120 bytes of workspace together, more than the 0 "),
        ({"slowest_check": 3}, None),
        ({"slowest_check": 2}, "test_40 took 2.2 s, longer than the 2 s"),
    ],
)
def test_a_run_keeps_its_limits(limits: dict[str, Any], said: str | None, tmp_path: Path) -> None:
    status, lines = write(RUN, Settings(reports=limits), tmp_path)
    errors = [line for line in lines if line.startswith("ERROR: ")]
    assert (status, len(errors)) == ((0, 0) if said is None else (OVER_LIMIT, 1))
    if said is not None:
        assert re.search(said, errors[0])
        assert write(RUN, Settings(policy="warn", reports=limits), tmp_path)[0] == 0


def test_a_file_that_is_not_written_is_worse(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    asked = {"total_workspace": 1, "json": str(tmp_path / "file" / "below.json")}
    assert write(RUN, Settings(reports=asked), tmp_path)[0] == NOT_WRITTEN


def test_limits_that_make_no_sense_are_refused() -> None:
    assert asked_for({"total_workspace": 0})
    assert "not negative" in REPORT.complaint({"total_workspace": -1})
    assert "at least one second" in REPORT.complaint({"slowest_check": 0})
    assert REPORT.complaint({"total_workspace": 0, "slowest_check": 1}) == ""
