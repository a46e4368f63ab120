"""From pytest's objects to the plugin's own: settings from flags and ini options, a recorder for a test, report
parts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.report.baseline import BaselineError, read
from pytest_adalloc.report.reports import CheckFailed
from pytest_adalloc.session import Progress, Recorder, Settings, silent

PATIENCE = 1.5  # seconds of silence before progress is shown on a terminal
PATIENCE_IN_LOGS = 5.0  # ... and where every line stays
PACE = 0.25  # seconds between two lines of progress

_BASELINE: pytest.StashKey[dict[str, Any] | None] = pytest.StashKey()


def settings_of(config: pytest.Config, flags: Any) -> Settings:
    """The settings of a run; a flag goes before its ini option. Raises pytest.UsageError for what makes no sense."""
    values: dict[str, Any] = {}
    for flag, ini, kind, allowed, _ in flags:
        given, base = config.getoption(ini), config.invocation_params.dir
        if given is None:
            given, base = config.getini(ini), config.rootpath
        if given is not None and given != "":
            name = "policy" if ini == "adalloc" else ini.removeprefix("adalloc_")
            values[name] = _value(flag, kind, allowed, given, base)
    settings = Settings(**values, properties=bool(config.getoption("xmlpath", None)))
    if settings.update_baseline and not settings.baseline:
        raise pytest.UsageError("--adalloc-update-baseline: name the file with --adalloc-baseline=FILE")
    if settings.calls < 1:
        raise pytest.UsageError("--adalloc-calls: at least one call has to be counted")
    if settings.seed < 0:
        raise pytest.UsageError("--adalloc-seed: seeds are not negative")
    if settings.pprof:
        _make_directory("--adalloc-pprof", Path(settings.pprof))
    return settings


def _make_directory(flag: str, path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise pytest.UsageError(f"{flag}: {path} can't be made: {problem.strerror or problem}") from None
    if not os.access(path, os.W_OK):
        raise pytest.UsageError(f"{flag}: {path} can't be written")


def _value(flag: str, kind: str, allowed: Any, given: Any, base: Path) -> Any:
    if kind == "int":
        try:
            return int(given)
        except ValueError:
            raise pytest.UsageError(f"{flag}: {given!r} is no whole number") from None
    if kind == "choice" and given not in allowed:
        raise pytest.UsageError(f"{flag}: {given!r} is none of {', '.join(allowed)}")
    return str(base / given) if kind == "path" else given


def recorder_for(item: pytest.Item, settings: Settings) -> Recorder:
    """A recorder that knows where the test stands and what the baseline says about it."""
    path, line, _ = item.reportinfo()
    known = None if settings.update_baseline else _known(item.config, settings)
    return Recorder(settings, item.nodeid, str(path), (line or 0) + 1, known, _progress(item))


def _known(config: pytest.Config, settings: Settings) -> dict[str, Any] | None:
    if not settings.baseline:
        return None
    if _BASELINE not in config.stash:
        try:
            config.stash[_BASELINE] = read(settings.baseline)
        except BaselineError as problem:
            raise pytest.UsageError(str(problem)) from problem
    return config.stash[_BASELINE]


def attach(report: pytest.TestReport, call: pytest.CallInfo[None], recorder: Recorder, *, by_mark: bool) -> None:
    """Put a test's new findings into its report, where they survive the way to another process."""
    for found in recorder.unsent():
        report.user_properties.append(("adalloc", json.dumps({**found, "test_outcome": report.outcome})))
        if found["verdict"] == "passed":
            lines = [found["headline"]]
            if recorder.settings.explain:
                lines += [*found["details"], found["explanation"]]
            report.sections.append(("adalloc", "\n".join(filter(None, lines))))
    if call.when == "teardown":
        recorder.reports.clear()  # nobody asks any more, and what they could still explain holds on to its code
    failure = call.excinfo
    if by_mark and failure is not None and isinstance(failure.value, CheckFailed) and not report.skipped:
        # Nothing of the user's is on the stack: the story alone.
        report.longrepr = failure.getrepr(style="value")


def _progress(item: pytest.Item) -> Progress:
    """Progress on the terminal, past the capturing of output, once a check takes longer than a moment."""
    reporter: Any = item.config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = item.config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or hasattr(item.config, "workerinput"):
        return silent
    return _Shown(reporter, capture, item.nodeid).show


class _Shown:
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
        with self._capture.global_and_fixture_disabled() if self._capture is not None else nullcontext():
            write()
            sys.stdout.flush()
