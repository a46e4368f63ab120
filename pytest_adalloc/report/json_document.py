"""All findings as one JSON document, which docs/reference/schema.json describes."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_adalloc.report.environment import command, processor, versions
from pytest_adalloc.report.reporting import Document, Finding, ReportedRun

FORMAT = 1


class JsonDocument(Document):
    """The findings as they are, for other programs."""

    name = "json"

    def text(self, findings: Sequence[Finding], run: ReportedRun) -> str:
        """See `as_json`."""
        return as_json([relative(_published(found), run.root) for found in findings], run_facts())


def _published(found: Finding) -> Finding:
    """Without what the page alone draws, which the schema does not promise."""
    return {name: value for name, value in found.items() if name != "errors"}


def as_json(findings: Sequence[Finding], run: dict[str, Any] | None = None) -> str:
    """The findings of a run as a JSON document, with what is known of the run."""
    document = {"format": FORMAT, "run": run or {}, "checks": list(findings)}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def run_facts() -> dict[str, Any]:
    """When, where and with what a run was made."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": {"system": platform.system(), "machine": platform.machine(), "processor": processor()},
        "versions": versions(),
        "command": command(),
    }


def relative(value: Any, root: Path) -> Any:
    """A finding with the files of the project named from its root, so that two machines say the same."""
    if isinstance(value, dict):
        return {
            name: _from_root(item, root) if name in ("file", "test_file") else relative(item, root)
            for name, item in value.items()
        }
    return [relative(item, root) for item in value] if isinstance(value, list) else value


def _from_root(file: Any, root: Path) -> Any:
    path = Path(str(file or ""))
    return path.relative_to(root).as_posix() if file and path.is_relative_to(root) else file


REPORT = JsonDocument()
