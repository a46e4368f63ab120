"""The one table of hooked entry points; hooks, counters, breakpoints and the preload library all read it.

Not here on purpose: ``reallocarray`` and ``operator new`` end in an entry of this table and would count twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EntryKind = Literal["allocate", "map", "release", "unmap"]


@dataclass(frozen=True)
class AllocatorEntry:
    """One C entry point, typed in LLVM's spelling.

    The bytes of a call are the product of the parameters listed in ``size`` (none: the call has no size).
    ``behind`` is the name under which glibc exports the same function for those who replace it.
    """

    name: str
    result: str
    params: tuple[str, ...]
    size: tuple[int, ...]
    kind: EntryKind
    behind: str = ""

    @property
    def counts(self) -> bool:
        """Whether a call is an allocation, so that it enters the count of a call."""
        return self.kind in ("allocate", "map")


ENTRIES: tuple[AllocatorEntry, ...] = (
    AllocatorEntry("malloc", "ptr", ("i64",), (0,), "allocate", "__libc_malloc"),
    AllocatorEntry("calloc", "ptr", ("i64", "i64"), (0, 1), "allocate", "__libc_calloc"),
    AllocatorEntry("realloc", "ptr", ("ptr", "i64"), (1,), "allocate", "__libc_realloc"),
    AllocatorEntry("free", "void", ("ptr",), (), "release", "__libc_free"),
    AllocatorEntry("posix_memalign", "i32", ("ptr", "i64", "i64"), (2,), "allocate"),
    AllocatorEntry("aligned_alloc", "ptr", ("i64", "i64"), (1,), "allocate", "__libc_memalign"),
    AllocatorEntry("memalign", "ptr", ("i64", "i64"), (1,), "allocate", "__libc_memalign"),
    AllocatorEntry("valloc", "ptr", ("i64",), (0,), "allocate", "__libc_valloc"),
    AllocatorEntry("pvalloc", "ptr", ("i64",), (0,), "allocate", "__libc_pvalloc"),
    AllocatorEntry("mmap", "ptr", ("ptr", "i64", "i32", "i32", "i32", "i64"), (1,), "map"),
    AllocatorEntry("mmap64", "ptr", ("ptr", "i64", "i32", "i32", "i32", "i64"), (1,), "map"),
    AllocatorEntry("mremap", "ptr", ("ptr", "i64", "i64", "i32", "ptr"), (2,), "map"),
    AllocatorEntry("sbrk", "ptr", ("i64",), (0,), "map"),
    AllocatorEntry("brk", "i32", ("ptr",), (), "map"),
    AllocatorEntry("munmap", "i32", ("ptr", "i64"), (1,), "unmap"),
)

NAMES: tuple[str, ...] = tuple(entry.name for entry in ENTRIES)
BY_NAME: dict[str, AllocatorEntry] = {entry.name: entry for entry in ENTRIES}
NUMBER: dict[str, int] = {entry.name: number for number, entry in enumerate(ENTRIES)}
