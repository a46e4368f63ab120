"""Calls disappear: the callee's body takes the place of the call.

    %y: f64 = call %x [callee='square']     ->     %y: f64 = mul %x, %x

Every call gets fresh values, so what is learnt about one call is not mixed with another. Spans stay those of the
callee: an error or a stored byte points at the line that computes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adcore.ir.core import Function, Instr, Module, Region, Value, substitute


def inline(module: Module) -> Function:
    """The main function with every call replaced by the callee's body. Callees must not be recursive."""
    return replace(module.main, region=_inline(module.main.region, module.callees, {}))


def _inline(region: Region, callees: Mapping[str, Function], renamed: dict[Value, Value]) -> Region:
    body: list[Instr] = []
    for instr in region.body:
        operands = tuple(renamed.get(v, v) for v in instr.operands)
        if instr.op != "call":
            regions = tuple(_inline(nested, callees, renamed) for nested in instr.regions)
            body.append(replace(instr, operands=operands, regions=regions))
            continue
        callee = callees[instr.attrs["callee"]]
        mapping = dict(zip(callee.params, operands, strict=True))
        copy = _inline(substitute(callee.region, mapping), callees, {})
        body.extend(copy.body)
        renamed.update(zip(instr.results, copy.yields, strict=True))
    return Region(region.params, tuple(body), tuple(renamed.get(v, v) for v in region.yields))
