"""Index checks are taken out: what `boundscheck=False` asks for.

    %size: i64 = dim %x [axis=0]
    %j: i64 = index %k, %size [axis=0]
    %v: f64 = load %x, %j
    return %v
->
    %size: i64 = dim %x [axis=0]
    %1: bool = lt %k, 0
    %2: i64 = add %k, %size [exact=True]
    %j: i64 = select %1, %2, %k
    %v: f64 = load %x, %j
    return %v

Negative subscripts keep their meaning; a subscript out of range is then undefined behaviour, as it is in C.
Checks of anything else (shapes, divisors, what the user raises) stay.
"""

from __future__ import annotations

from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import BOOL, I64


def without_index_checks(function: Function) -> Function:
    """`function` without checks that can only raise IndexError."""
    return function.with_region(_region(function.region))


def _region(region: Region) -> Region:
    body: list[Instr] = []
    for instr in region.body:
        if instr.op == "index":
            body += _wrapped(instr)
        elif instr.op != "check" or instr.attrs["error"] != "IndexError":
            body.append(instr.with_regions(tuple(_region(nested) for nested in instr.regions)))
    return region.with_body(body)


def _wrapped(instr: Instr) -> list[Instr]:
    i, n = instr.operands
    zero, negative, from_end = Value(I64), Value(BOOL), Value(I64)
    return [
        Instr("const", (), (zero,), {"value": 0, "type": "i64"}, span=instr.span),
        Instr("lt", (i, zero), (negative,), span=instr.span),
        Instr("add", (i, n), (from_end,), {"exact": True}, span=instr.span),
        Instr("select", (negative, from_end, i), instr.results, span=instr.span),
    ]
