"""A relocatable object, read: its symbols and relocations, for the proof that it cannot allocate."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from adcore.abi.elf import (
    EXECUTABLE,
    RELOCATION_ENTRY,
    RELOCATIONS,
    RELOCATIONS_WITH_ADDEND,
    SYMBOL_ENTRY,
    SYMBOL_TABLE,
    UNDEFINED,
    ObjectError,
    Section,
    name_at,
    read_sections,
)


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


@lru_cache(maxsize=1)
def read(data: bytes) -> ObjectFile:
    """Parse an object (ObjectError if it is not one). Of one object several things are asked in a row."""
    machine, sections = read_sections(data)
    try:
        symbols = tuple(s for section in sections if section.kind == SYMBOL_TABLE
                        for s in _symbols(data, section, sections))  # fmt: skip
        return ObjectFile(machine, sections, symbols, tuple(_relocations(data, sections, symbols)))
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ObjectError(f"damaged ELF object: {error}") from error


def _symbols(data: bytes, table: Section, sections: tuple[Section, ...]) -> Iterator[Symbol]:
    names = sections[table.link].offset
    for at in range(table.offset, table.offset + table.size, SYMBOL_ENTRY.size):
        name, info, _, section, value, size = SYMBOL_ENTRY.unpack_from(data, at)
        yield Symbol(name_at(data, names + name), section, value, size, info >> 4, info & 15)


def _relocations(data: bytes, sections: tuple[Section, ...], symbols: tuple[Symbol, ...]) -> Iterator[Relocation]:
    for section in sections:
        if section.kind in (RELOCATIONS_WITH_ADDEND, RELOCATIONS):
            width = RELOCATION_ENTRY.size if section.kind == RELOCATIONS_WITH_ADDEND else 16
            in_code = bool(sections[section.info].flags & EXECUTABLE)
            for at in range(section.offset, section.offset + section.size, width):
                place, info = struct.unpack_from("<QQ", data, at)
                yield Relocation(info & 0xFFFFFFFF, symbols[info >> 32], place, in_code)
