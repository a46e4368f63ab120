"""Right functions with known gradients, by what makes them hard."""

from __future__ import annotations

from collections.abc import Iterator

from tests.soundness.catalogue import cancelling, corners, flat, recurrences, scaled, single, smooth, stiff
from tests.soundness.catalogue.family import Case, Family

ROOMS: dict[str, list[Family]] = {
    "smooth": smooth.FAMILIES,
    "stiff": stiff.FAMILIES,
    "scaled": scaled.FAMILIES,
    "cancelling": cancelling.FAMILIES,
    "flat": flat.FAMILIES,
    "single": single.FAMILIES,
    "recurrences": recurrences.FAMILIES,
    "corners": corners.FAMILIES,
}


def cases() -> Iterator[tuple[str, Case]]:
    """All cases with their names, room by room."""
    for room, families in ROOMS.items():
        for family in families:
            for number in range(len(family.points)):
                for by_hand in (True,) if family.only_by_hand else (False, True):
                    case = Case(family, number, by_hand)
                    yield f"{room}-{case.name}", case
