"""The run that a check belongs to: its settings, and where its findings go. Outside pytest there is none."""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pytest_adalloc.checks.verdict.grad_report import GradReport
    from pytest_adalloc.hooks.reports import Scope
    from pytest_adalloc.options import Progress

Policy = Literal["strict", "warn", "off"]


@dataclass(frozen=True)
class Settings:
    """What the flags and ini options of a run say."""

    policy: Policy = "strict"
    explain: bool = False
    calls: int = 100
    seed: int = 0
    scope: Scope = "thread"
    preload: bool = False
    syscalls: bool = False
    properties: bool = False  # whether the run writes the properties of its tests into a file
    reports: Mapping[str, Any] = field(default_factory=dict)  # the reports' flags: paths, or True
    defaults: Mapping[str, Any] = field(default_factory=dict)  # options of checks, from ini options


@dataclass
class Recorder:
    """The checks of one test, in order. `known` maps a check's number in the test to its entry in the baseline."""

    settings: Settings
    nodeid: str
    file: str = ""
    line: int = 0
    known: dict[str, Any] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)  # options of the checks of this test
    progress: Progress | None = None
    reports: list[GradReport] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)

    sent: int = 0
    profiles: int = 0  # of what was measured beside the checks

    def unsent(self) -> list[dict[str, Any]]:
        """The findings since the last time that this was asked."""
        new = self.findings[self.sent :]
        self.sent = len(self.findings)
        return new

    @property
    def key(self) -> str:
        """The name of the next check in baselines and findings: the test, with a number from the second check on."""
        number = len(self.findings)
        return self.nodeid if not number else f"{self.nodeid}#{number + 1}"


def with_defaults(
    given: Mapping[str, Any], recorder: Recorder | None, among: Container[str] | None = None
) -> dict[str, Any]:
    """Options of a check, with those of its folder and its project (of those `among` them) where it says nothing."""
    known = recorder.defaults if recorder is not None else {}
    return {**{name: value for name, value in known.items() if among is None or name in among}, **given}


def current() -> Recorder | None:
    """The recorder of the test that runs now in this process, if the plugin is active."""
    plugin = sys.modules.get("pytest_adalloc.plugin")
    recorder: Recorder | None = plugin.current_recorder() if plugin is not None else None
    return recorder
