"""Whose allocation it is: address ranges of the interpreter, and of libraries that allocate on behalf of their caller.

The interpreter is the object that holds Python's C API and the standard library's extension modules; libffi is none of
it, because what ctypes calls through it is someone else's function. A call that comes out of libc, libstdc++ or
whatever else implements malloc belongs to the first frame beyond them.
"""

from __future__ import annotations

import _ctypes
import ctypes
import functools
import os
from collections.abc import Iterable

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.install.loaded_objects import LoadedObject, is_loader

THROUGH_NAMES = (
    "libc.",
    "libc-",
    "libm.",
    "libmvec.",
    "libpthread.",
    "libdl.",
    "librt.",
    "libstdc++.",
    "libgcc_s.",
    "libc++",
)


def write_ranges(words: memoryview, objects: Iterable[LoadedObject], allocator: int) -> bool:
    """Tell the hooks who is who; ``allocator`` is the address of malloc. False when a table was too small."""
    known = tuple(objects)
    own = [owner.span() for owner in known if is_interpreter(owner)]
    through = [owner.span() for owner in known if is_through(owner, allocator) and not is_interpreter(owner)]
    fits = [
        _write(words, layout.INTERPRETER_RANGES, layout.RANGES, own, layout.INTERPRETER_CAPACITY),
        _write(words, layout.THROUGH_RANGES, layout.THROUGH, through, layout.THROUGH_CAPACITY),
    ]
    return all(fits)


def is_interpreter(owner: LoadedObject) -> bool:
    """Whether this object is Python itself or part of its standard library."""
    low, high = owner.span()
    if low <= _api_address() < high:
        return True
    return bool(owner.name) and _resolved(os.path.dirname(owner.name)) in _extension_directories()


def is_through(owner: LoadedObject, allocator: int) -> bool:
    """Whether this object allocates for its callers: C and C++ run times, the loader, a replaced malloc."""
    low, high = owner.span()
    return low <= allocator < high or is_loader(owner) or owner.file_name.startswith(THROUGH_NAMES)


def _write(words: memoryview, count_at: int, start: int, ranges: list[tuple[int, int]], capacity: int) -> bool:
    words[count_at] = 0
    flat = [edge for pair in ranges[:capacity] for edge in pair]
    for offset, edge in enumerate(flat):
        words[start + offset] = edge
    words[count_at] = len(flat) // 2
    return len(ranges) <= capacity


@functools.cache
def _api_address() -> int:
    return ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value or 0


@functools.lru_cache(maxsize=1024)
def _resolved(directory: str) -> str:
    return os.path.realpath(directory)


@functools.cache
def _extension_directories() -> frozenset[str]:
    """Where the standard library's extension modules lie: where ctypes' own is, and beside the library itself."""
    # Not from sysconfig, which loads a description of the whole build.
    places = [os.path.join(os.path.dirname(os.__file__), "lib-dynload")]
    own = getattr(_ctypes, "__file__", None)  # none where it is built into the interpreter
    places += [os.path.dirname(own)] if own else []
    return frozenset(map(os.path.realpath, places))
