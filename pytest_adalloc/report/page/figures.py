"""What plots of the error are drawn from, measured where the check ran: it travels in the finding as plain values."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.report.reporting import Finding


def error_figures(report: GradReport) -> Finding:
    """Errors by step and by component; nothing that was not measured."""
    evidence = report.evidence
    return {
        "curve": _plain(asdict(evidence.curve)) if evidence is not None and evidence.curve else None,
        "maps": [_plain(asdict(each)) for each in evidence.maps] if evidence is not None else [],
    }


def _plain(value: Any) -> Any:
    """As JSON has it: infinities become None, numbers keep four digits."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value
