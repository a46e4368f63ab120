"""How a value that the reverse sweep needs may be had, and what each way costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adcore.ir.core import Instr, Value

Why = Literal["free", "carried", "overwritten", "temporary", "loop result", "trip count", "decision", "dearer", "log"]

Node = Value | Instr
"""A needed value, or a store that is to be undone."""


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to have a node: store it, or follow one rule.

    `store` is the cost of storing (or logging) it. `operands` are what its rule needs (None: there is no rule, for the
    reason `why`): the rule computes it again, or reloads it from what the store `source` wrote, or runs the loop or
    branch `replay` again, or takes the carried value that it becomes (`shift`: loop and position). Following the rule
    costs `cost` operations and `scratch` reused storage.
    """

    store: float
    cost: float = 0.0
    scratch: float = 0.0
    operands: tuple[Node, ...] | None = None
    source: Instr | None = None
    replay: Instr | None = None
    shift: tuple[Instr, int] | None = None
    why: Why = "free"
