"""Who allocates, as a flame graph: the user's line above the code above the allocator, by bytes or by number."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any
from zlib import crc32

from pytest_adalloc.report.page.pieces import figure, numbers
from pytest_adalloc.report.reporting import Finding

COLOURS = ("p1", "p2", "p3", "kept")
HIGH = 26


def flame_graph(found: Finding) -> str:
    """Empty where one box would say what the words say."""
    sites = [site for site in found["sites"] if site["count"]]
    if len(sites) < 2:
        return ""
    rows = [(_line(s), _code(s), s["function"], s["phase"] or "", f"{s['count']:,}", f"{s['bytes']:,}") for s in sites]
    data = numbers("Who allocates", ("Line", "Code", "Function", "Phase", "Allocations", "Bytes"), rows)
    largest = max(sites, key=lambda site: site["bytes"])
    said = (
        f"Width is the share. Most bytes: {_line(largest)}, {_code(largest)}, {largest['bytes']:,} bytes in all calls."
    )
    said += f" {found['more_sites']} more places are not drawn." if found["more_sites"] else ""
    by_number = _icicle(sites, "count")
    if not any(site["bytes"] for site in sites):
        return figure("Who allocates", by_number, said, data, wide=True)
    name = f"share-{crc32(found['test'].encode()):x}"
    choice = (
        f'<div class="seg" role="radiogroup" aria-label="Width of a box"><label><input type="radio" name="{name}" '
        f'value="bytes" checked>Bytes</label><label><input type="radio" name="{name}" value="n">Number</label></div>'
    )
    both = f'{choice}<div class="by-b">{_icicle(sites, "bytes")}</div><div class="by-n">{by_number}</div>'
    return figure("Who allocates", both, said, data, wide=True)


def _icicle(sites: list[Finding], measure: str) -> str:
    levels: list[Callable[[Finding], str]] = [_line, _code, lambda site: str(site["function"])]
    ordered = sorted(sites, key=lambda site: [level(site) for level in levels])
    total, lines = sum(site[measure] for site in sites), list(dict.fromkeys(map(_line, ordered)))
    parts = []
    for depth in range(len(levels)):
        at, boxes = 0, list[list[Any]]()
        for site in ordered:
            key = tuple(level(site) for level in levels[: depth + 1])
            if boxes and boxes[-1][0] == key:
                boxes[-1][2] += site[measure]
            else:
                boxes.append([key, at, site[measure]])
            at += site[measure]
        for key, start, size in boxes:
            colour = COLOURS[lines.index(key[0]) % len(COLOURS)]
            parts.append(_box(key[-1], start / total, size, size / total, depth, colour))
    unit = "bytes" if measure == "bytes" else "number of allocations"
    share = ", ".join(f"{_line(site)} {site[measure] / total:.0%}" for site in sites[:5])
    label = escape(f"Flame graph of who allocates by {unit}: {share}", quote=True)
    return f'<svg class="f" height="{len(levels) * HIGH}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _box(text: str, start: float, size: int, share: float, depth: int, colour: str) -> str:
    place = f'x="{start:.2%}" y="{depth * HIGH}" width="{share:.2%}" height="{HIGH - 2}"'
    return (
        f'<rect {place} fill="var(--{colour})" fill-opacity=".28" stroke="var(--surface)">'
        f"<title>{escape(text)}: {size:,}</title></rect>"
        f'<svg {place} overflow="hidden"><text x="6" y="16">{escape(text)}</text></svg>'
    )


def _line(site: Finding) -> str:
    return f"{site['file'].rpartition('/')[2]}:{site['line']}" if site["file"] else "line not known"


def _code(site: Finding) -> str:
    return " in ".join(filter(None, (site["symbol"], site["library"]))) or "code not known"
