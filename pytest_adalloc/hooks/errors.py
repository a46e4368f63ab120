"""What can go wrong with the counters themselves; never with the code that is measured."""

from __future__ import annotations


class HooksDead(RuntimeError):
    """The counters cannot vouch for what they say: an error of the run, never a skip and never a pass."""


class HooksBusy(RuntimeError):
    """Another thread is in the middle of a measurement; one thread measures at a time."""


class HooksUnavailable(RuntimeError):
    """This platform has no backend; the message says what is missing."""


class AllocationForbidden(AssertionError):
    """Native code allocated inside a ``forbid()`` block; the message carries the first backtrace."""
