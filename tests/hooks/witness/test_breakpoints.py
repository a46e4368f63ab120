"""The processor as a witness: how many calls it watches, and when it gives up."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import pytest

from pytest_adalloc.hooks import measure, measure_native
from pytest_adalloc.hooks.count import cross_checks
from pytest_adalloc.hooks.count.cross_checks import CHEAP, FEW, affordable_calls
from pytest_adalloc.hooks.reports import Witness
from pytest_adalloc.hooks.witness import breakpoints
from pytest_adalloc.hooks.witness.breakpoints import BUDGET


@pytest.fixture
def processor() -> None:
    works, reason = breakpoints.available()
    if not works:
        pytest.skip(reason)


def told(report: Any) -> Witness:
    return next(witness for witness in report.witnesses if witness.name == breakpoints.NAME)


def test_all_calls_are_watched_where_nothing_or_little_is_asked_for() -> None:
    assert affordable_calls(100, 0) == affordable_calls(10**6, 0) // 10**4 == 100
    assert affordable_calls(100, CHEAP // 100) == 100


def test_a_busy_call_is_watched_a_few_times_and_one_beyond_the_budget_not_at_all() -> None:
    assert affordable_calls(100, CHEAP) == FEW
    assert affordable_calls(100, BUDGET // 2) == 2
    assert affordable_calls(100, BUDGET + 1) == 0


def test_a_call_with_very_many_allocations_ends_soon(processor: None, paths: Any) -> None:
    paths.functions.f_churn.argtypes = [ctypes.c_long]
    start = time.perf_counter()
    report = measure(lambda: paths.functions.f_churn(400_000), calls=3)
    assert time.perf_counter() - start < 10.0  # at 10 microseconds a hit it would be more than 20
    assert report.allocs_per_call[0] >= 400_000
    assert "stops after" in str(told(report))
    assert told(report).state == "unavailable"


@pytest.mark.usefixtures("without_entries")
@pytest.mark.parametrize("hidden", [True, False])
def test_a_breakpoint_switches_itself_off(
    processor: None, paths: Any, monkeypatch: pytest.MonkeyPatch, hidden: bool
) -> None:
    """What it saw until then still counts against hooks that saw less; else it is no witness of the whole."""
    monkeypatch.setattr(breakpoints, "BUDGET", 50)
    monkeypatch.setattr(cross_checks, "affordable_calls", lambda calls, busiest: calls)
    report = measure_native(paths.address("h_cached" if hidden else "p_malloc"), 0, calls=200)
    if hidden:
        assert told(report).state == "disagrees"
        assert 0 < report.unseen["malloc"] <= 50
    else:
        assert told(report).state == "unavailable"
        assert "stopped: malloc was entered 50 times, its budget" in str(told(report))
