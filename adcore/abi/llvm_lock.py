"""One thread at a time in LLVM, across a fork as well.

LLVM's switches belong to the process: a compile sets some, runs, and sets them back. A compile or a link in another
thread meanwhile would run with them, or set them back too early; so whoever compiles or links holds `LOCK`.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

LOCK = threading.RLock()

_held_for_fork: list[Any] = []


def _before_fork() -> None:
    """Wait until no thread is inside LLVM: its state, and llvmlite's lock, would be copied half-way into the child."""
    ffi = sys.modules.get("llvmlite.binding.ffi")
    theirs = getattr(getattr(getattr(ffi, "lib", None), "_lock", None), "_lock", None)
    locks = [LOCK] if theirs is None else [LOCK, theirs]
    for lock in locks:
        lock.acquire()
    _held_for_fork.extend(locks)


def _after_fork() -> None:
    while _held_for_fork:
        _held_for_fork.pop().release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
