"""Object code of a kernel with all that its callers must know: made by a compile, or read from the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from adcore.abi.certificate import Certificate
from adcore.abi.faults import Fault
from adcore.abi.frame import FrameLayout
from adcore.abi.messages import MessageSite
from adcore.runtime import allocator
from adcore.runtime.loading import linker
from adcore.runtime.loading.linker import Loaded
from adcore.source import Span

AddressRow = tuple[int, int, str, str, int, str]
"""First address and end, function, file, line and phase of a piece of code."""


class CodePlace(NamedTuple):
    """Code that observers tell apart: its size, the user's line, the phase that it belongs to. It begins `offset`
    bytes after `symbol`, which others can see."""

    symbol: str
    size: int
    span: Span | None
    phase: str
    offset: int = 0


@dataclass(frozen=True, eq=False)
class NativeCode:
    """The object of one specialisation.

    `written` are the parameters that it writes into, `places` the entry with its pieces and what calls malloc.
    `allocates`: it reaches the allocator. `natives` are addresses of functions outside that the user's rules call.
    """

    object_code: bytes = field(repr=False)
    entry: str
    layout: FrameLayout
    faults: tuple[Fault, ...]
    written: frozenset[int]
    places: tuple[CodePlace, ...]
    allocates: bool
    certificate: Certificate
    natives: tuple[tuple[str, int], ...] = ()
    messages: tuple[MessageSite, ...] = ()

    def load(self, replaced: Mapping[str, int] | None = None) -> Loaded:
        """The code in memory once more; what it imports is at the addresses in `replaced`, or at the usual ones."""
        imports = {**(allocator.entries() if self.allocates else {}), **dict(self.natives), **(replaced or {})}
        return linker.load(self.object_code, list(dict.fromkeys(place.symbol for place in self.places)), imports)

    def rows(self, code: Loaded, name: str) -> list[AddressRow]:
        """What an observer has to know about a loaded copy of function `name`."""
        return [
            (start, start + place.size, name, place.span.file, place.span.line, place.phase)
            for place in self.places
            if place.span is not None
            for start in [code[place.symbol] + place.offset]
        ]


__all__ = ["AddressRow", "CodePlace", "NativeCode"]
