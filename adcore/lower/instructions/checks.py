"""Checks: a branch to a cold block that gives everything back and returns the number of the fault."""

from __future__ import annotations

from adcore.abi.faults import Fault
from adcore.ir.core import Instr, Region
from adcore.lower.region_lowering import Lowering


def lower_index(lowering: Lowering, instr: Instr, region: Region) -> None:
    w, (i, n) = lowering.writer, lowering.texts(instr.operands)
    negative = w.let(f"icmp slt i64 {i}, 0")
    wrapped = w.let(f"select i1 {negative}, i64 {w.let(f'add i64 {i}, {n}')}, i64 {i}")
    message = f"index {{0}} is out of bounds for axis {instr.attrs.get('axis', 0)} with size {{1}}"
    outside = w.let(f"icmp uge i64 {wrapped}, {n}")
    lowering.emitter.leave_if(outside, Fault("IndexError", message, instr.span), (i, n))
    lowering.values[instr.result] = wrapped


def lower_check(lowering: Lowering, instr: Instr, region: Region) -> None:
    condition, *details = lowering.texts(instr.operands)
    assert len(details) <= 2, "a frame has room for two details"
    fault = Fault(instr.attrs["error"], instr.attrs["message"], instr.span)
    lowering.emitter.leave_if(lowering.writer.let(f"xor i1 {condition}, true"), fault, details)
