"""The alias guard: which arguments of a call share memory, from the actual buffers.

Code compiled for disjoint arguments runs only when this module found them disjoint; arguments that overlap get a
version compiled for just those groups. So nobody promises `restrict`, and no wrong promise can give a wrong gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adcore.runtime.leaves import Array, LeafValue, arrays

EFFORT = 1000
"""Bound on the search for a common element of two interleaved arrays; beyond it they count as overlapping."""


def alias_groups(values: Sequence[LeafValue]) -> tuple[tuple[int, ...], ...]:
    """Groups of leaf numbers whose buffers share memory; a group of one leaf overlaps itself.

    Every pair is compared only where a sweep over the sorted address ranges finds a meeting: n log n for n arrays.
    """
    ranges = (
        sorted((*extent(a), k, a) for k, value in enumerate(values) for a in arrays(value) if a.size) if values else []
    )
    parent = list(range(len(values)))
    met: set[int] = set()
    for position, (_, end, leaf, array) in enumerate(ranges):
        if overlaps_itself(array):
            met.add(leaf)
        for low, _, other, candidate in ranges[position + 1 :]:
            if low >= end:
                break
            if share_memory(array, candidate):
                met |= {leaf, other}
                parent[_root(parent, leaf)] = _root(parent, other)
    groups: dict[int, list[int]] = {}
    for leaf in sorted(met):
        groups.setdefault(_root(parent, leaf), []).append(leaf)
    return tuple(sorted(tuple(group) for group in groups.values()))


def _root(parent: list[int], k: int) -> int:
    while parent[k] != k:
        k = parent[k]
    return k


def extent(array: Array) -> tuple[int, int]:
    """First address and the address behind the last byte of an array that is not empty."""
    low = high = array.__array_interface__["data"][0]
    for n, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (n - 1) * stride
        else:
            high += (n - 1) * stride
    return low, high + array.itemsize


def share_memory(a: Array, b: Array) -> bool:
    """Whether two arrays have an element in common (True also where that is too hard to tell)."""
    if not a.size or not b.size:
        return False
    try:
        # NumPy's stubs know only two of the bounds that it accepts.
        return bool(np.shares_memory(a, b, max_work=EFFORT))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def overlaps_itself(array: Array) -> bool:
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
