"""Python's own allocators as columns: exact, silent outside windows, and out of the way afterwards."""

from __future__ import annotations

import ctypes
import sys
import tracemalloc

import numpy as np

from pytest_adalloc.hooks import measure, record


def allocators() -> list[tuple[int | None, ...]]:
    found = []
    for domain in range(3):
        raw = (ctypes.c_void_p * 5)()
        ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(raw))
        found.append(tuple(raw))
    return found


def test_allocators_are_put_back() -> None:
    before = allocators()
    handler = np._core.multiarray.get_handler_name() if hasattr(np, "_core") else None
    with record():
        assert allocators() != before
    assert allocators() == before
    if handler is not None:
        assert np._core.multiarray.get_handler_name() == handler


def test_objects_and_large_objects() -> None:
    report = measure(object, calls=20)
    assert report.python["obj"].calls == 20
    assert report.python["obj"].frees == 20
    assert report.python["obj"].bytes == 20 * sys.getsizeof(object())
    large = measure(lambda: bytes(10_000), calls=20)
    assert large.python["obj"].calls == large.python["raw"].calls == 20


def test_numpy_data_behind_its_small_block_cache() -> None:
    x = np.arange(4.0)
    report = measure(lambda: x + x, calls=20)
    assert report.pattern == "none", "NumPy keeps small blocks, so libc is not asked"
    assert report.python["numpy"].calls == 20


def test_arrays_outlive_the_window_that_made_them() -> None:
    kept = []
    measure(lambda: kept.append(np.ones(3000)), calls=10)
    assert sum(array.sum() for array in kept) == 3000 * len(kept)
    kept.clear()


def test_nested_windows_share_the_shims() -> None:
    with record() as outer:
        inner = measure(object, calls=7, warmup=0, witness=False)
    assert inner.python["obj"].calls == 7
    assert outer.python["obj"].calls >= 7


def test_an_allocator_put_on_top_and_taken_away() -> None:
    for _ in range(2):
        tracemalloc.start()
        assert measure(object, calls=5).python["obj"].calls >= 5
        with record():
            tracemalloc.stop()
        assert measure(object, calls=5).python["obj"].calls == 5
        with record():
            tracemalloc.start()
        assert measure(object, calls=5).python["obj"].calls >= 5
        tracemalloc.stop()
        assert measure(object, calls=5).python["obj"].calls == 5
