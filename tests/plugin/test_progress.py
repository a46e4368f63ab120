"""Progress: nothing for a moment's work, one living line on a terminal, one line in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_adalloc.integration import progress
from pytest_adalloc.options import silent


class Screen:
    """A terminal reporter and a capture manager that remember."""

    def __init__(self, isatty: bool) -> None:
        self.isatty = isatty
        self.captured = True
        self.seen: list[str] = []

    @contextmanager
    def global_and_fixture_disabled(self) -> Iterator[None]:
        self.captured = False
        yield
        self.captured = True

    def _put(self, text: str) -> None:
        assert not self.captured
        self.seen.append(text)

    def ensure_newline(self) -> None:
        self._put("<newline>")

    def rewrite(self, text: str, erase: bool) -> None:
        assert erase
        self._put(text)

    def write_line(self, text: str) -> None:
        self._put(text)

    def write(self, text: str) -> None:
        self._put(text)


def shown(monkeypatch: pytest.MonkeyPatch, isatty: bool, pace: float) -> Screen:
    """What a check of 40 steps shows that take `pace` seconds each."""
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    screen = Screen(isatty)
    plugins = SimpleNamespace(get_plugin=lambda name: screen)
    item: Any = SimpleNamespace(nodeid="test_a.py::test_f", config=SimpleNamespace(pluginmanager=plugins))
    tell = progress.progress_of(item)
    for step in range(40):
        tell("finite differences", step, 40)
        now[0] += pace
    tell("", 0, 0)
    return screen


@pytest.mark.parametrize("isatty", [True, False])
def test_quick_work_is_silent(monkeypatch: pytest.MonkeyPatch, isatty: bool) -> None:
    assert shown(monkeypatch, isatty, 0.01).seen == []


def test_a_terminal_shows_one_living_line_and_clears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = shown(monkeypatch, True, 0.125).seen
    assert seen[0] == "<newline>"
    assert seen[1] == "adalloc: test_a.py::test_f: finite differences 30%"
    assert seen[-3] == "adalloc: test_a.py::test_f: finite differences 95%"
    assert seen[-2:] == ["", "\r"]
    assert len(seen) == 17


def test_a_log_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = shown(monkeypatch, False, 0.5).seen
    assert seen == ["<newline>", "adalloc: test_a.py::test_f: finite differences 25% ..."]


def test_workers_of_parallel_runs_are_silent() -> None:
    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda name: Screen(True)), workerinput={})
    item: Any = SimpleNamespace(nodeid="x", config=config)
    assert progress.progress_of(item) is silent
