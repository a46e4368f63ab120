"""Every path to memory: what the hooks count, against an LD_PRELOAD counter, and what only the second witness sees."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from pytest_adalloc.hooks import measure_native, record
from pytest_adalloc.hooks.attribute.sites import NOT_ATTRIBUTED
from pytest_adalloc.hooks.witness.breakpoints import available as breakpoints_available

C_PATHS = [
    "p_nothing",
    "p_malloc",
    "p_calloc",
    "p_realloc",
    "p_realloc_null",
    "p_posix_memalign",
    "p_aligned_alloc",
    "p_memalign",
    "p_valloc",
    "p_pvalloc",
    "p_strdup",
    "p_asprintf",
    "p_fopen",
    "p_getline",
    "p_memstream",
    "p_qsort",
    "p_regcomp",
    "p_getaddrinfo",
    "p_static_table",
    "p_large",
]
CPP_PATHS = ["c_new", "c_new_array", "c_new_nothrow", "c_new_aligned", "c_string", "c_vector", "c_throw"]
HIDDEN_PATHS = ["h_cached", "h_libc_malloc"]


@pytest.mark.parametrize("name", C_PATHS)
def test_c_paths_equal_the_reference(name: str, paths: Any, reference: Any) -> None:
    expected = reference.count(paths.path, name)
    report = measure_native(paths.address(name), 0, calls=reference.calls)
    assert {kind: count for kind, count in report.by_function.items() if kind in reference.kinds} == expected
    assert report.status == 0
    assert sum(report.allocs_per_call) == sum(expected.values())
    assert not report.disagreement


@pytest.mark.parametrize("name", CPP_PATHS)
def test_cpp_paths_equal_the_reference(name: str, cpp: Any, reference: Any) -> None:
    report = measure_native(cpp.address(name), 0, calls=reference.calls)
    assert dict(report.by_function) == reference.count(cpp.path, name)
    assert not report.disagreement


@pytest.mark.parametrize(
    ("name", "each", "size"),
    [
        ("p_malloc", {"malloc": 1}, 100),
        ("p_calloc", {"calloc": 1}, 150),
        ("p_realloc", {"malloc": 1, "realloc": 1}, 5010),
        ("p_posix_memalign", {"posix_memalign": 1}, 300),
        ("p_aligned_alloc", {"aligned_alloc": 1}, 256),
        ("p_memalign", {"memalign": 1}, 77),
        ("p_valloc", {"valloc": 1}, 100),
        ("p_pvalloc", {"pvalloc": 1}, 100),
        ("p_strdup", {"malloc": 1}, 9),
        ("p_static_table", {"malloc": 1}, 55),
        ("p_mmap", {"mmap": 1, "mremap": 1}, 8192 + 16384),
    ],
)
def test_counts_and_bytes_of_each_call(paths: Any, name: str, each: dict[str, int], size: int) -> None:
    report = measure_native(paths.address(name), 0, calls=7)
    assert report.allocs_per_call == (sum(each.values()),) * 7
    assert report.bytes_per_call == (size,) * 7
    assert dict(report.by_function) == {kind: 7 * count for kind, count in each.items()}
    assert report.frees == 7
    assert report.pattern == "every call"


@pytest.mark.usefixtures("without_entries")
@pytest.mark.parametrize("name", HIDDEN_PATHS)
def test_second_witness_sees_what_slots_cannot(paths: Any, name: str) -> None:
    works, reason = breakpoints_available()
    if not works:
        pytest.skip(reason)
    report = measure_native(paths.address(name), 0, calls=5)
    assert report.allocs_per_call == (0,) * 5
    assert report.unseen == {"malloc": 5}
    assert "a path that the hooks cannot see" in report.disagreement


@pytest.mark.usefixtures("without_entries")
def test_second_witness_sees_the_dynamic_loader(paths: Any) -> None:
    works, reason = breakpoints_available()
    if not works:
        pytest.skip(reason)
    report = measure_native(paths.address("h_loader"), 0, calls=5)
    assert report.unseen.get("malloc", 0) >= 5
    assert report.disagreement


def test_raw_system_calls_are_named_as_a_blind_spot(paths: Any) -> None:
    report = measure_native(paths.address("h_raw_mmap"), 0, calls=5)
    assert report.pattern == "none"
    assert any("raw system calls" in spot for spot in report.blind_spots)
    assert "raw system calls" in str(report)


def test_a_large_block_is_one_allocation_although_libc_maps_it(paths: Any) -> None:
    report = measure_native(paths.address("p_large"), 0, calls=3)
    assert [witness.name for witness in report.witnesses] == ["entries", "relocation slots", "hardware breakpoints"]
    assert dict(report.by_function) == {"malloc": 3}
    assert not report.disagreement


@pytest.mark.slow
def test_more_places_than_the_table_of_sites_holds(build: Any) -> None:
    """Nothing is lost, and no function is taken for another: of what does not fit, only the place is unknown."""
    library = ctypes.CDLL(str(build("many.c", "libmany.so", "-shared", "-fPIC")))
    report = measure_native(ctypes.cast(library.many, ctypes.c_void_p).value or 0, 0, calls=4)
    assert report.allocs_per_call == (2510,) * 4
    assert dict(report.by_function) == {"malloc": 10_000, "calloc": 20, "realloc": 20}
    assert report.frees == 4 * 2510
    spilled = [site for site in report.sites if site.library == NOT_ATTRIBUTED]
    assert {site.function for site in spilled} >= {"calloc", "realloc"}
    assert sum(site.bytes for site in report.sites) == report.bytes == 4 * (2500 * 8 + 5 * 21)
    assert not report.disagreement
    assert any("found the table of sites full" in spot for spot in report.blind_spots)
    assert measure_native(ctypes.cast(library.many, ctypes.c_void_p).value or 0, 0, calls=1).allocs == 2510


def test_the_interpreters_own_stays_apart_when_the_table_is_full(build: Any) -> None:
    library = ctypes.CDLL(str(build("many.c", "libmany.so", "-shared", "-fPIC")))
    with record() as allocations:
        library.many(None)
        kept = [bytes(5000) for _ in range(300)]
    assert len(kept) == 300
    assert allocations.allocs_per_call == (2510,)
    assert sum(allocations.by_function.values()) == 2510
    assert sum(allocations.interpreter.values()) >= 300
