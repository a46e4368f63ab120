"""An allocation profile of each check, for pprof."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.hooks import AllocationReport
from pytest_adalloc.hooks.attribute.pprof import write_profile
from pytest_adalloc.report.reporting import Finding, Report
from pytest_adalloc.session import Recorder


class Profiles(Report):
    """One file a check, written where the libraries that its addresses lie in are loaded."""

    def complaint(self, asked: Mapping[str, Any]) -> str:
        """Makes the directory."""
        path = Path(asked["pprof"])
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            return f"--adalloc-pprof: {path} can't be made: {problem.strerror or problem}"
        return "" if os.access(path, os.W_OK) else f"--adalloc-pprof: {path} can't be written"

    def after_check(self, recorder: Recorder, report: GradReport, found: Finding) -> None:
        """The finding names the file."""
        if report.allocations is not None:
            found["pprof"] = profiled(recorder, report.allocations, found["test"])


def profiled(recorder: Recorder, allocations: AllocationReport, name: str = "") -> str:
    """Write a profile where the run asks for profiles; its path, empty where it does not.

    A profile has the name of its check, or of its test and a number.
    """
    if not recorder.settings.reports.get("pprof"):
        return ""
    if not name:
        recorder.profiles += 1
        name = f"{recorder.nodeid}-measured-{recorder.profiles}"
    directory = Path(recorder.settings.reports["pprof"])
    directory.mkdir(parents=True, exist_ok=True)
    plain = re.sub(r"[^\w.-]+", "_", name).strip("_")
    return str(write_profile(allocations, directory / f"{plain}.pb.gz"))


REPORT = Profiles()
