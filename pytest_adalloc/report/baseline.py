"""Figures of an earlier run, kept in a file under version control: more allocations or workspace than then is a
failure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_adalloc.report.files import write_atomically
from pytest_adalloc.report.findings import many
from pytest_adalloc.report.reporting import Finding, Report, ReportedRun

FORMAT = 1
Entries = dict[str, dict[str, Any]]


class BaselineError(ValueError):
    """The baseline file is damaged or of another format; the message says what to do."""


class Baseline(Report):
    """Tells what is new since the file was written, or writes it anew; the checks themselves read it as a limit."""

    def complaint(self, asked: Mapping[str, Any]) -> str:
        """To write the file, its name has to be known."""
        if asked.get("update_baseline") and not asked.get("baseline"):
            return "--adalloc-update-baseline: name the file with --adalloc-baseline=FILE"
        return ""

    def reads_plans(self, asked: Mapping[str, Any]) -> bool:
        """It keeps how many values are stored."""
        return bool(asked.get("update_baseline"))

    def at_end(self, findings: Sequence[Finding], run: ReportedRun) -> list[str]:
        """Write it, or say what is missing from it."""
        path = run.settings.reports["baseline"]
        if run.settings.reports.get("update_baseline"):
            changed = update(path, findings)
            return [f"baseline: {path} updated, {many(changed, 'entry', 'entries')} changed"]
        known = read(path)
        if known is None:
            return [f"baseline: {path} does not exist; write it with --adalloc-update-baseline"]
        missing = [found["test"] for found in findings if found["test"] not in known and found["verdict"] == "passed"]
        if not missing:
            return []
        return [f"baseline: no entry for {many(len(missing), 'check')}, such as {missing[0]}"]


def read(path: str | Path) -> Entries | None:
    """The entries by test, None if there is no file yet. Raises BaselineError if it can't be understood."""
    file = Path(path)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise BaselineError(
            f"{path}: not a baseline ({problem}); rewrite it with --adalloc-update-baseline"
        ) from problem
    entries = content.get("tests") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or content.get("format") != FORMAT or not all(map(_valid, entries.values())):
        raise BaselineError(f"{path}: not a baseline of format {FORMAT}; rewrite it with --adalloc-update-baseline")
    return entries


def _valid(entry: Any) -> bool:
    numbers = ("allocs_per_call", "workspace_bytes", "stored")
    return isinstance(entry, dict) and all(isinstance(entry.get(name), (int, type(None))) for name in numbers)


def entry(found: Finding) -> dict[str, Any]:
    """What a baseline keeps of a finding."""
    return {
        "allocs_per_call": found["allocs_per_call"],
        "workspace_bytes": found["workspace_bytes"],
        "stored": len(found["stored"]),
    }


def update(path: str | Path, findings: Sequence[Finding]) -> int:
    """Write the figures of this run; tests that did not run keep theirs. Returns the number of entries that changed."""
    try:
        entries = read(path) or {}
    except BaselineError:
        entries = {}
    new = {found["test"]: entry(found) for found in findings if found["verdict"] == "passed"}
    changed = sum(entries.get(test) != figures for test, figures in new.items())
    written(path, {**entries, **new})
    return changed


def written(path: str | Path, entries: Entries) -> None:
    """Write a baseline."""
    write_atomically(path, json.dumps({"format": FORMAT, "tests": entries}, indent=2, sort_keys=True) + "\n")


def merged(several: Sequence[Entries]) -> tuple[Entries, list[str]]:
    """One baseline out of several, such as those of CI's shards; and the tests whose figures differ between them, of
    which the larger ones are taken: all of the runs then meet it."""
    found: Entries = {}
    differing = []
    for entries in several:
        for test, figures in entries.items():
            before = found.get(test)
            if before is None or before == figures:
                found[test] = figures
                continue
            differing.append(test)
            known = [name for name in (*before, *figures) if isinstance(before.get(name), int)]
            larger = {name: max(before[name], figures.get(name) or 0) for name in known}
            found[test] = {**before, **figures, **larger}
    return found, sorted(set(differing))


REPORT = Baseline()
