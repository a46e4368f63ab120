"""Planted errors are seen down to the sizes that docs/accuracy.md promises, and what is right passes beside them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.soundness.planted import KINDS, LARGEST, PLACES, SIZES, Place

LARGE = [place for place in PLACES if len(place.x) > 1000]
SMALL = [place for place in PLACES if len(place.x) <= 1000]
CLEAR = [place for place in SMALL if place.k == LARGEST or place.name == "a small one"]  # where digits are left


def exact_digits(place: Place) -> list[float]:
    """The sizes that have to be seen there."""
    least = 1e-3 if place.x.dtype == np.float32 else 1e-6 if "calls" in place.name else 1e-8
    return [size for size in SIZES if size >= least]


def test_the_kinds_are_fifteen_different_mistakes() -> None:
    for place in PLACES:
        found = {float(place.wrong(kind, 1.0, place.x)[place.k]) for kind in KINDS}
        assert len(found) >= 13  # one term is as good as none where the other is tiny
        assert float(place.right(place.x)[place.k]) not in found
    assert len(KINDS) == 15


@pytest.mark.parametrize("place", SMALL, ids=lambda place: place.name)
def test_the_right_gradient_passes(place: Place) -> None:
    assert place.report(place.right).verdict == "passed"


@pytest.mark.parametrize("place", CLEAR, ids=lambda place: place.name)
@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_seen(place: Place, kind: str) -> None:
    sizes = exact_digits(place)
    for size in (sizes[0], sizes[-1]):
        shift = abs(place.wrong(kind, size, place.x) - place.right(place.x))[place.k]
        if shift > sizes[-1] * abs(place.right(place.x)[place.k]):  # a mistake that hardly matters here is smaller
            assert place.seen(kind, size), size


@pytest.mark.slow
@pytest.mark.parametrize("place", LARGE, ids=lambda place: place.name)
@pytest.mark.parametrize("kind", KINDS)
def test_one_wrong_component_of_many_is_seen(place: Place, kind: str) -> None:
    assert place.report(place.right).verdict == "passed"
    shift = abs(place.wrong(kind, 1e-2, place.x) - place.right(place.x))[place.k]
    if shift > 1e-3 * abs(place.right(place.x)[place.k]):
        assert place.seen(kind, 1e-2)
