"""Calls disappear: the callee's body takes the place of the call.

    func @square(%v: f64) -> (f64) {
      %w: f64 = mul %v, %v
      return %w
    }
    func @f(%x: f64) -> (f64) {
      %y: f64 = call %x [callee='square']
      %z: f64 = call %y [callee='square']
      return %z
    }
->
    func @f(%x: f64) -> (f64) {
      %y: f64 = mul %x, %x
      %z: f64 = mul %y, %y
      return %z
    }

Every call gets fresh values, so what is learnt about one call is not mixed with another. Spans stay those of the
callee: an error or a stored byte points at the line that computes it.
"""

from __future__ import annotations

from collections.abc import Callable

from adcore.ir.core import Function, Instr, Module, Region, Value, substitute

Callee = Callable[[Instr], Function | None]


def inline(module: Module) -> Function:
    """The main function with every call replaced by the callee's body. Callees must not be recursive."""

    def callee(instr: Instr) -> Function | None:
        return module.callees[instr.attrs["callee"]] if instr.op == "call" else None

    return module.main.with_region(_inline(module.main.region, callee, {}))


def expand(function: Function, everything: bool) -> Function:
    """`function` with `rule` instructions (`adcore.ops.custom`) replaced by the bodies that they stand for.

    Not `everything`: only the rules themselves; a function that has rules stays one instruction while sweeps follow.
    """

    def callee(instr: Instr) -> Function | None:
        if instr.op != "rule" or not (everything or instr.attrs["code"].rules is None):
            return None
        body: Function = instr.attrs["code"].body
        return body

    return function.with_region(_inline(function.region, callee, {}))


def _inline(region: Region, callee: Callee, renamed: dict[Value, Value]) -> Region:
    body: list[Instr] = []
    for instr in region.body:
        operands = tuple([renamed.get(v, v) for v in instr.operands])
        called = callee(instr)
        if called is None:
            regions = tuple([_inline(nested, callee, renamed) for nested in instr.regions])
            body.append(instr.with_operands(operands).with_regions(regions))
            continue
        mapping = dict(zip(called.params, operands, strict=True))
        copy = _inline(substitute(called.region, mapping), callee, {})
        body.extend(copy.body)
        renamed.update(zip(instr.results, copy.yields, strict=True))
    return region.with_body(body, tuple([renamed.get(v, v) for v in region.yields]))
