"""What a check found, as a value: the verdict, the figures behind it, and the diagnostic of a failing test."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from pytest_adalloc.checks.verdict.later import Figure

if TYPE_CHECKING:
    from pytest_adalloc.hooks import AllocationReport

Verdict = Literal[
    "passed",
    "not checked",
    "not deterministic",
    "gradient wrong",
    "finite differences unreliable here",
    "kink",
    "edge of the domain",
    "primal differs from Python",
    "allocates",
    "workspace too large",
    "too slow",
    "not proven",
    "hooks dead",
    "cannot compile",
]


MOST_NAMED = 5
"""So many components that drown are named in the text."""


@dataclass(frozen=True)
class Worst:
    """The component with the largest error: `index` is None for a scalar, an int or a tuple for an array."""

    argument: str
    index: Any
    expected: float
    got: float


@dataclass(frozen=True)
class GradReport:
    """What is known about one gradient after a check. It is no boolean: a check that fails has raised `CheckFailed`.

    `gradients` has one entry per differentiated argument, in its structure. `max_error` is relative. `digits` is what
    a pass is worth: to so many decimal digits each component agrees that rounding leaves a digit of (None: nothing was
    compared); `drowned` names the components that it leaves none of. `differences` says how the reference was made.
    `ratio`: so many times the primal's time the gradient takes, where `max_ratio` asked for it. `seconds`: what the
    check took. Figures of steps that were not reached are empty. What is `stored` and why (`explanation`), and the
    `evidence` that plots of the error are drawn from, is found out when it is read.
    """

    function: str
    verdict: Verdict = "passed"
    message: str = ""
    file: str = ""
    line: int = 0
    value: Any = None
    gradients: tuple[Any, ...] = ()
    max_error: float = float("nan")
    worst: Worst | None = None
    digits: int | None = None
    drowned: tuple[str, ...] = ()
    differences: str = ""
    allocs_per_call: tuple[int, ...] = ()
    bytes_per_call: tuple[int, ...] = ()
    sites: tuple[Any, ...] = ()
    workspace_bytes: int | None = None
    workspace_formula: str = ""
    ratio: float | None = None
    seconds: float = 0.0
    stored: Figure[tuple[Any, ...]] = field(default=Figure(()))
    certificate: Any = None
    witnesses: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()
    allocations: AllocationReport | None = field(default=None, repr=False)
    explanation: Figure[str] = field(default=Figure(""), repr=False)
    evidence: Figure[Any] = field(default=Figure(None), repr=False, compare=False)

    def learned(self, **figures: Any) -> GradReport:
        """The same with more known. (`dataclasses.replace` would read every figure.)"""
        made = copy.copy(self)
        for name, value in figures.items():
            object.__setattr__(made, name, value)
        return made

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a GradReport is no boolean: a check that fails raises, so `assert adalloc.check(...)` says nothing more; "
            "compare .verdict, .max_error or .allocs_per_call instead"
        )

    def __str__(self) -> str:
        return "\n".join([self.headline(), *self.details()])

    @property
    def passed(self) -> bool:
        """Whether every step that was asked for is met."""
        return self.verdict == "passed"

    def headline(self) -> str:
        """One line: what was found and how it was watched."""
        if not self.passed:
            return f"{self.function}: {self.verdict}"
        parts = [_counted(self), _kept(self), _erred(self)]
        return f"{self.function}: " + ", ".join(part for part in parts if part)

    def details(self, stored: bool = True) -> list[str]:
        """Further lines, indented: differences, certificate, witnesses, plan (unless not `stored`), notes."""
        lines = [f"compared with: {self.differences}"] if self.differences else []
        if self.drowned:
            some = ", ".join(self.drowned[:MOST_NAMED]) + (", ..." if len(self.drowned) > MOST_NAMED else "")
            lines.append(f"rounding hides {len(self.drowned)} of the components: {some}")
        if self.certificate is not None:
            lines.append(f"certificate: {_certified(self.certificate)}")
        lines += [f"witness: {witness}" for witness in self.witnesses]
        lines += [f"not watched: {spot}" for spot in getattr(self.allocations, "blind_spots", ())]
        elsewhere = elsewhere_note(self.allocations)
        lines += [elsewhere] if elsewhere else []
        domains = getattr(self.allocations, "python", {})
        lines += [f"Python's {name}: {c.calls} requests, {c.bytes} bytes" for name, c in domains.items() if c.calls]
        if self.allocations is not None and getattr(self.allocations, "page_faults", None) is not None:
            from pytest_adalloc.hooks.reports import demands

            lines.append(demands(self.allocations))
        lines += [f"stored: {described(record)}" for record in (self.stored if stored else ())]
        lines += list(self.notes)
        return [f"  {line}" for text in lines for line in text.splitlines()]


class CheckFailed(AssertionError):
    """A check whose verdict is not met; the message is the diagnostic, `report` holds the figures."""

    def __init__(self, report: GradReport) -> None:
        super().__init__(report.message)
        self.report = report

    def __reduce__(self) -> tuple[type[CheckFailed], tuple[GradReport]]:
        return CheckFailed, (self.report,)


# Failure summaries print the exception's qualified name: where users import it from.
CheckFailed.__module__ = "pytest_adalloc"


class AdallocWarning(UserWarning):
    """A verdict that is not met under `--adalloc=warn`."""


AdallocWarning.__module__ = "pytest_adalloc"


def described(record: Any) -> str:
    """A record of the plan in one line: what is kept, where, how many bytes, why, and what would avoid it."""
    if not hasattr(record, "value"):
        return str(record)
    size = getattr(record, "bytes", None)
    amount = f"{size} bytes" if size is not None else f"{getattr(record, 'formula', '?')} bytes"
    place = f" ({record.span})" if getattr(record, "span", None) else ""
    fix = f"; {record.fix}" if getattr(record, "fix", "") else ""
    return f"`{record.value}`{place}, {amount}: {getattr(record, 'reason', '')}{fix}"


def _counted(report: GradReport) -> str:
    calls = len(report.allocs_per_call)
    if not calls:
        return ""
    total = sum(report.allocs_per_call)
    canaries = next((text for text in map(canary_note, report.witnesses) if text), "")
    others = sum(getattr(report.allocations, "other_threads", {}).values())
    parts = ["malloc family", canaries, f"{others} in other threads meanwhile" if others else ""]
    watched = f" ({', '.join(part for part in parts if part)})"
    counted = f"{total} allocation{'' if total == 1 else 's'} in {calls} call{'' if calls == 1 else 's'}{watched}"
    return counted + ("" if total else _cached(report.allocations))


def _cached(seen: AllocationReport | None) -> str:
    """What NumPy handed out though nothing was asked of malloc: arrays were made, from memory that it held already."""
    blocks = getattr(seen, "python", {}).get("numpy")
    if not blocks or not blocks.calls:
        return ""
    return f"; NumPy handed out {blocks.calls} cached block{'' if blocks.calls == 1 else 's'}"


def canary_note(witness: object) -> str:
    """What a witness says about canaries, such as "2 of 2 canaries seen"; empty where it has none."""
    text = str(witness)
    return "2 of 2 canaries seen" if "both canaries seen" in text or "2 of 2 canaries seen" in text else ""


def elsewhere_note(seen: AllocationReport | None) -> str:
    """What threads asked for that are not counted: a gradient may hand its work to a pool of them."""
    counts = getattr(seen, "other_threads", {})
    if not counts:
        return ""
    spelled = ", ".join(f"{name} x {count}" for name, count in counts.items())
    return f'other threads meanwhile: {spelled}; where they work for this gradient, count them with scope="process"'


def _kept(report: GradReport) -> str:
    if report.workspace_bytes is None:
        return ""
    formula = report.workspace_formula
    text = f"workspace {report.workspace_bytes} bytes"
    return f"{text} ({formula})" if formula and formula != str(report.workspace_bytes) else text


def _erred(report: GradReport) -> str:
    if report.max_error != report.max_error:
        return ""
    return f"max gradient error {report.max_error:.1e}" if report.max_error else "max gradient error 0"


def _certified(certificate: Any) -> str:
    if getattr(certificate, "proven", False):
        return "proven, no allocating function can be reached"
    return "not proven: " + "; ".join(map(str, getattr(certificate, "unproven", ())))
