"""The ELF objects of this process as the loader sees them: their symbols and the words that the loader bound.

``loaded_objects()`` lists them, ``relocation_slots(object, names)`` finds the words that were bound to a symbol,
``definition(object, name)`` the address that an object itself gives to a name. Everything is read from memory; no file
is opened.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from ctypes import c_char_p, c_int, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any, Literal

from adcore.abi import elf
from adcore.abi.elf_images import (
    DT_GNU_HASH,
    DT_HASH,
    DT_JMPREL,
    DT_PLTREL,
    DT_PLTRELSZ,
    DT_RELA,
    DT_RELACOUNT,
    DT_RELASZ,
    DT_STRSZ,
    DT_STRTAB,
    DT_SYMTAB,
    DYNAMIC,
    EXECUTABLE,
    LOAD,
    PROGRAM_HEADER_BYTES,
    RELRO,
)

SlotKind = Literal["jump", "data", "absolute"]
RELOCATION_KINDS: dict[str, dict[int, SlotKind]] = {
    "x86_64": {7: "jump", 6: "data", 1: "absolute"},
    "aarch64": {1026: "jump", 1025: "data", 257: "absolute"},
}


@dataclass(frozen=True)
class Segment:
    """One program header, with addresses of this process."""

    kind: int
    flags: int
    start: int
    end: int


@dataclass(frozen=True)
class LoadedObject:
    """One object of the loader's list; ``name`` is empty for the main program."""

    name: str
    base: int
    segments: tuple[Segment, ...]

    def span(self) -> tuple[int, int]:
        """Lowest and highest address of its segments."""
        loads = [s for s in self.segments if s.kind == LOAD]
        return min((s.start for s in loads), default=0), max((s.end for s in loads), default=0)

    def holds_code(self, address: int) -> bool:
        """Whether the address lies in an executable segment of this object."""
        return any(s.kind == LOAD and s.flags & EXECUTABLE and s.start <= address < s.end for s in self.segments)

    @property
    def relro(self) -> tuple[tuple[int, int], ...]:
        """Ranges that the loader made read-only after it had relocated them."""
        return tuple((s.start, s.end) for s in self.segments if s.kind == RELRO)

    @property
    def file_name(self) -> str:
        """The last part of the path."""
        return self.name.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class RelocationSlot:
    """A word that the loader fills with the address of ``symbol``."""

    address: int
    symbol: str
    kind: SlotKind
    owner: LoadedObject


def loader_generation() -> tuple[int, int]:
    """How many objects were ever loaded and unloaded: unchanged numbers mean an unchanged set of objects."""
    seen: list[tuple[int, int]] = []

    def first(info: Any) -> int:
        seen.append((info.adds, info.subs))
        return 1

    _iterate(first)
    return seen[0]


def loaded_objects() -> tuple[tuple[LoadedObject, ...], tuple[int, int]]:
    """Every object in load order, and the loader's generation at that moment."""
    found: list[LoadedObject] = []
    generations: list[tuple[int, int]] = []

    def note(info: Any) -> int:
        headers = ctypes.string_at(info.headers, PROGRAM_HEADER_BYTES * info.header_count)
        segments = _segments(info.base, headers)
        found.append(LoadedObject((info.name or b"").decode("utf-8", "replace"), info.base, segments))
        generations.append((info.adds, info.subs))
        return 0

    _iterate(note)
    return tuple(found), generations[0]


def unlisted_objects(objects: Sequence[LoadedObject]) -> tuple[LoadedObject, ...]:
    """Mapped libraries that the loader does not list here: ``dlmopen`` gives them a namespace of their own, with
    another C library and so another allocator. Empty where the kernel's list of mappings cannot be read.
    """
    spans = [owner.span() for owner in objects]
    starts: dict[str, list[int]] = {}
    runs: set[int] = set()
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as lines:
            for place, rights, offset, _, _, path in (line.split(None, 5) for line in lines if ".so" in line):
                low = int(place.partition("-")[0], 16)
                if any(start <= low < end for start, end in spans):
                    continue
                if int(offset, 16) == 0:
                    starts.setdefault(path.strip(), []).append(low)
                if "x" in rights and path.strip() in starts:
                    runs.add(starts[path.strip()][-1])
    except (OSError, ValueError):
        return ()
    return tuple(
        found for path, bases in starts.items() for base in bases if base in runs and (found := _mapped(path, base))
    )


def _mapped(path: str, base: int) -> LoadedObject | None:
    """A library from its headers, which lie where its file was mapped first."""
    head = ctypes.string_at(base, elf.HEADER_BYTES)
    if not head.startswith(b"\x7fELF\x02"):
        return None
    (table,) = struct.unpack_from("<Q", head, 32)
    (count,) = struct.unpack_from("<H", head, 56)
    if table + PROGRAM_HEADER_BYTES * count > 4096:
        return None
    return LoadedObject(path, base, _segments(base, ctypes.string_at(base + table, PROGRAM_HEADER_BYTES * count)))


def _segments(base: int, headers: bytes) -> tuple[Segment, ...]:
    return tuple(
        Segment(kind, flags, base + start, base + start + size)
        for kind, flags, _, start, _, _, size, _ in struct.iter_unpack("<IIQQQQQQ", headers)
        if kind in (LOAD, DYNAMIC, RELRO)
    )


def loaded_bases() -> set[int]:
    """Where every loaded object lies: a second opinion on whether the set of objects is still the known one."""
    found: set[int] = set()

    def note(info: Any) -> int:
        found.add(int(info.base))
        return 0

    _iterate(note)
    return found


def relocation_slots(owner: LoadedObject, names: Sequence[str]) -> list[RelocationSlot]:
    """The words of ``owner`` that relocations bind to one of ``names``; words with an addend are no plain pointers and
    left out.
    """
    dynamic = _Dynamic.of(owner)
    if dynamic is None:
        return []
    scanner = _scanner(tuple(names))
    kinds = RELOCATION_KINDS[platform.machine()]
    slots = []
    for table, rows in dynamic.relocation_tables():
        found = scanner.search(table, rows, dynamic)
        for row, name in found:
            offset, info = struct.unpack("<QQ", ctypes.string_at(table + elf.RELOCATION_ENTRY.size * row, 16))
            slots.append(RelocationSlot(owner.base + offset, names[name], kinds[info & 0xFFFFFFFF], owner))
    return slots


class _Scanner:
    """Finds the relocations of some names, by native code: see ``native.scan``."""

    def __init__(self, names: tuple[str, ...]) -> None:
        from pytest_adalloc.hooks.install import jit
        from pytest_adalloc.hooks.native.scan import SYMBOL, scan_text

        address = jit.link([jit.object_code(scan_text(jit.triple()))], [SYMBOL])[SYMBOL]
        self._search = ctypes.PYFUNCTYPE(c_uint64, *[c_uint64] * 9)(address)
        self._texts = [ctypes.create_string_buffer(name.encode()) for name in names]
        pairs = [word for text in self._texts for word in (ctypes.addressof(text), len(text))]
        self._names = (c_uint64 * len(pairs))(*pairs)
        self._count = len(names)
        self._kinds = (c_uint64 * 3)(*RELOCATION_KINDS[platform.machine()])
        self._found = (c_uint64 * 64)()

    def search(self, table: int, rows: int, dynamic: _Dynamic) -> list[tuple[int, int]]:
        """Row and position of the name, for each match among the relocations at ``table``."""
        if len(self._found) < 2 * rows:
            self._found = (c_uint64 * (2 * rows))()
        number = self._search(
            table,
            rows,
            dynamic.table(DT_SYMTAB),
            dynamic.table(DT_STRTAB),
            dynamic.tags[DT_STRSZ],
            ctypes.addressof(self._names),
            self._count,
            ctypes.addressof(self._kinds),
            ctypes.addressof(self._found),
        )
        flat = self._found[: 2 * number]
        return list(zip(flat[::2], flat[1::2], strict=True))


@functools.cache
def _scanner(names: tuple[str, ...]) -> _Scanner:
    return _Scanner(names)


def definition(owner: LoadedObject, name: str) -> int | None:
    """The address at which ``owner`` itself defines the function ``name``; None when it does not.

    An indirect function has no address of its own before it is resolved, so it is reported as absent.
    """
    return next((address for kind, address in _functions(owner, name) if kind == elf.FUNCTION), None)


def definitions(owner: LoadedObject, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Address and size in bytes of the functions that ``owner`` itself defines under these names; without indirect
    ones.
    """
    dynamic = _Dynamic.of(owner)
    found: dict[str, tuple[int, int]] = {}
    if dynamic is None:
        return found
    for index, name in dynamic.defined(names).items():
        _, info, _, section, value, size = dynamic.symbol(index)
        if section and info & 15 == elf.FUNCTION:
            found.setdefault(name, (owner.base + value, size))
    return found


def _functions(owner: LoadedObject, name: str) -> Iterator[tuple[int, int]]:
    """Kind of symbol and address of what ``owner`` defines under a name; that of an indirect one is its resolver's."""
    dynamic = _Dynamic.of(owner)
    if dynamic is None:
        return
    for index in dynamic.defined([name]):
        _, info, _, section, value, _ = dynamic.symbol(index)
        if section and info & 15 in (elf.FUNCTION, elf.INDIRECT_FUNCTION):
            yield info & 15, owner.base + value


def first_definition(objects: Iterable[LoadedObject], name: str, linked: Callable[[str], int | None]) -> int | None:
    """The definition that the loader binds to: the first one in load order. ``linked`` is asked for what an indirect
    function has been resolved to.

    For all others ``dlsym`` would answer with the procedure-linkage entry of a non-PIE main program, which jumps
    through a slot that we patch.
    """
    found = (function for owner in objects if not is_loader(owner) for function in _functions(owner, name))
    kind, address = next(found, (elf.FUNCTION, None))
    return address if kind == elf.FUNCTION else linked(name)


def is_loader(owner: LoadedObject) -> bool:
    """The dynamic loader and the kernel's own page: neither is patched."""
    return owner.file_name.startswith(("ld-linux", "ld-musl", "ld.so", "ld64", "linux-vdso", "linux-gate"))


@dataclass(frozen=True)
class _Dynamic:
    """The dynamic section of an object with the addresses of its tables made absolute."""

    owner: LoadedObject
    tags: dict[int, int]

    @classmethod
    def of(cls, owner: LoadedObject) -> _Dynamic | None:
        segment = next((s for s in owner.segments if s.kind == DYNAMIC), None)
        if segment is None or owner.file_name.startswith("linux-"):
            return None
        tags: dict[int, int] = {}
        for tag, value in struct.iter_unpack("<qQ", ctypes.string_at(segment.start, segment.end - segment.start)):
            if tag == 0:
                break
            tags.setdefault(tag, value)
        return cls(owner, tags) if DT_SYMTAB in tags and DT_STRTAB in tags else None

    def table(self, tag: int) -> int:
        # glibc stores absolute addresses here, musl leaves the file's own offsets.
        value = self.tags[tag]
        return value if value >= self.owner.base else value + self.owner.base

    def symbol(self, index: int) -> tuple[int, int, int, int, int, int]:
        raw = ctypes.string_at(self.table(DT_SYMTAB) + elf.SYMBOL_ENTRY.size * index, elf.SYMBOL_ENTRY.size)
        name, info, other, section, value, size = elf.SYMBOL_ENTRY.unpack(raw)
        return name, info, other, section, value, size

    def named(self, index: int, name: str) -> bool:
        encoded = name.encode() + b"\0"
        offset = self.symbol(index)[0]
        in_table = offset + len(encoded) <= self.tags[DT_STRSZ]
        return in_table and ctypes.string_at(self.table(DT_STRTAB) + offset, len(encoded)) == encoded

    def defined(self, names: Sequence[str]) -> dict[int, str]:
        """Symbols that the hash table lists under these names: in GNU's format those that are defined here."""
        if DT_GNU_HASH not in self.tags:
            # Few objects have the old table alone, and all of them small: look at every symbol.
            every = range(1, self._unhashed_count())
            return {index: name for name in names for index in every if self.named(index, name)}
        table = self.table(DT_GNU_HASH)
        buckets, first, blooms, shift = struct.unpack("<IIII", ctypes.string_at(table, 16))
        if not buckets or not blooms:
            return {}
        filters = (c_uint64 * blooms).from_address(table + 16)
        starts = (c_uint32 * buckets).from_address(table + 16 + 8 * blooms)
        chains = table + 16 + 8 * blooms + 4 * buckets
        found: dict[int, str] = {}
        for name in names:
            value = gnu_hash(name)
            bloom = filters[(value // 64) % blooms]
            if (bloom >> (value % 64)) & (bloom >> ((value >> shift) % 64)) & 1:
                chain = self._chain(starts[value % buckets], first, chains, value)
                found.update((index, name) for index in chain if self.named(index, name))
        return found

    def _chain(self, index: int, first: int, chains: int, value: int) -> Iterator[int]:
        """Symbols of one bucket whose hash is ``value``."""
        while index >= first:
            chained = _word32(chains + 4 * (index - first))
            if chained | 1 == value | 1:
                yield index
            if chained & 1:
                return
            index += 1

    def _unhashed_count(self) -> int:
        if DT_GNU_HASH in self.tags:
            return _word32(self.table(DT_GNU_HASH) + 4)
        return _word32(self.table(DT_HASH) + 4) if DT_HASH in self.tags else 0

    def relocation_tables(self) -> Iterator[tuple[int, int]]:
        """Address and length of the tables with a symbol. The first DT_RELACOUNT entries of DT_RELA have none and are
        skipped.
        """
        for start, size in ((DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)):
            if start not in self.tags or (start == DT_JMPREL and self.tags.get(DT_PLTREL) != DT_RELA):
                continue
            skipped = self.tags.get(DT_RELACOUNT, 0) if start == DT_RELA else 0
            rows = self.tags[size] // elf.RELOCATION_ENTRY.size
            yield self.table(start) + elf.RELOCATION_ENTRY.size * skipped, max(rows - skipped, 0)


@functools.cache
def gnu_hash(name: str) -> int:
    """The hash of GNU's symbol table."""
    return functools.reduce(lambda value, byte: (value * 33 + byte) & 0xFFFFFFFF, name.encode(), 5381)


def _word32(address: int) -> int:
    return c_uint32.from_address(address).value


class _Info(ctypes.Structure):
    _fields_ = (
        ("base", c_uint64),
        ("name", c_char_p),
        ("headers", c_void_p),
        ("header_count", c_uint16),
        ("adds", c_uint64),
        ("subs", c_uint64),
    )


_Visitor = ctypes.PYFUNCTYPE(c_int, ctypes.POINTER(_Info), c_size_t, c_void_p)


def _iterate(visit: Callable[[Any], int]) -> None:
    # Through PyDLL, so that the interpreter's lock stays with us: a thread that waits for it while it holds the
    # loader's lock would meet an importing thread that holds it and waits for the loader.
    callback = _Visitor(lambda info, _size, _data: visit(info.contents))
    _loader()(callback, None)


@functools.cache
def _loader() -> Any:
    function = ctypes.PyDLL(None).dl_iterate_phdr
    function.argtypes = [_Visitor, c_void_p]
    return function
