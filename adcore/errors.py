"""Errors that a user sees: what is wrong, where (file, line, caret), why, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        super().__init__("\n\n".join(render(d) for d in self.diagnostics))


class CompileError(AdcoreError):
    """Python that cannot be compiled: every unsupported construct or type of the function at once."""


class WorkspaceError(AdcoreError):
    """The gradient needs more storage than `workspace` allows; says which value, what needs it, what destroys it."""


class ArgumentError(AdcoreError):
    """Arguments that don't fit: shape, dtype, layout, read-only or overlapping shadow."""


def render(diagnostic: Diagnostic) -> str:
    """The finding as text, with the source line and a caret below the span."""
    lines = [diagnostic.title]
    span = diagnostic.span
    if span is not None:
        import linecache

        source = linecache.getline(span.file, span.line).rstrip("\n")
        lines.append(f"  --> {span.file}:{span.line}:{span.column + 1}")
        if source:
            gutter = f"{span.line:>5} | "
            end = span.end_column if span.end_line == span.line else len(source)
            width = max(1, end - span.column)
            caret = " " * (len(gutter) - 2) + "| " + " " * span.column + "^" * width
            lines += [gutter + source, f"{caret} {diagnostic.label}".rstrip()]
    lines += [f"  = note: {note}" for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"  = help: {diagnostic.help}")
    return "\n".join(lines)
