"""The plan of one window, the memory through which Python and the native loop talk."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from ctypes import c_uint64

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.layout import SLOT_OF_PLAN

CANARY_TEXT = b"a canary of the allocator hooks " * 39  # a size that nothing else asks for
CANARY_BYTES = len(CANARY_TEXT) + 1

DOMAIN_TOTAL = layout.DOMAIN_WORDS * layout.DOMAIN_COUNT

Restore = tuple[int, int, int]  # destination, source, bytes


class WindowPlan:
    """What to call, how often, and where the results go; keeps the memory of it all alive."""

    def __init__(
        self,
        *,
        kernel: int = 0,
        frame: int = 0,
        calls: int = 0,
        restore: Sequence[Restore] = (),
        scope: str = "thread",
        events: Sequence[int] = (),
        mirror: int = 0,
        counted: bool = True,
        chained: bool = False,
    ) -> None:
        self._block = (c_uint64 * len(layout.PLAN))()
        self.words = memoryview(self._block).cast("B").cast("Q")
        self._text = ctypes.create_string_buffer(CANARY_TEXT)
        self._triples = _table(word for triple in restore for word in triple)
        self._events = _table(events)
        self.counts = _table([0] * calls)
        self.sizes = _table([0] * calls)
        self.domains_before, self.domains_after = (_table([0] * DOMAIN_TOTAL) for _ in range(2))
        self._write(
            kernel=kernel,
            frame=frame,
            calls=calls,
            restores=len(restore),
            restore_table=ctypes.addressof(self._triples),
            counts=ctypes.addressof(self.counts) if counted else 0,
            bytes=ctypes.addressof(self.sizes),
            canary=ctypes.addressof(self._text),
            canary_size=CANARY_BYTES,
            owner=layout.EVERY_THREAD if scope == "process" else 0,
            events=len(events),
            event_table=ctypes.addressof(self._events),
            mirror=mirror,
            domains_before=ctypes.addressof(self.domains_before),
            domains_after=ctypes.addressof(self.domains_after),
        )
        self.scope = scope
        self.chained = chained

    @property
    def address(self) -> int:
        """Where the native code finds the plan."""
        return ctypes.addressof(self._block)

    def set_events(self, events: Sequence[int]) -> None:
        """Other breakpoints, at most as many as the plan was made with."""
        for at, event in enumerate(events):
            self._events[at] = event
        self.words[SLOT_OF_PLAN["events"]] = len(events)

    def __getitem__(self, field: str) -> int:
        return self.words[SLOT_OF_PLAN[field]]

    @property
    def status(self) -> int:
        """The value that ended the loop, as the signed number that the kernel returned; 0 when none did."""
        value = self["status"]
        return value - 2**64 if value >= 2**63 else value

    def canary_lives(self) -> bool:
        """Whether the hooks saw both canaries, with their exact size.

        In process scope other threads may add to that, and a profiler whose hooks are called by ours keeps its books.
        """
        seen = [(self[f"{when}_canary_calls"], self[f"{when}_canary_bytes"]) for when in ("first", "last")]
        if self.scope == "process" or self.chained:
            return all(calls >= 1 and size >= CANARY_BYTES for calls, size in seen)
        return all(pair == (1, CANARY_BYTES) for pair in seen)

    def canary_report(self) -> str:
        """What the canaries should have shown and what they showed."""
        first = f"{self['first_canary_calls']} calls of {self['first_canary_bytes']} bytes before the calls"
        last = f"{self['last_canary_calls']} calls of {self['last_canary_bytes']} bytes after them"
        return (
            f"the hooks are dead: libc was asked for {CANARY_BYTES} bytes before and after the counted calls, "
            f"and the hooks saw {first} and {last}. Any count of this window, above all a zero, means nothing"
        )

    def _write(self, **fields: int) -> None:
        for name, value in fields.items():
            self.words[SLOT_OF_PLAN[name]] = value


def _table(values: Iterable[int]) -> ctypes.Array[c_uint64]:
    numbers = list(values)
    return (c_uint64 * max(len(numbers), 1))(*numbers)
