"""Whether two instructions of a function are guarded by the same ``try`` and ``with`` statements.

From Python 3.11 on a code object has a table of guarded ranges; before, an instruction of its own takes a guard away,
and until then the guard holds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import CodeType

Guard = tuple[int, int, int]  # first and last offset in bytes, the end excluded, and that of the handler


def protected_alike(code: CodeType, before: int, now: int) -> bool:
    """Whether an exception at ``now`` finds all handlers that it would have found at ``before``."""
    guards = _guards(code)
    return _handlers(guards, before) <= _handlers(guards, now)


def _handlers(guards: tuple[Guard, ...], at: int) -> set[int]:
    """The handlers around an instruction: its own, and those around that handler."""
    found: set[int] = set()
    handler = next((target for start, end, target in guards if start <= at < end), None)
    while handler is not None and handler not in found:
        found.add(handler)
        handler = next((target for start, end, target in guards if start <= handler < end), None)
    return found


@functools.lru_cache(maxsize=256)
def _guards(code: CodeType) -> tuple[Guard, ...]:
    return tuple(_parsed(getattr(code, "co_exceptiontable", b"")))


def _parsed(table: bytes) -> Iterator[Guard]:
    """Entries of start, length, handler, and depth: numbers of six bits a byte, the highest first, in units of two
    bytes (see Objects/exception_handling_notes.txt in CPython).
    """
    numbers: list[int] = []
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            numbers.append(value)
            value = 0
    for start, length, handler in zip(numbers[::4], numbers[1::4], numbers[2::4], strict=True):
        yield 2 * start, 2 * (start + length), 2 * handler
