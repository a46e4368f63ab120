"""The allocator's own functions, patched: which they are, and whether all of them lead to the counter.

Relocation slots show who calls an allocator by its name. A pointer that the loader gave, a library's private call or
another namespace pass them by; what every call has in common is the function's first instruction.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ctypes import c_size_t, c_void_p
from dataclasses import dataclass, field
from itertools import groupby

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import EVERY, LEADS_TO_MALLOC, NEW, NUMBER, AllocatorEntry
from pytest_adalloc.hooks.install.loaded_objects import LoadedObject, definitions, is_loader
from pytest_adalloc.hooks.native.hooks import RULES
from pytest_adalloc.hooks.patching.patches import PatchedFunction, Patches

OFF = "ADALLOC_ENTRIES"  # set to "off", the functions stay as they are
LIBC = "gnu_get_libc_version"  # what the C library alone defines


@dataclass(frozen=True)
class Place:
    """One allocator function of one library: ``entries`` are what the table calls it, the most common first."""

    address: int
    size: int
    entries: tuple[AllocatorEntry, ...]
    owner: LoadedObject
    listed: bool = True

    @property
    def name(self) -> str:
        return self.entries[0].name

    @property
    def flags(self) -> int:
        kind = self.entries[0].kind
        return (
            layout.MAPPING * (kind in ("map", "unmap"))
            | layout.RELEASING * (kind == "release")
            | layout.OF_SYSTEM_CALLS * (self.name == "syscall()")
        )


@dataclass
class EntryPoints:
    """The patched functions of this process; ``reason`` says why there are none."""

    words: memoryview
    patches: Patches
    reason: str = ""
    places: dict[int, Place] = field(default_factory=dict)  # by number
    _numbers: dict[int, int] = field(default_factory=dict)  # number by address
    _settled: set[int] = field(default_factory=set)
    _next: int = 0

    def refresh(
        self,
        objects: Sequence[LoadedObject],
        strangers: Sequence[LoadedObject],
        originals: Mapping[str, int],
        mirror: int,
        tools: Sequence[LoadedObject],
    ) -> None:
        """Patch what is new, and forget what is gone. ``mirror`` is an address in our own preloaded library."""
        if self.reason:
            return
        wanted = {place.address: place for place in allocator_functions(objects, strangers, originals, mirror)}
        for number in [number for number, place in self.places.items() if wanted.get(place.address) != place]:
            gone = self.places.pop(number).address
            del self._numbers[gone]
            self._settled.discard(gone)
            self.patches.forget(gone)
        known = self._numbers.keys() | self._settled
        fresh = [place for place in wanted.values() if place.address not in known]
        for _, group in groupby(fresh, key=lambda place: place.owner.base):
            self._add(list(group))
        owners = {place.owner: place.listed for place in self.places.values()}
        note_ranges(self.words, layout.ALLOCATORS, (owner for owner, listed in owners.items() if listed))
        note_ranges(self.words, layout.STRANGERS, (owner for owner, listed in owners.items() if not listed))
        note_ranges(self.words, layout.TOOLS, tools)

    def _add(self, group: Sequence[Place]) -> None:
        functions = []
        for place in group[: layout.PLACE_COUNT - self._next]:
            number, self._next = self._next, self._next + 1
            row = layout.PLACES + layout.PLACE_WORDS * number
            first = place.entries[0]
            self.words[row + layout.PLACE_ENTRY] = NUMBER[first.name]
            self.words[row + layout.PLACE_RULE] = RULES[first.size]
            self.words[row + layout.PLACE_FLAGS] = place.flags
            self.words[row + layout.PLACE_OWNER] = place.owner.base
            self.places[number], self._numbers[place.address] = place, number
            functions.append(PatchedFunction(place.address, place.size, layout.MARK + number))
        self.patches.add(functions)

    def settle(self, thread: int) -> None:
        """Find out which operators that an allocator brings end in one of its other functions by a slot of its own, and
        leave these alone: hooks see that call, and it must not count twice. Called while nobody counts.
        """
        words = self.words
        for number, place in list(self.places.items()):
            if place.entries[0] is not NEW or place.address in self._settled:
                continue
            self._settled.add(place.address)
            # Of any form: a size, and then an alignment or a reference that nobody reads. The block is not missed.
            operator = ctypes.PYFUNCTYPE(c_void_p, c_size_t, c_size_t)(place.address)
            size, alignment, before = c_size_t(32), c_size_t(16), words[layout.ALLOCATIONS]
            words[layout.ARMED] = thread
            operator(size, alignment)
            words[layout.ARMED] = 0
            patched = place.address in self.patches.changes
            if words[layout.ALLOCATIONS] - before > patched:
                self.patches.restore(place.address)
                del self.places[number], self._numbers[place.address]

    def mark(self, address: int) -> int:
        """What a hook tells the function at this address; 0 where it is not patched, and where it goes on to malloc
        perhaps, what malloc understands.
        """
        number = self._numbers.get(address)
        if number is None or address not in self.patches.changes:
            passes_on = number is not None and self.places[number].name in LEADS_TO_MALLOC
            return layout.PASSED_ON % 2**64 if passes_on else 0
        return (layout.MARK + number) % 2**64

    def number(self, address: int) -> int | None:
        """The number of the place at this address."""
        return self._numbers.get(address)

    def lost(self) -> list[str]:
        """Functions whose first instruction is no longer ours, as ``library: name``."""
        return [self._spelled(self.places[self._numbers[address]]) for address in self.patches.lost()]

    def unpatched(self) -> dict[str, str]:
        """Functions that could not be patched, and why."""
        left = (
            (self.places[self._numbers[at]], why) for at, why in self.patches.refused.items() if at in self._numbers
        )
        return {self._spelled(place): why for place, why in left if place.entries[0].counts}

    @property
    def complete(self) -> bool:
        """Whether no request can get past what is patched."""
        return not self.reason and not self.unpatched()

    def left(self) -> dict[int, str]:
        """The functions that could not be patched, by address, as ``library: name``."""
        return {at: self._spelled(self.places[self._numbers[at]]) for at in self.patches.refused if at in self._numbers}

    def kind(self, address: int) -> str:
        """What the function at this address does: the kind of its entry in the table."""
        return self.places[self._numbers[address]].entries[0].kind

    def _spelled(self, place: Place) -> str:
        only = len({each.owner for each in self.places.values()}) == 1
        return place.name if only else f"{place.owner.file_name or 'main program'}: {place.name}"

    def suspend(self, reason: str) -> None:
        """Make every function what it was, until ``resume``."""
        self.reason = reason
        self.patches.suspend()

    def resume(self) -> None:
        """Patch again what ``suspend`` gave back."""
        self.reason = ""
        self.patches.resume()


def refusal() -> str:
    """Why code is not patched on this platform; empty where it is."""
    if os.environ.get(OFF, "").lower() in ("off", "0", "no"):
        return f"turned off by {OFF}"
    if platform.machine() != "x86_64":
        return f"code is patched on x86-64 only; this is {platform.machine()}"
    return ""


def allocator_functions(
    objects: Sequence[LoadedObject], strangers: Sequence[LoadedObject], originals: Mapping[str, int], mirror: int
) -> Iterator[Place]:
    """What there is to patch: the functions of each library that gives a name of the table to others, and of every C
    library.
    """
    known = tuple(owner for owner in objects if not is_loader(owner))
    owners = [owner for owner in known if any(owner.holds_code(address) for address in originals.values())]
    owners += [owner for owner in known if owner not in owners and definitions(owner, [LIBC])]
    for owner in owners:
        low, high = owner.span()
        yield from _functions_of(owner, originals, ours=low <= mirror < high)
    for owner in strangers:
        if definitions(owner, ["malloc"]):
            yield from _functions_of(owner, {}, listed=False)


def _functions_of(
    owner: LoadedObject, originals: Mapping[str, int], listed: bool = True, ours: bool = False
) -> Iterator[Place]:
    found = definitions(owner, [symbol for entry in EVERY for symbol in entry.exported])
    at: dict[int, tuple[int, list[AllocatorEntry]]] = {}
    for entry in EVERY:
        if ours and entry.behind:
            continue  # our own library goes on to libc's, which are patched
        addresses = {found[symbol] for symbol in entry.exported if symbol in found}
        # An indirect function is known by what it was resolved to.
        resolved = originals.get(entry.name, 0)
        if resolved and owner.holds_code(resolved) and all(resolved != address for address, _ in addresses):
            addresses.add((resolved, 0))
        for address, size in sorted(addresses):
            at.setdefault(address, (size, []))[1].append(entry)
    for address, (size, entries) in at.items():
        if owner.holds_code(address):
            yield Place(address, size, tuple(entries), owner, listed)


def note_ranges(words: memoryview, start: int, owners: Iterable[LoadedObject]) -> None:
    """Tell the counter where the code of these libraries lies."""
    spans = [owner.span() for owner in owners][: layout.PATCHED_RANGES]
    words[start] = 0
    for number, (low, high) in enumerate(spans):
        words[start + 1 + 2 * number], words[start + 2 + 2 * number] = low, high
    words[start] = len(spans)
