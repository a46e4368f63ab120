"""Rewrite the words through which loaded libraries call the allocator, and be able to prove that they still hold our
hooks.

``patch()`` is idempotent and cheap when nothing was loaded or unloaded: patched once, left in place, re-verified
before each window. ``lost()`` reads every word back. ``remove()`` restores only what is still ours, in objects that
are still loaded.
"""

from __future__ import annotations

import bisect
import ctypes
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ctypes import c_int, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass, field
from typing import Any

from pytest_adalloc.hooks.entries import NAMES
from pytest_adalloc.hooks.errors import HooksDead
from pytest_adalloc.hooks.install import loaded_objects
from pytest_adalloc.hooks.install.loaded_objects import LoadedObject, RelocationSlot

READ, WRITE, EXECUTE = 1, 2, 4


@dataclass
class Slots:
    """The patched words of this process. ``hook_for(name, original)`` gives a hook that passes on to ``original``."""

    hook_for: Callable[[str, int], int]
    originals: dict[str, int] = field(default_factory=dict)
    objects: tuple[LoadedObject, ...] = ()
    generation: tuple[int, int] = (-1, -1)
    foreign: tuple[str, ...] = ()  # words that held someone else's hook, which ours now calls
    _known: dict[LoadedObject, list[RelocationSlot]] = field(default_factory=dict)
    _slots: list[RelocationSlot] = field(default_factory=list)
    _kernels: tuple[RelocationSlot, ...] = ()
    _mine: dict[int, str] = field(default_factory=dict)  # address of a hook of ours -> its name
    _before: dict[int, int] = field(default_factory=dict)  # slot -> what it held
    _linkage: dict[str, int] = field(default_factory=dict)

    def find_originals(self) -> None:
        """Find what each name stands for in this process, before anything is patched."""
        self._scan()
        found = {name: loaded_objects.first_definition(self.objects, name, linked_address) for name in NAMES}
        self.originals = {name: address for name, address in found.items() if address}
        self._linkage = {name: address for name in self.originals if (address := linked_address(name))}
        if "malloc" not in self.originals:
            raise HooksDead("no loaded library defines malloc: the allocator of this process cannot be watched")

    def patch(self) -> int:
        """Put a hook into every word that calls an allocator; returns how many were written."""
        self._scan()
        self._kernels = generated_slots()
        wanted = [(slot, original) for slot in self.watched() if (original := self._original_of(slot)) is not None]
        writes = []
        for slot, original in wanted:
            hook = self.hook_for(slot.symbol, original)
            self._mine[hook] = slot.symbol
            self._before[slot.address] = _read(slot.address)
            writes.append((slot.address, hook))
        if writes:
            with self.opened(address for address, _ in writes):
                for address, hook in writes:
                    c_uint64.from_address(address).value = hook
        return len(writes)

    def unchanged(self) -> bool:
        """Whether no library came or went since the last ``patch()``, and no first kernel that allocates."""
        return loaded_objects.loader_generation() == self.generation and generated_slots() == self._kernels

    def lost(self) -> list[str]:
        """Words that do not hold our hook, as ``library: symbol``; to be asked only while ``unchanged()``.

        Data words that a program has filled with something of its own are left out; one that holds the allocator
        itself is not, because it was hooked and has been put back.
        """
        without = filter(self._is_lost, self.watched())
        missed = loaded_objects.loaded_bases() - {owner.base for owner in self.objects}
        return [
            *(f"{slot.owner.file_name or 'main program'}: {slot.symbol}" for slot in without),
            *(f"all of the library at {base:#x}, which was never searched" for base in sorted(missed)),
        ]

    def _is_lost(self, slot: RelocationSlot) -> bool:
        held = _read(slot.address)
        # A weak symbol that nothing defines is bound to nothing; it cannot be called.
        if self._mine.get(held) == slot.symbol or (not held and slot.symbol not in self.originals):
            return False
        return slot.kind != "absolute" or held in (self.originals.get(slot.symbol), self._linkage.get(slot.symbol))

    def remove(self) -> int:
        """Write back what the words held before; returns how many were restored."""
        self._scan()
        live = {slot.address for slot in self.watched()}
        back = [(at, old) for at, old in self._before.items() if at in live and _read(at) in self._mine]
        with self.opened(address for address, _ in back):
            for address, old in back:
                c_uint64.from_address(address).value = old
        self._before.clear()
        return len(back)

    def watched(self) -> tuple[RelocationSlot, ...]:
        """Every word that leads to an allocator entry, as of the last ``patch()``."""
        return (*self._slots, *self._kernels)

    def opened(self, addresses: Iterable[int]) -> AbstractContextManager[None]:
        """Make the pages of these words writable for the length of a block."""
        return _writable(addresses, self.objects)

    def _scan(self) -> None:
        if loaded_objects.loader_generation() == self.generation:
            return
        self.objects, self.generation = loaded_objects.loaded_objects()
        self._known = {owner: self._slots_of(owner) for owner in self.objects}
        self._slots = [slot for slots in self._known.values() for slot in slots]

    def _slots_of(self, owner: LoadedObject) -> list[RelocationSlot]:
        if owner in self._known:
            return self._known[owner]
        return [] if loaded_objects.is_loader(owner) else loaded_objects.relocation_slots(owner, NAMES)

    def _original_of(self, slot: RelocationSlot) -> int | None:
        """The function that a hook in this word must pass on to; None when the word is to be left alone."""
        held, ours = _read(slot.address), self.originals.get(slot.symbol)
        if held in self._mine or ours is None or not held:
            return None
        if held in (ours, self._linkage.get(slot.symbol)):
            return ours
        if slot.kind == "absolute":
            return None  # a data word that the program itself has since filled with something of its own
        if slot.owner.holds_code(held) and held != loaded_objects.definition(slot.owner, slot.symbol):
            return ours  # a jump that is not bound yet and points to its own stub
        place = f"{slot.owner.file_name or 'main program'}: {slot.symbol}"
        self.foreign = self.foreign if place in self.foreign else (*self.foreign, place)
        return held


def generated_slots() -> tuple[RelocationSlot, ...]:
    """The words through which our compiler's kernels reach the allocator; none where it is not loaded."""
    compiler = sys.modules.get("adcore.driver.inspection")
    words: dict[str, int] = compiler.allocator_words() if compiler is not None else {}
    return tuple(RelocationSlot(address, name, "data", _KERNELS) for name, address in words.items())


_KERNELS = LoadedObject("compiled kernels", 0, ())


def linked_address(name: str) -> int | None:
    """What ``dlsym`` answers for a name in the whole process; in a non-PIE program that may be a linkage stub."""
    try:
        return ctypes.cast(getattr(_process(), name), c_void_p).value
    except AttributeError:
        return None


@contextmanager
def _writable(addresses: Iterable[int], objects: tuple[LoadedObject, ...]) -> Iterator[None]:
    """Open the read-only pages that hold these words, and close them again exactly as they were."""
    size = os.sysconf("SC_PAGESIZE")
    pages = {address & -size for address in addresses}
    closed = {page: rights for page, rights in _rights(pages, objects, size) if not rights & WRITE}
    try:
        for page, rights in closed.items():
            _protect(page, size, rights | WRITE)
        yield
    finally:
        for page, rights in closed.items():
            _protect(page, size, rights)


def _rights(pages: set[int], objects: tuple[LoadedObject, ...], size: int) -> Iterator[tuple[int, int]]:
    try:
        regions = memory_regions()
    except OSError:
        # Without the kernel's list the program headers tell which pages the loader has closed.
        closed = [(low & -size, high & -size) for owner in objects for low, high in owner.relro]
        yield from ((page, READ) for page in pages if any(low <= page < high for low, high in closed))
        return
    starts = [region[0] for region in regions]
    for page in pages:
        low, high, rights = regions[bisect.bisect_right(starts, page) - 1]
        if low <= page < high:
            yield page, rights


def memory_regions() -> list[tuple[int, int, int]]:
    """Start, end and rights of every mapping of this process, in order."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as lines:
        return [_region(line) for line in lines]


def _region(line: str) -> tuple[int, int, int]:
    place, letters = line.split(None, 2)[:2]
    low, high = (int(part, 16) for part in place.split("-"))
    return low, high, READ * ("r" in letters) | WRITE * ("w" in letters) | EXECUTE * ("x" in letters)


def _read(address: int) -> int:
    return c_uint64.from_address(address).value


def _protect(page: int, size: int, rights: int) -> None:
    if _process().mprotect(c_void_p(page), c_size_t(size), c_int(rights)):
        number = ctypes.get_errno()
        raise HooksDead(f"the page of a relocation slot cannot be opened: {os.strerror(number)}")


@functools.cache
def _process() -> Any:
    return ctypes.CDLL(None, use_errno=True)
