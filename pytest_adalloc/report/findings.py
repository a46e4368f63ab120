"""Findings of checks as plain data: what crosses process borders, fills files, and is printed at the end of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.report.formats import asked_for
from pytest_adalloc.report.reporting import Finding
from pytest_adalloc.session import Recorder, Settings

if TYPE_CHECKING:
    from pytest_adalloc.hooks import AllocationReport

TOP_SITES = 20  # so many places that allocate are listed, the most frequent first
QUIET = ("passed", "not checked")


def recorded(recorder: Recorder, report: GradReport) -> None:
    """Add a report to its test, and let the reports that the run asks for see it."""
    found = finding(report, recorder)
    recorder.reports.append(report)
    recorder.findings.append(found)
    for each in asked_for(recorder.settings.reports):
        each.load().after_check(recorder, report, found)


def finding(report: GradReport, recorder: Recorder) -> Finding:
    """A report as JSON's kinds of values; numbers that JSON lacks become None.

    What a gradient stores and why is in it where somebody reads it: to find that out takes longer than the check."""
    counts = report.allocs_per_call
    seen = report.allocations
    explained = _explained(recorder.settings) or not report.passed
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
        "digits": report.digits,
        "drowned": len(report.drowned),
        "reference": report.differences,
        "worst": _worst(report),
        "calls": len(counts),
        "allocs_per_call": max(counts, default=None),
        "allocs": sum(counts) if counts else None,
        "allocs_by_call": list(counts) if any(counts) else [],
        "bytes_by_call": list(report.bytes_per_call) if any(counts) else [],
        "seconds": _number(report.seconds),
        "ratio": _number(report.ratio),
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


def _explained(settings: Settings) -> bool:
    """Whether somebody reads what gradients store, and why."""
    asked = settings.reports
    return settings.explain or settings.properties or any(each.load().reads_plans(asked) for each in asked_for(asked))


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
        "formula": str(getattr(record, "formula", "")),
        "file": getattr(span, "file", ""),
        "line": getattr(span, "line", 0),
        "needed_by": _lines(getattr(record, "needed_by", ())),
        "overwritten_by": _lines(getattr(record, "overwritten_by", ())),
    }


def _lines(spans: Any) -> list[int]:
    """The lines of some places, each once."""
    return list(dict.fromkeys(span.line for span in spans if hasattr(span, "line")))


def expected(found: Finding, settings: Settings) -> bool:
    """Whether a check was not met in a test that passed all the same: the test expects it."""
    return settings.policy == "strict" and found["verdict"] not in QUIET and found["test_outcome"] != "failed"


def unmet(findings: Sequence[Finding], settings: Settings) -> list[Finding]:
    """The checks that are not met, without those whose tests expect that."""
    return [found for found in findings if found["verdict"] not in QUIET and not expected(found, settings)]


def many(count: int, noun: str, plural: str = "") -> str:
    """A number of things, in words."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
