"""`assert_no_alloc`: a measurement that fails when there was anything to measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_adalloc.hooks.count.measuring import measured
from pytest_adalloc.hooks.errors import AllocationForbidden, HooksDead
from pytest_adalloc.hooks.reports import AllocationReport, Scope


def assert_no_alloc(
    call: Callable[..., object],
    *args: object,
    calls: int = 100,
    warmup: int = 1,
    scope: Scope = "thread",
    setup: Callable[[], Any] | None = None,
    only: Callable[..., Any] | None = None,
    max_allocs: int = 0,
    max_numpy: int | None = None,
    max_python: int | None = None,
    **kwargs: object,
) -> AllocationReport:
    """Assert that ``call(*args, **kwargs)`` allocates nothing, in none of `calls` calls after `warmup` further ones.

    Other keywords are the call's own. `max_allocs`, `max_numpy` and `max_python` are limits per call: native
    allocations; requests for the data of NumPy arrays (None: as many as `max_allocs`, for what Python calls: NumPy
    keeps small blocks and hands them out again); requests for Python objects (None: not limited). `setup`, `only` and
    `scope` as in ``measure``.

    Returns the report. Raises AllocationForbidden (an AssertionError, with the report as ``report``) for an allocation,
    HooksDead when the counters can't vouch for what they say.
    """
    __tracebackhide__ = True
    report = measured(call, args, kwargs, calls=calls, warmup=warmup, scope=scope, setup=setup, only=only)
    hold(call, report, max_allocs=max_allocs, max_numpy=max_numpy, max_python=max_python)
    return report


def hold(
    call: Callable[..., object],
    report: AllocationReport,
    *,
    max_allocs: int,
    max_numpy: int | None = None,
    max_python: int | None = None,
) -> None:
    """Raise AllocationForbidden where a measurement exceeds a limit, HooksDead where it contradicts itself."""
    __tracebackhide__ = True
    if report.disagreement and not report.unseen:
        raise HooksDead(f"two ways of counting contradict each other: {report.disagreement}")
    complaint = _complaint(report, max_allocs, max_numpy, max_python)
    if complaint:
        name = getattr(call, "__qualname__", None) or type(call).__qualname__
        problem = AllocationForbidden(f"{name} {complaint}\n{report}")
        problem.report = report
        raise problem


def _complaint(report: AllocationReport, max_allocs: int, max_numpy: int | None, max_python: int | None) -> str:
    worst = max(report.allocs_per_call, default=0)
    if worst > max_allocs:
        times = {1: "once", 2: "twice"}.get(worst, f"{worst} times")
        return f"allocates {times} in a call; {_allowed(max_allocs)}"
    if report.unseen and not max_allocs:
        return "allocates through a path that the hooks cannot see"
    if max_numpy is None and report.driven == "python":
        max_numpy = max_allocs
    arrays = report.python["numpy"].calls if "numpy" in report.python else 0
    if max_numpy is not None and arrays > max_numpy * report.calls:
        return (
            f"asks NumPy for the data of arrays {arrays} times in {report.calls} calls; {_allowed(max_numpy)}: NumPy "
            "hands small blocks out again without asking malloc, larger ones not (max_numpy= allows it)"
        )
    objects = sum(report.python[name].calls for name in ("mem", "obj") if name in report.python)
    if max_python is not None and objects > max_python * report.calls:
        return f"asks Python for objects {objects} times in {report.calls} calls; {_allowed(max_python)}"
    return ""


def _allowed(limit: int) -> str:
    return "none is allowed" if not limit else f"{limit} a call {'is' if limit == 1 else 'are'} allowed"
