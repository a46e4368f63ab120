"""Types of IR values: scalars, array descriptors, and lists of same-kind arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layout = Literal["C", "S", "P"]
"""C: C-contiguous, strides follow from the shape. S: any strides. P: truth values packed eight to a byte, each row
(along the last axis) in bytes of its own."""


@dataclass(frozen=True)
class Scalar:
    """A machine scalar; `kind` is "f" (IEEE float), "i" (two's complement), "u" (unsigned) or "b" (truth value)."""

    name: str
    kind: Literal["f", "i", "u", "b"]
    bytes: int

    def __str__(self) -> str:
        return self.name


F64 = Scalar("f64", "f", 8)
F32 = Scalar("f32", "f", 4)
F80 = Scalar("f80", "f", 16)  # x87: no program has it, checks retype programs to it
I64 = Scalar("i64", "i", 8)
I32 = Scalar("i32", "i", 4)
I16 = Scalar("i16", "i", 2)
I8 = Scalar("i8", "i", 1)
U64 = Scalar("u64", "u", 8)
U32 = Scalar("u32", "u", 4)
U16 = Scalar("u16", "u", 2)
U8 = Scalar("u8", "u", 1)
BOOL = Scalar("bool", "b", 1)
SCALARS = {t.name: t for t in (F64, F32, F80, I64, I32, I16, I8, U64, U32, U16, U8, BOOL)}

NUMPY_NAMES = {
    "f64": "float64", "f32": "float32", "i64": "int64", "i32": "int32", "i16": "int16", "i8": "int8",
    "u64": "uint64", "u32": "uint32", "u16": "uint16", "u8": "uint8", "bool": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class ArrayType:
    """A descriptor (base, shape, strides) of a strided array."""

    element: Scalar
    rank: int
    layout: Layout = "S"

    def __str__(self) -> str:
        return f"array<{self.element},{self.rank},{self.layout}>"


@dataclass(frozen=True)
class ListType:
    """A table of array descriptors of one element type and rank: what `[A, B, C]` of matrices becomes.

    One more, outermost, subscript over separate buffers: the dependence test treats it as such.
    """

    element: Scalar
    rank: int
    layout: Layout = "S"

    def __str__(self) -> str:
        return f"list<{self.element},{self.rank},{self.layout}>"


Type = Scalar | ArrayType | ListType


def is_float(type_: Type) -> bool:
    """True for f64 and f32."""
    return isinstance(type_, Scalar) and type_.kind == "f"


def is_integer(type_: Type) -> bool:
    """True for signed and unsigned integers of every width (not for bool)."""
    return isinstance(type_, Scalar) and type_.kind in "iu"


def carries_derivative(type_: Type) -> bool:
    """Floats, and arrays or lists of floats, can be differentiated."""
    return is_float(type_ if isinstance(type_, Scalar) else type_.element)
