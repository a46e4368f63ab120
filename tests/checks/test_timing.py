"""`max_ratio`: verdicts of ratios; what is timed. No test here depends on how fast the machine is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_adalloc import check
from pytest_adalloc.checks import timing
from pytest_adalloc.checks.subjects.subject import TimedCall
from pytest_adalloc.checks.timing import TimeRatio, time_ratio


@pytest.mark.parametrize(
    ("ratio", "spread", "limit", "within"),
    [
        (2.0, 1.0, 2.0, True),
        (2.0, 1.0, 1.99, False),
        (2.0, 1.1, 2.1, None),
        (2.0, 1.1, 2.3, True),
        (2.0, 1.1, 1.8, False),
    ],
)
def test_a_busy_machine_judges_nothing(ratio: float, spread: float, limit: float, within: bool | None) -> None:
    assert TimeRatio(ratio, spread, 1e-6, 2e-6).verdict(limit) is within


def test_the_order_of_times_is_seen() -> None:
    x = np.ones(1000)
    once, often = TimedCall(lambda: np.sin(x)), TimedCall(lambda: [np.sin(x) for _ in range(20)])
    found = time_ratio(once, often)
    assert found.ratio > 3
    assert time_ratio(often, once).ratio < 0.4
    assert found.spread >= 1.0


def test_what_is_overwritten_is_put_back_before_each_call() -> None:
    state = [0]
    seen = []

    def call() -> None:
        seen.append(state[0])
        state[0] += 1

    time_ratio(TimedCall(call, lambda: state.__setitem__(0, 7)), TimedCall(lambda: None))
    assert set(seen) == {7}


def energy(x: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


X = np.linspace(0.5, 1.0, 300)


def test_a_check_says_the_ratio() -> None:
    report = check(energy, X, calls=2, max_ratio=1e6)
    assert report.ratio is not None
    assert 0 < report.ratio < 1e6
    assert any("times the primal" in note for note in report.notes)


def test_a_check_that_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time_ratio", lambda *calls: TimeRatio(9.0, 1.02, 1e-6, 9e-6))
    with pytest.raises(
        AssertionError, match=r"too slow: the gradient of energy takes 9\.00 times the primal"
    ) as failure:
        check(energy, X, calls=2, max_ratio=5)
    assert "differ by 2%" in str(failure.value)
    assert failure.value.report.verdict == "too slow"  # type: ignore[attr-defined]
    assert failure.value.report.ratio == 9.0  # type: ignore[attr-defined]


def test_a_check_on_a_busy_machine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time_ratio", lambda *calls: TimeRatio(5.1, 1.5, 1e-6, 5e-6))
    report = check(energy, X, calls=2, max_ratio=5)
    assert any("could not be judged" in note and "differ by 50%" in note for note in report.notes)


def test_a_gradient_that_is_passed_in() -> None:
    report = check(lambda x: float(np.sum(x * x)), X, grad=lambda x: 2.0 * x, max_numpy=9, max_allocs=9, max_ratio=1e6)
    assert report.ratio is not None
