"""The calls of a gradient, counted one by one; the limits on allocations and workspace, and the proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pytest_adalloc.checks.other_derivatives import roundoff_of
from pytest_adalloc.checks.primal import same
from pytest_adalloc.checks.requests import hold_requests
from pytest_adalloc.checks.subjects.subject import CountedRun, GradientSubject, Unmet
from pytest_adalloc.checks.timing import hold_time
from pytest_adalloc.checks.trial import Trial
from pytest_adalloc.checks.verdict import diagnostics


def count_calls(trial: Trial, subject: GradientSubject) -> None:
    options, about = trial.options, trial.about
    calls = options.calls or 1
    trial.progress("counting allocations", 0, calls)
    if not _watched(trial):
        return
    from pytest_adalloc import hooks

    with hooks.observing(options.realtime):
        counts = subject.count(calls, options.scope or "thread")
    for count in counts:
        seen = count.allocations
        if not trial.report.allocs_per_call or sum(seen.allocs_per_call) > sum(trial.report.allocs_per_call):
            trial.learn(
                allocs_per_call=tuple(seen.allocs_per_call),
                bytes_per_call=tuple(seen.bytes_per_call),
                sites=tuple(seen.sites),
                allocations=seen,
                witnesses=tuple(seen.witnesses),
            )
        if seen.disagreement and not seen.unseen:
            raise hooks.HooksDead(f"two ways of counting contradict each other: {seen.disagreement}")
        if max(seen.allocs_per_call, default=0) > options.max_allocs or seen.unseen:
            raise Unmet(
                "allocates", diagnostics.allocates(about, seen, options.max_allocs, trial.report.stored, count.sweep)
            )
        hold_requests(about, seen, options, subject.ours)
        _compare_last(trial, count, calls)


def _watched(trial: Trial) -> bool:
    """Whether this platform's allocations can be watched; else the proof has to stand alone, and the report says so.

    Raises HooksUnavailable for a gradient that comes without a proof.
    """
    from pytest_adalloc import hooks

    possible, reason = hooks.available()
    if not possible:
        if trial.about.foreign:
            raise hooks.HooksUnavailable(reason)
        trial.learn(witnesses=(f"allocator hooks: unavailable ({reason})",))
    return possible


def _compare_last(trial: Trial, count: CountedRun, calls: int) -> None:
    """What the last counted call left is what the first one gave."""
    about = trial.about
    if count.result is None:
        trial.note("the gradient of the last counted call was not compared again: it can't be read in place")
        return
    before = trial.gradient if count.expected is None else count.expected
    allowed = 64.0 * roundoff_of(about.point) * float(np.max(np.abs(before), initial=0.0))
    wrong = np.flatnonzero(~same(before, count.result, allowed))
    if len(wrong):
        k = int(wrong[0])
        name = f"d/d {about.point.spelled(k)}" if count.expected is None else "the derivative along (1, 1, ...)"
        text = diagnostics.gradient_drifts(about, name, float(before[k]), float(count.result[k]), calls)
        raise Unmet("gradient wrong", text)


def hold_to_limits(trial: Trial, subject: GradientSubject, known: Mapping[str, Any] | None) -> None:
    options, about = trial.options, trial.about
    if about.foreign and options.max_workspace is not None:
        trial.note("max_workspace is not checked: what a gradient keeps that is computed elsewhere is not known")
    elif not about.foreign:
        trial.learn_storage(subject.storage)
    report = trial.report
    size = report.workspace_bytes
    limits = [] if trial.limit is None else [(trial.limit.bytes, "max_workspace is")]
    if known is not None:
        allocs = max(report.allocs_per_call, default=0)
        if allocs > known.get("allocs_per_call", allocs) and report.allocations is not None:
            text = diagnostics.allocates(about, report.allocations, known["allocs_per_call"], report.stored)
            raise Unmet("allocates", f"{text}\n  = note: the baseline recorded {known['allocs_per_call']} a call")
        if known.get("workspace_bytes") is not None:
            limits.append((known["workspace_bytes"], "the baseline recorded"))
    for limit, because in limits:
        if size is not None and size > limit:
            text = diagnostics.workspace_too_large(about, size, report.workspace_formula, limit, report.stored, because)
            raise Unmet("workspace too large", text)
    where = trial.limit.exceeded_by(report.workspace_formula) if trial.limit is not None and size is not None else ""
    if where and trial.limit is not None and trial.limit.formula is not None:
        formula, because = report.workspace_formula, "for all shapes max_workspace is"
        limit_text = f"{trial.limit.formula.text} ({where})"
        text = diagnostics.workspace_too_large(about, size or 0, formula, limit_text, report.stored, because)
        raise Unmet("workspace too large", text)
    hold_time(trial, subject)
    _prove(trial, subject)


def _prove(trial: Trial, subject: GradientSubject) -> None:
    foreign = trial.about.foreign
    # Whoever allows allocations can't want the proof that there are none.
    prove = trial.options.prove or ("report" if foreign or trial.options.max_allocs else "require")
    if prove == "off":
        return
    trial.learn(certificate=subject.certificate)
    proven = bool(getattr(subject.certificate, "proven", False))
    if not proven and prove == "require":
        raise Unmet("not proven", diagnostics.not_proven(trial.about, subject.certificate))
    if foreign:
        trial.note("certificate: none, the gradient is computed elsewhere")
