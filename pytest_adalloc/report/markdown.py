"""The summary of a run in Markdown: for GITHUB_STEP_SUMMARY, and for comments on merge requests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pytest_adalloc.report.findings import many, unmet
from pytest_adalloc.report.github import place
from pytest_adalloc.report.reporting import Document, Finding, ReportedRun
from pytest_adalloc.session import Settings

ROWS = 50  # a comment is read, not searched
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


class MarkdownSummary(Document):
    """What a reviewer has to know, on one screen."""

    name = "markdown"

    def reads_plans(self, asked: object) -> bool:
        """It says what failed, not what gradients store."""
        return False

    def text(self, findings: Sequence[Finding], run: ReportedRun) -> str:
        """See `as_markdown`."""
        return _before(run.settings.reports[self.name]) + as_markdown(findings, run.settings, run.root)


def _before(path: str) -> str:
    """What earlier commands of the step have written into its summary, which is there to be added to."""
    given = os.environ.get(STEP_SUMMARY)
    if not given or not Path(path).exists() or not os.path.samefile(path, given):
        return ""
    return Path(path).read_text(encoding="utf-8")


def as_markdown(findings: Sequence[Finding], settings: Settings, root: Path) -> str:
    """A sentence, and a table of the checks that are not met and whose tests do not expect that."""
    bad = unmet(findings, settings)
    off = sum(found["verdict"] == "not checked" for found in findings)
    said = [
        f"{many(len(findings) - off, 'gradient')} checked, {f'**{len(bad)} not met**' if bad else 'all as expected'}."
    ]
    if not len(findings) - off:
        said = ["**No gradient was checked.**"]
    if off:
        said.append(f"{many(off, 'gradient')} not checked: checks are off.")
    lines = ["## Gradients", "", " ".join(said), ""]
    if bad:
        lines += ["| test | verdict | where | what |", "|---|---|---|---|"]
        lines += [_row(found, root) for found in bad[:ROWS]]
        lines += ["", f"And {len(bad) - ROWS} more."] if len(bad) > ROWS else []
        lines.append("")
    return "\n".join(lines)


def _row(found: Finding, root: Path) -> str:
    file, line = place(found, root)
    what = next(iter(found["message"].splitlines()), "") or found["headline"]
    cells = (found["test"], found["verdict"], f"{file}:{line}", what.removeprefix(f"{found['verdict']}: "))
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Text that means itself: no tags, no emphasis, no end of the cell."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join("\\" + sign if sign in "\\|*_`[]~#@" else sign for sign in plain)


REPORT = MarkdownSummary()
