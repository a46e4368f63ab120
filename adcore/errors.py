"""Errors that a user sees: what is wrong, where (file, line, caret), why, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adcore.source import Span


@dataclass(frozen=True)
class Diagnostic:
    """One finding. `title` says what is wrong in a line; `label` stands under the caret; `notes` say why; `help` says
    what to write instead."""

    title: str
    span: Span | None
    label: str = ""
    notes: tuple[str, ...] = ()
    help: str = ""


class AdcoreError(Exception):
    """Base of the compiler's errors; `diagnostics` holds the findings, `str()` renders all of them."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(entries(self.diagnostics)))


class CompileError(AdcoreError):
    """Python that cannot be compiled: every unsupported construct or type of the function at once."""


class LengthsNeeded(CompileError):
    """A program that can be compiled for known lengths of these arguments only: paths of leaves, with an axis each."""

    def __init__(self, diagnostics: Sequence[Diagnostic], wanted: frozenset[tuple[str, int]]) -> None:
        super().__init__(diagnostics)
        self.wanted = wanted


class ObjectsNeeded(CompileError):
    """A function assigns fields of these dataclasses: arguments of them are described anew, as objects."""

    def __init__(self, classes: frozenset[type]) -> None:
        super().__init__([Diagnostic(f"fields of {cls.__name__} are assigned", None) for cls in classes])
        self.classes = classes


class WorkspaceError(AdcoreError):
    """The gradient needs more storage than `workspace` allows; says which value, what needs it, what destroys it."""


class ArgumentError(AdcoreError):
    """Arguments that don't fit: shape, dtype, layout, read-only or overlapping shadow."""


MOST_ENTRIES = 10
"""More findings of different kinds are only counted."""

MOST_LINES = 4
"""A span over more lines is shown by its first and its last line."""

TAB = 4


def entries(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """The findings as texts: one for all places of a construct, the first ten of them, then how many are left."""
    groups: dict[object, list[Diagnostic]] = {}
    for found in diagnostics:
        file = found.span.file if found.span is not None else None
        groups.setdefault((found.title, found.help, found.label, found.notes, file), []).append(found)
    shown = [_entry(group) for group in list(groups.values())[:MOST_ENTRIES]]
    left = len(groups) - len(shown)
    return [*shown, f"... and {left} more"] if left else shown


def _entry(group: list[Diagnostic]) -> str:
    first, *others = group
    lines = sorted({d.span.line for d in others if d.span is not None})
    if not lines:
        return render(first)
    also = ", ".join(map(str, lines[:MOST_ENTRIES])) + (" and others" if len(lines) > MOST_ENTRIES else "")
    return render(replace(first, notes=(*first.notes, f"also in line{'s' if len(lines) > 1 else ''} {also}")))


def render(diagnostic: Diagnostic) -> str:
    """The finding as text, with the source lines and carets below the span."""
    lines = [diagnostic.title]
    if diagnostic.span is not None:
        lines += excerpt(diagnostic.span, diagnostic.label)
    lines += [f"  = note: {note}" for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"  = help: {diagnostic.help}")
    return "\n".join(lines)


def excerpt(span: Span, label: str = "") -> list[str]:
    """Where `span` is, its source lines, and carets below what it covers; `label` follows the last caret."""
    import linecache

    lines = [f"  --> {span.file}:{span.line}:{span.column + 1}"]
    numbers = range(span.line, max(span.end_line, span.line) + 1)
    shown = list(numbers) if len(numbers) <= MOST_LINES else [numbers[0], numbers[-1]]
    width = max(5, len(str(numbers[-1])))
    for number in shown:
        source = linecache.getline(span.file, number).rstrip()
        if not source:
            continue
        if number != shown[0] and number - 1 not in shown:
            lines.append(f"{'...':>{width}} |")
        lines.append(f"{number:>{width}} | {source.expandtabs(TAB)}")
        lines.append(f"{'':>{width}} | {_carets(span, number, source)}")
    if len(lines) > 1:
        lines[-1] = f"{lines[-1]} {label}".rstrip()
    return lines


def _carets(span: Span, number: int, source: str) -> str:
    """Blanks and carets below one line of a span, as wide as what stands above them."""
    indent = len(source) - len(source.lstrip())
    start = span.column if number == span.line else indent
    end = span.end_column if number == span.end_line else len(source)
    start = min(start, len(source))
    left = columns(source[:start])
    return " " * left + "^" * max(1, columns(source[: max(end, start)]) - left)


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes: tabs go to the next stop, wide characters take two."""
    import unicodedata

    total = 0
    for character in text.expandtabs(TAB):
        if unicodedata.combining(character):
            continue
        total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total
