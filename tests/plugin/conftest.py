"""Whole pytest sessions, in processes of their own: hooks and compiled code must not leak between them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = bool(entry_points(group="pytest11", name="adalloc"))

Session = Callable[..., pytest.RunResult]


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Session:
    """`session(source, *arguments)` runs pytest on a test file with this source."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # A second file of one name and length within a second would run as the first one.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    plugin = () if INSTALLED else ("-p", "pytest_adalloc.plugin")

    def run(source: str, *arguments: str, name: str = "test_it") -> pytest.RunResult:
        pytester.makepyfile(**{name: dedent(source)})
        return pytester.runpytest_subprocess(*plugin, "-p", "no:cacheprovider", *arguments)

    return run
