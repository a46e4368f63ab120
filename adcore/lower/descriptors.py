"""Array descriptors as LLVM values: base, dims and strides, with whatever is constant kept as a literal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adcore.ir.types import ArrayType, ListType, Scalar, Type
from adcore.lower.roots import Root
from adcore.lower.writer import Writer, literal


@dataclass(frozen=True)
class ArrayDescriptor:
    """An array: `dims` and `strides` (in bytes) are i64 texts."""

    type: ArrayType
    base: str
    dims: tuple[str, ...]
    strides: tuple[str, ...]
    roots: frozenset[Root]


@dataclass(frozen=True)
class ListDescriptor:
    """A list of arrays: the address of its table, and its length."""

    type: ListType
    table: str
    count: str
    roots: frozenset[Root]


Operand = str | ArrayDescriptor | ListDescriptor
"""What a value becomes: the LLVM text of a scalar, or a descriptor."""


FLOATS = {4: "float", 8: "double", 16: "x86_fp80"}


def register(type_: Scalar) -> str:
    """The LLVM type of a scalar in a register."""
    if type_.kind == "f":
        return FLOATS[type_.bytes]
    return "i1" if type_.kind == "b" else f"i{8 * type_.bytes}"


def memory(type_: Scalar) -> str:
    """The LLVM type of a scalar in memory."""
    return "i8" if type_.kind == "b" else register(type_)


def octets(w: Writer, n: str) -> str:
    """The bytes that `n` packed truth values take."""
    return str(-(-int(n) // 8)) if literal(n) else w.let(f"lshr i64 {w.add(n, '7')}, 3")


def contiguous(w: Writer, type_: ArrayType, dims: Sequence[str]) -> tuple[str, ...]:
    """Strides of a C-contiguous or a packed array; a packed one has none along its last axis."""
    if type_.layout == "P":
        return (*_steps(w, "1", (*dims[:-1], octets(w, dims[-1])))[:-1], "0")
    return _steps(w, str(type_.element.bytes), dims)


def _steps(w: Writer, stride: str, dims: Sequence[str]) -> tuple[str, ...]:
    strides: list[str] = []
    for n in reversed(dims):
        strides.insert(0, stride)
        if len(strides) < len(dims):
            stride = w.mul(n, stride)
    return tuple(strides)


def element_address(w: Writer, array: ArrayDescriptor, index: Sequence[str]) -> str:
    """The address of one element (of the byte that holds it, in a packed array), which is known to lie inside."""
    pointer, size = array.base, str(array.type.element.bytes)
    if array.type.layout == "P":
        *index, last = index
        byte = str(int(last) >> 3) if literal(last) else w.let(f"lshr i64 {last}, 3")
        pointer = pointer if byte == "0" else w.let(f"getelementptr inbounds i8, ptr {pointer}, i64 {byte}")
    for i, stride in zip(index, array.strides[: len(index)], strict=True):
        if i == "0":
            continue
        if stride == size:
            pointer = w.let(f"getelementptr inbounds {memory(array.type.element)}, ptr {pointer}, i64 {i}")
        else:
            pointer = w.let(f"getelementptr inbounds i8, ptr {pointer}, i64 {w.mul(i, stride)}")
    return pointer


def view(w: Writer, array: ArrayDescriptor, type_: ArrayType, operands: Sequence[str], axes: str) -> ArrayDescriptor:
    """`view`: drop or restrict axes. The address of an empty view may lie outside, so nothing is `inbounds`."""
    dims, strides, offset, position = [], [], "0", 0
    for axis, stride in zip(axes, array.strides, strict=True):
        start = operands[position]
        offset = w.add(offset, w.mul(start, stride))
        if axis == "s":
            count, step = operands[position + 1 : position + 3]
            dims.append(count)
            strides.append(w.mul(step, stride))
        position += 1 if axis == "i" else 3
    base = array.base if offset == "0" else w.let(f"getelementptr i8, ptr {array.base}, i64 {offset}")
    return ArrayDescriptor(type_, base, tuple(dims), tuple(strides), array.roots)


def transpose(array: ArrayDescriptor, type_: ArrayType, permutation: Sequence[int]) -> ArrayDescriptor:
    """`transpose`: the same elements, axes in another order."""
    dims = tuple(array.dims[k] for k in permutation)
    return replace(array, type=type_, dims=dims, strides=tuple(array.strides[k] for k in permutation))


def components(value: Operand, type_: Type) -> list[tuple[str, str]]:
    """The LLVM (type, text) pairs that control flow has to carry for a value."""
    if isinstance(value, str):
        assert isinstance(type_, Scalar)
        return [(register(type_), value)]
    if isinstance(value, ListDescriptor):
        return [("ptr", value.table), ("i64", value.count)]
    strides = value.strides if value.type.layout == "S" else ()
    return [("ptr", value.base), *(("i64", text) for text in (*value.dims, *strides))]


def parts(value: Operand, type_: Type) -> list[tuple[str, str]]:
    """The LLVM (type, text) pairs that a value consists of, those that follow from others included."""
    if isinstance(value, ArrayDescriptor):
        return [("ptr", value.base), *(("i64", text) for text in (*value.dims, *value.strides))]
    return components(value, type_)


def rebuilt(w: Writer, type_: Type, texts: Sequence[str], roots: frozenset[Root]) -> Operand:
    """The value whose components are `texts`."""
    if isinstance(type_, Scalar):
        return texts[0]
    if isinstance(type_, ListType):
        return ListDescriptor(type_, texts[0], texts[1], roots)
    dims = tuple(texts[1 : 1 + type_.rank])
    strides = tuple(texts[1 + type_.rank :]) if type_.layout == "S" else contiguous(w, type_, dims)
    return ArrayDescriptor(type_, texts[0], dims, strides, roots)


def component_types(type_: Type) -> list[str]:
    """The LLVM types of a value's components."""
    if isinstance(type_, Scalar):
        return [register(type_)]
    if isinstance(type_, ListType):
        return ["ptr", "i64"]
    return ["ptr"] + ["i64"] * (type_.rank * (2 if type_.layout == "S" else 1))
