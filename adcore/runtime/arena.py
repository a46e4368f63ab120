"""The workspace arena: one reserved range of addresses per thread, never committed, used again by every call.

The kernel bumps a pointer through it and starts again at its base, so a call asks no allocator for anything; pages
come into being when first touched and stay for the calls to come.
"""

from __future__ import annotations

import ctypes
import mmap
import threading

LARGEST = 1 << 40
"""1 TiB: addresses, not memory. Smaller where a limit on address space refuses that."""
SMALLEST = 1 << 20
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


class Arena:
    """A range of addresses. `base` and `end` are its bounds."""

    def __init__(self, size: int = LARGEST) -> None:
        self._memory = _reserve(size)
        # A ctypes view would keep the mapping from ever being closed; only its address is kept.
        view = (ctypes.c_char * len(self._memory)).from_buffer(self._memory)
        self.base = ctypes.addressof(view)
        self.end = self.base + len(self._memory)
        self.touched = 0

    @property
    def size(self) -> int:
        return self.end - self.base

    def note(self, bytes_used: int) -> None:
        """Remember the high-water mark of a call."""
        self.touched = max(self.touched, bytes_used)

    def release(self) -> None:
        """Give the pages back to the system; the range of addresses stays."""
        if self.touched:
            self._memory.madvise(mmap.MADV_DONTNEED, 0, -(-self.touched // mmap.PAGESIZE) * mmap.PAGESIZE)
            self.touched = 0


def _reserve(size: int) -> mmap.mmap:
    while True:
        try:
            return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
        except OSError:
            if size <= SMALLEST:
                raise
            size //= 2


_threads = threading.local()


def arena() -> Arena:
    """The arena of the calling thread."""
    try:
        own: Arena = _threads.arena
    except AttributeError:
        own = _threads.arena = Arena()
    return own
