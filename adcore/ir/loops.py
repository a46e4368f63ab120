"""Loops over whole arrays, as passes and the expansions of bulk ops emit them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adcore.ir.builder import Builder
from adcore.ir.core import Value
from adcore.ir.types import I64, ArrayType


def emit_loop_nest(builder: Builder, array: Value, body: Callable[[Builder, Sequence[Value]], None]) -> None:
    """Loops over all elements of `array` in C order; `body(builder, index)` appends what is done with one."""
    assert isinstance(array.type, ArrayType)

    def nest(axis: int, index: list[Value]) -> None:
        assert isinstance(array.type, ArrayType)
        if axis == array.type.rank:
            body(builder, index)
            return
        zero, count = builder.const(0), builder.emit("dim", array, axis=axis)
        counter = Value(I64)
        with builder.region((counter,)) as opened:
            nest(axis + 1, [*index, counter])
        builder.emit_many("for", (zero, count), {"step": 1}, (opened.region,), ())

    nest(0, [])
