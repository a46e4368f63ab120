"""The alias guard, against brute force over the addresses of all elements."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adcore.runtime.alias_guard import alias_groups, detach, mirror, overlaps_itself, share_memory

BUFFER = np.zeros(40)


def addresses(array: Any) -> list[int]:
    base = array.__array_interface__["data"][0]
    return [base + sum(i * s for i, s in zip(index, array.strides, strict=True)) for index in np.ndindex(array.shape)]


@st.composite
def views(draw: st.DrawFn) -> Any:
    rank = draw(st.integers(0, 2))
    shape = tuple(draw(st.integers(0, 4)) for _ in range(rank))
    strides = tuple(8 * draw(st.integers(-3, 3)) for _ in range(rank))
    low = sum((n - 1) * s for n, s in zip(shape, strides, strict=True) if s < 0 and n)
    start = draw(st.integers(0, 12)) * 8 - low
    return np.ndarray(shape, float, BUFFER.data, start, strides)


@settings(max_examples=300, deadline=None)
@given(st.lists(views(), min_size=1, max_size=4))
def test_groups_hold_what_shares_memory(arrays: list[Any]) -> None:
    groups = alias_groups(arrays)
    together = {k: group for group in groups for k in group}
    for k, a in enumerate(arrays):
        for j, b in enumerate(arrays[:k]):
            if set(addresses(a)) & set(addresses(b)):
                assert together[k] == together[j]
    for k, a in enumerate(arrays):
        if len(set(addresses(a))) < len(addresses(a)):
            assert overlaps_itself(a)
            assert k in together
    for group in groups:
        if len(group) > 1:
            assert all(any(share_memory(arrays[k], arrays[j]) for j in group if j != k) for k in group)


def test_interleaved_views_are_disjoint() -> None:
    x = np.zeros(10)
    assert alias_groups([x[::2], x[1::2]]) == ()
    assert alias_groups([x[:5], x[5:]]) == ()
    assert alias_groups([x[:6], x[5:]]) == ((0, 1),)


def test_a_list_with_a_repeated_array_overlaps_itself() -> None:
    x, y = np.zeros(3), np.zeros(3)
    assert alias_groups([(x, y, x), 2.0]) == ((0,),)


def test_numbers_and_empty_arrays_share_nothing() -> None:
    x = np.zeros(0)
    assert alias_groups([x, x, 1.0]) == ()


def test_groups_are_transitive() -> None:
    x = np.zeros(10)
    assert alias_groups([x[:4], x[6:], x[3:7], np.zeros(2)]) == ((0, 1, 2),)


@settings(max_examples=100, deadline=None)
@given(st.lists(views(), min_size=1, max_size=4))
def test_copies_and_shadows_share_memory_as_the_originals_do(arrays: list[Any]) -> None:
    BUFFER[:] = np.arange(40)
    groups = alias_groups(arrays)
    every = frozenset(range(len(arrays)))
    for made, expected in ((detach(arrays, every, groups), arrays), (mirror(arrays, every, groups), None)):
        for k, a in enumerate(made):
            assert a.shape == arrays[k].shape
            assert not np.shares_memory(a, BUFFER)
            assert np.array_equal(a, expected[k] if expected else np.zeros(a.shape))
            for j, b in enumerate(made[:k]):
                assert share_memory(a, b) == share_memory(arrays[k], arrays[j])
    grouped = {k for group in groups for k in group}
    copies = detach(arrays, every, groups)
    for k in grouped:
        if arrays[k].size:
            copies[k][...] = -1.0
            for j in grouped:
                touched = np.array([x in addresses(arrays[k]) for x in addresses(arrays[j])], bool)
                assert np.array_equal(copies[j].ravel() == -1.0, touched) or arrays[j].size == 0
            break


def test_equal_ranges_in_one_list() -> None:
    x = np.zeros((3, 1))
    assert alias_groups([(x, x), (x,), np.zeros(3)]) == ((0, 1),)


def test_a_leaf_that_overlaps_itself_and_another_stands_twice_in_their_group() -> None:
    memory = np.zeros(8)
    repeated = np.lib.stride_tricks.as_strided(memory, (4,), (0,))
    assert alias_groups([memory[:3], repeated, np.zeros(2)]) == ((0, 1, 1),)
    assert alias_groups([memory[3:], repeated]) == ((1,),)
