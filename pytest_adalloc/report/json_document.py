"""All findings as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pytest_adalloc.report.reporting import Document, Finding, ReportedRun

FORMAT = 1


class JsonDocument(Document):
    """The findings as they are, for other programs."""

    name = "json"

    def text(self, findings: Sequence[Finding], run: ReportedRun) -> str:
        """See `as_json`."""
        return as_json(findings)


def as_json(findings: Sequence[Finding]) -> str:
    """The findings of a run as a JSON document."""
    return json.dumps({"format": FORMAT, "checks": list(findings)}, indent=2, sort_keys=True) + "\n"


REPORT = JsonDocument()
