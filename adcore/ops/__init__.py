"""The ops: one definition each, and the table of them that every pass is given."""

from adcore.ops import arithmetic, bulk, custom, decimals, functions, memory, messages, products
from adcore.ops.define import Emitter, Op, OpTypeError, Table
from adcore.ops.effects import Access, Axis, Effects, UndeclaredEffects, View
from adcore.ops.expr import Expr

TABLE = Table(
    {
        op.name: op
        for room in (arithmetic, functions, decimals, memory, messages, bulk, products, custom)
        for op in room.OPS
    }
)

__all__ = [
    "TABLE", "Access", "Axis", "Effects", "Emitter", "Expr", "Op", "OpTypeError", "Table", "UndeclaredEffects", "View",
]  # fmt: skip
