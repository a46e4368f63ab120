"""Memory from the system in pages: reserved, filled, protected, given back."""

from __future__ import annotations

import ctypes
import mmap
from functools import lru_cache

PAGE = mmap.PAGESIZE
READ, WRITE, EXECUTE = mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
_FAILED = ctypes.c_void_p(-1).value


def in_pages(size: int) -> int:
    """`size`, rounded up to whole pages."""
    return (size + PAGE - 1) & -PAGE


def map_pages(size: int, wish: int | None = None, flags: int = 0) -> int | None:
    """The address of `size` fresh bytes that can be read and written, at `wish` if that is free; None if refused."""
    kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags
    address = _libc().mmap(wish, size, READ | WRITE, kind, -1, 0)
    return None if address == _FAILED else int(address)


def protect(address: int, size: int, access: int) -> bool:
    """Allow just `access` to these pages; whether the system agreed."""
    return bool(_libc().mprotect(address, size, access) == 0)


def unmap(address: int, size: int) -> None:
    """Give pages back. Nobody may hold an address in them any more."""
    _libc().munmap(address, size)


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    # A handle of our own: others may declare these functions in another way.
    library = ctypes.CDLL(None)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_ssize_t)
    library.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    library.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return library
