"""Reports: patterns by definition, text for people, and no truth value."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_adalloc.hooks import AllocationReport, DomainCount, Site, StackFrame, Witness
from pytest_adalloc.hooks.reports import pattern


@pytest.mark.parametrize(
    ("counts", "sizes", "expected"),
    [
        ((), (), "none"),
        ((0, 0), (0, 0), "none"),
        ((3,), (9,), "every call"),
        ((3, 0), (9, 0), "first call"),
        ((2, 2, 2), (5, 5, 5), "every call"),
        ((1, 1, 1), (8, 16, 24), "growing"),
        ((1, 1, 2, 3), (1, 1, 2, 3), "growing"),
        ((0, 1), (0, 1), "irregular"),
        ((0, 0, 1, 1), (0, 0, 1, 1), "irregular"),
        ((1, 2, 1), (1, 2, 1), "irregular"),
    ],
)
def test_patterns(counts: tuple[int, ...], sizes: tuple[int, ...], expected: str) -> None:
    assert pattern(counts, sizes) == expected


@given(st.lists(st.integers(0, 3), max_size=8))
def test_none_means_none(counts: list[int]) -> None:
    assert (pattern(counts, counts) == "none") == (sum(counts) == 0)


def test_reports_are_frozen_and_no_booleans() -> None:
    report = AllocationReport((0,), (0,))
    with pytest.raises(TypeError, match="no boolean"):
        bool(report)
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.status = 1  # type: ignore[misc]


def test_everything_is_in_the_text() -> None:
    sites = tuple(Site("malloc", f"lib{i}.so", "f", "", 0, 10 - i, 64, "reverse sweep") for i in range(7))
    report = AllocationReport(
        (1, 1),
        (32, 32),
        {"malloc": 2},
        {"calloc": 4},
        sites=sites,
        python={"obj": DomainCount(5, 80, 5), "mem": DomainCount(0, 0, 0)},
        witnesses=(Witness("hardware breakpoints", "unavailable", "refused"),),
        blind_spots=("raw system calls",),
        interpreter={"malloc": 9},
        status=3,
    )
    text = str(report)
    assert (
        text.splitlines()[0] == "2 native allocations, 64 bytes in 2 calls, in every call (native loop, thread scope)"
    )
    for part in (
        "malloc x 10, 64 bytes: f in lib0.so, reverse sweep",
        "and 2 more sites",
        "other threads: calloc x 4",
        "interpreter's own: malloc x 9",
        "Python's obj: 5 calls, 80 bytes",
        "call 2 returned status 3",
        "hardware breakpoints: unavailable (refused)",
        "not watched: raw system calls",
    ):
        assert part in text
    assert "Python's mem" not in text


def test_a_count_that_is_in_no_call_is_told() -> None:
    assert "outside of the calls: 3 allocations" in str(AllocationReport((0, 1), (0, 8), {"malloc": 3, "calloc": 1}))
    assert "outside" not in str(AllocationReport((3, 1), (0, 8), {"malloc": 3, "calloc": 1}))


def test_unseen_calls_and_disagreement() -> None:
    calm = AllocationReport((0,), (0,), witnesses=(Witness("a", "agrees"),))
    assert (calm.unseen, calm.disagreement) == ({}, "")
    wrong = AllocationReport((0,), (0,), witnesses=(Witness("b", "disagrees", "saw more", {"malloc": 3}),))
    assert (wrong.unseen, wrong.disagreement) == ({"malloc": 3}, "b: disagrees (saw more)")


def test_frames_as_text() -> None:
    assert str(StackFrame(16, "liba.so", "f", 4)) == "f (liba.so)"
    assert str(StackFrame(16, "liba.so", "", 4)) == "liba.so+0x4"
    assert str(StackFrame(16, "", "f", 4, "user.py", 3)) == "f (user.py:3)"
