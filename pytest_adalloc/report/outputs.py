"""The end of a run: the reports that it asks for, and the lines of the summary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pytest_adalloc.report.findings import expected, many
from pytest_adalloc.report.formats import asked_for
from pytest_adalloc.report.reporting import Finding, ReportedRun
from pytest_adalloc.session import Settings

OVER_LIMIT, NOT_WRITTEN = 1, 3  # pytest's numbers for failed tests and for what went wrong besides


def write(texts: Sequence[str], settings: Settings, root: Path) -> tuple[int, list[str]]:
    """Write what the run asks for; the status that it ends with at least (0 where all is well: a limit of the run that
    is exceeded counts as a failed test, a file that can't be written as an internal error), and the summary's lines."""
    # Parallel runs report in any order; files are the same each time.
    findings: list[Finding] = sorted((json.loads(text) for text in texts), key=_place)
    lines = summary(findings, settings)
    status, run = 0, ReportedRun(settings, root)
    for each in asked_for(settings.reports):
        try:
            report = each.load()
            lines += report.at_end(findings, run)
            over = report.exceeded(findings, run)
            lines += over
            if over and settings.policy == "strict":
                status = max(status, OVER_LIMIT)
        except OSError as problem:
            status = NOT_WRITTEN
            lines.append(f"ERROR: {settings.reports[each.name]} can't be written: {problem}")
    return status, lines


def _place(found: Finding) -> tuple[str, int, int, str]:
    return found["test_file"], found["test_line"], len(found["test"]), found["test"]


def summary(findings: Sequence[Finding], settings: Settings) -> list[str]:
    """A line for the run; with --adalloc-explain everything about every check."""
    off = [found for found in findings if found["verdict"] == "not checked"]
    checked = [found for found in findings if found["verdict"] != "not checked"]
    lines = []
    if settings.explain:
        for found in checked:
            lines += [f"{found['test']}", f"  {found['headline']}", *(f"  {line}" for line in found["details"])]
            lines += [f"    {line}" for line in found["explanation"].splitlines()]
    if off:
        lines.append(f"{many(len(off), 'gradient')} not checked: checks are off (--adalloc=off)")
    if checked:
        lines.append(_totals(checked, settings))
    return lines


def _totals(checked: Sequence[Finding], settings: Settings) -> str:
    bad = [found for found in checked if found["verdict"] != "passed"]
    calls = sum(found["calls"] for found in checked)
    allocs = sum(found["allocs"] or 0 for found in checked)
    parts = [f"{many(len(checked), 'gradient')} checked"]
    if bad:
        as_expected = sum(expected(found, settings) for found in bad)
        parts.append(f"{len(bad)} not met" + (f" ({as_expected} as their tests expect)" if as_expected else ""))
    if calls:
        parts.append(f"{many(allocs, 'allocation')} in {many(calls, 'call')}")
    largest = max(checked, key=lambda found: found["workspace_bytes"] or 0)
    if largest["workspace_bytes"]:
        parts.append(f"largest workspace {largest['workspace_bytes']} bytes ({largest['test']})")
    return ", ".join(parts)
