"""The end of a run: files of findings, the baseline, and the lines of the summary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pytest_adalloc.report import baseline
from pytest_adalloc.report.findings import Finding, as_json, write_atomically
from pytest_adalloc.session import Settings

QUIET = ("passed", "not checked")


def write(texts: Sequence[str], settings: Settings, root: Path) -> tuple[bool, list[str]]:
    """Write what the run asks for; whether a file could not be written, and the summary's lines."""
    # Parallel runs report in any order; files are the same each time.
    findings: list[Finding] = sorted((json.loads(text) for text in texts), key=_place)
    lines = summary(findings, settings)
    failed = False
    for path, make in ((settings.json, as_json), (settings.html, _page)):
        if path:
            try:
                write_atomically(path, make(findings))
                lines.append(f"written: {path}")
            except OSError as problem:
                failed = True
                lines.append(f"ERROR: {path} can't be written: {problem}")
    if settings.baseline:
        try:
            lines += _baseline(findings, settings)
        except OSError as problem:
            failed = True
            lines.append(f"ERROR: {settings.baseline} can't be written: {problem}")
    if settings.github:
        from pytest_adalloc.report.github import annotation

        level = "error" if settings.policy == "strict" else "warning"
        told = [found for found in findings if found["verdict"] not in QUIET and not _expected(found, settings)]
        lines += [annotation(found, root, level=level) for found in told]
    return failed, lines


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
        lines.append(f"{_many(len(off), 'gradient')} not checked: checks are off (--adalloc=off)")
    if checked:
        lines.append(_totals(checked, settings))
    return lines


def _expected(found: Finding, settings: Settings) -> bool:
    """Whether a check was not met in a test that passed all the same: the test expects it."""
    return settings.policy == "strict" and found["verdict"] not in QUIET and found["test_outcome"] != "failed"


def _totals(checked: Sequence[Finding], settings: Settings) -> str:
    bad = [found for found in checked if found["verdict"] != "passed"]
    calls = sum(found["calls"] for found in checked)
    allocs = sum(found["allocs"] or 0 for found in checked)
    parts = [f"{_many(len(checked), 'gradient')} checked"]
    if bad:
        expected = sum(_expected(found, settings) for found in bad)
        parts.append(f"{len(bad)} not met" + (f" ({expected} as their tests expect)" if expected else ""))
    if calls:
        parts.append(f"{_many(allocs, 'allocation')} in {_many(calls, 'call')}")
    largest = max(checked, key=lambda found: found["workspace_bytes"] or 0)
    if largest["workspace_bytes"]:
        parts.append(f"largest workspace {largest['workspace_bytes']} bytes ({largest['test']})")
    return ", ".join(parts)


def _baseline(findings: Sequence[Finding], settings: Settings) -> list[str]:
    if settings.update_baseline:
        changed = baseline.update(settings.baseline, findings)
        return [f"baseline: {settings.baseline} updated, {_many(changed, 'entry', 'entries')} changed"]
    known = baseline.read(settings.baseline)
    if known is None:
        return [f"baseline: {settings.baseline} does not exist; write it with --adalloc-update-baseline"]
    missing = [found["test"] for found in findings if found["test"] not in known and found["verdict"] == "passed"]
    if not missing:
        return []
    return [f"baseline: no entry for {_many(len(missing), 'check')}, such as {missing[0]}"]


def _page(findings: Sequence[Finding]) -> str:
    from pytest_adalloc.report.html import page

    return page(findings)


def _many(count: int, noun: str, plural: str = "") -> str:
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
