"""Relocatable ELF objects as LLVM emits them: the structures and numbers of their bytes.

They serve those who go through the bytes themselves: the loader of compiled code, and the allocator hooks. What an
object holds, for whoever just wants to know, is in `adcore.abi.object_file`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

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
LOCAL, GLOBAL = 0, 1
OBJECT, FUNCTION, INDIRECT_FUNCTION = 1, 2, 10
X86_64, AARCH64 = 62, 183

ABSOLUTE_64, RELATIVE_32, CALL_32, RELATIVE_64 = 1, 2, 4, 24
GOT_32, GOT_RELAXED_32, GOT_RELAXED_REX_32 = 9, 41, 42
"""Relocations of x86-64 objects: an address, a distance, a distance that may lead through a stub, one of 64 bits; and
distances of an entry in the table of addresses, which a linker may turn into those of the symbol itself."""
CALL_26_AARCH64, JUMP_26_AARCH64 = 283, 282

GOT_SYMBOL = "_GLOBAL_OFFSET_TABLE_"
"""A name that linkers define themselves."""


class ObjectError(ValueError):
    """Bytes that are not a 64-bit little-endian relocatable ELF object."""


class Section(NamedTuple):
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


def undefined(data: bytes) -> list[str]:
    """Names that others must define (ObjectError if this is no object)."""
    _, sections = read_sections(data)
    try:
        return [
            name_at(data, sections[table.link].offset + name)
            for table in sections
            if table.kind == SYMBOL_TABLE
            for name, _, _, section, _, _ in SYMBOL_ENTRY.iter_unpack(data[table.offset : table.offset + table.size])
            if section == UNDEFINED and name
        ]
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ObjectError(f"damaged ELF object: {error}") from error


def name_at(data: bytes, offset: int) -> str:
    """The name that stands in a string table."""
    return data[offset : data.index(b"\0", offset)].decode()
