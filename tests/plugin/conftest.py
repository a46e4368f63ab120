"""Whole pytest sessions, in processes of their own: hooks and compiled code must not leak between them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = bool(entry_points(group="pytest11", name="adalloc"))

Session = Callable[..., pytest.RunResult]

_seconds = itertools.count(1)


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Session:
    """`session(source, *arguments)` runs pytest on a test file with this source."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("CI", raising=False)  # where these tests run is no matter of theirs
    plugin = () if INSTALLED else ("-p", "pytest_adalloc.plugin")

    def run(source: str, *arguments: str, name: str = "test_it") -> pytest.RunResult:
        path = pytester.makepyfile(**{name: dedent(source)})
        # Of two files of one name and length, written within a second, the second would run as the first.
        seconds = next(_seconds)
        os.utime(path, (seconds, seconds))
        return pytester.runpytest_subprocess(*plugin, "-p", "no:cacheprovider", *arguments)

    return run
