"""Memory for code near a given place, and single stores into code that other threads may be running.

Policies may refuse what both need: systemd's ``MemoryDenyWriteExecute`` and SELinux refuse memory that was written to
be run. Then code comes from a file in memory, which is mapped to be run and never to be written, and stores go through
``/proc/self/mem``.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from ctypes import c_int, c_long, c_size_t, c_uint64, c_void_p
from typing import Any

PAGE = mmap.PAGESIZE
FIXED_NOREPLACE = 0x100000
READ, WRITE, EXECUTE = mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC
REACH = 1 << 30  # half of what a displacement of 32 bits spans, so that both ends of a library are in reach
LOWEST, HIGHEST = 1 << 16, (1 << 47) - 4 * PAGE


class NotPatched(OSError):
    """The system refuses memory for code, or a store into code; the text says which."""


def prepare() -> None:
    """Open what is needed from the C library now: memray puts its own hooks into every slot anew when anything is
    opened, and so must not be given the occasion once ours are in place.
    """
    _system()


def code_at(address: int, code: bytes) -> bool:
    """Put code at this very address, on pages that nothing has yet; False where they are taken or cannot be had."""
    start = address & -PAGE
    size = -(-(address + len(code) - start) // PAGE) * PAGE
    if start < LOWEST or start + size > HIGHEST:
        return False
    image = bytes(address - start) + code
    return _mapped(start, size, image)


def code_near(place: int, size: int, made: Callable[[int], bytes]) -> int:
    """Put so many bytes of code on pages of its own not farther than ``REACH`` from ``place``; their address.

    ``made`` gives the code for an address. Raises ``NotPatched``.
    """
    size = -(-size // PAGE) * PAGE
    for start in sorted(_gaps(size), key=lambda at: abs(at - place)):
        if abs(start - place) > REACH:
            break
        if _mapped(start, size, made(start)):
            return start
    raise NotPatched(errno.ENOMEM, "there is no room for code near the library")


def store(word: int, value: int) -> None:
    """Write one aligned word of code at once, whoever runs it. Raises ``NotPatched``."""
    page = word & -PAGE
    if _system().mprotect(c_void_p(page), c_size_t(PAGE), READ | WRITE | EXECUTE) == 0:
        c_uint64.from_address(word).value = value
        _system().mprotect(c_void_p(page), c_size_t(PAGE), READ | EXECUTE)
        return
    refused = os.strerror(ctypes.get_errno())
    with suppress(OSError):
        _store_through_file(word, value)
    if c_uint64.from_address(word).value != value:
        raise NotPatched(errno.EACCES, f"code cannot be written here ({refused})")


def _store_through_file(word: int, value: int) -> None:
    file = os.open("/proc/self/mem", os.O_WRONLY)
    try:
        os.pwrite(file, value.to_bytes(8, "little"), word)
    finally:
        os.close(file)


def _mapped(start: int, size: int, image: bytes) -> bool:
    """Map an image at ``start``, to be run and not to be written."""
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    if not _map(start, size, READ | WRITE, private, -1):
        return False
    ctypes.memmove(start, image, len(image))
    if _system().mprotect(c_void_p(start), c_size_t(size), READ | EXECUTE) == 0:
        return True
    _system().munmap(c_void_p(start), c_size_t(size))
    with suppress(OSError):
        return _mapped_from_file(start, size, image)
    return False


def _mapped_from_file(start: int, size: int, image: bytes) -> bool:
    file = os.memfd_create("adalloc")
    try:
        os.write(file, image.ljust(size, b"\0"))
        return _map(start, size, READ | EXECUTE, mmap.MAP_PRIVATE, file)
    finally:
        os.close(file)


def _map(start: int, size: int, rights: int, flags: int, file: int) -> bool:
    found = _system().mmap(c_void_p(start), c_size_t(size), rights, flags | FIXED_NOREPLACE, file, c_long(0))
    if found == start:
        return True
    if found not in (None, 2**64 - 1):  # a kernel before 4.17 takes the address for a wish
        _system().munmap(c_void_p(found), c_size_t(size))
    return False


def _gaps(size: int) -> Iterator[int]:
    """Where so many bytes are free, with a page left alone on either side: both ends of every gap."""
    end = LOWEST
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            low, high = (int(edge, 16) for edge in line.split(None, 1)[0].split("-"))
            if low - end >= size + 2 * PAGE:
                yield end + PAGE
                yield (low - size - PAGE) & -PAGE
            end = max(end, high)


@functools.cache
def _system() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = c_void_p
    library.mmap.argtypes = [c_void_p, c_size_t, c_int, c_int, c_int, c_long]
    return library
