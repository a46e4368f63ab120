"""What a gradient stores, and why, is found out when somebody reads it."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import adcore as ad
from pytest_adalloc import check, session
from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.checks.verdict.later import Later
from pytest_adalloc.report.findings import finding
from pytest_adalloc.session import Recorder, Settings

ASKED: tuple[dict[str, Any], ...] = ({"json": "out.json"}, {"baseline": "b", "update_baseline": True})


def squared(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows with every explanation that is asked for."""
    asked: list[Any] = []
    genuine = ad.Handle.explain

    def explain(self: Any) -> Any:
        asked.append(self)
        return genuine(self)

    monkeypatch.setattr(ad.Handle, "explain", explain)
    monkeypatch.setattr(session, "current", lambda: None)  # the run of this test may ask for explanations itself
    return asked


def test_a_check_explains_nothing_until_it_is_read(explained: list[Any]) -> None:
    report = check(squared, np.ones(3), calls=2)
    assert (report.workspace_bytes, report.workspace_formula) == (24, "8*len(x)")
    assert "workspace 24 bytes (8*len(x))" in report.headline()
    assert explained == []
    assert [record.value for record in report.stored] == ["x[i]"]
    assert "x[i]" in report.explanation
    assert explained


def test_a_handle_explains_once() -> None:
    handle = ad.compile(squared, ad.Duplicated(np.ones(3), np.zeros(3)))
    assert handle.explain() is handle.explain()
    assert handle.explain().formula == handle.workspace_formula


def test_findings_hold_it_where_a_run_asks_for_it(explained: list[Any]) -> None:
    report = check(squared, np.ones(3), calls=2)
    plain = finding(report, Recorder(Settings(), "test"))
    assert (plain["stored"], plain["explanation"], explained) == ([], "", [])
    for settings in (Settings(explain=True), *(Settings(reports=asked) for asked in ASKED)):
        found = finding(report, Recorder(settings, "test"))
        assert [record["value"] for record in found["stored"]] == ["x[i]"]
        assert found["explanation"] == report.explanation


def test_later_is_made_once_and_travels_as_what_it_is() -> None:
    made: list[int] = []

    def make() -> tuple[str, ...]:
        made.append(1)
        return ("a",)

    report = GradReport("f").learned(stored=Later(make)).learned(message="m")
    assert not made
    assert report.stored == report.stored == ("a",)
    assert pickle.loads(pickle.dumps(report)).stored == ("a",)
    assert (len(made), GradReport("f").stored, GradReport("f").explanation) == (1, (), "")
