"""How far a check is, shown on the terminal once it takes longer than a moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from pytest_adalloc.options import Progress, silent

PATIENCE = 1.5  # seconds of silence before progress is shown on a terminal
PATIENCE_IN_LOGS = 5.0  # ... and where every line stays
PACE = 0.25  # seconds between two lines of progress


def progress_of(item: pytest.Item) -> Progress:
    """Progress on the terminal, past the capturing of output, once a check takes longer than a moment."""
    reporter: Any = item.config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = item.config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or hasattr(item.config, "workerinput"):
        return silent
    return ShownProgress(reporter, capture, item.nodeid).show


class ShownProgress:
    """The progress of one test: a line that is rewritten on a terminal, one line in a log, where every line stays."""

    def __init__(self, reporter: Any, capture: Any, nodeid: str) -> None:
        self._reporter, self._capture, self._nodeid = reporter, capture, nodeid
        self._started: float | None = None
        self._last: float | None = None

    def show(self, stage: str, done: int, total: int) -> None:
        """Tell how far a stage is; an empty one ends it."""
        now = time.monotonic()
        live = self._reporter.isatty
        if not stage:
            self._started = None
            if live and self._last is not None:
                self._print(lambda: (self._reporter.rewrite("", erase=True), self._reporter.write("\r")))
            self._last = None
            return
        self._started = now if self._started is None else self._started
        patience = PATIENCE if live else PATIENCE_IN_LOGS
        if now - self._started < patience or (self._last is not None and (not live or now - self._last < PACE)):
            return
        share = f" {100 * done // total}%" if total > 1 else ""
        text = f"adalloc: {self._nodeid}: {stage}{share}"
        if self._last is None:
            self._print(self._reporter.ensure_newline)
        self._last = now
        self._print(
            lambda: self._reporter.rewrite(text, erase=True) if live else self._reporter.write_line(f"{text} ...")
        )

    def _print(self, write: Callable[[], object]) -> None:
        # pytest's capture puts its own streams back when it resumes; a test may have put others there since
        # (`redirect_stdout`, a doctest), and what it prints next has to go to those.
        theirs = sys.stdin, sys.stdout, sys.stderr
        try:
            with self._capture.global_and_fixture_disabled() if self._capture is not None else nullcontext():
                write()
                sys.stdout.flush()
        finally:
            sys.stdin, sys.stdout, sys.stderr = theirs
