"""What an observer of allocations has to know about kernels: which code is whose, and how it reaches the allocator.

An observer finds this module in `sys.modules`; where it is absent, nothing was compiled.
"""

from __future__ import annotations

import weakref

from adcore.driver.pipeline import ARTIFACT, LOWERED, Build
from adcore.runtime import allocator
from adcore.runtime.linker import Loaded
from adcore.source import Span

AddressRow = tuple[int, int, str, str, int, str]
"""First address and end, function, file, line and phase of a piece of code."""

_code: weakref.WeakKeyDictionary[Loaded, list[AddressRow]] = weakref.WeakKeyDictionary()


def rows_of(build: Build, name: str, span: Span | None, code: Loaded) -> list[AddressRow]:
    """Rows for the entry of loaded code and for what calls malloc in it; they stay known as long as the code."""
    if code in _code:
        return _code[code]
    lowered, sizes = build.product(LOWERED), build.product(ARTIFACT).symbols
    sweep = build.request.sweeps[-1].sweep if build.request.sweeps else "primal"
    whole = {"primal": "primal", "forward": "forward mode", "reverse": "gradient"}[sweep]
    places = {lowered.name: (span, whole)}
    for site in lowered.allocation_sites:
        places[site.symbol] = (site.span, site.phase if sweep == "reverse" else whole)
    _code[code] = [
        (code[symbol], code[symbol] + sizes[symbol], name, place.file, place.line, phase)
        for symbol, (place, phase) in places.items()
        if place is not None and symbol in sizes
    ]
    return _code[code]


def address_table() -> list[AddressRow]:
    """The rows of all code that is loaded."""
    return [row for rows in list(_code.values()) for row in rows]


def allocator_words() -> dict[str, int]:
    """By name, the words that hold where kernels jump to for memory. Whoever rewrites one goes on to what it held."""
    return allocator.words()
