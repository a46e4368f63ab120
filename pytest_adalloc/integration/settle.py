"""Checks under the policy of the run: what is found is recorded, then raised, warned of, or returned."""

from __future__ import annotations

import warnings
from dataclasses import replace

from pytest_adalloc.checks.checking import examined
from pytest_adalloc.checks.inputs.several import examined_at_several
from pytest_adalloc.checks.task import CheckTask
from pytest_adalloc.checks.verdict.grad_report import AdallocWarning, CheckFailed, GradReport
from pytest_adalloc.options import silent
from pytest_adalloc.report.findings import recorded
from pytest_adalloc.session import Recorder, Settings


def settled(task: CheckTask, recorder: Recorder | None) -> GradReport:
    """The report of a check. Raises CheckFailed for one that is not met where the run is strict."""
    __tracebackhide__ = True
    settings = recorder.settings if recorder is not None else Settings()
    if settings.policy == "off":
        report = GradReport(task.function.name, "not checked", notes=("checks are off: --adalloc=off",))
    else:
        options = task.options.completed(
            calls=settings.calls, seed=settings.seed, scope=settings.scope, syscalls=settings.syscalls
        )
        progress = recorder.progress if recorder is not None and recorder.progress else silent
        known = recorder.known.get(recorder.key) if recorder is not None and recorder.known is not None else None
        examine = examined if options.sizes is None and options.points is None else examined_at_several
        try:
            report = examine(replace(task, options=options, known=known, progress=progress))
        finally:
            progress("", 0, 0)
    if recorder is not None:
        recorded(recorder, report)
    if not report.passed and settings.policy == "strict":
        raise CheckFailed(report)
    if not report.passed and settings.policy == "warn":
        warnings.warn(AdallocWarning(report.message), stacklevel=4)
    return report


__all__ = ["settled"]
