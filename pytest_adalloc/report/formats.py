"""The reports that a run can give: each is one entry of this table, and one module, imported when a run asks for it.

The table is read whenever pytest starts, so that it imports next to nothing. See docs/dev/add-a-report.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pytest_adalloc.report.reporting import Report


@dataclass(frozen=True)
class Flag:
    """A flag of the command line, and the ini option of the same name."""

    name: str  # what follows `--adalloc-`; empty for `--adalloc` itself
    kind: Literal["bool", "int", "path", "choice"]
    values: Any  # what stands for the value in the help, or the choices
    help: str

    @property
    def option(self) -> str:
        """As it is spelled on the command line."""
        return "-".join(("--adalloc", *filter(None, self.name.split("_"))))

    @property
    def ini(self) -> str:
        """The ini option."""
        return f"adalloc_{self.name}" if self.name else "adalloc"


@dataclass(frozen=True)
class ReportFormat:
    """A report by the name of the flag that asks for it; its module in this folder holds it as `REPORT`."""

    module: str
    flags: tuple[Flag, ...]
    always: bool = False  # also at the end of a run without checks
    last: bool = False  # what it prints comes after what the others have to say

    @property
    def name(self) -> str:
        """The name of its first flag, whose value says where the report goes."""
        return self.flags[0].name

    def load(self) -> Report:
        """The report itself."""
        report: Report = import_module(f"{__package__}.{self.module}").REPORT
        return report


FORMATS: tuple[ReportFormat, ...] = (
    ReportFormat("json_document", (Flag("json", "path", "FILE", "write all findings as JSON"),), always=True),
    ReportFormat("html", (Flag("html", "path", "FILE", "write all findings as a web page"),), always=True),
    ReportFormat(
        "sarif", (Flag("sarif", "path", "FILE", "write what is not met as SARIF, for code scanning"),), always=True
    ),
    ReportFormat("markdown", (Flag("markdown", "path", "FILE", "write a summary in Markdown"),), always=True),
    ReportFormat("profiles", (Flag("pprof", "path", "DIR", "write an allocation profile of each check for pprof"),)),
    ReportFormat("github", (Flag("github", "bool", None, "annotate failures in GitHub Actions"),), last=True),
    ReportFormat(
        "limits",
        (
            Flag("total_workspace", "int", "BYTES", "fail a run whose gradients need more workspace together"),
            Flag("slowest_check", "int", "SECONDS", "fail a run in which one check takes longer, compilation included"),
        ),
    ),
    ReportFormat(
        "baseline",
        (
            Flag("baseline", "path", "FILE", "fail where this file records fewer allocations"),
            Flag("update_baseline", "bool", None, "rewrite the baseline with this run's figures"),
        ),
    ),
)


def asked_for(asked: Mapping[str, Any]) -> list[ReportFormat]:
    """The formats of which a flag is set, in the order in which they have their say at the end."""
    found = [each for each in FORMATS if any(_set(asked.get(flag.name)) for flag in each.flags)]
    return sorted(found, key=lambda each: each.last)


def _set(value: Any) -> bool:
    """Whether a flag asks for something: 0 is a limit, an empty path is none."""
    return value is not None and value is not False and value != ""
