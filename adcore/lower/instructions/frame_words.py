"""Parameters and results of an entry: words of its frame as LLVM values (see `adcore.abi.frame`)."""

from __future__ import annotations

from adcore.abi import frame
from adcore.ir.core import Value
from adcore.ir.types import ArrayType, ListType, Scalar, Type
from adcore.lower import descriptors
from adcore.lower.descriptors import ArrayDescriptor, ListDescriptor, Operand, register
from adcore.lower.region_lowering import Lowering


def parameter(lowering: Lowering, value: Value, slot: frame.FrameSlot) -> Operand:
    type_, w = slot.type, lowering.writer
    if isinstance(type_, Scalar):
        if type_.kind == "f":
            return _word(lowering, slot.offset, register(type_))
        word = _word(lowering, slot.offset, "i64")
        if type_.kind == "b":
            return w.let(f"icmp ne i64 {word}, 0")
        return word if type_.bytes == 8 else w.let(f"trunc i64 {word} to {register(type_)}")
    if isinstance(type_, ListType):
        table, count = _word(lowering, slot.offset, "ptr"), _size(lowering, "%frame", slot.offset + 1, "")
        return ListDescriptor(type_, table, count, lowering.aliasing.roots(value))
    return descriptor(lowering, type_, "%frame", slot.offset, value, "")


def descriptor(
    lowering: Lowering, type_: ArrayType, base: str, offset: int, value: Value, suffix: str
) -> ArrayDescriptor:
    """The array whose words start at `offset` from `base`."""
    address = _word_at(lowering, base, offset, "ptr", suffix)
    dims = tuple(_size(lowering, base, offset + 1 + k, suffix) for k in range(type_.rank))
    first_stride = offset + 1 + type_.rank
    if type_.layout != "S":
        strides = descriptors.contiguous(lowering.writer, type_, dims)
    else:
        strides = tuple(_word_at(lowering, base, first_stride + k, "i64", suffix) for k in range(type_.rank))
    return ArrayDescriptor(type_, address, dims, strides, lowering.aliasing.roots(value))


def _size(lowering: Lowering, base: str, offset: int, suffix: str) -> str:
    """A dim or a count: LLVM is told that it is neither negative nor beyond any memory."""
    node = lowering.emitter.module.node("!{i64 0, i64 281474976710656}")
    return _word_at(lowering, base, offset, "i64", f", !range {node}{suffix}")


def _word(lowering: Lowering, offset: int, type_: str) -> str:
    return _word_at(lowering, "%frame", offset, type_, "")


def _word_at(lowering: Lowering, base: str, offset: int, type_: str, suffix: str) -> str:
    w = lowering.writer
    return w.let(f"load {type_}, ptr {w.let(f'getelementptr i64, ptr {base}, i64 {offset}')}{suffix}")


def store_result(lowering: Lowering, value: Value, slot: frame.FrameSlot) -> None:
    lowered = lowering.values[value]
    if isinstance(lowered, ArrayDescriptor):
        words = [("ptr", lowered.base), *(("i64", text) for text in (*lowered.dims, *lowered.strides))]
    elif isinstance(lowered, ListDescriptor):
        words = [("ptr", lowered.table), ("i64", lowered.count)]
    else:
        words = [_scalar_word(lowering, value.type, lowered)]
    w = lowering.writer
    for k, (type_, text) in enumerate(words):
        w.do(f"store {type_} {text}, ptr {w.let(f'getelementptr i64, ptr %frame, i64 {slot.offset + k}')}")


def _scalar_word(lowering: Lowering, type_: Type, text: str) -> tuple[str, str]:
    assert isinstance(type_, Scalar)
    if type_.kind == "f":
        return register(type_), text
    if type_.bytes == 8:
        return "i64", text
    return "i64", lowering.writer.let(f"{'sext' if type_.kind == 'i' else 'zext'} {register(type_)} {text} to i64")
