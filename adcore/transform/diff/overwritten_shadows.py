"""Shadows that a reverse sweep sets instead of adding to them: they begin as zero.

func @f(%x: array<f64,1,C>, %dx: array<f64,1,C>, %seed: f64) {
  accumulate %slope, %dx, %i
}

func @f(%x: array<f64,1,C>, %dx: array<f64,1,C>, %seed: f64) {
  for 0, (dim %dx) { store 0.0, %dx, %i }
  accumulate %slope, %dx, %i
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
