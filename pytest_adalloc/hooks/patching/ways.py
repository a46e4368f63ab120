"""How to lead every call of a function elsewhere by one aligned store over its first instruction.

Only the first instruction may change: a thread can stand between any two, and must find there what was there. One
instruction displaced means that no thread stands inside of it and no branch leads into it. The jump that replaces it:

    near   five bytes or more: a jump of 32 bits
    gap    two bytes or more: a short jump into padding beside the function, and a long one from there
    pun    a jump of 32 bits whose upper bytes are those of the next instructions, which stay as they are; code is put
           where that leads. Prefixes that mean nothing to a jump shift the bytes, and so give other places.

After a landing pad the second instruction is taken, and the pad itself only where that cannot be replaced: it tells
the processor nothing yet in programs for Linux.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pytest_adalloc.hooks.patching.decoder import LANDING_PAD, LONGEST, Instruction, NotDecoded, decoded, near
from pytest_adalloc.hooks.patching.memory import PAGE, code_at, store

JUMP, SHORT_JUMP = 0xE9, 0xEB
EVERY_WAY = ("near", "gap", "pun")
# Encodings of "do nothing" that assemblers fill with, the long ones first; prefixes may make the last one longer.
_LONG_PADDING = b"\x66\x2e\x0f\x1f\x84\0\0\0\0\0"
_PADDING = (
    *(b"\x66" * more + _LONG_PADDING for more in range(5, -1, -1)),
    b"\x66\x0f\x1f\x84\0\0\0\0\0",
    b"\x0f\x1f\x84\0\0\0\0\0",
    b"\x0f\x1f\x80\0\0\0\0",
    b"\x66\x0f\x1f\x44\0\0",
    b"\x0f\x1f\x44\0\0",
    b"\x0f\x1f\x40\0",
    b"\x0f\x1f\0",
    b"\x66\x90",
    b"\x90",
    b"\xcc",
)


@dataclass(frozen=True)
class Change:
    """The store that leads a function elsewhere: the word, and what it holds before and after."""

    word: int
    before: int
    after: int
    way: str


@dataclass
class Taken:
    """Bytes that are in use: two functions may have the same padding in reach, or puns that lead to one place."""

    places: set[int] = field(default_factory=set)

    def take(self, start: int, size: int) -> bool:
        wanted = set(range(start, start + size))
        if wanted & self.places:
            return False
        self.places |= wanted
        return True


def sites(entry: int) -> Iterator[tuple[int, Instruction]]:
    """Where the instruction stands that may be displaced, and the instruction: the best one first."""
    code = ctypes.string_at(entry, LONGEST)
    starts = (entry + len(LANDING_PAD), entry) if code.startswith(LANDING_PAD) else (entry,)
    for start in starts:
        try:
            instruction = decoded(ctypes.string_at(start, LONGEST))
        except NotDecoded:
            continue
        yield start, instruction


def planned(
    entry: int,
    size: int,
    site: int,
    displaced: Instruction,
    goal: int,
    taken: Taken,
    allowed: tuple[str, ...] = EVERY_WAY,
) -> Change | None:
    """The change that makes ``site`` jump to ``goal``, with what it needs elsewhere put in place; None: no way.

    ``entry`` and ``size`` are those of the whole function; a size of 0 is not known.
    """
    ways: dict[str, Callable[[], tuple[int, bytes] | None]] = {
        "near": lambda: _near(site, displaced, goal),
        "gap": lambda: _gap(entry, size, site, displaced, goal, taken),
        "pun": lambda: _pun(site, displaced, goal, taken),
    }
    for way in allowed:
        found = ways[way]()
        if found is not None:
            return _change(site, displaced, found[1], way)
    return None


def _change(site: int, displaced: Instruction, jump: bytes, way: str) -> Change:
    word = site & -8
    before = bytearray(ctypes.string_at(word, 8))
    after = bytearray(before)
    at = site - word
    after[at : at + len(jump)] = jump
    # What lies behind the displaced instruction must be what it was.
    assert after[at + displaced.length :] == before[at + displaced.length :]
    return Change(word, int.from_bytes(before, "little"), int.from_bytes(after, "little"), way)


def _room(site: int) -> int:
    return 8 - site % 8


def _near(site: int, displaced: Instruction, goal: int) -> tuple[int, bytes] | None:
    if displaced.length < 5 or _room(site) < 5:
        return None
    try:
        return site, bytes((JUMP,)) + near(goal - site - 5)
    except NotDecoded:
        return None


def _gap(entry: int, size: int, site: int, displaced: Instruction, goal: int, taken: Taken) -> tuple[int, bytes] | None:
    if displaced.length < 2 or _room(site) < 2:
        return None
    for start in _gaps(entry, size):
        distance = start - site - 2
        if -128 <= distance < 128 and taken.take(start, 5):
            _fill(start, bytes((JUMP,)) + near(goal - start - 5))
            return site, bytes((SHORT_JUMP,)) + struct.pack("<b", distance)
    return None


def _gaps(entry: int, size: int) -> Iterator[int]:
    """Starts of five bytes of padding, before the function and behind its end."""
    yield from (
        start for start in range(entry - 5, entry - 16, -1) if _is_padding(ctypes.string_at(start, entry - start))
    )
    end = entry + size
    behind = -end % 16
    if size and behind >= 5 and _is_padding(ctypes.string_at(end, behind)):
        yield end


def _fill(start: int, code: bytes) -> None:
    """Write over padding, which nobody runs yet: it may lie in two words."""
    for word in range(start & -8, start + len(code), 8):
        held = bytearray(ctypes.string_at(word, 8))
        for at in range(max(start, word), min(start + len(code), word + 8)):
            held[at - word] = code[at - start]
        store(word, int.from_bytes(held, "little"))


def _pun(site: int, displaced: Instruction, goal: int, taken: Taken) -> tuple[int, bytes] | None:
    code = b"\xff\x25\0\0\0\0" + struct.pack("<Q", goal)  # a jump to wherever, through the word behind it
    for prefixes in range(min(displaced.length, _room(site) - 4)):
        free = min(displaced.length - 1 - prefixes, 4)  # bytes of the displacement that may be chosen, the low ones
        kept = ctypes.string_at(site + 1 + prefixes + free, 4 - free)
        for low in _CHOICES[free]:
            displacement = low.to_bytes(4, "little")[:free] + kept
            place = site + 5 + prefixes + int.from_bytes(displacement, "little", signed=True)
            if taken.take(place & -PAGE, PAGE) and code_at(place, code):
                return site, bytes((IGNORED_PREFIX,)) * prefixes + bytes((JUMP,)) + displacement
    return None


IGNORED_PREFIX = 0x2E
# Which low bytes are tried, by how many there are: each leads to another page, and few places are taken.
_CHOICES = {
    0: (0,),
    1: (0x40, 0x80, 0x00, 0xC0, 0xF0),
    2: (0x4000, 0x8000, 0xC000, 0x0000),
    3: (0x400000, 0x800000, 0xC00000, 0x000000),
    4: (0x40000000, 0x20000000, 0xE0000000, 0xC0000000),
}


def _is_padding(code: bytes) -> bool:
    while code:
        step = next((len(filler) for filler in _PADDING if code.startswith(filler)), 0)
        if not step:
            return False
        code = code[step:]
    return True
