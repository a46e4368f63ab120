"""Limits of a whole run: the workspace of all its gradients together, and the time of its slowest check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_adalloc.report.reporting import Finding, Report, ReportedRun


class RunLimits(Report):
    """What grows a little with each test, and so never fails one."""

    def complaint(self, asked: Mapping[str, Any]) -> str:
        """Limits are not negative, and a check always takes some time."""
        if asked.get("total_workspace", 0) < 0:
            return "--adalloc-total-workspace: bytes are not negative"
        if asked.get("slowest_check", 1) < 1:
            return "--adalloc-slowest-check: at least one second"
        return ""

    def exceeded(self, findings: Sequence[Finding], run: ReportedRun) -> list[str]:
        """The limits that the run does not keep, with the check that takes most."""
        asked, lines = run.settings.reports, []
        total = sum(found["workspace_bytes"] or 0 for found in findings)
        bytes_allowed, seconds_allowed = asked.get("total_workspace"), asked.get("slowest_check")
        if bytes_allowed is not None and total > bytes_allowed:
            most = max(findings, key=lambda found: found["workspace_bytes"] or 0)
            lines.append(
                f"ERROR: the gradients need {total} bytes of workspace together, more than the {bytes_allowed} of "
                f"--adalloc-total-workspace; most of them {most['test']}: {most['workspace_bytes']}"
            )
        slowest = max(findings, key=lambda found: found["seconds"] or 0, default=None)
        if seconds_allowed is not None and slowest is not None and (slowest["seconds"] or 0) > seconds_allowed:
            lines.append(
                f"ERROR: {slowest['test']} took {slowest['seconds']:.1f} s, longer than the {seconds_allowed} s of "
                "--adalloc-slowest-check"
            )
        return lines


REPORT = RunLimits()
