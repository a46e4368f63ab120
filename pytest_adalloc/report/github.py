"""Findings as workflow commands of GitHub Actions: each failed check becomes an annotation at its line.

Data and properties are escaped as the runner unescapes them: percent signs and line ends, in properties also : and
comma.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pytest_adalloc.report.findings import unmet
from pytest_adalloc.report.reporting import Finding, Report, ReportedRun

_SHOWN = re.compile(r"^ *--> (?P<file>.+?):(?P<line>\d+)(?::\d+)?$", re.MULTILINE)  # the first is the place itself


class Annotations(Report):
    """One line of the summary for each check that is not met, unless its test expects that."""

    def at_end(self, findings: Sequence[Finding], run: ReportedRun) -> list[str]:
        """The workflow commands."""
        level = "error" if run.settings.policy == "strict" else "warning"
        return [annotation(found, run.root, level=level) for found in unmet(findings, run.settings)]


def annotation(found: Finding, root: Path, *, level: str = "error") -> str:
    """The command for one finding; files are named relative to `root`, where the checkout is."""
    file, line = place(found, root)
    properties = {"file": file, "line": str(line), "title": f"adalloc: {found['verdict']}"}
    spelled = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {spelled}::{_data(found['message'] or found['headline'])}"


def place(found: Finding, root: Path) -> tuple[str, int]:
    """The file and the line to show a finding at; files below `root` are named from there."""
    file, line = found["file"] or found["test_file"], found["line"] or found["test_line"]
    # A message that shows a line of the user's knows more than where the function begins.
    shown = _SHOWN.search(found["message"])
    if shown is not None and _inside(shown["file"], root):
        file, line = shown["file"], int(shown["line"])
    for site in found["sites"] if found["verdict"] == "allocates" else ():
        # The line that allocates is worth more than the line of the function, if it is the user's.
        if site["file"] and _inside(site["file"], root):
            file, line = site["file"], site["line"]
            break
    return _relative(file, root), line or 1


def _inside(file: str, root: Path) -> bool:
    return Path(file).is_relative_to(root)


def _relative(file: str, root: Path) -> str:
    return Path(file).relative_to(root).as_posix() if _inside(file, root) else file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


REPORT = Annotations()
