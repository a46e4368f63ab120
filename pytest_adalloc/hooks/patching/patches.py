"""Patched functions of this process: put in place once and left there, read back after each window.

A trampoline is never freed and padding never restored, because some thread may stand there at any later time. What
``suspend`` writes back is the first instruction alone, and only where it is still ours.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_adalloc.hooks.patching import ways
from pytest_adalloc.hooks.patching.decoder import Instruction, NotDecoded
from pytest_adalloc.hooks.patching.memory import NotPatched, code_near, store
from pytest_adalloc.hooks.patching.trampolines import LONGEST, trampoline
from pytest_adalloc.hooks.patching.ways import Change, Taken, planned, sites

NO_WAY = "its first instruction leaves no room for a jump"


@dataclass(frozen=True)
class PatchedFunction:
    """A function to patch: its first byte, its size (0: not known), and how the counter knows its calls."""

    entry: int
    size: int
    mark: int


@dataclass
class Patches:
    """Functions that lead to ``counter`` while ``armed``, the address of a word, holds something other than zero."""

    armed: int
    counter: int
    changes: dict[int, Change] = field(default_factory=dict)  # entry -> what was changed for it
    refused: dict[int, str] = field(default_factory=dict)  # entry -> why it is as it was
    ways: tuple[str, ...] = field(default_factory=lambda: ways.EVERY_WAY)
    _resting: dict[int, Change] = field(default_factory=dict)
    _taken: Taken = field(default_factory=Taken)

    def add(self, functions: Sequence[PatchedFunction]) -> None:
        """Patch functions of one library, whose calls the counter knows by their marks; what cannot be done is in
        ``refused``.
        """
        chosen = [(function, *place) for function in functions for place in sites(function.entry)]
        for function in functions:
            self.refused[function.entry] = NO_WAY
        if not chosen:
            return
        try:
            block = code_near(chosen[0][1], LONGEST * len(chosen), lambda start: self._trampolines(start, chosen))
            for number, (function, site, displaced) in enumerate(chosen):
                if function.entry not in self.changes:
                    self._change(function, site, displaced, block + LONGEST * number)
        except (NotPatched, NotDecoded, OSError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            self.refused |= {each.entry: reason for each in functions if each.entry not in self.changes}

    def _trampolines(self, start: int, chosen: Sequence[tuple[PatchedFunction, int, Instruction]]) -> bytes:
        code = b""
        for number, (function, site, displaced) in enumerate(chosen):
            here = start + LONGEST * number
            code += trampoline(here, site, displaced, function.mark, self.armed, self.counter).ljust(LONGEST, b"\xcc")
        return code

    def _change(self, function: PatchedFunction, site: int, displaced: Instruction, goal: int) -> None:
        change = planned(function.entry, function.size, site, displaced, goal, self._taken, self.ways)
        if change is not None:
            store(change.word, change.after)
            self.changes[function.entry] = change
            del self.refused[function.entry]

    def lost(self) -> list[int]:
        """Entries whose first instruction is no longer ours."""
        return [entry for entry, change in self.changes.items() if _held(change.word) != change.after]

    def suspend(self) -> None:
        """Make every function what it was, until ``resume``."""
        for entry, change in self.changes.items():
            if _held(change.word) == change.after:
                store(change.word, change.before)
            self._resting[entry] = change
        self.changes.clear()

    def resume(self) -> None:
        """Patch again what ``suspend`` gave back. The code that it leads to is still there."""
        for entry, change in self._resting.items():
            store(change.word, change.after)
            self.changes[entry] = change
        self._resting.clear()

    def restore(self, entry: int) -> None:
        """Write back the first instruction of one function, if it was changed."""
        self.refused.pop(entry, None)
        change = self.changes.pop(entry, None)
        if change is not None and _held(change.word) == change.after:
            store(change.word, change.before)

    def forget(self, entry: int) -> None:
        """The code of this entry is gone, with its library."""
        self.changes.pop(entry, None)
        self.refused.pop(entry, None)


def _held(word: int) -> int:
    return ctypes.c_uint64.from_address(word).value
