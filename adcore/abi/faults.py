"""Faults: what the status of a native entry means.

An entry returns 0, or k > 0 for the k-th of the faults that its object came with. The kernel leaves two numbers in the
frame, which the fault's message may show.
"""

from __future__ import annotations

from typing import NamedTuple

from adcore.ir.exceptions import Deferred, FaultDetail, Raising, made_error
from adcore.source import Span


class Fault(NamedTuple):
    """Why a kernel stopped: the name of the exception, its message with {0} and {1} for the details, and where."""

    error: str
    message: str
    span: Span | None = None
    raising: Raising | None = None
    """Of an exception that is more than a class and a text: `message` is empty then."""


__all__ = ["Deferred", "Fault", "FaultDetail", "Raising", "made_error"]
