"""Patched functions see every call, whatever pointer led there, and tell it apart from the allocator's own account."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.hooks import HooksDead, measure, measure_native, record
from pytest_adalloc.hooks.install.entry_points import OFF
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.patching.memory import store
from pytest_adalloc.hooks.witness.entries import NAME

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="code is patched on x86-64 only")


def told(report: Any) -> str:
    return next(str(witness) for witness in report.witnesses if witness.name == NAME)


def pointer(name: str, *types: Any, library: str | None = None, result: Any = ctypes.c_void_p) -> Any:
    """A function as the loader gives its address: no relocation slot knows it."""
    function = getattr(ctypes.CDLL(library), name)
    address = ctypes.cast(function, ctypes.c_void_p).value
    return ctypes.CFUNCTYPE(result, *types)(address)


@pytest.mark.parametrize("library", [None, "libc.so.6"], ids=["the process", "libc's own handle"])
def test_a_request_of_one_call_in_forty(library: str | None) -> None:
    malloc, free = (
        pointer("malloc", ctypes.c_size_t, library=library),
        pointer("free", ctypes.c_void_p, library=library),
    )
    made = [0]

    def rarely() -> None:
        made[0] += 1
        if made[0] % 40 == 0:
            free(malloc(1000))

    report = measure(rarely, calls=100, warmup=0)
    assert [k for k, count in enumerate(report.allocs_per_call) if count] == [39, 79]
    assert dict(report.by_function) == {"malloc": 2}
    assert report.bytes == 2000
    assert report.frees == 2
    (site,) = report.sites
    assert site.past_slots
    assert "past the relocation slots: malloc x 2" in told(report)
    assert not report.disagreement


def test_every_function_in_every_call_is_what_the_report_says(paths: Any) -> None:
    report = measure_native(paths.address("p_nothing"), 0, calls=100)
    total = len(installed().entry_points.places)
    assert told(report) == f"entries: agrees ({total} of {total} functions in all 100 calls)"
    assert report.allocs_per_call == (0,) * 100


@pytest.mark.parametrize(
    ("name", "each"),
    [("h_cached", {"malloc": 1}), ("h_libc_malloc", {"malloc": 1}), ("h_syscall_mmap", {"syscall()": 1})],
)
def test_hidden_paths_are_counted(paths: Any, name: str, each: dict[str, int]) -> None:
    report = measure_native(paths.address(name), 0, calls=5)
    assert dict(report.by_function) == {function: 5 * count for function, count in each.items()}
    assert report.allocs_per_call == (sum(each.values()),) * 5
    assert all(site.past_slots and site.symbol == name for site in report.sites)
    assert not report.disagreement


def test_the_dynamic_loaders_own_requests_are_counted(paths: Any) -> None:
    report = measure_native(paths.address("h_loader"), 0, calls=5)
    assert all(count >= 1 for count in report.allocs_per_call)
    assert any(site.past_slots for site in report.sites)


def test_maps_through_a_pointer_beside_other_requests() -> None:
    size, protection, private = 8192, 3, 0x22
    mmap = pointer("mmap", ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    kept, pages = [], []

    def takes_a_page() -> None:
        kept.append(bytearray(9000))
        pages.append(mmap(None, size, protection, private, -1, 0))

    report = measure(takes_a_page, calls=10)
    assert dict(report.by_function) == {"mmap": 10}
    assert report.bytes == 10 * size
    for page in pages:
        ctypes.CDLL(None).munmap(ctypes.c_void_p(page), ctypes.c_size_t(size))


def test_what_an_allocator_does_on_its_own_account_is_not_counted(paths: Any) -> None:
    """A large block is mapped, realloc of nothing goes on to malloc, and the heap grows by sbrk."""
    assert dict(measure_native(paths.address("p_large"), 0, calls=3).by_function) == {"malloc": 3}
    assert dict(measure_native(paths.address("p_realloc_null"), 0, calls=3).by_function) == {"realloc": 3}
    malloc, free = pointer("malloc", ctypes.c_size_t), pointer("free", ctypes.c_void_p)
    report = measure(lambda: [free(block) for block in [malloc(100_000) for _ in range(40)]], calls=3)
    assert dict(report.by_function) == {"malloc": 120}


def test_calls_in_a_row_at_one_place_are_told_apart() -> None:
    """All of these return to the same instruction, with the same stack, and ask for the same size."""
    realloc, malloc = pointer("realloc", ctypes.c_void_p, ctypes.c_size_t), pointer("malloc", ctypes.c_size_t)
    aligned, free = pointer("memalign", ctypes.c_size_t, ctypes.c_size_t), pointer("free", ctypes.c_void_p)

    def each() -> None:
        blocks = [realloc(None, 128), malloc(128), aligned(64, 128), malloc(128), aligned(16, 128), malloc(128)]
        for block in blocks:
            free(block)

    report = measure(each, calls=5)
    assert sum(report.by_function.values()) == 30
    assert report.by_function["realloc"] == 5
    assert report.by_function["malloc"] == 15
    assert report.frees == 30


def test_another_c_library_in_a_namespace_of_its_own(paths: Any, python: Any) -> None:
    code = """
import ctypes, sys
from pytest_adalloc.hooks import measure_native
process = ctypes.CDLL(None)
process.dlmopen.restype, process.dlsym.restype = ctypes.c_void_p, ctypes.c_void_p
process.dlmopen.argtypes = [ctypes.c_long, ctypes.c_char_p, ctypes.c_int]
process.dlsym.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
handle = process.dlmopen(-1, sys.argv[1].encode(), 2)
assert handle
for name, each in (("p_malloc", {"malloc": 1}), ("p_strdup", {"malloc": 1}), ("p_realloc", {"malloc": 1, "realloc": 1}),
                   ("p_nothing", {})):
    report = measure_native(process.dlsym(handle, name.encode()), 0, calls=7)
    assert dict(report.by_function) == {k: 7 * n for k, n in each.items()}, (name, str(report))
    assert report.allocs_per_call == (sum(each.values()),) * 7
    assert not any("dlmopen" in spot for spot in report.blind_spots), report.blind_spots
print("end")
"""
    run = python(code, str(paths.path))
    assert run.stdout == "end\n", run.stderr[-2000:]


@pytest.mark.parametrize("scope", ["thread", "process"])
def test_both_scopes(scope: Any) -> None:
    malloc, free = pointer("malloc", ctypes.c_size_t), pointer("free", ctypes.c_void_p)
    report = measure(lambda: free(malloc(77)), calls=10, scope=scope)
    assert report.by_function["malloc"] >= 10
    assert min(report.allocs_per_call) >= 1
    assert not report.disagreement


def test_a_block_and_a_nested_one() -> None:
    malloc, free = pointer("malloc", ctypes.c_size_t), pointer("free", ctypes.c_void_p)
    with record() as outer:
        free(malloc(10))
        with record() as inner:
            free(malloc(10))
    assert (inner.allocs, outer.allocs) == (1, 2)
    assert "functions in the whole block" in told(inner)


def test_a_function_that_is_restored_in_the_middle(paths: Any) -> None:
    points = installed().entry_points
    change = points.patches.changes[installed().slots.originals["calloc"]]
    with pytest.raises(HooksDead, match=r"1 patched functions lost their first instruction.*calloc"):
        measure(lambda: store(change.word, change.before), calls=1, warmup=0, witness=False)
    store(change.word, change.after)
    assert measure_native(paths.address("p_calloc"), 0, calls=3).allocs_per_call == (1, 1, 1)


def test_a_patch_that_does_not_count_contradicts_the_hooks(paths: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = installed()
    change = hooks.entry_points.patches.changes[hooks.slots.originals["malloc"]]
    monkeypatch.setattr(type(hooks.entry_points), "lost", lambda self: [])
    monkeypatch.setattr(type(hooks), "chained", False)  # whatever tools other tests of this process have loaded
    store(change.word, change.before)
    try:
        report = measure_native(paths.address("p_malloc"), 0, calls=3, witness=False)
        assert "hooks and patched functions saw different calls: malloc x 0 for 5" in report.disagreement
    finally:
        store(change.word, change.after)


def test_where_writable_code_is_refused_stores_go_through_a_file(paths: Any, python: Any) -> None:
    """As systemd's MemoryDenyWriteExecute does it, from the moment on when the hooks themselves are loaded."""
    code = """
import ctypes, sys
from pytest_adalloc.hooks.patching import memory
refused = ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
if refused: raise SystemExit(print("no such kernel"))
real = ctypes.CDLL(None, use_errno=True)
page = real.mmap
page.restype = ctypes.c_void_p
place = page(None, ctypes.c_size_t(4096), 3, 0x22, -1, ctypes.c_long(0))
assert real.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(4096), 5) == -1
word = ctypes.cast(ctypes.CDLL(None).valloc, ctypes.c_void_p).value & -8
held = ctypes.c_uint64.from_address(word).value
memory.store(word, held ^ 0xFF00000000000000)
assert ctypes.c_uint64.from_address(word).value == held ^ 0xFF00000000000000
memory.store(word, held)
at = memory.code_near(word, 4096, lambda here: b"\\xb8\\x2a\\0\\0\\0\\xc3")
assert ctypes.CFUNCTYPE(ctypes.c_int)(at)() == 42
memory._store_through_file = lambda word, value: None
try:
    memory.store(word, held + 1)
except memory.NotPatched as problem:
    print("end", problem.strerror)
"""
    run = python(code)
    if run.stdout == "no such kernel\n":
        pytest.skip("this kernel cannot be told to refuse writable code")
    assert run.stdout == "end code cannot be written here (Permission denied)\n", run.stderr[-2000:]


def test_a_refusal_is_told_with_its_reason(paths: Any, python: Any) -> None:
    code = """
import ctypes, errno, sys
from pytest_adalloc.hooks import measure_native
from pytest_adalloc.hooks.patching import memory, patches
def refuse(word, value): raise memory.NotPatched(errno.EACCES, "code cannot be written here (Permission denied)")
patches.store = refuse
library = ctypes.CDLL(sys.argv[1])
report = measure_native(ctypes.cast(library.p_malloc, ctypes.c_void_p).value, 0, calls=3)
assert report.allocs_per_call == (1, 1, 1)
print({w.name: str(w) for w in report.witnesses}["entries"])
"""
    run = python(code, str(paths.path))
    assert run.stdout.startswith("entries: agrees (0 of "), run.stderr[-2000:]
    assert "not malloc (code cannot be written here (Permission denied))" in run.stdout


def test_turned_off_the_processor_watches_all_calls(paths: Any, python: Any) -> None:
    code = """
import ctypes, sys
from pytest_adalloc.hooks import measure_native
from pytest_adalloc.hooks.witness.breakpoints import available
library = ctypes.CDLL(sys.argv[1])
address = lambda name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value
report = measure_native(address("p_nothing"), 0, calls=50)
told = {w.name: w for w in report.witnesses}
assert told["entries"].state == "unavailable" and "turned off by ADALLOC_ENTRIES" in str(told["entries"])
assert any("pointers that no relocation slot holds" in spot for spot in report.blind_spots)
if available()[0]:
    assert "in 50 calls" in str(told["hardware breakpoints"]), report
    report = measure_native(address("h_cached"), 0, calls=5)
    assert report.unseen == {"malloc": 5} and "a path that the hooks cannot see" in report.disagreement
assert measure_native(address("p_malloc"), 0, calls=5).allocs_per_call == (1,) * 5
print("end")
"""
    run = python(code, str(paths.path), **{OFF: "off"})
    assert run.stdout == "end\n", run.stderr[-2000:]


@pytest.mark.slow
def test_tracemalloc_keeps_pointers_of_its_own_which_are_the_interpreters(python: Any) -> None:
    code = """
import tracemalloc
tracemalloc.start()
from pytest_adalloc.hooks import measure
def makes(): return [bytes(2000) for _ in range(10)]
report = measure(makes, calls=20)
assert report.allocs == 0 and not report.disagreement, report
print("end")
"""
    for environ in ({}, {"PYTHONTRACEMALLOC": "5"}):
        run = python(code, **environ)
        assert run.stdout == "end\n", run.stderr[-2000:]


def test_tunables_of_the_c_library(paths: Any, python: Any) -> None:
    code = """
import ctypes, sys
from pytest_adalloc.hooks import measure_native
library = ctypes.CDLL(sys.argv[1])
for name, each in (("p_malloc", 1), ("h_cached", 1), ("p_realloc", 2), ("p_large", 1), ("p_nothing", 0)):
    report = measure_native(ctypes.cast(getattr(library, name), ctypes.c_void_p).value, 0, calls=9)
    assert report.allocs_per_call == (each,) * 9 and not report.disagreement, (name, str(report))
print("end")
"""
    tunables = (
        "glibc.malloc.tcache_count=0:glibc.malloc.mmap_threshold=4096:glibc.malloc.arena_max=1:glibc.malloc.check=3"
    )
    run = python(code, str(paths.path), GLIBC_TUNABLES=tunables)
    assert run.stdout == "end\n", run.stderr[-2000:]


ALLOCATORS = ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2")


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_an_allocator_with_operators_of_its_own(allocator: str, build: Any, paths: Any, python: Any) -> None:
    """Counted at its entries, or where one leaves no room for a jump, seen by the processor: never a silent zero."""
    found = next((path for root in ("/usr/lib", "/usr/local/lib") for path in Path(root).glob(f"*/{allocator}")), None)
    if found is None:
        pytest.skip(f"{allocator} is not installed")
    operators = build("operators.cpp", "liboperators.so", "-shared", "-fPIC", "-std=c++17")
    code = """
import ctypes, sys
from pytest_adalloc.hooks import measure_native
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.witness.breakpoints import available
operators, paths = ctypes.CDLL(sys.argv[1]), ctypes.CDLL(sys.argv[2])
address = lambda library, name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value
def count(name, each):
    report = measure_native(address(operators, name), 0, calls=8)
    if report.allocs_per_call != (each,) * 8:
        assert not installed().entry_points.complete and (report.unseen or not available()[0]), str(report)
    assert sum(report.by_function.values()) <= 8 * each, str(report)
count("takes_one", 1)
count("takes_many_forms", 3)
for name in ("p_malloc", "h_cached", "p_posix_memalign", "p_strdup", "p_nothing"):
    report = measure_native(address(paths, name), 0, calls=8)
    assert report.allocs_per_call == (0 if name == "p_nothing" else 1,) * 8, (name, str(report))
    assert not report.disagreement, str(report)
if "mimalloc" in sys.argv[3]: raise SystemExit(print("end"))  # its operator ends the process where memory does
operators.caught.restype = ctypes.c_long
assert operators.caught(ctypes.c_long(100)) == 100
print("end")
"""
    run = python(code, str(operators), str(paths.path), allocator, LD_PRELOAD=str(found))
    assert run.stdout == "end\n", run.stderr[-3000:]


def test_a_forked_child_counts_nothing(python: Any) -> None:
    """Forked by native code, which tells Python nothing."""
    code = """
import ctypes, os
from pytest_adalloc.hooks import record, layout
from pytest_adalloc.hooks.install.process import installed
fork = ctypes.PyDLL(None).fork
with record() as allocations:
    child = fork()
    if child == 0: os._exit(7 if installed().words[layout.ARMED] == 0 else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert status == 7, status
print("end")
"""
    run = python(code)
    assert run.stdout == "end\n", run.stderr[-2000:]
