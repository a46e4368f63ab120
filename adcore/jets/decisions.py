"""What both arithmetics share: the ops' own meaning, comparisons, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adcore.ops import TABLE

EVALUATE: dict[str, Callable[..., Any]] = {name: op.evaluate for name, op in TABLE.items() if op.evaluate is not None}


def stepped(op: str, x: Any, places: int | None) -> Any:
    """A rounded number, by the op's own meaning."""
    return EVALUATE[op](x) if places is None else EVALUATE[op](x, places=places)


def scaled(x: Any, places: int) -> Any:
    """x in units of the last decimal place that is kept."""
    return x * 10**places if places >= 0 else x / 10**-places


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


__all__ = ["EVALUATE", "TooMuchWork", "holds", "scaled", "stepped"]
