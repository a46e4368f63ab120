"""Checks that are not met as SARIF, the format that code scanning reads.

Source: Static Analysis Results Interchange Format (SARIF) 2.1.0, OASIS Standard, 2020.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytest_adalloc.report.findings import unmet
from pytest_adalloc.report.github import place
from pytest_adalloc.report.reporting import Document, Finding, ReportedRun

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "SRCROOT"


class Sarif(Document):
    """One result for each check that is not met, unless its test expects that."""

    name = "sarif"

    def text(self, findings: Sequence[Finding], run: ReportedRun) -> str:
        """See `as_sarif`."""
        level = "error" if run.settings.policy == "strict" else "warning"
        return as_sarif(unmet(findings, run.settings), run.root, level=level)


def as_sarif(findings: Sequence[Finding], root: Path, *, level: str = "error") -> str:
    """The findings as one SARIF run, whose rules are the verdicts that occur."""
    verdicts = sorted({found["verdict"] for found in findings})
    rules = [{"id": _rule(verdict), "shortDescription": {"text": verdict}} for verdict in verdicts]
    run = {
        "tool": {"driver": {"name": "pytest-adalloc", "rules": rules}},
        "results": [_result(found, root, level, verdicts.index(found["verdict"])) for found in findings],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, sort_keys=True) + "\n"


def _rule(verdict: str) -> str:
    return "adalloc/" + verdict.replace(" ", "-").lower()


def _result(found: Finding, root: Path, level: str, rule: int) -> dict[str, Any]:
    file, line = place(found, root)
    absolute = Path(file).is_absolute()
    # A path that is relative stands for a file of the checkout; a colon in it must not look like a URI's scheme.
    where = {"uri": Path(file).as_uri()} if absolute else {"uri": quote(file), "uriBaseId": ROOT}
    located = {"physicalLocation": {"artifactLocation": where, "region": {"startLine": line}}}
    return {
        "ruleId": _rule(found["verdict"]),
        "ruleIndex": rule,
        "level": level,
        "message": {"text": found["message"] or found["headline"]},
        "locations": [located] if file else [],
        # Lines move; a check of a test that is not met for the same reason is the same alert.
        "partialFingerprints": {"test/v1": f"{found['test']}: {found['verdict']}"},
    }


REPORT = Sarif()
