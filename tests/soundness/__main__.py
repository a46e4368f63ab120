"""`python -m tests.soundness`: how small an error the check sees, as the table of docs/accuracy.md.

A row for each size, a column for each place; how many of the kinds are called wrong. `--kinds` adds the smallest size
seen of each kind. In large arrays, where a check takes seconds, every third kind is planted (`--all`: all of them), and
the smallest size that is seen is searched by bisection.
"""

from __future__ import annotations

import sys
from bisect import bisect_left

from tests.soundness.planted import KINDS, PLACES, SIZES, Place

MANY = 1000


def curve(place: Place, stride: int) -> dict[str, set[float]]:
    """By kind, the sizes at which the error is seen."""
    if len(place.x) < MANY:
        return {kind: _few(place, kind) for kind in KINDS}
    return {kind: _many(place, kind) for kind in list(KINDS)[::stride]}


def _few(place: Place, kind: str) -> set[float]:
    return {size for size in SIZES if place.seen(kind, size)}


def _many(place: Place, kind: str) -> set[float]:
    seen = bisect_left(SIZES, True, key=lambda size: not place.seen(kind, size))
    return set(SIZES[:seen])


def main(with_kinds: bool, stride: int) -> None:
    """Print the curve, and the verdict on the right gradient above it."""
    verdicts, curves = [], []
    for place in PLACES:
        verdicts.append(place.report(place.right).verdict)
        curves.append(curve(place, stride))
        print(f"{place.name}: done", file=sys.stderr)
    _row("size", [place.name for place in PLACES])
    _row("---", ["---"] * len(PLACES))
    _row("right", verdicts)
    for size in SIZES:
        _row(f"{size:.0e}", [f"{sum(size in seen for seen in found.values())} of {len(found)}" for found in curves])
    if with_kinds:
        print()
        for kind in KINDS:
            _row(kind, [_least(found.get(kind)) for found in curves])


def _least(seen: set[float] | None) -> str:
    return "" if seen is None else f"{min(seen):.0e}" if seen else "never"


def _row(head: str, cells: list[str]) -> None:
    print("| " + " | ".join([head, *cells]) + " |")


if __name__ == "__main__":
    main("--kinds" in sys.argv[1:], 1 if "--all" in sys.argv[1:] else 3)
