"""How a value that the reverse sweep needs may be had, and what each way costs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal

from adcore.ir.core import Instr, Value

Why = Literal["free", "carried", "overwritten", "temporary", "loop result", "trip count", "decision", "dearer", "log"]

Node = Value | Instr
"""A needed value, or a store that is to be undone."""


@dataclass(frozen=True, eq=False)
class StoresBackwards:
    """All stores that may overwrite what loads of one kind read, the last one of the program first. Those of a later
    load are the first ones of an earlier load's."""

    stores: list[Instr] = field(default_factory=list)


@dataclass(frozen=True)
class LaterStores:
    """The first `count` stores of `all`: those that come after a load. Loads share them, as lists of their own would
    take room that grows with the square of the program."""

    all: StoresBackwards
    count: int

    def __iter__(self) -> Iterator[Instr]:
        """In program order."""
        return reversed(self.all.stores[: self.count])

    def unseen(self, seen: Collection[Node], passed: dict[StoresBackwards, int]) -> Iterator[Instr]:
        """Those up to the last one that is not in `seen`, in program order. `passed` has the numbers of stores that
        were in `seen` before, and is kept up."""
        stores, k = self.all.stores, passed.get(self.all, 0)
        while k < self.count and stores[k] in seen:
            k += 1
        passed[self.all] = k
        return reversed(stores[k : self.count])


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to have a node: store it, or follow one rule.

    `store` is the cost of storing (or logging) it. `operands` are what its rule needs (None: there is no rule, for the
    reason `why`): the rule computes it again, or reloads it from what the store `source` wrote, or runs the loop or
    branch `replay` again, or takes the carried value that it becomes (`shift`: loop and position). The rule also needs
    the stores `later` to be undone. Following it costs `cost` operations and `scratch` reused storage.
    """

    store: float
    cost: float = 0.0
    scratch: float = 0.0
    operands: tuple[Node, ...] | None = None
    later: LaterStores | None = None
    source: Instr | None = None
    replay: Instr | None = None
    shift: tuple[Instr, int] | None = None
    why: Why = "free"

    @property
    def needs(self) -> tuple[Node, ...]:
        """All that the rule needs."""
        return (*(self.operands or ()), *(self.later or ()))
