"""A leak of a KiB a call is growth, a flat run is none, and what cannot be told is refused."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_adalloc.hooks import GrowthReport, growth, measure_growth
from pytest_adalloc.hooks.count import trend


@pytest.fixture(autouse=True, scope="module")
def _only_what_is_made_here() -> Iterator[None]:
    """What other tests have left need not be searched by the collector, which runs before each trend."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_a_native_leak_grows(paths: Any) -> None:
    leak = paths.functions.s_leak_kib
    report = measure_growth(leak, None)
    assert report.verdict == "grows", report
    assert report.allocated_per_call is None or 1000 < report.allocated_per_call < 1200
    assert "grows" in str(report)


def test_balanced_native_code_is_flat(paths: Any) -> None:
    assert measure_growth(paths.functions.p_realloc, None).verdict == "flat"


def test_a_python_leak_grows() -> None:
    kept: list[bytearray] = []
    assert measure_growth(lambda: kept.append(bytearray(1024))).verdict == "grows"


def test_a_batch_may_be_a_native_loop(paths: Any) -> None:
    churn = paths.functions.f_churn
    churn.restype, churn.argtypes = None, [ctypes.c_long]
    assert growth(churn, calls=64_000).verdict == "flat"


def test_it_is_part_of_the_fixture(adalloc: Any) -> None:
    assert adalloc.measure_growth(lambda: None).verdict == "flat"
    with pytest.raises(ValueError, match="cannot show"):
        adalloc.measure_growth(lambda: None, calls=16)


@pytest.mark.parametrize(
    ("memory", "verdict"),
    [
        ([10 << 20] * 9, "flat"),
        ([(10 << 20) + 4096 * (i % 2) for i in range(9)], "flat"),
        ([10 << 20] * 4 + [20 << 20] * 5, "flat"),
        ([(10 << 20) + 102_400 * i for i in range(9)], "grows"),
    ],
)
def test_verdicts(monkeypatch: pytest.MonkeyPatch, memory: list[int], verdict: str) -> None:
    samples = iter(memory)
    monkeypatch.setattr(trend, "_memory", lambda: ((value := next(samples)), value, None))
    assert growth(lambda n: None, calls=800, batches=8).verdict == verdict


def test_one_sided_growth_is_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter(range(100))
    monkeypatch.setattr(trend, "_memory", lambda: ((10 << 20) + 102_400 * next(steps), 5 << 20, 7))
    assert growth(lambda n: None, calls=800, batches=8).verdict == "unclear"


def test_a_leak_into_the_holes_of_a_fragmented_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter(range(100))
    monkeypatch.setattr(trend, "_memory", lambda: (10 << 20, 5 << 20, 102_400 * next(steps)))
    assert growth(lambda n: None, calls=800, batches=8).verdict == "grows"


def test_systems_that_do_not_tell_unshared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trend, "_memory", lambda: (5 << 20, None, None))
    report = growth(lambda n: None, calls=800, batches=8)
    assert (report.verdict, report.uss, report.allocated) == ("flat", (), ())


def test_too_few_calls_to_tell() -> None:
    with pytest.raises(ValueError, match="cannot show"):
        growth(lambda n: None, calls=16)


def test_a_growth_report_is_no_boolean() -> None:
    with pytest.raises(TypeError, match="no boolean"):
        bool(GrowthReport(1, (), (), (), 0.0, None, None, "flat"))
