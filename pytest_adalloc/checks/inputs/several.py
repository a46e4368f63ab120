"""One check at many inputs: every size and point that is asked for, and of what fails the smallest that still does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pytest_adalloc.checks.checking import examined
from pytest_adalloc.checks.inputs.arguments import Point
from pytest_adalloc.checks.inputs.drawn import CheckInput, Inputs, moved_to
from pytest_adalloc.checks.inputs.flat import FlatFunction
from pytest_adalloc.checks.task import CheckTask
from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.options import CheckOptions

SMALLER = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 127, 128, 129, 255, 256, 257)
DIGITS = (1, 2, 3)  # decimals that the numbers of a failing input are cut to, while it fails
SHOWN = 8  # so many numbers of a failing input are printed


def examined_at_several(task: CheckTask) -> GradReport:
    """The check at every input: the report of the first, or of the smallest that fails."""
    __tracebackhide__ = True
    f, options = task.function, task.options
    inputs = Inputs(f, task.args, options)
    plain = replace(options, sizes=None, points=None)

    def one(tried: CheckInput) -> GradReport:
        return examined(replace(task, args=tried.args, options=plain))

    passed: list[tuple[CheckInput, GradReport]] = []
    for tried in inputs:
        report = one(tried)
        if not report.passed:
            return _smallest(f, inputs, options, tried, report, one, [about for about, _ in passed])
        passed.append((tried, report))
    error = float(np.nanmax([report.max_error for _, report in passed]))
    note = f"checked at {len(passed)} inputs: {_list([tried for tried, _ in passed])}"
    return passed[0][1].learned(max_error=error, notes=(*passed[0][1].notes, note))


def _smallest(
    f: FlatFunction,
    inputs: Inputs,
    options: CheckOptions,
    failed: CheckInput,
    report: GradReport,
    one: Callable[[CheckInput], GradReport],
    fine: list[CheckInput],
) -> GradReport:
    """The report of the smallest input that fails in the same way."""

    def fails(tried: CheckInput) -> GradReport | None:
        try:
            found = one(tried)
        except Exception:  # too short for the function, say: nothing is learnt from that
            return None
        return found if found.verdict == report.verdict else None

    for size in SMALLER if failed.size is not None else ():
        if failed.size is None or size >= failed.size:
            break
        try:
            smaller = inputs.smaller(failed, size)
        except Exception:  # a callable that makes inputs may know smallest sizes of its own
            continue
        found = fails(smaller)
        if found is not None:
            failed, report = smaller, found
            break
    point = Point(f.names, failed.args, options.wrt)
    for digits in DIGITS:
        rounded = CheckInput(moved_to(point, np.round(point.vector, digits)), failed.size, failed.number)
        found = fails(rounded)
        if found is not None:
            failed, report = rounded, found
            break
    where = f"  = note: this is at {failed.described}: {_shown(f, failed, options)}"
    passes = f"  = note: it passes at {_list(fine)}" if fine else ""
    return report.learned(message="\n".join(filter(None, [report.message, where, passes])))


def _shown(f: FlatFunction, failed: CheckInput, options: CheckOptions) -> str:
    point = Point(f.names, failed.args, options.wrt)
    parts = []
    for name, argument in zip(point.names, failed.args, strict=True):
        if isinstance(argument, np.ndarray) and argument.size > SHOWN:
            parts.append(f"{name} of shape {argument.shape}")
        else:
            parts.append(f"{name} = {argument!r}")
    return ", ".join(parts)


def _list(tried: list[CheckInput]) -> str:
    sizes = list(dict.fromkeys(each.size for each in tried))
    most = max(sum(each.size == size for each in tried) for size in sizes)
    named = ["as given" if size is None else str(size) for size in sizes]
    text = f"sizes {', '.join(named)}" if sizes != [None] else "the arguments as given"
    return f"{text}, {most} points each" if most > 1 else text
