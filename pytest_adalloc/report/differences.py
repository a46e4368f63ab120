"""What became better and what became worse between two runs.

A run is the file of `--adalloc-json`, or a baseline. A check is known by its test. Of two figures only a difference
that means something counts: a verdict, allocations a call, bytes and values kept, and digits of agreement when several
are lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

RunChange = Literal["worse", "better", "new", "gone"]
ChecksByTest = dict[str, dict[str, Any]]

DIGITS_LOST = 3  # fewer are the machine's

QUIET = ("passed", "not checked")

FIGURES = {
    "allocs_per_call": "allocations a call",
    "workspace_bytes": "bytes of workspace",
    "stored": "values kept",
}


class RunFileError(ValueError):
    """A file that holds no run; the text says which, and what would."""


@dataclass(frozen=True)
class CheckChange:
    """One line of a comparison: a test, what changed, and from what to what (empty for a test that is new or gone)."""

    test: str
    change: RunChange
    what: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class RunComparison:
    """All changes between two runs, the worse first, and how many checks stayed as they were."""

    changes: tuple[CheckChange, ...]
    same: int

    def of(self, change: RunChange) -> list[CheckChange]:
        return [each for each in self.changes if each.change == change]

    @property
    def worse(self) -> bool:
        return bool(self.of("worse"))


def checks_of(path: str | Path) -> ChecksByTest:
    """The checks of a run, by test. Raises RunFileError."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFileError(f"{path} does not exist; a run with --adalloc-json={path} writes it") from None
    except (OSError, ValueError) as problem:
        raise RunFileError(f"{path} is no file of a run ({problem}); write one with --adalloc-json") from None
    run = content if isinstance(content, dict) else {}
    listed, named = run.get("checks"), run.get("tests")
    if isinstance(listed, list) and all(isinstance(c, dict) and isinstance(c.get("test"), str) for c in listed):
        return {check["test"]: {**check, "stored": _count(check.get("stored"))} for check in listed}
    if isinstance(named, dict) and all(isinstance(entry, dict) for entry in named.values()):
        return {test: {"verdict": "passed", **entry} for test, entry in named.items()}
    raise RunFileError(f"{path} is no file of a run: it has neither checks nor tests; write one with --adalloc-json")


def _count(stored: Any) -> int | None:
    """How many values are kept; in a run that nobody asked for explanations that is not known."""
    return len(stored) if isinstance(stored, Sequence) and stored else None


def compared(base: ChecksByTest, head: ChecksByTest) -> RunComparison:
    """What `head` does otherwise than `base`."""
    changes: list[CheckChange] = []
    same = 0
    for test, now in head.items():
        if test not in base:
            verdict = str(now.get("verdict"))
            changes.append(CheckChange(test, "new" if verdict in QUIET else "worse", f"new, {verdict}"))
            continue
        found = list(_changes(test, base[test], now))
        same += not found
        changes += found
    changes += [
        CheckChange(test, "gone", str(was.get("verdict", ""))) for test, was in base.items() if test not in head
    ]
    order: tuple[RunChange, ...] = ("worse", "better", "new", "gone")
    return RunComparison(tuple(sorted(changes, key=lambda each: (order.index(each.change), each.test))), same)


def _changes(test: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[CheckChange]:
    before, after = was.get("verdict"), now.get("verdict")
    if before != after:
        better = after == "passed" and before != "passed"
        yield CheckChange(test, "better" if better else "worse", "verdict", str(before), str(after))
        if not better:
            return  # the figures of a check that stopped halfway say nothing
    for name, text in FIGURES.items():
        a, b = was.get(name), now.get(name)
        if isinstance(a, int) and isinstance(b, int) and a != b:
            yield CheckChange(test, "worse" if b > a else "better", text, f"{a:,}", f"{b:,}")
    a, b = was.get("digits"), now.get("digits")
    if isinstance(a, int) and isinstance(b, int) and abs(a - b) >= DIGITS_LOST:
        yield CheckChange(test, "worse" if b < a else "better", "digits that agree", str(a), str(b))


def as_text(found: RunComparison) -> str:
    """For a terminal."""
    lines = []
    for change in ("worse", "better", "new", "gone"):
        some = found.of(change)
        if some:
            lines.append(f"{change}:")
            lines += [f"  {each.test}: {_spelled(each)}" for each in some]
    lines.append(summary(found))
    return "\n".join(lines)


def as_markdown(found: RunComparison) -> str:
    """For the comment of a merge request."""
    signs = {"worse": "❌ worse", "better": "✅ better", "new": "new", "gone": "gone"}
    lines = [f"**Gradients:** {summary(found)}"]
    if found.changes:
        lines += ["", "| | check | what | before | now |", "|---|---|---|---:|---:|"]
        for each in found.changes:
            test = each.test.replace("|", "\\|")
            lines.append(f"| {signs[each.change]} | `{test}` | {each.what} | {each.before} | {each.after} |")
    return "\n".join(lines)


def summary(found: RunComparison) -> str:
    """How many of each, in one line."""
    tests = {change: len({each.test for each in found.of(change)}) for change in ("worse", "better", "new", "gone")}
    parts = [f"{count} {change}" for change, count in tests.items() if count]
    return ", ".join([*parts, f"{found.same} as before"]) + "."


def _spelled(each: CheckChange) -> str:
    return f"{each.what} {each.before} -> {each.after}" if each.before else each.what
