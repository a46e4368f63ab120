"""Where nothing independent can be said about a function's slopes."""

from __future__ import annotations

from adcore.errors import AdcoreError, Diagnostic


class NoReference(AdcoreError):
    """There is no reference for a function (an argument of its own memory, a function at an address), or its slopes
    take more work than was allowed."""

    def __init__(self, why: str) -> None:
        super().__init__([Diagnostic(why, None)])


__all__ = ["NoReference"]
