"""What the native code has counted: its sites, the calls of other threads, and the first allocation of a block."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import EVERY


@dataclass(frozen=True)
class RawSite:
    """A site as the hooks left it: addresses and sums."""

    key: int
    entry: int
    kind: int
    responsible: int
    caller: int
    count: int
    bytes: int
    frames: tuple[int, ...]
    past_slots: bool = False  # seen by a patched function alone


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
    spare = range(layout.OVERFLOW, layout.USED_LIST, layout.SITE_WORDS) if words[layout.SPILLED] else ()
    return [*((address - words[layout.BASE]) // 8 for address in addresses), *spare]


def calls_of_others(words: memoryview) -> tuple[int, ...]:
    """How often threads that are not watched called each entry, by entry number, since the start of the process."""
    rows = words[layout.OTHER_ROWS : layout.OTHER_ROWS + (layout.ROW_WORDS << layout.ROW_BITS)].tolist()
    shared = words[layout.OTHERS : layout.OTHERS + len(EVERY)].tolist()
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
        responsible=row[layout.RESPONSIBLE],
        caller=row[layout.CALLER],
        count=row[layout.COUNT],
        bytes=row[layout.SITE_BYTES],
        past_slots=bool(row[layout.PAST_SLOTS]),
        frames=tuple(frames[start:]) or (row[layout.CALLER],),
    )


def column(words: memoryview, start: int) -> tuple[int, ...]:
    """One of the three counters of every patched function, by number."""
    return tuple(words[start : start + layout.PLACE_COUNT])
