"""Where a function that is only called stops to be finite."""

from __future__ import annotations

import inspect
import math
import sys
from typing import Any

import numpy as np
import pytest

from pytest_adalloc import CheckFailed, check_gradient
from pytest_adalloc.checks.subjects import tracing
from pytest_adalloc.checks.subjects.tracing import first_not_finite


def line_of(function: Any, text: str) -> int:
    lines, start = inspect.getsourcelines(function)
    return start + next(k for k, line in enumerate(lines) if text in line)


def logs(x):
    total = 0.0
    for value in [float(str(v)) for v in x]:
        part = float(np.log(value))
        total += part
    return total


def inner(r):
    return np.sqrt(r - 1.0)


def outer(x):
    y = 2 * x
    return y * inner(y)


def starts_with_nan(x):
    unused = math.nan
    big = x * 1e300
    return big * big, unused


def test_line_numbers_and_how_often_it_ran() -> None:
    line = line_of(logs, "np.log")
    found = first_not_finite(logs, (np.array([1.0, 2.0, -1.0]),))
    assert found == (
        f"NaN first appears at line {line}, `part = float(np.log(value))`, where value = -1 "
        "(the 3. time that this line runs)"
    )
    assert first_not_finite(logs, (np.array([1.0, 2.0]),)) == ""


def test_functions_that_are_called_are_looked_into() -> None:
    line = line_of(inner, "np.sqrt")
    assert first_not_finite(outer, (0.1,)) == (
        f"NaN first appears at line {line}, `return np.sqrt(r - 1.0)`, where r = 0.2"
    )


def test_what_is_given_is_no_news() -> None:
    assert first_not_finite(outer, (math.nan,)).startswith("NaN first appears at line") is True
    assert first_not_finite(lambda x, unused: x, (1.0, np.array([np.nan]))) == ""


def test_the_tracer_that_was_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.gettrace()
    first_not_finite(logs, (np.array([-1.0]),))
    assert sys.gettrace() is before
    monkeypatch.setattr(tracing, "MOST_LINES", 3)
    assert first_not_finite(logs, (np.array([1.0, 2.0, -1.0]),)) == ""


def test_the_verdict_says_so() -> None:
    with pytest.raises(CheckFailed, match=r"NaN first appears at line \d+, `part = float\(np.log\(value\)\)`"):
        check_gradient(logs, np.array([1.0, -2.0]), grad=lambda x: 1 / x)
