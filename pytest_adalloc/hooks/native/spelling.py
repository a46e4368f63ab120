"""Spellings of LLVM IR that the parts of the native code share."""

from __future__ import annotations

FUNCTION = "nounwind uwtable"  # unwind tables, so that a backtrace gets past our own frames


def element(table: str, index: int) -> str:
    """The address of a pointer in a global table."""
    return f"getelementptr (ptr, ptr @{table}, i64 {index})"


def word(index: int) -> str:
    """The address of a word of the state."""
    return f"getelementptr (i64, ptr @adalloc_state, i64 {index})"
