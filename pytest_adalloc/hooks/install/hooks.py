"""The hooks as they run: native code, its memory and the slots that lead to it, lent to one thread at a time.

``opened()`` lends them for a window: it refuses a second thread and starts the table of sites afresh for the outermost
window.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_uint64
from dataclasses import dataclass, field

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import BY_NAME, ENTRIES, NUMBER
from pytest_adalloc.hooks.errors import HooksBusy, HooksDead
from pytest_adalloc.hooks.install import callers, symbols
from pytest_adalloc.hooks.install.counters import used_sites
from pytest_adalloc.hooks.install.entry_points import EntryPoints
from pytest_adalloc.hooks.install.loaded_objects import LoadedObject, unlisted_objects
from pytest_adalloc.hooks.install.plan import WindowPlan
from pytest_adalloc.hooks.install.slots import Slots, linked_address
from pytest_adalloc.hooks.native.hooks import DESCRIPTION_BYTES, MARK_OFFSET

PATIENCE = 10.0  # seconds until a thread that does not come out of a hook counts as stuck


@dataclass(eq=False)
class Hooks:
    """The running native code: its addresses, its memory and the slots that lead to it."""

    core: dict[str, int]
    layers: list[dict[str, int]]
    words: memoryview
    slots: Slots
    entry_points: EntryPoints
    begin: Callable[[int], None]
    end: Callable[[int], None]
    pause: Callable[[int], None]
    resume: Callable[[int], None]
    calls: Callable[[int], None]
    observed: Callable[[int], None]
    locked_observed: Callable[[int], None]
    window: Callable[[int], None]
    locked_calls: Callable[[int], None]
    locked_window: Callable[[int], None]
    thread: Callable[[], int]
    events: tuple[int, ...] = ()  # breakpoints that the next window switches on and off
    mirror: int = 0  # the armed word of the preloaded library, where there is one
    canary_keys: frozenset[int] = frozenset()
    ranges_fit: bool = True
    unlisted: tuple[str, ...] = ()  # libraries whose slots cannot be found
    domains_in_place: tuple[str, ...] = ()
    numpy_capsule: object = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _depth: int = 0
    _owner: int = 0
    _scope: str = ""
    _seen: tuple[int, int] = (-1, -1)

    def refresh(self) -> None:
        """Patch what was loaded since the last time and tell the hooks which code is the interpreter's."""
        self.slots.patch()
        if self._seen != self.slots.generation:
            self.ranges_fit = callers.write_ranges(self.words, self.slots.objects, self.slots.originals["malloc"])
            strangers = unlisted_objects(self.slots.objects)
            self.unlisted = tuple(sorted({owner.file_name for owner in strangers}))
            self.entry_points.refresh(self.slots.objects, strangers, self.slots.originals, self.mirror, self._tools())
            self._mark()
            if not self.words[layout.ARMED]:
                self.entry_points.settle(self.thread())
            self._seen = self.slots.generation
            symbols.forget()

    def _mark(self) -> None:
        """Let every hook tell its original that it counts. Our own preloaded library hands that on."""
        for layer in self.layers:
            for entry in ENTRIES:
                original = original_of(layer, entry.name).value
                mark = self.entry_points.mark(self.behind(entry.name) or original)
                c_uint64.from_address(_description(layer, entry.name) + MARK_OFFSET).value = mark

        free = self.behind("free") or self.slots.originals.get("free", 0)
        self.words[layout.FREE_MARK] = self.entry_points.mark(free)

    def behind(self, name: str) -> int:
        """What our own preloaded library goes on to for this name; 0 without such a library."""
        name = BY_NAME[name].behind
        return (linked_address(name) or 0) if self.mirror and name else 0

    def _tools(self) -> list[LoadedObject]:
        """The libraries of other tools' hooks, which are called by ours."""
        further = (original_of(layer, entry.name).value for layer in self.layers[1:] for entry in ENTRIES)
        mine = set(self.slots.originals.values())
        places = {address for address in further if address and address not in mine}
        return [owner for owner in self.slots.objects if any(owner.holds_code(place) for place in places)]

    @property
    def nested(self) -> bool:
        """Whether a window is open around the present one."""
        return self._depth > 1

    @property
    def chained(self) -> bool:
        """Whether some other tool's hooks are called by ours: it may allocate on its own account at any call."""
        return len(self.layers) > 1

    @contextmanager
    def opened(self, scope: str = "thread") -> Iterator[None]:
        """Hold the hooks for one window; nested windows of the same thread and scope share the counters.

        Raises HooksBusy for a second thread, and for a window inside one of the other scope: the counters know one
        scope at a time, and the outer window would lose calls of other threads or count them without being asked.
        ValueError for a scope that is none.
        """
        if scope not in ("thread", "process"):
            raise ValueError(f"scope must be 'thread' or 'process', not {scope!r}")
        if not self._lock.acquire(timeout=0):
            raise HooksBusy("another thread is measuring; one thread measures at a time")
        try:
            if self._depth and scope != self._scope:
                raise HooksBusy(
                    f"a recording of scope {self._scope!r} is open around this one of scope {scope!r}; "
                    "give both the same scope, or let one end before the other begins"
                )
            if self._depth == 0:
                self._wait_for_stragglers()
                self._owner = threading.get_ident()
                self._scope = scope
                self._forget_sites()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
        finally:
            self._lock.release()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Between the snapshots and the ends of a window an outer window counts nothing that this thread asks for, and
        its breakpoints rest: it is ours. A window of all threads goes on, or it would lose calls of the others.
        """
        armed, around = self.words[layout.ARMED], self.events
        if armed == layout.EVERY_THREAD:
            self.events = ()
        plan = WindowPlan(mirror=self.mirror, events=around) if armed == self.thread() else None
        if plan:
            self.pause(plan.address)
        try:
            yield
        finally:
            self.events = around
            if plan:
                self.resume(plan.address)

    def disarm(self) -> None:
        """Stop counting at once, whoever is counted."""
        self.words[layout.ARMED] = 0

    def after_fork(self) -> None:
        """In a child process: nothing is measured, and no thread that is not there holds anything up."""
        self.disarm()
        for at in (layout.NOTING, *range(layout.UNWINDING, layout.UNWINDING + layout.UNWINDERS)):
            self.words[at] = 0
        if self._owner != threading.get_ident():
            self._lock, self._depth = threading.RLock(), 0

    def _wait_for_stragglers(self) -> None:
        """Let threads that a window of all threads has caught in the middle of a call end their noting: their calls are
        no part of the next window, and its table of sites is no place for them. Raises HooksDead when one never ends.
        """
        # Without the interpreter's lock, which whoever holds up such a thread may be waiting for.
        last = time.monotonic() + PATIENCE
        while self.words[layout.NOTING]:
            if time.monotonic() > last:
                raise HooksDead(
                    f"{self.words[layout.NOTING]} calls of an earlier window of scope 'process' are still being noted "
                    f"after {PATIENCE} seconds; the next count would be theirs as well"
                )
            time.sleep(0.0001)

    def _forget_sites(self) -> None:
        nothing = memoryview(bytes(8 * layout.SITE_WORDS)).cast("Q")
        for at in used_sites(self.words):
            self.words[at : at + layout.SITE_WORDS] = nothing
        self.words[layout.USED] = 0
        self.words[layout.CANARIES] = 0
        self.words[layout.SPILLED] = 0


def original_of(layer: dict[str, int], name: str) -> c_uint64:
    """The word with the function that a hook passes on to."""
    return c_uint64.from_address(_description(layer, name))


def _description(layer: dict[str, int], name: str) -> int:
    return layer["adalloc_descriptions"] + DESCRIPTION_BYTES * NUMBER[name]
