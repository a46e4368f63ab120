"""A recorder for a test, and what it recorded on its way into the test's report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_adalloc.checks.verdict.grad_report import CheckFailed
from pytest_adalloc.integration.progress import progress_of
from pytest_adalloc.integration.settings import defaults_of
from pytest_adalloc.report.baseline import BaselineError, read
from pytest_adalloc.session import Recorder, Settings

_BASELINE: pytest.StashKey[dict[str, Any] | None] = pytest.StashKey()


def recorder_for(item: pytest.Item, settings: Settings) -> Recorder:
    """A recorder that knows where the test stands and what the baseline says about it."""
    path, line, _ = item.reportinfo()
    known = None if settings.reports.get("update_baseline") else _known(item.config, settings)
    defaults = defaults_of(item, settings)
    return Recorder(settings, item.nodeid, str(path), (line or 0) + 1, known, defaults, progress_of(item))


def _known(config: pytest.Config, settings: Settings) -> dict[str, Any] | None:
    path = settings.reports.get("baseline")
    if not path:
        return None
    if _BASELINE not in config.stash:
        try:
            config.stash[_BASELINE] = read(path)
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
        # Nothing of the user's is on the stack: the diagnostic alone.
        report.longrepr = failure.getrepr(style="value")
