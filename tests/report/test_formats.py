"""The table of reports: every entry leads to a report, and every flag is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_adalloc.integration.flags import FLAGS
from pytest_adalloc.report.formats import FORMATS, ReportFormat, asked_for
from pytest_adalloc.report.reporting import Document, Report

FLAGS_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "flags.md"


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.name)
def test_every_entry_leads_to_a_report(entry: ReportFormat) -> None:
    report = entry.load()
    assert isinstance(report, Report)
    assert not isinstance(report, Document) or report.name == entry.name


def test_flags_have_names_of_their_own_and_a_line_on_the_page_of_flags() -> None:
    assert len({flag.name for flag in FLAGS}) == len(FLAGS)
    text = FLAGS_PAGE.read_text()
    assert [flag.option for flag in FLAGS if f"`{flag.option}" not in text] == []


def test_what_is_asked_for_speaks_in_order() -> None:
    every = {flag.name: "x" for entry in FORMATS for flag in entry.flags}
    assert [entry.name for entry in asked_for(every)] == [
        "json",
        "html",
        "sarif",
        "markdown",
        "pprof",
        "total_workspace",
        "baseline",
        "github",
    ]
    assert [entry.name for entry in asked_for({"update_baseline": True})] == ["baseline"]
    assert asked_for({"json": "", "github": False}) == []
