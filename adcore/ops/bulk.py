"""Bulk ops: one instruction over whole arrays. What does not know one of them has it expanded (`transform.expansion`).

copy %x, %y           all elements of %x into %y, which has the same shape
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adcore.ir.builder import Builder
from adcore.ir.core import Attributes, Value
from adcore.ir.loops import emit_loop_nest
from adcore.ir.types import ArrayType, Type
from adcore.ops.define import Op, OpTypeError
from adcore.ops.effects import Effects, reads, writes


def copy_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    arrays = [t for t in types if isinstance(t, ArrayType)]
    if len(types) != 2 or len(arrays) != 2 or len({(a.element, a.rank) for a in arrays}) != 1:
        raise OpTypeError(f"copy does not accept ({', '.join(map(str, types))})")
    return ()


def evaluate_copy(source: Any, target: Any) -> None:
    assert source.shape == target.shape
    target[...] = source


def expand_copy(b: Builder, operands: Sequence[Value]) -> Sequence[Value]:
    source, target = operands

    def element(inner: Builder, index: Sequence[Value]) -> None:
        inner.emit_many("store", (inner.emit("load", source, *index), target, *index), {})

    emit_loop_nest(b, source, element)
    return ()


OPS = (
    # The arrays must not share memory.
    Op("copy", copy_type, evaluate_copy, effects=Effects((reads(0, every=True), writes(1, every=True))),
       expand=expand_copy, cost=4.0),
)  # fmt: skip
