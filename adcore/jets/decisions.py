"""What both arithmetics share: the ops' own meaning, comparisons, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adcore.ops import TABLE

EVALUATE: dict[str, Callable[..., Any]] = {name: op.evaluate for name, op in TABLE.items() if op.evaluate is not None}


class TooMuchWork(Exception):
    """The program runs for longer than its slopes are worth."""


def holds(op: str, order: int) -> bool:
    """Whether a comparison holds of numbers that compare as -1, 0 or 1."""
    if op == "lt":
        return order < 0
    if op == "gt":
        return order > 0
    if op == "le":
        return order <= 0
    if op == "ge":
        return order >= 0
    return (order == 0) == (op == "eq")


__all__ = ["EVALUATE", "TooMuchWork", "holds"]
