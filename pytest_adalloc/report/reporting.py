"""What a report may do, and when: before the first test, after each check, and at the end of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_adalloc.report.files import write_atomically
from pytest_adalloc.session import Recorder, Settings

if TYPE_CHECKING:
    from pytest_adalloc.checks.verdict.grad_report import GradReport

Finding = dict[str, Any]


@dataclass(frozen=True)
class ReportedRun:
    """The run that a report is about: its settings, and the directory that paths are relative to."""

    settings: Settings
    root: Path


class Report:
    """One way to tell what a run found. It does nothing by itself: a report overrides what it needs."""

    def complaint(self, asked: Mapping[str, Any]) -> str:
        """What is wrong about the flags, so that the run need not begin; empty where nothing is."""
        return ""

    def reads_plans(self, asked: Mapping[str, Any]) -> bool:
        """Whether it tells what gradients store and why, which takes longer to find out than to check them."""
        return False

    def after_check(self, recorder: Recorder, report: GradReport, found: Finding) -> None:
        """In the process that has checked, while its libraries are loaded; may add to the finding."""

    def at_end(self, findings: Sequence[Finding], run: ReportedRun) -> list[str]:
        """Write what there is to write; the lines for the summary. An OSError of it fails the run."""
        return []

    def exceeded(self, findings: Sequence[Finding], run: ReportedRun) -> list[str]:
        """Limits of the whole run that it does not keep, a line each: they fail it, although no test did."""
        return []


class Document(Report):
    """A report that is one file of text: `name` is the flag that holds its path."""

    name: str

    def reads_plans(self, asked: Mapping[str, Any]) -> bool:
        """Findings are in it as they are."""
        return True

    def text(self, findings: Sequence[Finding], run: ReportedRun) -> str:
        """The whole file."""
        raise NotImplementedError

    def at_end(self, findings: Sequence[Finding], run: ReportedRun) -> list[str]:
        """Write the file."""
        path = run.settings.reports[self.name]
        write_atomically(path, self.text(findings, run))
        return [f"written: {path}"]
