"""The ops: one definition each, and the table of them that every pass is given."""

from adcore.ops import (
    arithmetic,
    bulk,
    choice,
    conversion,
    custom,
    decimals,
    division,
    functions,
    given_slopes,
    logic,
    memory,
    messages,
    powers,
    products,
)
from adcore.ops.define import Emitter, Op, OpTypeError, Table
from adcore.ops.effects import Access, Axis, Effects, UndeclaredEffects, View
from adcore.ops.expr import Expr

ROOMS = (
    arithmetic, division, powers, logic, choice, conversion, given_slopes, functions, decimals, memory, messages, bulk,
    products, custom,
)  # fmt: skip
TABLE = Table({op.name: op for room in ROOMS for op in room.OPS})

__all__ = [
    "TABLE", "Access", "Axis", "Effects", "Emitter", "Expr", "Op", "OpTypeError", "Table", "UndeclaredEffects", "View",
]  # fmt: skip
