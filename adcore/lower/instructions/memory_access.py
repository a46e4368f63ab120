"""Elements, views and sizes of arrays, new arrays and records, as LLVM instructions."""

from __future__ import annotations

from collections.abc import Sequence

from adcore.abi import frame
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import ArrayType
from adcore.lower import descriptors
from adcore.lower.descriptors import ArrayDescriptor, ListDescriptor, memory
from adcore.lower.instructions.frame_words import descriptor
from adcore.lower.region_lowering import Lowering
from adcore.lower.roots import kept


def _access(lowering: Lowering, array: ArrayDescriptor, index: Sequence[Value]) -> tuple[str, str, str]:
    """LLVM element type, address, and the suffix with alignment and alias facts."""
    address = descriptors.element_address(lowering.writer, array, lowering.texts(index))
    return memory(array.type.element), address, lowering.aliasing.suffix(array)


def lower_load(lowering: Lowering, instr: Instr, region: Region) -> None:
    array, w = lowering.array(instr.operands[0]), lowering.writer
    ty, address, suffix = _access(lowering, array, instr.operands[1:])
    text = w.let(f"load {ty}, ptr {address}{suffix}")
    if array.type.layout == "P":
        text = w.let(f"and i8 {text}, {_bit(lowering, instr.operands[-1])}")
    lowering.values[instr.result] = w.let(f"icmp ne i8 {text}, 0") if array.type.element.kind == "b" else text


def _bit(lowering: Lowering, index: Value) -> str:
    """The bit of a byte that stands for a packed truth value, as a mask."""
    w = lowering.writer
    place = w.let(f"trunc i64 {w.let(f'and i64 {lowering.text(index)}, 7')} to i8")
    return w.let(f"shl i8 1, {place}")


def lower_store(lowering: Lowering, instr: Instr, region: Region) -> None:
    array, text, w = lowering.array(instr.operands[1]), lowering.text(instr.operands[0]), lowering.writer
    ty, address, suffix = _access(lowering, array, instr.operands[2:])
    if array.type.layout == "P":
        bit, old = _bit(lowering, instr.operands[-1]), w.let(f"load i8, ptr {address}{suffix}")
        others = w.let(f"and i8 {old}, {w.let(f'xor i8 {bit}, -1')}")
        text = w.let(f"or i8 {others}, {w.let(f'select i1 {text}, i8 {bit}, i8 0')}")
    elif array.type.element.kind == "b":
        text = w.let(f"zext i1 {text} to i8")
    w.do(f"store {ty} {text}, ptr {address}{suffix}")


def _octet(lowering: Lowering, instr: Instr) -> tuple[str, str, str, str]:
    """Of a `pack` or `unpack`: the address of eight elements of the tile and its facts, and those of the byte."""
    w = lowering.writer
    tile, octet = lowering.array(instr.operands[0]), lowering.text(instr.operands[1])
    array, (*outer, byte) = lowering.array(instr.operands[2]), lowering.texts(instr.operands[3:])
    eight = w.let(f"getelementptr inbounds i64, ptr {tile.base}, i64 {octet}")
    row = descriptors.element_address(w, array, (*outer, "0"))
    address = w.let(f"getelementptr inbounds i8, ptr {row}, i64 {byte}")
    return eight, lowering.aliasing.suffix(tile), address, lowering.aliasing.suffix(array)


def lower_pack(lowering: Lowering, instr: Instr, region: Region) -> None:
    w, (eight, of_tile, address, of_array) = lowering.writer, _octet(lowering, instr)
    # Each of the eight bytes is 0 or 1: the product has them side by side in its highest byte.
    product = w.let(f"mul i64 {w.let(f'load i64, ptr {eight}{of_tile}')}, {0x0102040810204080}")
    highest = w.let(f"lshr i64 {product}, 56")
    w.do(f"store i8 {w.let(f'trunc i64 {highest} to i8')}, ptr {address}{of_array}")


def lower_unpack(lowering: Lowering, instr: Instr, region: Region) -> None:
    w, (eight, of_tile, address, of_array) = lowering.writer, _octet(lowering, instr)
    # Eight copies of the byte, each with another of its bits left: not 0 is true.
    byte = w.let(f"zext i8 {w.let(f'load i8, ptr {address}{of_array}')} to i64")
    copies = w.let(f"mul i64 {byte}, {0x0101010101010101}")
    bits = w.let(f"and i64 {copies}, {0x8040201008040201 - (1 << 64)}")
    w.do(f"store i64 {bits}, ptr {eight}{of_tile}")


def lower_accumulate(lowering: Lowering, instr: Instr, region: Region) -> None:
    array, text, w = lowering.array(instr.operands[1]), lowering.text(instr.operands[0]), lowering.writer
    ty, address, suffix = _access(lowering, array, instr.operands[2:])
    old = w.let(f"load {ty}, ptr {address}{suffix}")
    if array.type.element.kind == "f":
        new = w.let(f"fadd reassoc nsz contract {ty} {old}, {text}")
    else:
        new = w.let(f"add {ty} {old}, {text}")
    w.do(f"store {ty} {new}, ptr {address}{suffix}")


def lower_dim(lowering: Lowering, instr: Instr, region: Region) -> None:
    lowering.values[instr.result] = lowering.array(instr.operands[0]).dims[instr.attrs["axis"]]


def lower_view(lowering: Lowering, instr: Instr, region: Region) -> None:
    type_, operands = instr.result.type, lowering.texts(instr.operands[1:])
    assert isinstance(type_, ArrayType)
    source = lowering.array(instr.operands[0])
    lowering.values[instr.result] = descriptors.view(lowering.writer, source, type_, operands, instr.attrs["axes"])


def lower_transpose(lowering: Lowering, instr: Instr, region: Region) -> None:
    type_ = instr.result.type
    assert isinstance(type_, ArrayType)
    source = lowering.array(instr.operands[0])
    lowering.values[instr.result] = descriptors.transpose(source, type_, instr.attrs["permutation"])


def lower_item(lowering: Lowering, instr: Instr, region: Region) -> None:
    items = lowering.values[instr.operands[0]]
    type_ = instr.result.type
    assert isinstance(items, ListDescriptor)
    assert isinstance(type_, ArrayType)
    w = lowering.writer
    row = w.mul(lowering.text(instr.operands[1]), str(8 * frame.words(type_)))
    address = w.let(f"getelementptr i8, ptr {items.table}, i64 {row}")
    constant = f", !invariant.load {lowering.emitter.module.node('!{}')}"
    lowering.values[instr.result] = descriptor(lowering, type_, address, 0, instr.result, constant)


def lower_count(lowering: Lowering, instr: Instr, region: Region) -> None:
    items = lowering.values[instr.operands[0]]
    assert isinstance(items, ListDescriptor)
    lowering.values[instr.result] = items.count


def lower_alloc(lowering: Lowering, instr: Instr, region: Region) -> None:
    escapes = instr.result in kept(region, lowering.aliasing.known, lowering.ops)
    roots = lowering.aliasing.roots(instr.result)
    lowering.values[instr.result] = lowering.storage.alloc(instr, lowering.texts(instr.operands), roots, escapes)


def lower_push(lowering: Lowering, instr: Instr, region: Region) -> None:
    lowering.storage.push(instr, lowering.texts(instr.operands))


def lower_pop(lowering: Lowering, instr: Instr, region: Region) -> None:
    lowering.values.update(zip(instr.results, lowering.storage.pop(instr), strict=True))
