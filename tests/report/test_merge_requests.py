"""What goes to the pages of a forge: SARIF for code scanning, and a summary in Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.report.github import annotation, place
from pytest_adalloc.report.markdown import ROWS, STEP_SUMMARY, as_markdown
from pytest_adalloc.report.outputs import write
from pytest_adalloc.report.sarif import as_sarif
from pytest_adalloc.session import Settings
from tests.report.test_outputs import WRONG, counted, found

ROOT = Path("/src")


def failed(**figures: Any) -> dict[str, Any]:
    return {**found(**{**WRONG, **figures}), "test_outcome": "failed"}


def test_sarif_names_rule_place_and_message() -> None:
    document = json.loads(as_sarif([failed(), failed(file="/else where/x.py", line=3)], ROOT))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["adalloc/gradient-wrong"]
    first, second = run["results"]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("adalloc/gradient-wrong", 0, "error")
    assert first["message"]["text"] == WRONG["message"]
    (place,) = first["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "test_a.py", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 7},
    }
    assert second["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///else%20where/x.py"}


@pytest.mark.parametrize(("file", "line"), [("/src/deep er/m.py", 41), ("/usr/lib/m.py", 7)])
def test_the_line_that_the_message_shows_is_the_place(file: str, line: int) -> None:
    one = failed(message=f"workspace too large: f\nneeds x\n  --> {file}:41\n   41 |  x\n  --> {file}:50:1")
    name = "deep er/m.py" if line == 41 else "test_a.py"
    assert place(one, ROOT) == (name, line)
    assert f"file={name},line={line}," in annotation(one, ROOT)


def test_what_tests_expect_is_in_neither(tmp_path: Path) -> None:
    expected = {**found(**WRONG), "test_outcome": "passed"}
    paths = {"sarif": str(tmp_path / "new" / "a.sarif"), "markdown": str(tmp_path / "new" / "a.md")}
    failing, lines = write([json.dumps(expected), json.dumps(found())], Settings(reports=paths), ROOT)
    assert not failing
    assert sum(line.startswith("written: ") for line in lines) == 2
    assert json.loads(Path(paths["sarif"]).read_text())["runs"][0]["results"] == []
    assert "2 gradients checked, all as expected." in Path(paths["markdown"]).read_text()


def test_markdown_is_a_table_whose_cells_mean_themselves() -> None:
    bad = failed(message="gradient wrong: d|x| <b>")
    text = as_markdown([bad, found()], Settings(), ROOT)
    assert "2 gradients checked, **1 not met**." in text
    assert text.splitlines()[6] == r"| test\_a.py::test\_f | gradient wrong | test\_a.py:7 | d\|x\| &lt;b> |"
    assert "And 2 more.\n" in as_markdown([bad] * (ROWS + 2), Settings(), ROOT)


def test_markdown_never_calls_unchecked_gradients_fine() -> None:
    off = {**found(), "verdict": "not checked"}
    assert "**No gradient was checked.** 1 gradient not checked: checks are off." in as_markdown(
        [off], Settings(), ROOT
    )
    assert "**No gradient was checked.**" in as_markdown([], Settings(), ROOT)


def test_the_summary_of_a_step_is_added_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.md"
    path.write_text("# Before\n")
    for expected in (False, True):
        if expected:
            path.write_text("# Before\n")
            monkeypatch.setenv(STEP_SUMMARY, str(path))
        else:
            monkeypatch.delenv(STEP_SUMMARY, raising=False)
        write([json.dumps(counted())], Settings(reports={"markdown": str(path)}), tmp_path)
        assert path.read_text().startswith("# Before\n") is expected
