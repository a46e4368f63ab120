"""A family of right functions: one function, its slope by hand, and the points where both are checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Family:
    """`grad(*args)` is the gradient by the first argument; the others are parameters.

    `verdicts` are those that are honest here: where there are two slopes or none, "passed" would not be.
    `only_by_hand`: the compiler's own gradient is not the one meant.
    """

    f: Callable[..., Any]
    grad: Callable[..., Any]
    points: Sequence[tuple[Any, ...]]
    verdicts: tuple[str, ...] = ("passed",)
    only_by_hand: bool = False

    @property
    def name(self) -> str:
        return self.f.__name__ if "passed" in self.verdicts else f"{self.f.__name__} refused"


@dataclass(frozen=True)
class Case:
    """One point of a family, to be checked with the compiler's gradient or with the one by hand."""

    family: Family
    number: int
    by_hand: bool

    @property
    def args(self) -> tuple[Any, ...]:
        return self.family.points[self.number]

    @property
    def name(self) -> str:
        return f"{self.family.name}-{self.number}-{'by hand' if self.by_hand else 'compiled'}"
