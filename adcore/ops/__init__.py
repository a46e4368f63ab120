"""The ops: one definition each, and the table of them that every pass is given."""

from adcore.ops import arithmetic, bulk, custom, functions, memory
from adcore.ops.define import Emitter, Op, OpTypeError, Table
from adcore.ops.effects import Access, Axis, Effects, UndeclaredEffects, View
from adcore.ops.expr import Expr

TABLE = Table({op.name: op for op in (*arithmetic.OPS, *functions.OPS, *memory.OPS, *bulk.OPS, *custom.OPS)})

__all__ = [
    "TABLE", "Access", "Axis", "Effects", "Emitter", "Expr", "Op", "OpTypeError", "Table", "UndeclaredEffects", "View",
]  # fmt: skip
