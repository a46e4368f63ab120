"""How a value that the reverse sweep needs may be had, and what each way costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adcore.ir.core import Instr, Value

Why = Literal["free", "carried", "overwritten", "temporary", "loop result", "trip count", "decision", "dearer", "log"]

Node = Value | Instr
"""A needed value, or a store that is to be undone."""

BYTE_PRICE = 1.0
"""How dear bytes are compared to operations; limits in bytes raise it."""

BYTE_COST = 2.0
"""Cost of a kept byte, written once and read once, in additions: a double costs as much as a transcendental function,
so storing never beats a legal load, and one log of overwritten memory beats two kept values."""

ROW_SHARE = 0.25
"""Cost of putting a value down in a row that is reused, as a share of keeping it for good."""

STORE_AND_LOAD = 3
"""Cost of the instructions that keeping any value takes: a stored bit is not cheaper than a compare."""


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
