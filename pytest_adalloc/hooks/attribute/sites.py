"""Who allocated: from return addresses to library, function and, for generated code, the user's line."""

from __future__ import annotations

import bisect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from pytest_adalloc.hooks.attribute.lines import Gains, Line
from pytest_adalloc.hooks.entries import NAMES
from pytest_adalloc.hooks.install import symbols
from pytest_adalloc.hooks.install.counters import RawSite
from pytest_adalloc.hooks.reports import Site, StackFrame

# Start and end address, function, file, line, and optionally the phase (such as "reverse sweep") of a piece of
# generated code.
CodeRange = tuple[int, int, str, str, int] | tuple[int, int, str, str, int, str]


def attribute(
    raw: Iterable[RawSite],
    table: Sequence[CodeRange] | None = None,
    lines: Mapping[int, Gains] | None = None,
) -> tuple[Site, ...]:
    """Sites with names, the most frequent first; places that resolve to the same name are one site.

    ``table`` names generated code by address. ``lines`` has, by the key of a site, what it counted under which lines of
    Python in one call; a site that several lines led to is told apart by line.
    """
    named = AddressTable((*(table or ()), *kernel_rows()))
    merged: dict[tuple[str, str, str, str, int, str, bool], Site] = {}
    for item, line in by_line(raw, lines or {}):
        site = _site(item, named, line)
        place = (site.function, site.library, site.symbol, site.file, site.line, site.phase, site.past_slots)
        known = merged.get(place)
        merged[place] = (
            replace(known, count=known.count + site.count, bytes=known.bytes + site.bytes) if known else site
        )
    return tuple(sorted(merged.values(), key=lambda site: (-site.count, -site.bytes, site.symbol)))


def by_line(raw: Iterable[RawSite], lines: Mapping[int, Gains]) -> Iterator[tuple[RawSite, Line | None]]:
    """Each site, divided among the lines that led there as they shared it in the call that was traced."""
    for item in raw:
        gains = lines.get(item.key, {})
        counts = divided(item.count, [count for count, _ in gains.values()])
        sizes = divided(item.bytes, [size for _, size in gains.values()])
        if not gains:
            yield item, None
        for line, count, size in zip(gains, counts, sizes, strict=True):
            if count:
                yield replace(item, count=count, bytes=size), line


def divided(total: int, shares: Sequence[int]) -> list[int]:
    """A total as whole numbers in proportion to the shares; what remains goes to the largest remainders."""
    whole = sum(shares)
    parts = [total * share // whole if whole else 0 for share in shares]
    rest = sorted(range(len(shares)), key=lambda k: -(total * shares[k] % whole if whole else 0))
    for k in rest[: total - sum(parts)]:
        parts[k] += 1
    return parts


NOT_ATTRIBUTED = "places that found the table of sites full"


def _site(item: RawSite, named: AddressTable, line: Line | None) -> Site:
    if not item.caller:
        return Site(NAMES[item.entry], NOT_ATTRIBUTED, "", "", 0, item.count, item.bytes)
    stack = tuple(named.frame(address) for address in item.frames)
    # Generated code is what the user can change, so it is named before the library that it called.
    own = next((frame for frame in stack if frame.file), None)
    responsible = own or _frame_to_name(stack, named.frame(item.responsible))
    library = responsible.library or "generated code"
    symbol = responsible.symbol or (f"+{responsible.offset:#x}" if responsible.library else "")
    place, phase = (responsible.file, responsible.line), responsible.phase
    if line and not responsible.file:
        place, phase = (line.file, line.number), phase or line.phase
        # The outermost frame that matters to the user; no address, because Python has none.
        stack = (*stack, StackFrame(0, "", line.function, 0, *place))
    return Site(NAMES[item.entry], library, symbol, *place, item.count, item.bytes, phase, stack, item.past_slots)


def _frame_to_name(stack: tuple[StackFrame, ...], responsible: StackFrame) -> StackFrame:
    """The frame to name: below libffi it is the function that libffi was asked to call."""
    callee = next((inner for inner, outer in pairwise(stack) if outer.address == responsible.address), responsible)
    return callee if responsible.library.startswith("libffi") else responsible


def kernel_rows() -> list[CodeRange]:
    """The code that our compiler has loaded."""
    compiler = sys.modules.get("adcore.driver.inspection")
    rows: list[CodeRange] = compiler.address_table() if compiler is not None else []
    return rows


class AddressTable:
    """Looks a return address up in the caller's table of generated code, then in the loader's symbols."""

    def __init__(self, rows: Sequence[CodeRange]) -> None:
        self._rows = sorted(rows, key=lambda row: row[0])
        self._starts = [row[0] for row in self._rows]

    def frame(self, address: int) -> StackFrame:
        """Name one return address; it lies one past its call, which may end the function."""
        position = bisect.bisect_right(self._starts, address - 1) - 1
        if position >= 0 and address - 1 < self._rows[position][1]:
            start, _, symbol, file, line, *phase = self._rows[position]
            return StackFrame(address, "generated code", symbol, address - start, file, line, phase[0] if phase else "")
        return symbols.named(address)
