"""What can go wrong with the counters themselves; never with the code that is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_adalloc.hooks.reports import AllocationReport


class HooksDead(RuntimeError):
    """The counters cannot vouch for what they say: an error of the run, never a skip and never a pass."""


class HooksBusy(RuntimeError):
    """Another thread is in the middle of a measurement; one thread measures at a time."""


class HooksUnavailable(RuntimeError):
    """This platform has no backend; the message says what is missing."""


class AllocationForbidden(AssertionError):
    """Native code allocated inside a ``forbid()`` block. The message carries the first backtrace and the line of
    Python that led there; ``report`` is the report of the block, there when the block has ended.
    """

    report: AllocationReport | None = None


# Failure summaries print the qualified name: where users import them from.
for _error in (HooksDead, HooksBusy, HooksUnavailable, AllocationForbidden):
    _error.__module__ = "pytest_adalloc"
