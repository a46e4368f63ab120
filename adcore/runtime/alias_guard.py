"""The alias guard: which arguments of a call share memory, from the actual buffers.

Code compiled for disjoint arguments runs only when this module found them disjoint; arguments that overlap get a
version compiled for just those groups. So nobody promises `restrict`, and no wrong promise can give a wrong gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from adcore.runtime.values.leaves import LeafValue, NDArray, arrays

Groups = tuple[tuple[int, ...], ...]
"""Alias classes: the numbers of leaves (of parameters, for the compiler) whose memory overlaps."""

ALIGNMENT = 64

EFFORT = 1000
"""Bound on the search for a common element of two interleaved arrays; beyond it they count as overlapping."""


def alias_groups(values: Sequence[LeafValue]) -> Groups:
    """Groups of leaf numbers whose buffers share memory; a group of one leaf overlaps itself, and so does a leaf that
    stands twice in a group of several.

    Every pair is compared only where a sweep over the sorted address ranges finds a meeting: n log n for n arrays.
    """
    ranges = [(*extent(a), k, a) for k, value in enumerate(values) for a in arrays(value) if a.size]
    ranges.sort(key=lambda entry: entry[:2])
    parent = list(range(len(values)))
    met: set[int] = set()
    folded: set[int] = set()
    for position, (_, end, leaf, array) in enumerate(ranges):
        if overlaps_itself(array):
            folded.add(leaf)
        for low, _, other, candidate in ranges[position + 1 :]:
            if low >= end:
                break
            if share_memory(array, candidate):
                met |= {leaf, other}
                parent[_root(parent, leaf)] = _root(parent, other)
    groups: dict[int, list[int]] = {}
    for leaf in sorted(met | folded):
        times = 2 if leaf in met & folded else 1
        groups.setdefault(_root(parent, leaf), []).extend([leaf] * times)
    return tuple(sorted(tuple(group) for group in groups.values()))


def _root(parent: list[int], k: int) -> int:
    while parent[k] != k:
        k = parent[k]
    return k


def extent(array: NDArray) -> tuple[int, int]:
    """First address and the address behind the last byte of an array that is not empty."""
    low = high = array.__array_interface__["data"][0]
    for n, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (n - 1) * stride
        else:
            high += (n - 1) * stride
    return low, high + array.itemsize


def share_memory(a: NDArray, b: NDArray) -> bool:
    """Whether two arrays have an element in common (True also where that is too hard to tell)."""
    if not a.size or not b.size:
        return False
    try:
        # NumPy's stubs know only two of the bounds that it accepts.
        return bool(np.shares_memory(a, b, max_work=EFFORT))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def overlaps_itself(array: NDArray) -> bool:
    """Whether two subscripts may reach one element: zero strides, or rows that run into each other."""
    if array.flags.c_contiguous or array.size < 2:
        return False
    reach = array.itemsize
    axes = sorted((abs(stride), n) for stride, n in zip(array.strides, array.shape, strict=True) if n > 1)
    for stride, n in axes:
        if stride < reach:
            return True
        reach += stride * (n - 1)
    return False


def detach(values: Sequence[LeafValue], chosen: frozenset[int], groups: Groups) -> list[LeafValue]:
    """`values` with the chosen leaves copied. Leaves that share memory share their copies in the same way."""
    return _replaced(values, chosen, groups, lambda array: array.copy(), zero=False)


def mirror(values: Sequence[LeafValue], chosen: frozenset[int], groups: Groups) -> list[LeafValue | None]:
    """Zero shadows for the chosen leaves (None for others), laid out in memory as the leaves of one group are."""
    made = _replaced(values, chosen, groups, lambda array: np.zeros(array.shape, array.dtype), zero=True)
    return [value if k in chosen else None for k, value in enumerate(made)]


def _replaced(
    values: Sequence[LeafValue], chosen: frozenset[int], groups: Groups, alone: Callable[[NDArray], NDArray], zero: bool
) -> list[LeafValue]:
    replaced = list(values)
    for group in groups:
        if chosen & set(group):
            members = [(k, j, a) for k in group for j, a in enumerate(arrays(values[k]))]
            fresh = iter(_together([a for _, _, a in members], zero))
            for k in group:
                copies = tuple(next(fresh) for _ in arrays(values[k]))
                replaced[k] = copies if isinstance(values[k], tuple) else copies[0]
    grouped = {k for group in groups for k in group}
    for k in chosen - grouped:
        value = values[k]
        if isinstance(value, tuple):
            replaced[k] = tuple(alone(a) for a in value)
        elif isinstance(value, np.ndarray):
            replaced[k] = alone(value)
    return replaced


def _together(members: Sequence[NDArray], zero: bool) -> list[NDArray]:
    """Arrays of the same shapes and strides over fresh memory, at the same distances from each other.

    Members that are far apart each get their own stretch: a group is what touches, not what lies between.
    """
    made: dict[int, NDArray] = {}
    stretches: list[tuple[int, int, list[int]]] = []
    for k in sorted((k for k, a in enumerate(members) if a.size), key=lambda k: extent(members[k])):
        low, high = extent(members[k])
        if stretches and low < stretches[-1][1]:
            start, end, inside = stretches[-1]
            stretches[-1] = (start, max(end, high), [*inside, k])
        else:
            stretches.append((low, high, [k]))
    for low, high, inside in stretches:
        memory = np.zeros(high - low + ALIGNMENT, np.uint8)
        # Elements keep their alignment: the copy starts at the same remainder as the original.
        shift = (low - memory.__array_interface__["data"][0]) % ALIGNMENT
        for k in inside:
            array = members[k]
            offset = shift + array.__array_interface__["data"][0] - low
            made[k] = np.ndarray(array.shape, array.dtype, memory.data, offset, array.strides)
            if not zero:
                np.copyto(made[k], array)
    return [made[k] if k in made else a.copy() for k, a in enumerate(members)]
