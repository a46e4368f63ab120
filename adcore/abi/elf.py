"""A reader for the relocatable ELF objects that LLVM emits: symbols and relocations, nothing else."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SYMBOL_TABLE, RELOCATIONS_WITH_ADDEND, RELOCATIONS = 2, 4, 9
UNDEFINED, EXECUTABLE = 0, 4
LOCAL, SECTION, FILE = 0, 3, 4


class ObjectError(ValueError):
    """Bytes that are not a 64-bit little-endian relocatable ELF object."""


@dataclass(frozen=True)
class Symbol:
    """An entry of the symbol table; `section` 0: undefined."""

    name: str
    section: int
    value: int
    size: int
    binding: int
    kind: int

    @property
    def defined(self) -> bool:
        return self.section != UNDEFINED


@dataclass(frozen=True)
class Relocation:
    """A place that the linker fills in: machine-dependent kind, symbol, and whether it lies in code."""

    kind: int
    symbol: Symbol
    offset: int
    in_code: bool


@dataclass(frozen=True)
class Object:
    """What the certificate and the loader need to know of an object."""

    machine: int
    symbols: tuple[Symbol, ...]
    relocations: tuple[Relocation, ...]

    def undefined(self) -> tuple[str, ...]:
        """Names that others must define, sorted."""
        return tuple(sorted({s.name for s in self.symbols if not s.defined and s.name}))


def read(data: bytes) -> Object:
    """Parse an object (ObjectError if it is not one)."""
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
        raise ObjectError("not a 64-bit little-endian ELF object")
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ObjectError(f"damaged ELF object: {error}") from error


def _read(data: bytes) -> Object:
    (machine,) = struct.unpack_from("<H", data, 18)
    (start,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, start + 64 * k) for k in range(count)]
    symbols: list[Symbol] = []
    for _, kind, _, _, offset, size, link, *_ in sections:
        if kind == SYMBOL_TABLE:
            symbols = list(_symbols(data, offset, size, sections[link][4]))
    relocations = []
    for _, kind, _, _, offset, size, _, target, *_ in sections:
        if kind in (RELOCATIONS_WITH_ADDEND, RELOCATIONS):
            width = 24 if kind == RELOCATIONS_WITH_ADDEND else 16
            in_code = bool(sections[target][2] & EXECUTABLE)
            for at in range(offset, offset + size, width):
                place, info = struct.unpack_from("<QQ", data, at)
                relocations.append(Relocation(info & 0xFFFFFFFF, symbols[info >> 32], place, in_code))
    return Object(machine, tuple(symbols), tuple(relocations))


def _symbols(data: bytes, offset: int, size: int, names: int) -> Iterator[Symbol]:
    for at in range(offset, offset + size, 24):
        name, info, _, section, value, length = struct.unpack_from("<IBBHQQ", data, at)
        text = data[names + name : data.index(b"\0", names + name)].decode()
        yield Symbol(text, section, value, length, info >> 4, info & 15)
