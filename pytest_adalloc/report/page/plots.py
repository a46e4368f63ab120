"""Plots as inline SVG and bars: each with a sentence that says what it shows, and only where something varies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape
from statistics import median
from typing import Any

from pytest_adalloc.report.findings import many
from pytest_adalloc.report.page.error_plots import error_maps, step_curve
from pytest_adalloc.report.page.flame import flame_graph
from pytest_adalloc.report.page.history import over_commits
from pytest_adalloc.report.reporting import Finding

WIDTH, HEIGHT, LEFT, BOTTOM = 340, 130, 34, 18
MOST_BARS = 8


def plots(found: Finding) -> str:
    """All plots that a check gives rise to."""
    made = [
        error_maps(found), step_curve(found), allocations_by_call(found), bytes_by_line(found), kept_by_line(found),
        over_commits(found), flame_graph(found),
    ]  # fmt: skip
    made = [plot for plot in made if plot]
    return f'<div class="plots">{"".join(made)}</div>' if made else ""


def allocations_by_call(found: Finding) -> str:
    """A bar for each call; those that differ from most are of another colour."""
    counts: Sequence[int] = found.get("allocs_by_call") or []
    if len(set(counts)) < 2:  # the same in every call: the words say it
        return ""
    top, usual = max(counts), median(counts)
    width = (WIDTH - LEFT) / len(counts)
    bars = []
    for k, count in enumerate(counts):
        height = (HEIGHT - BOTTOM - 8) * count / top
        colour = "var(--p1)" if count == usual else "var(--p2)"
        x, y = LEFT + k * width, HEIGHT - BOTTOM - height
        bars.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width - 0.6, 0.6):.1f}" height="{height:.1f}" '
                    f'fill="{colour}"/>')  # fmt: skip
    axis = HEIGHT - BOTTOM
    frame = (
        f'<line x1="{LEFT}" y1="{axis}" x2="{WIDTH}" y2="{axis}" stroke="var(--edge)"/>'
        f'<text x="{LEFT - 4}" y="14" text-anchor="end">{top}</text><text x="{LEFT - 4}" y="{axis}" '
        f'text-anchor="end">0</text><text x="{LEFT}" y="{HEIGHT - 3}">call 1</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 3}" text-anchor="end">{len(counts)}</text>'
    )
    odd = sum(count != usual for count in counts)
    said = f"{many(sum(counts), 'allocation')} in {many(len(counts), 'call')}, {found['pattern']}"
    said += f"; {many(odd, 'call')} differ from the usual {usual:g}" if odd else ""
    return _figure("Allocations by call", f'<g font-size="11" fill="var(--muted)">{frame}</g>{"".join(bars)}', said)


def bytes_by_line(found: Finding) -> str:
    """Who allocates: the user's lines, and what was called there."""
    totals: dict[str, int] = defaultdict(int)
    for site in found["sites"]:
        place = f"{site['file'].rpartition('/')[2]}:{site['line']}" if site["file"] else site["library"] or "unknown"
        by = f" by {site['symbol']}" if site["symbol"] else ""
        totals[f"{place}, {site['function']}{by}"] += site["bytes"]
    return _bars("Bytes asked for, by line", totals, "bytes in all counted calls", "var(--p2)")


def kept_by_line(found: Finding) -> str:
    """What is kept between the sweeps, by value."""
    totals: dict[str, int] = defaultdict(int)
    for kept in found["stored"]:
        if kept["bytes"].isdigit() and int(kept["bytes"]):
            formula = f" = {kept['formula']}" if kept["formula"] and kept["formula"] != kept["bytes"] else ""
            totals[f"{kept['value']}, line {kept['line']}{formula}"] += int(kept["bytes"])
    return _bars("Kept between the sweeps, by value", totals, "bytes", "var(--kept)")


def _bars(title: str, totals: dict[str, int], unit: str, colour: str) -> str:
    if not totals:
        return ""
    some = sorted(totals.items(), key=lambda pair: -pair[1])
    top, rest = some[0][1] or 1, sum(size for _, size in some[MOST_BARS:])
    rows = [*some[:MOST_BARS], *([(f"{len(some) - MOST_BARS} more", rest)] if rest else [])]
    body = "".join(
        f"<div><span>{escape(name)}</span><span>{size:,}</span>"
        f'<i style="width:{100 * min(size / top, 1):.1f}%;background:{colour}"></i></div>'
        for name, size in rows
    )
    said = f"{sum(totals.values()):,} {unit}; the largest is {some[0][0]}"
    return (
        f'<figure><h4>{title}</h4><div class="hbars small">{body}</div><figcaption>{escape(said)}</figcaption></figure>'
    )


def _figure(title: str, drawing: str, said: str) -> str:
    label: Any = escape(f"{title}: {said}", quote=True)
    return (
        f'<figure><h4>{title}</h4><svg class="p" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{drawing}</svg><figcaption>{escape(said)}</figcaption></figure>"
    )
