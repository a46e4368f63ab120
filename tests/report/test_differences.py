"""Two runs compared: what counts as worse, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.report.differences import RunFileError, as_markdown, as_text, checks_of, compared


def check(**figures: Any) -> dict[str, Any]:
    return {"verdict": "passed", "allocs_per_call": 0, "workspace_bytes": 80, "stored": 1, "digits": 14, **figures}


@pytest.mark.parametrize(
    ("now", "change", "what"),
    [
        ({"verdict": "allocates"}, "worse", "verdict passed -> allocates"),
        ({"allocs_per_call": 2}, "worse", "allocations a call 0 -> 2"),
        ({"workspace_bytes": 81}, "worse", "bytes of workspace 80 -> 81"),
        ({"workspace_bytes": 8000}, "worse", "bytes of workspace 80 -> 8,000"),
        ({"workspace_bytes": 0}, "better", "bytes of workspace 80 -> 0"),
        ({"stored": 2}, "worse", "values kept 1 -> 2"),
        ({"digits": 11}, "worse", "digits that agree 14 -> 11"),
    ],
)
def test_one_figure(now: dict[str, Any], change: str, what: str) -> None:
    found = compared({"t": check()}, {"t": check(**now)})
    assert [each.change for each in found.changes] == [change]
    assert found.worse is (change == "worse")
    assert what in as_text(found)


@pytest.mark.parametrize("now", [{}, {"digits": 13}, {"digits": None}, {"stored": None}, {"workspace_bytes": None}])
def test_what_is_no_change(now: dict[str, Any]) -> None:
    found = compared({"t": check()}, {"t": check(**now)})
    assert found.changes == ()
    assert as_text(found) == "1 as before."


def test_a_check_that_passes_again_is_better_and_its_figures_are_compared() -> None:
    found = compared({"t": check(verdict="kink", workspace_bytes=8)}, {"t": check()})
    assert [(each.change, each.what) for each in found.changes] == [
        ("worse", "bytes of workspace"),
        ("better", "verdict"),
    ]


def test_new_and_gone() -> None:
    found = compared({"a": check(), "b": check()}, {"b": check(), "c": check(), "d": check(verdict="kink")})
    assert [(each.test, each.change) for each in found.changes] == [("d", "worse"), ("c", "new"), ("a", "gone")]
    assert found.worse
    assert as_text(found).splitlines()[-1] == "1 worse, 1 new, 1 gone, 1 as before."


def test_markdown_is_a_table() -> None:
    text = as_markdown(compared({"t[a|b]": check()}, {"t[a|b]": check(workspace_bytes=96)}))
    assert text.splitlines()[0] == "**Gradients:** 1 worse, 0 as before."
    assert text.splitlines()[-1] == "| ❌ worse | `t[a\\|b]` | bytes of workspace | 80 | 96 |"
    assert as_markdown(compared({}, {})) == "**Gradients:** 0 as before."


def test_files_of_runs(tmp_path: Path) -> None:
    run, baseline = tmp_path / "run.json", tmp_path / "baseline.json"
    run.write_text(json.dumps({"format": 1, "checks": [{"test": "t", "verdict": "passed", "stored": [{}, {}]}]}))
    baseline.write_text(json.dumps({"format": 1, "tests": {"t": {"stored": 1}}}))
    found = compared(checks_of(baseline), checks_of(run))
    assert [(each.what, each.before, each.after) for each in found.changes] == [("values kept", "1", "2")]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"checks": [1]}', '{"checks": [{}]}', '{"tests": {"t": 1}}', "\ufeff{"]
)
def test_files_that_are_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(RunFileError, match=r"run\.json is no file of a run"):
        checks_of(path)
    with pytest.raises(RunFileError, match="does not exist"):
        checks_of(tmp_path / "other.json")
