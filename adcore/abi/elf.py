"""Relocatable ELF objects as LLVM emits them: their sections, symbols and relocations.

`read` is for whoever wants to know what an object holds (the certificate, the linker). The structures and numbers serve
those who go through the bytes themselves: the loader of compiled code, and the allocator hooks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SECTION_ENTRY = struct.Struct("<IIQQQQIIQQ")
"""name, kind, flags, address, offset, size, link, info, alignment, size of an entry"""
SYMBOL_ENTRY = struct.Struct("<IBBHQQ")
"""name, binding and kind, visibility, section, value, size"""
RELOCATION_ENTRY = struct.Struct("<QQq")
"""offset, symbol and kind, addend"""
HEADER_BYTES = 64

SYMBOL_TABLE, RELOCATIONS_WITH_ADDEND, NO_BITS, RELOCATIONS = 2, 4, 8, 9
WRITABLE, ALLOCATED, EXECUTABLE = 1, 2, 4
UNDEFINED, FIRST_RESERVED = 0, 0xFF00
LOCAL, GLOBAL, WEAK = 0, 1, 2
OBJECT, FUNCTION, SECTION, FILE, INDIRECT_FUNCTION = 1, 2, 3, 4, 10
X86_64, AARCH64 = 62, 183

GOT_SYMBOL = "_GLOBAL_OFFSET_TABLE_"
"""A name that linkers define themselves."""


class ObjectError(ValueError):
    """Bytes that are not a 64-bit little-endian relocatable ELF object."""


@dataclass(frozen=True)
class Section:
    """An entry of the section table."""

    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int

    @property
    def loaded(self) -> bool:
        """Whether it takes memory in a process."""
        return bool(self.flags & ALLOCATED)


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
class ObjectFile:
    """What an object holds."""

    machine: int
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: tuple[Relocation, ...]

    def undefined(self) -> tuple[str, ...]:
        """Names that others must define, sorted."""
        return tuple(sorted({s.name for s in self.symbols if not s.defined and s.name}))


def read(data: bytes) -> ObjectFile:
    """Parse an object (ObjectError if it is not one)."""
    machine, sections = read_sections(data)
    try:
        symbols = tuple(s for section in sections if section.kind == SYMBOL_TABLE
                        for s in _symbols(data, section, sections))  # fmt: skip
        return ObjectFile(machine, sections, symbols, tuple(_relocations(data, sections, symbols)))
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ObjectError(f"damaged ELF object: {error}") from error


def read_sections(data: bytes) -> tuple[int, tuple[Section, ...]]:
    """The machine that an object is for, and its sections (ObjectError if it is none)."""
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < HEADER_BYTES:
        raise ObjectError("not a 64-bit little-endian ELF object")
    try:
        (machine,), (start,), (count,) = (
            struct.unpack_from(form, data, at) for form, at in (("<H", 18), ("<Q", 40), ("<H", 60))
        )
        rows = [SECTION_ENTRY.unpack_from(data, start + SECTION_ENTRY.size * k) for k in range(count)]
    except (struct.error, OverflowError) as error:
        raise ObjectError(f"damaged ELF object: {error}") from error
    return machine, tuple(Section(r[1], r[2], r[4], r[5], r[6], r[7], r[8]) for r in rows)


def text_at(data: bytes, offset: int) -> str:
    """The name that stands in a string table."""
    return data[offset : data.index(b"\0", offset)].decode()


def _symbols(data: bytes, table: Section, sections: tuple[Section, ...]) -> Iterator[Symbol]:
    names = sections[table.link].offset
    for at in range(table.offset, table.offset + table.size, SYMBOL_ENTRY.size):
        name, info, _, section, value, size = SYMBOL_ENTRY.unpack_from(data, at)
        yield Symbol(text_at(data, names + name), section, value, size, info >> 4, info & 15)


def _relocations(data: bytes, sections: tuple[Section, ...], symbols: tuple[Symbol, ...]) -> Iterator[Relocation]:
    for section in sections:
        if section.kind in (RELOCATIONS_WITH_ADDEND, RELOCATIONS):
            width = RELOCATION_ENTRY.size if section.kind == RELOCATIONS_WITH_ADDEND else 16
            in_code = bool(sections[section.info].flags & EXECUTABLE)
            for at in range(section.offset, section.offset + section.size, width):
                place, info = struct.unpack_from("<QQ", data, at)
                yield Relocation(info & 0xFFFFFFFF, symbols[info >> 32], place, in_code)
