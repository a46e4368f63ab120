"""Who allocated: from return addresses to library, function and, for generated code, the user's line."""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import functools
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from ctypes import c_char_p, c_void_p
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import ENTRIES, NAMES
from pytest_adalloc.hooks.reports import Frame, Site

if TYPE_CHECKING:
    from pytest_adalloc.hooks.attribute.lines import Line

# Start and end address, function, file, line, and optionally the phase (such as "reverse sweep") of a piece of
# generated code.
AddressRow = tuple[int, int, str, str, int] | tuple[int, int, str, str, int, str]


@dataclass(frozen=True)
class RawSite:
    """A site as the hooks left it: addresses and sums."""

    key: int
    entry: int
    kind: int
    culprit: int
    caller: int
    count: int
    bytes: int
    frames: tuple[int, ...]


def read_sites(words: memoryview) -> dict[int, RawSite]:
    """Every site that has counted something, by key; sites for what found the table full have small numbers as keys."""
    found = {}
    for at in used_sites(words):
        row = words[at : at + layout.SITE_WORDS].tolist()
        if at >= layout.OVERFLOW:
            row[layout.KEY] = 1 + (at - layout.OVERFLOW) // layout.SITE_WORDS
        if row[layout.COUNT]:
            found[row[layout.KEY]] = _raw(row)
    return found


def used_sites(words: memoryview) -> list[int]:
    """Where in the state the sites are that have been claimed, and those that take what does not fit."""
    number = words[layout.USED]
    addresses = words[layout.USED_LIST : layout.USED_LIST + number].tolist()
    spare = range(layout.OVERFLOW, layout.USED_LIST, layout.SITE_WORDS) if words[layout.LOST] else ()
    return [*((address - words[layout.BASE]) // 8 for address in addresses), *spare]


def calls_of_others(words: memoryview) -> tuple[int, ...]:
    """How often threads that are not watched called each entry, by entry number, since the start of the process."""
    rows = words[layout.OTHER_ROWS : layout.OTHER_ROWS + (layout.ROW_WORDS << layout.ROW_BITS)].tolist()
    shared = words[layout.OTHERS : layout.OTHERS + len(ENTRIES)].tolist()
    return tuple(count + sum(rows[1 + number :: layout.ROW_WORDS]) for number, count in enumerate(shared))


def first_site(words: memoryview) -> RawSite | None:
    """The allocation that ``FIRST`` asked for, with its own backtrace; None while there was none."""
    if words[layout.FIRST] != layout.KNOWN:
        return None
    entry, size, caller, count = words[layout.FIRST_ENTRY : layout.FIRST_COUNT + 1].tolist()
    frames = words[layout.FIRST_FRAMES : layout.FIRST_FRAMES + count].tolist()
    start = frames.index(caller) if caller in frames else len(frames)
    return RawSite(0, entry, layout.NATIVE, caller, caller, 1, size, tuple(frames[start:]) or (caller,))


def _raw(row: list[int]) -> RawSite:
    frames = row[layout.FRAMES : layout.FRAMES + row[layout.FRAME_COUNT]]
    # The first frames are those of the hook itself.
    start = frames.index(row[layout.CALLER]) if row[layout.CALLER] in frames else len(frames)
    return RawSite(
        key=row[layout.KEY],
        entry=row[layout.ENTRY],
        kind=row[layout.CLASS],
        culprit=row[layout.CULPRIT],
        caller=row[layout.CALLER],
        count=row[layout.COUNT],
        bytes=row[layout.SITE_BYTES],
        frames=tuple(frames[start:]) or (row[layout.CALLER],),
    )


def attribute(
    raw: Iterable[RawSite],
    table: Sequence[AddressRow] | None = None,
    lines: Mapping[int, Line] | None = None,
) -> tuple[Site, ...]:
    """Sites with names, the most frequent first; places that resolve to the same name are one site.

    ``table`` names generated code by address, ``lines`` gives lines of Python by the key of a site.
    """
    named = AddressTable((*(table or ()), *kernel_rows()))
    merged: dict[tuple[str, str, str, str, int, str], Site] = {}
    for item in raw:
        site = _site(item, named, (lines or {}).get(item.key))
        place = (site.function, site.library, site.symbol, site.file, site.line, site.phase)
        known = merged.get(place)
        merged[place] = (
            replace(known, count=known.count + site.count, bytes=known.bytes + site.bytes) if known else site
        )
    return tuple(sorted(merged.values(), key=lambda site: (-site.count, -site.bytes, site.symbol)))


NOT_ATTRIBUTED = "places that found the table of sites full"


def _site(item: RawSite, named: AddressTable, line: Line | None) -> Site:
    if not item.caller:
        return Site(NAMES[item.entry], NOT_ATTRIBUTED, "", "", 0, item.count, item.bytes)
    stack = tuple(named.frame(address) for address in item.frames)
    # Generated code is what the user can change, so it is named before the library that it called.
    own = next((frame for frame in stack if frame.file), None)
    culprit = own or _named_culprit(stack, named.frame(item.culprit))
    library = culprit.library or "generated code"
    symbol = culprit.symbol or (f"+{culprit.offset:#x}" if culprit.library else "")
    place, phase = (culprit.file, culprit.line), culprit.phase
    if line and not culprit.file:
        place, phase = (line.file, line.number), phase or line.phase
        # The outermost frame that matters to the user; no address, because Python has none.
        stack = (*stack, Frame(0, "", line.function, 0, *place))
    return Site(NAMES[item.entry], library, symbol, *place, item.count, item.bytes, phase, stack)


def _named_culprit(stack: tuple[Frame, ...], culprit: Frame) -> Frame:
    """The frame to name: below libffi it is the function that libffi was asked to call."""
    callee = next((inner for inner, outer in pairwise(stack) if outer.address == culprit.address), culprit)
    return callee if culprit.library.startswith("libffi") else culprit


def kernel_rows() -> list[AddressRow]:
    """The code that our compiler has loaded."""
    compiler = sys.modules.get("adcore.driver.inspection")
    rows: list[AddressRow] = compiler.address_table() if compiler is not None else []
    return rows


class AddressTable:
    """Looks a return address up in the caller's table of generated code, then in the loader's symbols."""

    def __init__(self, rows: Sequence[AddressRow]) -> None:
        self._rows = sorted(rows, key=lambda row: row[0])
        self._starts = [row[0] for row in self._rows]

    def frame(self, address: int) -> Frame:
        """Name one return address; it lies one past its call, which may end the function."""
        position = bisect.bisect_right(self._starts, address - 1) - 1
        if position >= 0 and address - 1 < self._rows[position][1]:
            start, _, symbol, file, line, *phase = self._rows[position]
            return Frame(address, "generated code", symbol, address - start, file, line, phase[0] if phase else "")
        return _named(address)


class _DlInfo(ctypes.Structure):
    _fields_ = (("file", c_char_p), ("base", c_void_p), ("symbol", c_char_p), ("start", c_void_p))


@functools.lru_cache(maxsize=4096)
def _dladdr(address: int) -> tuple[str, str, int]:
    info = _DlInfo()
    if not _process().dladdr(c_void_p(address), ctypes.byref(info)):
        return "", "", 0
    library = (info.file or b"").decode("utf-8", "replace").rsplit("/", 1)[-1]
    symbol = (info.symbol or b"").decode("utf-8", "replace")
    return library, symbol, address - ((info.start if symbol else info.base) or 0)


def _named(address: int) -> Frame:
    library, symbol, offset = _dladdr(address - 1)
    return Frame(address, library, demangled(symbol), offset + 1 if library else 0)


def demangled(symbol: str) -> str:
    """The name that a C++ programmer wrote; every other name as it is, and all where no C++ library is loaded."""
    demangle = _demangler() if symbol.startswith("_Z") else None
    if demangle is None:
        return symbol
    status = ctypes.c_int()
    text = demangle(symbol.encode(), None, None, ctypes.byref(status))
    if not text:
        return symbol
    try:
        return ctypes.string_at(text).decode("utf-8", "replace")
    finally:
        _process().free(c_void_p(text))


def _demangler() -> Any:
    # C++ code that was called has loaded this library; it is only looked up, so that nothing new is loaded here.
    with contextlib.suppress(OSError, AttributeError):
        function = ctypes.CDLL("libstdc++.so.6", mode=os.RTLD_NOLOAD | os.RTLD_LAZY).__cxa_demangle
        function.restype = c_void_p
        return function
    return None


def forget() -> None:
    """Drop remembered names: libraries came or went, and an address may now mean another function."""
    _dladdr.cache_clear()


@functools.cache
def _process() -> Any:
    return ctypes.PyDLL(None)
