"""Stack, arena and heap: what a kernel stores, how much it says it used, and that it gives everything back."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
import pytest

from adcore.errors import WorkspaceError
from adcore.runtime.loading.linker import load
from tests.lower.calling import call, pack
from tests.lower.native import Native, agree

PREFIX_SUMS = """
func @prefix(%x: array<f64,1,C>) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %n: i64 = dim %x [axis=0]
  %t: array<f64,1,C> = alloc %n [element='f64', role='stored']
  %s: f64 = for %i0, %n, %zero [step=1] {
  (%i: i64, %acc: f64):
    %a: f64 = load %x, %i
    %b: f64 = add %acc, %a
    store %b, %t, %i
    yield %b
  }
  %r: f64 = for %i0, %n, %zero [step=1, reverse=True] {
  (%i2: i64, %acc2: f64):
    %c: f64 = load %t, %i2
    %d: f64 = add %acc2, %c
    yield %d
  }
  return %r
}
"""

STACKED = """
func @stacked(%n: i64, %limit: i64) -> (f64, i64) {
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %one: i64 = const [type='i64', value=1]
  %count: i64 = for %i0, %n, %i0 [step=1] {
  (%i: i64, %c: i64):
    %even: bool = eq %i, %limit
    %x: f64 = cast %i [type='f64']
    %small: f32 = cast %i [type='f32']
    push %x, %even, %small
    %c1: i64 = add %c, %one
    yield %c1
  }
  %s: f64, %marks: i64 = for %i0, %count, %zero, %i0 [step=1] {
  (%j: i64, %acc: f64, %m: i64):
    %v: f64, %was: bool, %f: f32 = pop [types=('f64', 'bool', 'f32')]
    %g: f64 = cast %f [type='f64']
    %p: f64 = mul %v, %g
    %y: f64 = add %acc, %p
    %m1: i64 = add %m, %j
    %m2: i64 = select %was, %m1, %m
    yield %y, %m2
  }
  return %s, %marks
}
"""


def test_arena_use_is_reported() -> None:
    native = agree(PREFIX_SUMS, np.arange(100.0))
    native(np.arange(100.0))
    assert native.workspace_used == 800
    native(np.arange(0.0))
    assert native.workspace_used == 0


def test_arena_overflow_says_how_much_is_needed() -> None:
    native = Native(PREFIX_SUMS)
    with pytest.raises(WorkspaceError, match="at least 800 bytes"):
        native(np.arange(100.0), workspace=500)
    assert native(np.arange(3.0), workspace=500) == (4.0,)
    with pytest.raises(WorkspaceError):
        native(np.arange(3.0), workspace=0)


def test_records_are_packed_and_come_back_in_reverse() -> None:
    native = agree(STACKED, 50, 7)
    native(50, 7)
    assert native.workspace_used == 50 * 12  # and 50 bits in a register
    native(0, 7)
    assert native.workspace_used == 0
    with pytest.raises(WorkspaceError, match="at least 1004 bytes and has 1000"):
        native(10**6, 3, workspace=1000)


@functools.cache
def compiled(program: str, workspace: str) -> Native:
    """One program serves all sizes."""
    return Native(program, workspace=workspace)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 66, 127, 128, 129, 200, 1000])
@pytest.mark.parametrize("workspace", ["arena", "heap"])
def test_truth_values_are_pushed_as_bits(count: int, workspace: Any) -> None:
    for marked in (0, 1, 63, 64, 65, count - 1):
        native = agree(compiled(STACKED, workspace), count, marked)
    native(count, 7)
    assert native.workspace_used == 12 * count + 8 * (count // 64)


PACKED = """
func @packed(%x: array<f64,2,C>) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %m: i64 = dim %x [axis=0]
  %n: i64 = dim %x [axis=1]
  %kept: array<bool,2,P> = alloc %m, %n [element='bool', packed=True, role='stored']
  for %i0, %m [step=1] {
  (%i: i64):
    for %i0, %n [step=1, reverse=BACKWARDS] {
    (%j: i64):
      %a: f64 = load %x, %i, %j
      %c: bool = gt %a, %zero
      store %c, %kept, %i, %j
      yield
    }
    yield
  }
  %s: f64 = for %i0, %m, %zero [step=1, reverse=True] {
  (%k: i64, %acc: f64):
    %t: f64 = for %i0, %n, %acc [step=1, reverse=True] {
    (%l: i64, %acc2: f64):
      %was: bool = load %kept, %k, %l
      %b: f64 = load %x, %k, %l
      %chosen: f64 = select %was, %b, %zero
      %d: f64 = add %acc2, %chosen
      yield %d
    }
    yield %t
  }
  return %s
}
"""


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (3, 8), (2, 9), (5, 64), (4, 131), (0, 3), (3, 0)])
@pytest.mark.parametrize("workspace", ["arena", "heap"])
@pytest.mark.parametrize("backwards", [False, True])
def test_truth_values_of_a_buffer_take_a_bit(shape: tuple[int, int], workspace: Any, backwards: bool) -> None:
    x = np.random.default_rng(1).normal(size=shape)
    native = agree(compiled(PACKED.replace("BACKWARDS", str(backwards)), workspace), x, tolerance=1e-13)
    native(x)
    assert native.workspace_used == shape[0] * -(-shape[1] // 8)


def test_the_limit_counts_what_is_kept_and_nothing_else() -> None:
    x = np.arange(100.0)
    assert Native(PREFIX_SUMS, limit=800)(x) == Native(PREFIX_SUMS)(x)
    with pytest.raises(WorkspaceError, match="at least 800 bytes and has 799"):
        Native(PREFIX_SUMS, limit=799)(x)
    assert Native(STACKED, limit=12 * 200 + 24)(200, 7) == Native(STACKED)(200, 7)
    with pytest.raises(WorkspaceError, match="has 2423"):
        Native(STACKED, limit=12 * 200 + 23)(200, 7)
    assert Native(IN_A_LOOP, limit=0)(100) == Native(IN_A_LOOP)(100)


def test_the_workspace_is_used_to_its_last_byte() -> None:
    x, native = np.arange(100.0), Native(PREFIX_SUMS)
    assert native(x, workspace=800) == native(x)
    with pytest.raises(WorkspaceError, match="at least 800 bytes and has 799"):
        native(x, workspace=799)


def test_small_static_arrays_live_on_the_stack() -> None:
    program = """
func @small(%x: f64) -> (f64) {
  %i0: i64 = const [type='i64', value=0]
  %one: i64 = const [type='i64', value=1]
  %n: i64 = const [type='i64', value=8]
  %a: array<f64,1,C> = alloc %n [element='f64', zero=True]
  store %x, %a, %one
  %y: f64 = load %a, %one
  %z: f64 = load %a, %i0
  %s: f64 = add %y, %z
  return %s
}
"""
    native = agree(program, 3.0)
    native(3.0, workspace=0)
    assert native.workspace_used == 0
    assert not native.lowered.uses_workspace
    big = Native(program.replace("value=8", "value=8000"))
    with pytest.raises(WorkspaceError):
        big(3.0, workspace=0)


IN_A_LOOP = """
func @scratch(%n: i64) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %s: f64 = for %i0, %n, %zero [step=1] {
  (%i: i64, %acc: f64):
    %one: i64 = const [type='i64', value=1]
    %m: i64 = add %i, %one
    %a: array<f64,1,C> = alloc %m [element='f64', zero=True]
    %x: f64 = cast %i [type='f64']
    store %x, %a, %i
    %t: f64 = for %i0, %m, %acc [step=1] {
    (%j: i64, %b: f64):
      %v: f64 = load %a, %j
      %w: f64 = add %b, %v
      yield %w
    }
    yield %t
  }
  return %s
}
"""


def test_an_array_of_a_loop_body_is_given_back_in_each_iteration() -> None:
    native = agree(IN_A_LOOP, 100)
    native(100, workspace=800)
    assert native.workspace_used == 0  # nothing of it is kept for a reverse sweep
    with pytest.raises(WorkspaceError, match="at least 8"):
        native(100, workspace=799)


@pytest.mark.parametrize("size", [-1, -(2**63), 2**61, 2**60, 2**63 - 1])
def test_impossible_sizes(size: int) -> None:
    program = """
func @f(%n: i64) -> (i64) {
  %a: array<f64,1,C> = alloc %n [element='f64']
  %m: i64 = dim %a [axis=0]
  return %m
}
"""
    native = Native(program)
    error = ValueError if size < 0 else MemoryError if size >= 2**60 else WorkspaceError
    with pytest.raises((error, WorkspaceError)):
        native(size)


ESCAPING = """
func @f(%c: bool, %n: i64) -> (array<f64,1,C>, f64) {
  %zero: i64 = const [type='i64', value=0]
  %one: f64 = const [type='f64', value=1.5]
  %two: f64 = const [type='f64', value=2.5]
  %a: array<f64,1,C> = if %c {
  ():
    %p: array<f64,1,C> = alloc %n [element='f64', zero=True]
    store %one, %p, %zero
    yield %p
  } {
  ():
    %q: array<f64,1,C> = alloc %n [element='f64', zero=True]
    store %two, %q, %zero
    yield %q
  }
  %r: array<f64,1,C> = alloc %n [element='f64', zero=True]
  store %two, %r, %zero
  %x: f64 = load %a, %zero
  return %a, %x
}
"""


@pytest.mark.parametrize("workspace", ["arena", "heap"])
def test_an_array_that_a_branch_yields_outlives_the_branch(workspace: Any) -> None:
    native = Native(ESCAPING, workspace=workspace)
    for condition, value in ((True, 1.5), (False, 2.5)):
        frame = pack(native.lowered.layout, (condition, 5))
        array, x = call(native.loaded["kernel"], native.lowered, frame)
        assert x == value
        assert list(array) == [value, 0, 0, 0, 0]


class CountingHeap:
    """malloc and free that record what they do, to be imported in place of the C library's."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
        self.sizes: list[int] = []
        self.live: set[int] = set()
        self.fails = False

        def malloc(size: int) -> int:
            if self.fails:
                return 0
            self.sizes.append(size)
            address = libc.malloc(size)
            self.live.add(address)
            return int(address)

        def free(address: int | None) -> None:
            if address is not None:
                self.live.remove(address)
                libc.free(address)

        self._malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(malloc)
        self._free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(free)

    @property
    def imports(self) -> dict[str, int]:
        def address(function: Any) -> int:
            return int(ctypes.cast(function, ctypes.c_void_p).value or 0)

        return {"malloc": address(self._malloc), "free": address(self._free)}


def on_heap(program: str) -> tuple[Native, CountingHeap]:
    native, heap = Native(program, workspace="heap"), CountingHeap()
    native.loaded = load(native.artifact.object_code, list(native.loaded.addresses), heap.imports)
    return native, heap


def test_heap_mode_makes_one_malloc_per_stored_array() -> None:
    native, heap = on_heap(PREFIX_SUMS)
    assert native(np.arange(3.0), workspace=0) == (4.0,)
    assert heap.sizes == [24]
    assert not heap.live
    (site,) = native.lowered.allocation_sites
    assert site.phase == "forward sweep"
    assert native.loaded[site.symbol] > 0
    assert native.artifact.symbols[site.symbol] > 0


def test_heap_mode_frees_on_every_path() -> None:
    failing = PREFIX_SUMS.replace("  return %r", "  %k: i64 = index %n, %n [axis=0]\n  return %r")
    native, heap = on_heap(failing)
    with pytest.raises(IndexError):
        native(np.arange(10.0))
    assert heap.sizes == [80]
    assert not heap.live
    heap.fails = True
    with pytest.raises(MemoryError, match="cannot allocate 80 bytes"):
        native(np.arange(10.0))


def test_heap_mode_of_a_loop_allocates_in_each_iteration() -> None:
    native, heap = on_heap(IN_A_LOOP)
    native(5)
    assert heap.sizes == [8, 16, 24, 32, 40]
    assert not heap.live


def test_heap_mode_of_records_grows_by_doubling() -> None:
    native, heap = on_heap(STACKED)
    assert native(1000, 7) == agree(STACKED, 1000, 7)(1000, 7)
    assert heap.sizes == [4096, 8192, 16384]
    assert not heap.live


def test_records_of_the_reverse_sweep_are_its_own_sites() -> None:
    late = STACKED.replace("push %x, %even, %small", "push %x, %even, %small\n    push %x, %even, %small [late=True]")
    sites = Native(late, workspace="heap").lowered.allocation_sites
    assert [(site.symbol, site.phase) for site in sites] == [
        ("kernel.grow.0", "forward sweep"),
        ("kernel.grow.1", "reverse sweep"),
    ]


def test_the_call_of_malloc_is_not_a_tail_call() -> None:
    """Its return address has to lie inside the site's function."""
    native = Native(PREFIX_SUMS, workspace="heap")
    body = native.artifact.assembly.split("kernel.alloc.0:")[1].split(".Lfunc_end")[0]
    assert "callq" in body
    assert "jmp" not in body
