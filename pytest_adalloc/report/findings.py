"""Findings of checks as plain data: what crosses process borders, fills files, and is printed at the end of a run."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_adalloc.report.reports import GradReport
from pytest_adalloc.session import Recorder

if TYPE_CHECKING:
    from pytest_adalloc.hooks import AllocationReport

FORMAT = 1
TOP_SITES = 20  # so many places that allocate are listed, the most frequent first
Finding = dict[str, Any]


def recorded(recorder: Recorder, report: GradReport) -> None:
    """Add a report to its test, and write its profile where the run asks for profiles."""
    found = finding(report, recorder)
    recorder.reports.append(report)
    recorder.findings.append(found)
    if recorder.settings.pprof and report.allocations is not None:
        found["pprof"] = profiled(recorder, report.allocations, found["test"])


def profiled(recorder: Recorder, allocations: AllocationReport, name: str = "") -> str:
    """Write a profile where the run asks for profiles; its path, empty where it does not.

    A profile has the name of its check, or of its test and a number.
    """
    if not recorder.settings.pprof:
        return ""
    from pytest_adalloc.hooks.attribute.pprof import write_profile

    if not name:
        recorder.profiles += 1
        name = f"{recorder.nodeid}-measured-{recorder.profiles}"
    directory = Path(recorder.settings.pprof)
    directory.mkdir(parents=True, exist_ok=True)
    plain = re.sub(r"[^\w.-]+", "_", name).strip("_")
    return str(write_profile(allocations, directory / f"{plain}.pb.gz"))


def finding(report: GradReport, recorder: Recorder) -> Finding:
    """A report as JSON's kinds of values; numbers that JSON lacks become None.

    What a gradient stores and why is in it where somebody reads it: to find that out takes longer than the check."""
    counts = report.allocs_per_call
    seen = report.allocations
    explained = recorder.settings.explained or not report.passed
    return {
        "test": recorder.key,
        "file": report.file or recorder.file,
        "line": report.line or recorder.line,
        "test_file": recorder.file,
        "test_line": recorder.line,
        "test_outcome": "",  # known when the test has ended
        "function": report.function,
        "verdict": report.verdict,
        "headline": report.headline(),
        "details": report.details(stored=explained),
        "explanation": report.explanation if explained else "",
        "message": report.message,
        "value": _number(report.value),
        "max_error": _number(report.max_error),
        "worst": _worst(report),
        "calls": len(counts),
        "allocs_per_call": max(counts, default=None),
        "allocs": sum(counts) if counts else None,
        "bytes": sum(report.bytes_per_call) if counts else None,
        **_allocations(seen),
        "sites": [_site(site) for site in report.sites[:TOP_SITES]],
        "more_sites": max(len(report.sites) - TOP_SITES, 0),
        "workspace_bytes": report.workspace_bytes,
        "workspace_formula": report.workspace_formula,
        "stored": [_stored(record) for record in (report.stored if explained else ())],
        "proven": getattr(report.certificate, "proven", None),
        "witnesses": [_witness(witness) for witness in report.witnesses],
    }


def _allocations(seen: AllocationReport | None) -> Finding:
    """What was counted beside the sites, who else counted, and what nobody could see."""
    if seen is None:
        from pytest_adalloc.hooks.reports import AllocationReport

        return {**_allocations(AllocationReport((), ())), "pattern": None, "driven": None, "scope": None}
    return {
        "pattern": seen.pattern,
        "driven": seen.driven,
        "scope": seen.scope,
        "by_function": dict(seen.by_function),
        "frees": seen.frees,
        "other_threads": dict(seen.other_threads),
        "interpreter": dict(seen.interpreter),
        "python": {name: asdict(count) for name, count in seen.python.items()},
        "repeats": seen.repeats,
        "unseen": dict(seen.unseen),
        "disagreement": seen.disagreement,
        "blind_spots": [str(spot) for spot in seen.blind_spots],
    }


def _witness(witness: Any) -> Finding:
    """Name, state and detail; without hooks a witness is a sentence of that form."""
    if isinstance(witness, str):
        name, _, rest = witness.partition(": ")
        state, _, detail = rest.partition(" (")
        return {"name": name, "state": state, "detail": detail.removesuffix(")"), "unseen": {}}
    return {"name": witness.name, "state": witness.state, "detail": witness.detail, "unseen": dict(witness.unseen)}


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _worst(report: GradReport) -> Finding | None:
    worst = report.worst
    if worst is None:
        return None
    index = list(worst.index) if isinstance(worst.index, tuple) else worst.index
    numbers = {"expected": _number(worst.expected), "got": _number(worst.got)}
    return {"argument": worst.argument, "index": index, **numbers}


def _site(site: Any) -> Finding:
    names = ("function", "library", "symbol", "file", "line", "count", "bytes", "phase")
    return {name: getattr(site, name, None) for name in names}


def _stored(record: Any) -> Finding:
    span = getattr(record, "span", None)
    return {
        "value": str(getattr(record, "value", record)),
        "bytes": str(getattr(record, "bytes", "")),
        "reason": str(getattr(record, "reason", "")),
        "fix": str(getattr(record, "fix", "")),
        "file": getattr(span, "file", ""),
        "line": getattr(span, "line", 0),
    }


def as_json(findings: Sequence[Finding]) -> str:
    """The findings of a run as a JSON document."""
    return json.dumps({"format": FORMAT, "checks": list(findings)}, indent=2, sort_keys=True) + "\n"


def write_atomically(path: str | Path, text: str) -> None:
    """Replace a file by `text`: readers see the old one or the new one, never a part. Directories are made."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        # mkstemp makes private files; a report is as readable as any other file of the user's.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
