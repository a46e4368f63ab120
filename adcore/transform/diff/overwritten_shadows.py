"""Shadows that a reverse sweep sets instead of adding to them: they begin as zero.

    for 0, %n [step=1] {
    (%i: i64):
      accumulate %s, %d, %i
      yield
    }
->
    %z: i64 = dim %d [axis=0]
    for 0, %z [step=1] {
    (%j: i64):
      store 0.0, %d, %j
      yield
    }
    for 0, %n [step=1] {
    (%i: i64):
      accumulate %s, %d, %i
      yield
    }
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adcore.ir.builder import Builder
from adcore.ir.core import Function, Region, Value
from adcore.ir.loops import emit_loop_nest
from adcore.ir.types import ArrayType
from adcore.ops import Table


def set_to_zero(function: Function, shadows: Sequence[int], ops: Table) -> Function:
    """`function` with zeros stored into these of its parameters, arrays, before anything else."""
    if not shadows:
        return function
    region, b = function.region, Builder(ops)
    for k in shadows:
        shadow = region.params[k]
        assert isinstance(shadow.type, ArrayType)
        zero = b.const(0.0, shadow.type.element)

        def element(inner: Builder, index: Sequence[Value], zero: Value = zero, shadow: Value = shadow) -> None:
            inner.emit_many("store", (zero, shadow, *index), {})

        emit_loop_nest(b, shadow, element)
    zeroed = b.finish(region.params, ()).body
    return replace(function, region=Region(region.params, (*zeroed, *region.body), region.yields))
