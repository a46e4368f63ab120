"""Workspace arenas: reserved ranges of addresses, never committed, used again by every call.

The kernel bumps a pointer through one and starts again at its base, so a call asks no allocator for anything; pages
come into being when first touched and stay for the calls to come. Who has which is told in `adcore.runtime.workspaces`.

The range lies far from where the system puts other mappings. Other compilers of the process (Numba) still use a linker
that maps each section of an object by itself; a range between two of them would push them further apart than 32-bit
relative addresses reach, and that linker ends the process over it.
"""

from __future__ import annotations

import itertools
import os
import weakref
from functools import lru_cache

from adcore.runtime.loading.mappings import NO_RESERVE, map_pages, unmap

LARGEST = 1 << 40
"""1 TiB: addresses, not memory. Smaller on a machine with less memory, or under a limit on address space."""
SMALLEST = 1 << 20
_HINTS = itertools.count()
_FIRST_HINT = 0x2000_0000_0000


class Arena:
    """A range of addresses. `base` and `end` are its bounds."""

    def __init__(self, size: int | None = None) -> None:
        self.base, size = _reserve(min(LARGEST, memory()) if size is None else size)
        self.end = self.base + size
        weakref.finalize(self, unmap, self.base, size).atexit = False

    @property
    def size(self) -> int:
        return self.end - self.base


@lru_cache(maxsize=1)
def memory() -> int:
    """Bytes of memory that this machine has: whoever needs more gets an error, before the system ends the process."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return LARGEST


def _reserve(size: int) -> tuple[int, int]:
    """Address and size of a fresh range. The address is a wish: the system puts the range elsewhere if it must."""
    wish = _FIRST_HINT + next(_HINTS) % 32 * LARGEST
    while True:
        address = map_pages(size, wish, NO_RESERVE)
        if address is not None:
            return address, size
        if size <= SMALLEST:
            raise MemoryError(f"the system refuses to reserve {size} bytes of address space for the workspace")
        size //= 2
