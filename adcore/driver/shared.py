"""What threads share: one compile at a time, and tables that forget their oldest entries."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

COMPILING = threading.RLock()
"""Held while something is compiled, so that what two threads ask for is compiled once. A look at what is there already
needs no lock: nobody waits for the compile of another function."""

# A thread that compiles isn't in the child of a fork, where nobody would release its lock.
os.register_at_fork(after_in_child=COMPILING._at_fork_reinit)  # type: ignore[attr-defined]

_tables = threading.Lock()
os.register_at_fork(after_in_child=_tables._at_fork_reinit)  # type: ignore[attr-defined]


def keep(table: dict[K, V], key: K, value: V, most: int) -> V:
    """Put `value` under `key`, and forget the oldest entries beyond `most`."""
    with _tables:
        while len(table) >= most and key not in table:
            table.pop(next(iter(table)))
        table[key] = value
    return value


__all__ = ["COMPILING", "keep"]
