"""The one table of allocator functions; hooks, counters, patches, breakpoints and the preload library all read it.

Not among those that slots lead to: ``reallocarray`` and libstdc++'s ``operator new`` end in one of them and would count
twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EntryKind = Literal["allocate", "map", "release", "unmap"]


@dataclass(frozen=True)
class AllocatorEntry:
    """One C entry point, typed in LLVM's spelling.

    The bytes of a call are the product of the parameters listed in ``size`` (none: the call has no size).
    ``behind`` is the name under which glibc exports the same function for those who replace it, ``symbols`` are the
    names of a function that has several.
    """

    name: str
    result: str
    params: tuple[str, ...]
    size: tuple[int, ...]
    kind: EntryKind
    behind: str = ""
    symbols: tuple[str, ...] = ()

    @property
    def exported(self) -> tuple[str, ...]:
        """The symbols under which libraries export it."""
        return self.symbols or (self.name,)

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

# What no slot leads to: seen where the function itself is patched. An allocator may bring operators of its own that do
# not go through malloc; ``syscall`` counts where it asks for memory.
_FORMS = ("", "RKSt9nothrow_t", "St11align_val_t", "St11align_val_tRKSt9nothrow_t")
_SIZED = ("m", "mSt11align_val_t")
NEW = AllocatorEntry(
    "operator new", "ptr", ("i64",), (0,), "allocate", symbols=tuple(f"_Zn{k}m{form}" for k in "wa" for form in _FORMS)
)
DELETE = AllocatorEntry(
    "operator delete",
    "void",
    ("ptr",),
    (),
    "release",
    symbols=tuple(f"_Zd{k}Pv{form}" for k in "la" for form in (*_FORMS, *_SIZED)),
)
SYSCALL = AllocatorEntry("syscall()", "i64", ("i64", "ptr", "i64"), (2,), "map", symbols=("syscall",))
EVERY: tuple[AllocatorEntry, ...] = (*ENTRIES, NEW, DELETE, SYSCALL)

# Entries that enter another one inside libc: realloc(NULL) and small alignments go on to malloc.
LEADS_TO_MALLOC = ("realloc", "aligned_alloc", "memalign", "posix_memalign", "valloc", "pvalloc")

NAMES: tuple[str, ...] = tuple(entry.name for entry in EVERY)
BY_NAME: dict[str, AllocatorEntry] = {entry.name: entry for entry in EVERY}
NUMBER: dict[str, int] = {entry.name: number for number, entry in enumerate(EVERY)}
