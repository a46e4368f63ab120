"""Object code into this process without LLVM: a loader for the relocatable x86-64 objects that our compiles give.

LLVM's linker takes 26 ms to import and start, this one a fraction of a millisecond. It knows the relocations that
position-independent code of the small model has; for anything else it raises `Unsupported`, and the caller goes to
LLVM's.

    one mapping:   code, stubs  |  constants, addresses of symbols  |  data
    access:        read+execute |  read                             |  read+write

All sections lie together, since they refer to each other by 32 bits. A call of a function outside goes through a stub,
which reaches any address. Nothing is ever writable and executable at once: pages are filled before they are protected.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
import weakref
from collections.abc import Mapping, Sequence

from adcore.abi import elf
from adcore.abi.elf import (
    ABSOLUTE_64,
    CALL_32,
    GOT_32,
    GOT_RELAXED_32,
    GOT_RELAXED_REX_32,
    RELATIVE_32,
    RELATIVE_64,
    RELOCATION_ENTRY,
    SYMBOL_ENTRY,
    ObjectError,
    Section,
)
from adcore.runtime.loading.mappings import EXECUTE, READ, WRITE, in_pages, map_pages, protect, unmap

_THROUGH_GOT = frozenset({GOT_32, GOT_RELAXED_32, GOT_RELAXED_REX_32})

STUB = struct.Struct("<2sQ2s4x")
"""movabs rax, address; jmp rax: at a call, rax holds nothing that the callee may expect (a count of vector registers
for functions of variable arguments, which objects do not call)."""
MOVABS_RAX, JMP_RAX = b"\x48\xb8", b"\xff\xe0"
SMALLEST_ALIGNMENT = 16


class Unsupported(Exception):
    """An object or a platform that is left to LLVM's linker."""


class CodePages:
    """Pages with loaded code: unmapped when nobody refers to this object any more, at the end of the process never."""

    def __init__(self, size: int) -> None:
        address = map_pages(size)
        if address is None:
            raise Unsupported("no memory for code")
        self.base, self.size = address, size
        weakref.finalize(self, unmap, address, size).atexit = False


class _Layout:
    """Where everything goes, from the start of the mapping. `groups` are offset, size and access of protected parts."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self.groups: list[tuple[int, int, int]] = []
        self.stubs = self.got = self.size = 0


def supported() -> bool:
    """Whether this platform's objects are the loader's."""
    return sys.platform == "linux" and platform.machine() == "x86_64" and ctypes.sizeof(ctypes.c_void_p) == 8


def load(code: bytes, exports: Sequence[str], imports: Mapping[str, int]) -> tuple[dict[str, int], CodePages]:
    """Addresses of `exports`, and the mapping that must be kept; `imports` are the addresses of undefined symbols.

    Raises Unsupported for what only LLVM's linker can load, ObjectError for a damaged object."""
    if not supported():
        raise Unsupported(f"objects of {sys.platform} on {platform.machine()}")
    machine, sections = elf.read_sections(code)
    if machine != elf.X86_64:
        raise Unsupported(f"objects of machine {machine}")
    try:
        return _Loading(code, sections).load(exports, imports)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ObjectError(f"damaged ELF object: {error}") from error


class _Loading:
    """One object on its way into memory."""

    def __init__(self, code: bytes, sections: Sequence[Section]) -> None:
        self.code, self.sections = code, sections
        tables = [s for s in sections if s.kind == elf.SYMBOL_TABLE]
        if len(tables) != 1:
            raise Unsupported(f"{len(tables)} symbol tables")
        names = sections[tables[0].link].offset
        rows = SYMBOL_ENTRY.iter_unpack(self._content(tables[0]))
        self.symbols = [(elf.name_at(code, names + row[0]), row[3], row[4]) for row in rows]
        self.relocations = [
            (section.info, list(RELOCATION_ENTRY.iter_unpack(self._content(section))))
            for section in sections
            if section.kind == elf.RELOCATIONS_WITH_ADDEND and sections[section.info].loaded
        ]
        if any(s.kind == elf.RELOCATIONS and sections[s.info].loaded for s in sections):
            raise Unsupported("relocations without addends")
        self._collect()
        self.layout = self._laid_out()

    def _content(self, section: Section) -> bytes:
        return self.code[section.offset : section.offset + section.size]

    def _collect(self) -> None:
        """Which symbols need a stub to jump through, and which an entry in the table of addresses."""
        stubs: dict[int, int] = {}
        got: dict[int, int] = {}
        for _, rows in self.relocations:
            for _, info, _ in rows:
                kind, symbol = info & 0xFFFFFFFF, info >> 32
                if kind in _THROUGH_GOT:
                    got.setdefault(symbol, len(got))
                elif kind in (RELATIVE_32, CALL_32) and self.symbols[symbol][1] == elf.UNDEFINED:
                    stubs.setdefault(symbol, len(stubs))
                elif kind not in (RELATIVE_32, CALL_32, RELATIVE_64, ABSOLUTE_64):
                    raise Unsupported(f"relocation {kind}")
        self.stubs, self.got = stubs, got

    def _laid_out(self) -> _Layout:
        made, at = _Layout(), 0
        for flags, access in ((elf.EXECUTABLE, READ | EXECUTE), (0, READ), (elf.WRITABLE, READ | WRITE)):
            start = at = in_pages(at)
            for number, section in enumerate(self.sections):
                if section.loaded and section.flags & (elf.EXECUTABLE | elf.WRITABLE) == flags and section.size:
                    alignment = max(section.alignment, SMALLEST_ALIGNMENT)
                    at = made.places[number] = (at + alignment - 1) & -alignment
                    at += section.size
            if flags == elf.EXECUTABLE:
                made.stubs = at = (at + SMALLEST_ALIGNMENT - 1) & -SMALLEST_ALIGNMENT
                at += STUB.size * len(self.stubs)
            elif flags == 0:
                made.got = at = (at + 7) & -8
                at += 8 * len(self.got)
            if at > start:
                made.groups.append((start, in_pages(at) - start, access))
        loaded = [s for s in self.sections if s.loaded and s.size]
        if len(made.places) != len(loaded) or any(s.alignment > 4096 for s in loaded):
            raise Unsupported("sections of an unknown kind")
        made.size = max(in_pages(at), in_pages(1))
        return made

    def load(self, exports: Sequence[str], imports: Mapping[str, int]) -> tuple[dict[str, int], CodePages]:
        layout = self.layout
        mapping = CodePages(layout.size)
        addresses = [self._address(mapping.base, symbol, imports) for symbol in self.symbols]
        named = {name: at for (name, section, _), at in zip(self.symbols, addresses, strict=True)
                 if section != elf.UNDEFINED}  # fmt: skip
        missing = [name for name in exports if name not in named]
        if missing:
            raise ObjectError(f"the object does not define {missing[0]}")
        image = self._image(mapping.base, addresses)
        ctypes.memmove(mapping.base, bytes(image), len(image))
        for start, size, access in layout.groups:
            if not protect(mapping.base + start, size, access):
                raise Unsupported("the system does not let new code run")
        return {name: named[name] for name in exports}, mapping

    def _address(self, base: int, symbol: tuple[str, int, int], imports: Mapping[str, int]) -> int:
        name, section, value = symbol
        if section == elf.UNDEFINED:
            return imports.get(name, 0)
        if section >= elf.FIRST_RESERVED:
            return 0  # the name of the source file, say: nothing refers to it, or _image notices
        # Sections without bytes, or for the linker alone, have no place.
        return base + self.layout.places[section] + value if section in self.layout.places else 0

    def _image(self, base: int, addresses: Sequence[int]) -> bytearray:
        layout, image = self.layout, bytearray(self.layout.size)
        for number, at in layout.places.items():
            section = self.sections[number]
            if section.kind != elf.NO_BITS:
                content = self._content(section)
                if len(content) != section.size:
                    raise ValueError("a section is cut off")
                image[at : at + section.size] = content
        for symbol, k in self.stubs.items():
            STUB.pack_into(image, layout.stubs + STUB.size * k, MOVABS_RAX, self._known(addresses, symbol), JMP_RAX)
        for symbol, k in self.got.items():
            struct.pack_into("<Q", image, layout.got + 8 * k, self._known(addresses, symbol))
        for number, rows in self.relocations:
            if number in layout.places:
                self._relocate(image, base, number, rows, addresses)
        return image

    def _known(self, addresses: Sequence[int], symbol: int) -> int:
        if not addresses[symbol]:
            raise Unsupported(f"a reference to {self.symbols[symbol][0] or 'nothing'}")
        return addresses[symbol]

    def _relocate(
        self, image: bytearray, base: int, number: int, rows: Sequence[tuple[int, int, int]], addresses: Sequence[int]
    ) -> None:
        layout = self.layout
        start, size = layout.places[number], self.sections[number].size
        for offset, info, addend in rows:
            kind, symbol = info & 0xFFFFFFFF, info >> 32
            wide = kind in (ABSOLUTE_64, RELATIVE_64)
            if offset + (8 if wide else 4) > size:
                raise ValueError("a relocation lies outside of its section")
            at = start + offset
            if kind in _THROUGH_GOT:
                target = base + layout.got + 8 * self.got[symbol]
            elif symbol in self.stubs and not wide:
                target = base + layout.stubs + STUB.size * self.stubs[symbol]
            else:
                target = self._known(addresses, symbol)
            if kind == ABSOLUTE_64:
                struct.pack_into("<Q", image, at, (target + addend) & 0xFFFF_FFFF_FFFF_FFFF)
            else:
                struct.pack_into("<q" if wide else "<i", image, at, target + addend - base - at)


__all__ = ["Unsupported", "load", "supported"]
