"""Checks under the policy of the run: what is found is recorded, then raised, warned of, or returned."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_adalloc.checks.checking import examined
from pytest_adalloc.checks.inputs.several import examined_at_several
from pytest_adalloc.checks.task import CheckTask
from pytest_adalloc.checks.verdict.grad_report import AdallocWarning, CheckFailed, GradReport
from pytest_adalloc.options import CheckOptions, silent
from pytest_adalloc.report.findings import recorded
from pytest_adalloc.session import Recorder, Settings


def settled(task: CheckTask, recorder: Recorder | None) -> GradReport:
    """The report of a check. Raises CheckFailed for one that is not met where the run is strict."""
    __tracebackhide__ = True
    if (nothing := unchecked(recorder, task.function.function)) is not None:
        return nothing
    options = run_options(task, recorder)
    progress = recorder.progress if recorder is not None and recorder.progress else silent
    known = recorder.known.get(recorder.key) if recorder is not None and recorder.known is not None else None
    started = time.perf_counter()
    try:
        report = examine(replace(task, options=options, known=known, progress=progress))
    finally:
        progress("", 0, 0)
    return concluded(report.learned(seconds=time.perf_counter() - started), recorder)


def examine(task: CheckTask) -> GradReport:
    """The check, at all inputs that its options ask for."""
    __tracebackhide__ = True
    alone = task.options.sizes is None and task.options.points is None
    return examined(task) if alone else examined_at_several(task)


def unchecked(recorder: Recorder | None, f: Callable[..., Any]) -> GradReport | None:
    """What a run says that makes no checks."""
    if recorder is None or recorder.settings.policy != "off":
        return None
    name = getattr(f, "__name__", type(f).__name__)
    report = GradReport(name, "not checked", notes=("checks are off: --adalloc=off",))
    recorded(recorder, report)
    return report


def run_options(task: CheckTask, recorder: Recorder | None) -> CheckOptions:
    """The options of a check, with what the run says where it says nothing."""
    settings = recorder.settings if recorder is not None else Settings()
    return task.options.completed(
        calls=settings.calls, seed=settings.seed, scope=settings.scope, syscalls=settings.syscalls
    )


def concluded(report: GradReport, recorder: Recorder | None) -> GradReport:
    """Record a report. Raises CheckFailed for one that is not met where the run is strict."""
    __tracebackhide__ = True
    policy = recorder.settings.policy if recorder is not None else Settings().policy
    if recorder is not None:
        recorded(recorder, report)
    if not report.passed and policy == "strict":
        raise CheckFailed(report)
    if not report.passed and policy == "warn":
        warnings.warn(AdallocWarning(report.message), stacklevel=5)
    return report


__all__ = ["concluded", "examine", "run_options", "settled", "unchecked"]
