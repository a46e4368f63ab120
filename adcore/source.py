"""Positions in the user's source: every IR instruction, error and stored byte points at one."""

from __future__ import annotations

import linecache
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A stretch of source text. Lines count from 1, columns from 0, the end is exclusive (as in `ast`)."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def text(self) -> str:
        """The first line of the span as it stands in the file, without indentation; empty if unreadable."""
        return linecache.getline(self.file, self.line).strip()

    def first_line(self) -> Span:
        """The part of the span on its first line: the header of a compound statement."""
        if self.end_line == self.line:
            return self
        end = len(linecache.getline(self.file, self.line).rstrip().encode())
        return Span(self.file, self.line, self.column, self.line, max(end, self.column + 1))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"
