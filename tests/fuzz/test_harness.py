"""The fuzzer itself: what is wrong is found, a run that tests nothing fails, a crash is one failed program."""

from __future__ import annotations

import functools
import json
import sys
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adcore import api
from adcore.driver.request import Options
from adcore.ops import TABLE
from adcore.ops.expr import Expr
from tests.fuzz import storage
from tests.fuzz.__main__ import REPRESENTATIVE, resumed, run, summary
from tests.fuzz.cases import Case
from tests.fuzz.checks import Mismatch, Report, agree, check, interpreted
from tests.fuzz.derivatives import Derivatives
from tests.fuzz.features import REQUIRED
from tests.fuzz.programs import HEADER, Program
from tests.fuzz.rounding import Rounding

BODY = """

def program(a, x):
    for i in range(len(a)):
        x = math.sin(x * a[i])
        a[i] = x
    return x


def arguments(b, s):
    return (b[0], s[0])
"""
PROGRAM = Program(4, HEADER.format(seed=4) + BODY, 1, "float", aliased=False)


def test_all_checks_pass(tmp_path: Path) -> None:
    report = check(PROGRAM, tmp_path)
    assert {"native = Python", "reverse = forward", "differences", "0 allocations", "workspaces", "heap counted",
            "kept <= workspace_bytes", "one byte less is refused"} <= set(report.checks)  # fmt: skip
    assert {"active", "stored bytes", "workspace 0 refused", "for"} <= report.features


def test_a_wrong_rule_is_found_by_differences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Both modes use it, so they agree with each other.
    rule = TABLE["sin"].partials
    assert rule is not None

    def wrong(*operands: Any, **attrs: Any) -> list[Expr | None]:
        return [partial * (1 + 1e-6) if partial is not None else None for partial in rule(*operands, **attrs)]

    monkeypatch.setattr(api, "Options", functools.partial(Options, ops=TABLE.changed("sin", partials=wrong)))
    with pytest.raises(Mismatch, match=r"^differences"):
        check(PROGRAM, tmp_path)


def derivatives(folder: Path) -> Derivatives:
    case = Case(PROGRAM, folder)
    return Derivatives(case, case.python(), Rounding(case), Report(4))


def test_a_mode_that_is_wrong_in_the_tenth_digit_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Derivatives.forward

    def wrong(self: Derivatives, at: Any = None) -> tuple[float, list[float]]:
        tangent, terms = right(self, at)
        return tangent * (1 + 1e-10), terms

    monkeypatch.setattr(Derivatives, "forward", wrong)
    with pytest.raises(Mismatch, match="reverse and forward"):
        derivatives(tmp_path).check(thorough=False)


def test_a_byte_too_few_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = storage.known_bytes
    monkeypatch.setattr(storage, "known_bytes", lambda handle: right(handle) - 1)
    with pytest.raises(Mismatch, match="workspace_bytes: 192 bytes kept, 191 said"):
        derivatives(tmp_path).check(thorough=True)


def test_an_allocation_is_found(tmp_path: Path) -> None:
    made = derivatives(tmp_path)
    made.reverse("heap")
    with pytest.raises(Mismatch, match="heap allocates"):
        made.counted("heap", forward=False)


def test_a_last_bit_is_found(tmp_path: Path) -> None:
    exact = Program(5, PROGRAM.source.replace("math.sin(x * a[i])", "x * a[i] / (2.0 + x * x)"), 1, "float", False)
    case = Case(exact, tmp_path)
    expected, report = case.python(), Report(5)
    interpreted(case, expected, Rounding(case), report)
    assert "ir = Python bit for bit" in report.checks
    got = case.python()
    got.value = float(np.nextafter(got.value, 2.0))
    agree("same", got, expected, Rounding(case))
    with pytest.raises(Mismatch):
        agree("same", got, expected, Rounding(case), exactly=True)


@pytest.mark.slow
def test_a_run_reports_what_it_did_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.jsonl"
    records = {r["seed"]: r for r in run([1, 2, 4], inf)}
    log.write_text("\n".join(json.dumps(r) for r in records.values()) + "\n")
    assert sorted(resumed(log, 2, 3)) == [2, 4]
    assert sorted(records) == [1, 2, 4]
    assert summary(records, 1) == 0
    text = capsys.readouterr().out
    assert "3 programs from seed 1: 0 failed" in text
    assert "native = Python 100.0%" in text


def test_a_run_fails_with_a_program_or_without_a_feature(capsys: pytest.CaptureFixture[str]) -> None:
    good = {"checks": ["native = Python"], "features": sorted(REQUIRED)}
    assert summary({k: {"seed": k, **good} for k in range(REPRESENTATIVE)}, 0) == 0
    assert summary({0: {"seed": 0, **good, "failure": "differs"}}, 0) == 1
    assert "failed: seed 0: differs" in capsys.readouterr().out
    plain = {"checks": [], "features": sorted(REQUIRED - {"while"})}
    assert summary({k: {"seed": k, **plain} for k in range(REPRESENTATIVE)}, 0) == 1
    assert "never seen: while" in capsys.readouterr().out


def test_a_process_that_ends_is_one_failed_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    records = list(run([7, 8], inf))
    assert [r["seed"] for r in records] == [7, 8]
    assert all("ended with 1" in r["failure"] for r in records)
