"""One function at many inputs that hypothesis draws, and shrinks where a check is not met."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_adalloc.checks.inputs.arguments import walk
from pytest_adalloc.checks.task import CheckTask, task_of
from pytest_adalloc.checks.verdict.grad_report import CheckFailed, GradReport
from pytest_adalloc.integration.settle import concluded, examine, run_options, unchecked
from pytest_adalloc.session import Recorder

SIMPLIFYING = 5.0
"""Seconds for which a simpler input is looked for."""
SHOWN = 400  # characters of the arguments that fail


def settled_at_many(
    f: Callable[..., Any], strategy: Any, given: Mapping[str, Any], examples: int, recorder: Recorder | None
) -> GradReport:
    """The report of the worst input: the fewest digits, then the largest error. The first is counted too.

    Raises CheckFailed for the simplest input that hypothesis finds where a step is not met.
    """
    __tracebackhide__ = True
    import hypothesis

    options = dict(given)
    grad = options.pop("grad", None)
    if (nothing := unchecked(recorder, f)) is not None:
        return nothing
    reports: list[GradReport] = []
    failures: dict[bytes, CheckFailed] = {}
    ends, counted = math.inf, False  # when to look for no simpler input; whether calls have been counted

    def at(drawn: Any) -> None:
        nonlocal ends, counted
        args = drawn if isinstance(drawn, tuple) else (drawn,)
        key = _exactly(args)
        if key in failures:
            raise failures[key]
        if time.monotonic() > ends:
            return  # nothing simpler is looked for, and the simplest so far fails again when it is asked for
        task = task_of(f, args, options, grad=grad, counted=not counted)
        counted = True
        report = examine(replace(task, options=run_options(task, recorder)))
        if report.passed:
            reports.append(report)
            return
        ends = min(ends, time.monotonic() + SIMPLIFYING)
        told = report.learned(message=f"{report.message}\n  = note: {_told(task)}")
        failures[key] = CheckFailed(told)
        raise failures[key]

    every = list(hypothesis.HealthCheck)
    drawing = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=every,
        print_blob=False,
        phases=[phase for phase in hypothesis.Phase if phase.name != "explain"],
    )
    drawn: Any = hypothesis.given(strategy)(at)  # type: ignore[no-untyped-call]
    seeded: Any = hypothesis.seed(int(options.get("seed") or 0))
    try:
        seeded(drawing(drawn))()
    except CheckFailed as failure:
        return concluded(failure.report, recorder)
    worst = min(reports, key=lambda report: (report.digits if report.digits is not None else 99, -_error(report)))
    first = reports[0]
    figures = {
        name: getattr(first, name)
        for name in ("allocs_per_call", "bytes_per_call", "sites", "allocations", "witnesses", "certificate")
    }
    note = f"checked at {len(reports)} inputs that hypothesis drew; this is the worst of them, the first was counted"
    return concluded(worst.learned(**figures, notes=(*worst.notes, note)), recorder)


def _exactly(args: Any) -> bytes:
    """A key that equal arguments have, whatever their printed form leaves out."""
    return b" ".join(v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode() for _, v in walk(args, ""))


def _error(report: GradReport) -> float:
    return report.max_error if math.isfinite(report.max_error) else 0.0


def _told(task: CheckTask) -> str:
    spelled = ", ".join(f"{name} = {value!r}" for name, value in zip(task.function.names, task.args, strict=True))
    return f"the simplest input that fails is {spelled[:SHOWN]}{'...' if len(spelled) > SHOWN else ''}"
