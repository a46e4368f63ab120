"""What an observer of allocations has to know about kernels: which code is whose, and how it reaches the allocator.

An observer finds this module in `sys.modules`; where it is absent, nothing was compiled.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from adcore.runtime import allocator
from adcore.runtime.loading.linker import Loaded
from adcore.runtime.loading.native_code import AddressRow

_code: weakref.WeakKeyDictionary[Loaded, Sequence[AddressRow]] = weakref.WeakKeyDictionary()


def note(code: Loaded, rows: Sequence[AddressRow]) -> None:
    """Rows for the entry of loaded code and for what calls malloc in it; they stay known as long as the code."""
    _code[code] = rows


def rows_of(code: Loaded) -> Sequence[AddressRow]:
    """The rows of one loaded copy."""
    return _code.get(code, ())


def address_table() -> list[AddressRow]:
    """The rows of all code that is loaded."""
    return [row for rows in list(_code.values()) for row in rows]


def allocator_words() -> dict[str, int]:
    """By name, the words that hold where kernels jump to for memory. Whoever rewrites one goes on to what it held."""
    return allocator.words()


__all__ = ["AddressRow", "address_table", "allocator_words", "note", "rows_of"]
