"""Which call works in which arena: each takes one from a pool, and gives it back when its results are read.

There are as many as calls were under way at once, in any threads: one thread that calls one gradient after another
works in the same pages all the time. One per thread would not do. Results lie in the arena until they are copied, and
making their copies can run other code of the same thread (a collection that ends in a `__del__`, a signal handler).

The pool is the native wrappers' own list (`adcore.runtime.wrappers`): whoever holds the GIL may change it. Where there
are no wrappers it is a Python list, whose methods are safe with and without a GIL.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.runtime import native_types
from adcore.runtime.arena import Arena

_nodes: dict[int, PooledArena] = {}
_free: list[PooledArena] = []


class PooledArena:
    """An arena with its node in the pool: next, first byte, end. It lives as long as the process."""

    def __init__(self) -> None:
        self.arena = Arena()
        self.node = np.array([0, self.arena.base, self.arena.end], np.uint64)
        self.address: int = self.node.__array_interface__["data"][0]
        _nodes[self.address] = self


class Lease:
    """A workspace for as long as this is kept."""

    _own: PooledArena | None = None

    def __init__(self) -> None:
        self._own = _take()
        self.base, self.end = self._own.arena.base, self._own.arena.end

    def release(self) -> None:
        """Give it back; more than once is harmless."""
        own, self._own = self._own, None
        if own is not None:
            _give(own)

    __del__ = release


def _take() -> PooledArena:
    if not native_types.supported():
        try:
            return _free.pop()
        except IndexError:
            return PooledArena()
    return _nodes.get(_native("take")() or 0) or PooledArena()


def _give(pooled: PooledArena) -> None:
    if native_types.supported():
        _native("give")(pooled.address)
    else:
        _free.append(pooled)


def stock() -> None:
    """See to it that the pool has had a workspace: a native call that finds none goes the general path."""
    if not _nodes:
        Lease().release()


@functools.cache
def _native(name: str) -> Callable[..., Any]:
    """The wrappers' own function. A PYFUNCTYPE keeps the GIL, so no other thread sees the list half changed."""
    arguments = (ctypes.c_void_p,) if name == "give" else ()
    return ctypes.PYFUNCTYPE(ctypes.c_void_p if name == "take" else None, *arguments)(
        native_types.wrapper_addresses()[name]
    )


__all__ = ["Lease", "stock"]
