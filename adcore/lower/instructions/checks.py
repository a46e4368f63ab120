"""Checks: a branch to a cold block that gives everything back and returns the number of the fault."""

from __future__ import annotations

from adcore.abi.faults import Fault
from adcore.ir.core import Instr, Region
from adcore.ir.types import BOOL, F64, Scalar, Type, is_float
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
    attrs = instr.attrs
    fault = Fault(attrs["error"], attrs["message"], instr.span, attrs.get("raising"), attrs.get("assigned"))
    pairs = zip(details, instr.operands[1:], strict=True)
    words = [number_as_word(lowering, text, value.type) for text, value in pairs]
    lowering.emitter.leave_if(lowering.writer.let(f"xor i1 {condition}, true"), fault, words)


def number_as_word(lowering: Lowering, text: str, type_: Type) -> str:
    """A number as the 64 bits that a frame has for it."""
    w = lowering.writer
    if is_float(type_):
        wide = text if type_ == F64 else w.let(f"fpext float {text} to double")
        return w.let(f"bitcast double {wide} to i64")
    assert isinstance(type_, Scalar)
    if type_ == BOOL:
        return w.let(f"zext i1 {text} to i64")
    return (
        text
        if type_.bytes == 8
        else w.let(f"{'zext' if type_.kind == 'u' else 'sext'} i{8 * type_.bytes} {text} to i64")
    )
