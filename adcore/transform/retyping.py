"""The same function in other floating-point numbers, through memory alone.

    func @f(%x: f64, %a: array<f64,1,C>) -> (f64) {
      %0: i64 = const [type='i64', value=0]
      %v: f64 = load %a, %0
      %y: f64 = mul %x, %v
      return %y
    }
->
    func @f(%x: array<f80,1,C>, %a: array<f80,1,C>, %out: array<f80,1,C>) -> () {
      %0: i64 = const [type='i64', value=0]
      %x.1: f80 = load %x, %0
      %1: i64 = const [type='i64', value=0]
      %v: f80 = load %a, %1
      %y: f80 = mul %x.1, %v
      store %y, %out, %0
      return
    }

Every float of the program becomes one of the given type; numbers come in and go out as elements of arrays, so that
frames need not know the type. Results that are no floats are dropped. Checks compare a gradient with the same gradient
in wider numbers (see `adcore.driver.evidence.twin`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import ArrayType, ListType, Scalar, Type, is_float
from adcore.ops import Table

NAMES = ("f64", "f32")


def retyped(function: Function, to: Scalar, ops: Table) -> Function:
    """`function`, which contains no calls, with `to` for every float; its last parameter takes the results."""
    retyping = _Retyping(to, ops)
    whole = retyping.region(function.region)
    b = Builder(ops)
    zero = b.const(0)
    params: list[Value] = []
    for value in whole.params:
        if value.type != to:
            params.append(value)
            continue
        params.append(Value(ArrayType(to, 1, "C"), value.hint))
        b.append(Instr("load", (params[-1], zero), (value,)))
    for instr in whole.body:
        b.append(instr)
    out = Value(ArrayType(to, 1, "C"), "out")
    for k, value in enumerate(v for v in whole.yields if v.type == to):
        b.append(Instr("store", (value, out, b.const(k)), ()))
    return Function(function.name, b.finish((*params, out), ()), function.span)


class _Retyping:
    def __init__(self, to: Scalar, ops: Table) -> None:
        self.to, self.ops = to, ops
        self.made: dict[Value, Value] = {}

    def type(self, type_: Type) -> Type:
        if isinstance(type_, Scalar):
            return self.to if is_float(type_) else type_
        element = self.to if is_float(type_.element) else type_.element
        return replace(type_, element=element) if isinstance(type_, (ArrayType, ListType)) else type_

    def value(self, value: Value) -> Value:
        if value not in self.made:
            self.made[value] = Value(self.type(value.type), value.hint)
        return self.made[value]

    def region(self, region: Region) -> Region:
        params = tuple(self.value(v) for v in region.params)
        body = tuple(new for instr in region.body for new in self.instr(instr))
        return Region(params, body, tuple(self.value(v) for v in region.yields))

    def instr(self, instr: Instr) -> list[Instr]:
        attrs: dict[str, Any] = dict(instr.attrs)
        for key in ("type", "element"):
            if attrs.get(key) in NAMES:
                if instr.op == "const":
                    attrs["value"] = float(self.ops["const"].evaluate(**instr.attrs))  # type: ignore[misc]
                attrs[key] = self.to.name
        if "types" in attrs:
            attrs["types"] = tuple(self.to.name if t in NAMES else t for t in attrs["types"])
        operands, results = (tuple(self.value(v) for v in vs) for vs in (instr.operands, instr.results))
        if instr.op in ("minimum", "maximum") and self.to == operands[0].type:
            return self.extremum(instr, operands, results)
        regions = tuple(self.region(region) for region in instr.regions)
        return [Instr(instr.op, operands, results, attrs, regions, instr.span)]

    def extremum(self, instr: Instr, operands: tuple[Value, ...], results: tuple[Value, ...]) -> list[Instr]:
        """By comparison and choice: LLVM has no such instruction for all types. NaN stays NaN."""
        b = Builder(self.ops)
        first, second = operands
        chosen = b.emit("lt" if instr.op == "minimum" else "gt", first, second)
        chosen = b.emit("or", chosen, b.emit("ne", first, first))
        body = b.finish((), ()).body
        return [*body, Instr("select", (chosen, first, second), results, {}, (), instr.span)]


__all__ = ["retyped"]
