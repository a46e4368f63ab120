"""Functions patched and restored while other threads run through them: no wrong count, no corrupt block, no crash."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="code is patched on x86-64 only")

HEAD = """
import ctypes, sys, time
from pytest_adalloc.hooks import layout, measure_native
from pytest_adalloc.hooks.install.counters import column
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.patching.memory import store
from pytest_adalloc.hooks.patching import ways
library = ctypes.CDLL(sys.argv[1])
way, rounds = sys.argv[2], int(sys.argv[3])
if way != "any": ways.EVERY_WAY = (way,)
number = lambda name: ctypes.c_long.in_dll(library, name).value
library.load_done.restype = ctypes.c_long
hooks = installed()
points = hooks.entry_points
used = {change.way for change in points.patches.changes.values()}
assert way == "any" or used == {way}, used
"""

ROUNDS = (
    HEAD
    + """
by_name = {"malloc": 1, "calloc": 1, "realloc": 1, "posix_memalign": 1, "free": 3, "mmap": 1, "munmap": 1}
past = {"malloc": 1, "free": 1}
places = {p.name: k for k, p in points.places.items() if p.address in points.patches.changes}
expected = [by_name.get(name, 0) for name in places], [past.get(name, 0) for name in places]
read = lambda start: [column(hooks.words, start)[k] for k in places.values()]
known = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(ctypes.cast(library.known, ctypes.c_void_p).value)
known(None)
thread = hooks.thread()
library.load_begin()
wrong = 0
for turn in range(rounds):
    for change in points.patches.changes.values(): store(change.word, change.after)
    before = read(layout.PASSED), read(layout.HIDDEN)
    hooks.words[layout.ARMED] = thread
    known(None)
    hooks.words[layout.ARMED] = 0
    after = read(layout.PASSED), read(layout.HIDDEN)
    found = tuple([b - a for a, b in zip(x, y)] for x, y in zip(before, after))
    # On this thread ctypes itself takes nothing, and signals reach the others only.
    if found != expected:
        wrong += 1
        print("wrong", dict(zip(places, zip(*found))), file=sys.stderr)
    for change in points.patches.changes.values(): store(change.word, change.before)
library.load_end()
for change in points.patches.changes.values(): store(change.word, change.after)
assert not wrong and not number("bad"), (wrong, number("bad"))
assert number("signals") > rounds / 100 and number("forks") and library.load_done() > rounds
report = measure_native(ctypes.cast(library.known, ctypes.c_void_p).value, 0, calls=20)
if way == "any":
    assert report.allocs_per_call == (6,) * 20, report
    assert not report.disagreement, report
print("end")
"""
)

TOGGLES = (
    HEAD
    + """
library.load_begin()
words = [(ctypes.c_uint64.from_address(c.word), c.before, c.after) for c in points.patches.changes.values()]
from pytest_adalloc.hooks.patching.memory import PAGE, _system
pages = {c.word & -PAGE for c in points.patches.changes.values()}
for page in pages: assert _system().mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 7) == 0
for turn in range(rounds):
    for word, before, after in words: word.value = before
    for word, before, after in words: word.value = after
for page in pages: assert _system().mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 5) == 0
library.load_end()
assert not number("bad") and library.load_done()
print("end")
"""
)


def run_under_load(code: str, build: Any, python: Any, way: str, rounds: int, **environ: str) -> None:
    path: Path = build("load.c", "libload.so", "-shared", "-fPIC", "-pthread", "-ldl")
    run = python(code, str(path), way, str(rounds), timeout=60 + rounds / 20, **environ)
    assert run.stdout == "end\n", run.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["any", "gap", "pun"])
def test_rounds_of_patching_under_load(way: str, build: Any, python: Any) -> None:
    run_under_load(ROUNDS, build, python, way, 200)


@pytest.mark.parametrize("way", ["any", "gap", "pun"])
def test_stores_as_fast_as_possible(way: str, build: Any, python: Any) -> None:
    run_under_load(TOGGLES, build, python, way, 5_000)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["any", "pun"])
def test_ten_thousand_rounds(way: str, build: Any, python: Any) -> None:
    run_under_load(ROUNDS, build, python, way, 10_000)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["gap", "pun"])
def test_very_many_stores(way: str, build: Any, python: Any) -> None:
    run_under_load(TOGGLES, build, python, way, 500_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"])
def test_rounds_in_another_allocator(name: str, build: Any, python: Any) -> None:
    found = next((path for root in ("/usr/lib", "/usr/local/lib") for path in Path(root).glob(f"*/{name}")), None)
    if found is None:
        pytest.skip(f"{name} is not installed")
    run_under_load(TOGGLES, build, python, "any", 50_000, LD_PRELOAD=str(found))


def test_exceptions_pass_through_a_patched_operator(build: Any, python: Any) -> None:
    """libstdc++'s own operator new, which is not patched otherwise, throws out of the displaced code."""
    path: Path = build("operators.cpp", "liboperators.so", "-shared", "-fPIC", "-std=c++17")
    code = """
import ctypes, sys
from pytest_adalloc.hooks import layout, record
from pytest_adalloc.hooks.install.loaded_objects import definitions, loaded_objects
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.patching.patches import PatchedFunction
library = ctypes.CDLL(sys.argv[1])
library.caught.restype, library.caught.argtypes = ctypes.c_long, [ctypes.c_long]
hooks = installed()
owner = next(each for each in loaded_objects()[0] if each.file_name.startswith("libstdc++"))
address, size = definitions(owner, ["_Znwm"])["_Znwm"]
hooks.entry_points.patches.add([PatchedFunction(address, size, layout.MARK + layout.PLACE_COUNT - 1)])
assert address in hooks.entry_points.patches.changes, hooks.entry_points.patches.refused
before = hooks.words[layout.HIDDEN + layout.PLACE_COUNT - 1]
hooks.words[layout.ARMED] = hooks.thread()
number = library.caught(2000)
hooks.words[layout.ARMED] = 0
assert number == 2000, number
assert hooks.words[layout.HIDDEN + layout.PLACE_COUNT - 1] - before == 2000
assert library.caught(100) == 100
print("end")
"""
    run = python(code, str(path))
    assert run.stdout == "end\n", run.stderr
