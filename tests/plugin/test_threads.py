"""Gradients that hand their work to other threads: not counted unless asked for, and never passed over in silence."""

from __future__ import annotations

from .conftest import Session

pytest_plugins = ["pytester"]

TEST = """
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pool = ThreadPoolExecutor(1)
out = np.zeros(4)


def squares(x):
    return float(np.sum(x * x))


def work(x):
    np.multiply(x, 2.0, out=out)
    np.zeros(5000)


def gradient(x):
    pool.submit(work, x).result()
    return out


def test_a_pass_names_what_other_threads_did(adalloc):
    report = adalloc.check(squares, np.linspace(1.0, 2.0, 4), grad=gradient, calls=20)
    assert sum(report.allocations.other_threads.values()) >= 20
    assert "in other threads meanwhile" in report.headline()
    assert 'count them with scope="process"' in str(report)


def test_all_threads_are_counted_on_request(adalloc):
    with pytest.raises(AssertionError, match="allocates"):
        adalloc.check(squares, np.linspace(1.0, 2.0, 4), grad=gradient, calls=20, scope="process")


def test_a_quiet_process_has_no_such_line(adalloc):
    report = adalloc.check(squares, np.linspace(1.0, 2.0, 4), grad=lambda x: 2.0 * x, calls=20, max_allocs=50)
    assert "other threads" not in str(report)
"""


def test_other_threads(session: Session) -> None:
    session(TEST, "-q").assert_outcomes(passed=3)
