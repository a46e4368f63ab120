"""From a relocatable object to a shared library, without a linker: enough of ELF for one small x86-64 library.

``shared_object`` lays out two segments, code and data, resolves the references between them, exports symbols under the
old hash table (the dynamic loader still reads it) and leaves one table of pointers for the loader to fill.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adcore.abi.elf import (
    ABSOLUTE_64,
    ALLOCATED,
    CALL_32,
    FUNCTION,
    GLOBAL,
    HEADER_BYTES,
    OBJECT,
    RELATIVE_32,
    RELOCATION_ENTRY,
    RELOCATIONS_WITH_ADDEND,
    SECTION_ENTRY,
    SYMBOL_ENTRY,
    X86_64,
    name_at,
)
from adcore.abi.elf_images import (
    BIND_NOW,
    DT_FLAGS,
    DT_FLAGS_1,
    DT_HASH,
    DT_NEEDED,
    DT_RELA,
    DT_RELAENT,
    DT_RELASZ,
    DT_STRSZ,
    DT_STRTAB,
    DT_SYMENT,
    DT_SYMTAB,
    DYNAMIC,
    LOAD,
    NOW,
    PROGRAM_HEADER_BYTES,
    STACK,
)

FUNCTION_BYTE, OBJECT_BYTE = GLOBAL << 4 | FUNCTION, GLOBAL << 4 | OBJECT
"""Binding and kind of a symbol that others can see."""
DEFINED = 1  # any section index: the loader only tells zero from the rest
PAGE, PROGRAM_HEADERS = 4096, 4


def shared_object(code: bytes, *, exports: Sequence[str], pointers: tuple[str, Sequence[str]], needed: str) -> bytes:
    """Link an object with a ``.text`` and a ``.data`` section.

    ``pointers`` names a table in ``.data`` and the symbols of the library ``needed`` whose addresses the loader writes
    into it. Raises ``ValueError`` for an object with anything that is not handled here.
    """
    source = _RelocatableObject.parse(code)
    table, imported = pointers
    strings = _Strings()
    names = [*imported, *exports]
    offsets = {name: strings.add(name) for name in [*names, needed]}

    at = HEADER_BYTES + PROGRAM_HEADER_BYTES * PROGRAM_HEADERS
    symbols_at = _aligned(at, 16)
    strings_at = symbols_at + SYMBOL_ENTRY.size * (1 + len(names))
    hash_at = _aligned(strings_at + len(strings.raw), 8)
    relocations_at = _aligned(hash_at + 4 * (3 + 1 + len(names)), 8)
    text_at = _aligned(relocations_at + RELOCATION_ENTRY.size * len(imported), 64)
    data_at = _aligned(text_at + len(source.text), PAGE)
    dynamic_at = _aligned(data_at + len(source.data), 16)

    text, places = source.placed(text_at, data_at)
    symbols = _symbol_table(imported, exports, offsets, places)
    relocations = _pointer_relocations(places[table].address, len(imported))
    tags = [(DT_NEEDED, offsets[needed]), (DT_HASH, hash_at), (DT_STRTAB, strings_at), (DT_SYMTAB, symbols_at)]
    tags += [(DT_STRSZ, len(strings.raw)), (DT_SYMENT, SYMBOL_ENTRY.size), (DT_RELA, relocations_at)]
    tags += [(DT_RELASZ, len(relocations)), (DT_RELAENT, RELOCATION_ENTRY.size)]
    tags += [(DT_FLAGS, BIND_NOW), (DT_FLAGS_1, NOW), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *tag) for tag in tags)
    end = dynamic_at + len(dynamic)
    segments = [
        (LOAD, 5, 0, text_at + len(text)),
        (LOAD, 6, data_at, end - data_at),
        (DYNAMIC, 6, dynamic_at, len(dynamic)),
        (STACK, 6, 0, 0),
    ]
    parts = {0: _header(segments), symbols_at: symbols, strings_at: bytes(strings.raw)}
    parts |= {hash_at: _hash_table(len(names)), relocations_at: relocations}
    parts |= {text_at: text, data_at: source.data, dynamic_at: dynamic}
    image = bytearray(end)
    for start, part in parts.items():
        image[start : start + len(part)] = part
    return bytes(image)


@dataclass(frozen=True)
class _PlacedSymbol:
    """A symbol in the finished library."""

    address: int
    size: int
    is_code: bool


@dataclass(frozen=True)
class _RelocatableObject:
    """The parts of a relocatable object that matter."""

    text: bytes
    data: bytes
    text_index: int
    data_index: int
    symbols: tuple[tuple[str, int, int, int], ...]  # name, section, value, size
    relocations: tuple[tuple[int, int, int, int], ...]  # offset in the code, symbol, kind, addend

    @classmethod
    def parse(cls, code: bytes) -> _RelocatableObject:
        (table_at,) = struct.unpack_from("<Q", code, 40)
        count, names_index = struct.unpack_from("<HH", code, 60)
        sections = [SECTION_ENTRY.unpack_from(code, table_at + SECTION_ENTRY.size * i) for i in range(count)]

        def content(index: int) -> bytes:
            return code[sections[index][4] : sections[index][4] + sections[index][5]]

        named = {name_at(content(names_index), section[0]): i for i, section in enumerate(sections)}
        unknown = [
            name for name, i in named.items() if sections[i][2] & ALLOCATED and name not in _KNOWN and sections[i][5]
        ]
        if unknown:
            raise ValueError(f"the object has sections that a library cannot take over: {', '.join(unknown)}")
        table = sections[named[".symtab"]]
        strings = content(table[6])
        raw = list(SYMBOL_ENTRY.iter_unpack(content(named[".symtab"])))
        text_index, data_index = named[".text"], named[".data"]
        return cls(
            text=content(text_index),
            data=content(data_index),
            text_index=text_index,
            data_index=data_index,
            symbols=tuple((name_at(strings, s[0]), s[3], s[4], s[5]) for s in raw),
            relocations=tuple(
                (offset, info >> 32, info & 0xFFFFFFFF, addend)
                for i, section in enumerate(sections)
                if section[1] == RELOCATIONS_WITH_ADDEND and section[7] == text_index
                for offset, info, addend in RELOCATION_ENTRY.iter_unpack(content(i))
            ),
        )

    def placed(self, text_at: int, data_at: int) -> tuple[bytes, dict[str, _PlacedSymbol]]:
        """The code with its references filled in, and where every symbol lies."""
        bases = {self.text_index: text_at, self.data_index: data_at}
        text = bytearray(self.text)
        for offset, number, kind, addend in self.relocations:
            _, section, value, _ = self.symbols[number]
            if kind not in (RELATIVE_32, CALL_32) or section not in bases:
                raise ValueError(f"the object refers to {self.symbols[number][0]!r} by relocation {kind}")
            struct.pack_into("<i", text, offset, bases[section] + value + addend - (text_at + offset))
        places = {
            name: _PlacedSymbol(bases[section] + value, size, section == self.text_index)
            for name, section, value, size in self.symbols
            if name and section in bases
        }
        return bytes(text), places


_KNOWN = (".text", ".data", ".eh_frame", ".rela.eh_frame")


class _Strings:
    """A string table under construction."""

    def __init__(self) -> None:
        self.raw = bytearray(1)

    def add(self, text: str) -> int:
        offset = len(self.raw)
        self.raw += text.encode() + b"\0"
        return offset


def _symbol_table(
    imported: Sequence[str], exports: Sequence[str], offsets: Mapping[str, int], places: Mapping[str, _PlacedSymbol]
) -> bytes:
    """The empty first entry, what the loader has to find elsewhere, and what others find here."""
    wanted = (SYMBOL_ENTRY.pack(offsets[name], FUNCTION_BYTE, 0, 0, 0, 0) for name in imported)
    given = (_exported(offsets[name], places[name]) for name in exports)
    return b"".join([bytes(SYMBOL_ENTRY.size), *wanted, *given])


def _pointer_relocations(table: int, count: int) -> bytes:
    """For each word of the table the symbol of the same number."""
    return b"".join(RELOCATION_ENTRY.pack(table + 8 * i, (1 + i) << 32 | ABSOLUTE_64, 0) for i in range(count))


def _exported(name: int, place: _PlacedSymbol) -> bytes:
    return SYMBOL_ENTRY.pack(
        name, FUNCTION_BYTE if place.is_code else OBJECT_BYTE, 0, DEFINED, place.address, place.size
    )


def _hash_table(names: int) -> bytes:
    """One bucket with every symbol in a chain: a search reads them all, and finds."""
    return struct.pack(f"<{names + 4}I", 1, names + 1, names, 0, *range(names))


def _header(segments: Sequence[tuple[int, int, int, int]]) -> bytes:
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    sizes = (HEADER_BYTES, PROGRAM_HEADER_BYTES, len(segments), SECTION_ENTRY.size, 0, 0)
    head = struct.pack("<16sHHIQQQIHHHHHH", identity, 3, X86_64, 1, 0, HEADER_BYTES, 0, 0, *sizes)
    for kind, flags, start, size in segments:
        head += struct.pack("<IIQQQQQQ", kind, flags, start, start, start, size, size, PAGE if kind == LOAD else 8)
    return head


def _aligned(value: int, alignment: int) -> int:
    return (value + alignment - 1) & -alignment
