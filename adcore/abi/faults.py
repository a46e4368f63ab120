"""Faults: what the status of a native entry means.

An entry returns 0, or k > 0 for the k-th of the faults that its object came with. The kernel leaves two numbers in the
frame, which the fault's message may show.
"""

from __future__ import annotations

from typing import NamedTuple

from adcore.ir.exceptions import AssignedBefore, Deferred, FaultDetail, GivenObject, Raising, evaluated, made_error
from adcore.source import Span

POLL = "adcore_poll"
"""The function that loops ask whether a signal has arrived: `int64_t adcore_poll(int64_t iterations)` of how many
iterations ago they asked last; how many iterations to wait before they ask again, or 0 to leave."""

INTERRUPTED = "KeyboardInterrupt"
"""The fault of a kernel that was told to leave: raised is what the signal's handler has raised."""


class Fault(NamedTuple):
    """Why a kernel stopped: the name of the exception, its message with {0} and {1} for the details, and where."""

    error: str
    message: str
    span: Span | None = None
    raising: Raising | None = None
    """Of an exception that is more than a class and a text: `message` is empty then."""
    assigned: AssignedBefore | None = None
    """What had been assigned to attributes of the call's objects; None where that is not known."""


__all__ = [
    "INTERRUPTED", "POLL", "AssignedBefore", "Deferred", "Fault", "FaultDetail", "GivenObject", "Raising", "evaluated",
    "made_error",
]  # fmt: skip
