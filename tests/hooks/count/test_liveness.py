"""A zero must never be a dead hook: each check is switched off in turn, and each time the measurement is an error."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_adalloc.hooks import HooksBusy, HooksDead, check_link_path, forbid, layout, measure, measure_native, record
from pytest_adalloc.hooks.count.link_check import CANARY_KERNEL
from pytest_adalloc.hooks.install import jit
from pytest_adalloc.hooks.install.plan import CANARY_BYTES, WindowPlan
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.install.slots import Slots


@pytest.fixture
def damage() -> Iterator[Any]:
    """Undo, after the test, what it does to the hooks."""
    hooks = installed()
    libc = {
        name: ctypes.c_uint64.from_address(hooks.core["adalloc_libc"] + 8 * i) for i, name in enumerate(layout.LIBC)
    }
    before = {name: word.value for name, word in libc.items()}
    yield libc
    for name, word in libc.items():
        word.value = before[name]
    hooks.disarm()
    hooks.refresh()


def test_slots_unpatched_during_the_window(damage: Any) -> None:
    hooks = installed()
    with pytest.raises(HooksDead, match=r"hooks are dead.*saw 1 calls.*before.*0 calls"):
        measure(hooks.slots.remove, calls=1, warmup=0, witness=False)
    del damage


@pytest.mark.parametrize("kind", ["jump", "absolute"])
def test_slots_unpatched_where_the_canary_does_not_pass(damage: Any, paths: Any, kind: str) -> None:
    """The canary goes through libc's own slots; a library's slots are proved by reading them back."""
    hooks = installed()
    hooks.refresh()
    mine = [s for s in hooks.slots.watched() if s.owner.name == str(paths.path) and s.symbol == "malloc"]
    slot = next(s for s in mine if s.kind == kind)

    def steal() -> None:
        with hooks.slots.opened([slot.address]):
            ctypes.c_uint64.from_address(slot.address).value = hooks.slots.originals["malloc"]

    with pytest.raises(HooksDead, match=r"1 relocation slots lost their hook.*libpaths.so: malloc"):
        measure(steal, calls=1, warmup=0, witness=False)
    del damage


def test_patching_that_does_nothing(damage: Any, monkeypatch: pytest.MonkeyPatch, paths: Any) -> None:
    hooks = installed()
    hooks.slots.remove()
    monkeypatch.setattr(Slots, "patch", lambda self: 0)
    with pytest.raises(HooksDead, match="hooks are dead"):
        measure_native(paths.address("p_malloc"), 0, calls=3)
    monkeypatch.undo()
    del damage


def test_disarmed_in_the_middle(damage: Any) -> None:
    with pytest.raises(HooksDead, match=r"saw 1 calls.*before.*and 0 calls of 0 bytes after"):
        measure(installed().disarm, calls=1, warmup=0, witness=False)
    with pytest.raises(HooksDead), record():
        installed().disarm()
    with pytest.raises(HooksDead), forbid():
        installed().disarm()
    del damage


def test_canary_that_does_not_allocate(damage: Any, paths: Any) -> None:
    damage["strdup"].value = paths.address("p_nothing")
    with pytest.raises(HooksDead, match=r"0 calls of 0 bytes before"):
        measure_native(paths.address("p_nothing"), 0, calls=3)


def test_canary_of_another_size(damage: Any, paths: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_adalloc.hooks.install.plan.CANARY_TEXT", b"short")
    with pytest.raises(HooksDead, match=r"1 calls of 6 bytes before"):
        measure_native(paths.address("p_nothing"), 0, calls=3)
    del damage


def test_counters_that_stand_still(damage: Any, paths: Any) -> None:
    """A hook that believes itself inside a backtrace counts nothing."""
    hooks = installed()
    hooks.words[layout.UNWINDING] = hooks.thread()
    with pytest.raises(HooksDead):
        measure_native(paths.address("p_malloc"), 0, calls=3)
    hooks.words[layout.UNWINDING] = 0
    del damage


def test_libraries_that_come_and_go_in_every_window(build: Any, paths: Any, cpp: Any) -> None:
    name = ctypes.create_string_buffer(str(build("counter.c", "libcounter.so", "-shared", "-fPIC")).encode())
    with pytest.raises(HooksDead, match="loaded or unloaded in each"):
        measure_native(paths.address("s_opens_a_library"), ctypes.addressof(name), calls=1)


def test_a_window_in_which_a_library_came_is_void_and_repeated(build: Any, paths: Any) -> None:
    loaded = []
    path = str(build("paths.cpp", "libpathscpp.so", "-shared", "-fPIC", "-std=c++17").with_suffix(".so"))
    import shutil

    copy = path.replace("libpathscpp", "liblatecpp")
    shutil.copy(path, copy)

    def call() -> None:
        if not loaded:
            loaded.append(ctypes.CDLL(copy))
        loaded[0].c_new(None)

    report = measure(call, calls=4, warmup=0, witness=False)
    assert report.repeats == 1
    assert report.allocs_per_call == (1, 1, 1, 1)
    assert dict(report.by_function) == {"malloc": 4}


def test_a_library_that_nobody_noticed(build: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Without the check for libraries that came, the read-back still finds one that was never searched."""
    import shutil

    copy = tmp_path / "libunnoticed.so"
    shutil.copy(build("paths.cpp", "libpathscpp.so", "-shared", "-fPIC", "-std=c++17"), copy)
    loaded = []

    def call() -> None:
        if not loaded:
            loaded.append(ctypes.CDLL(str(copy)))
        loaded[0].c_new(None)

    monkeypatch.setattr(Slots, "unchanged", lambda self: True)
    with pytest.raises(HooksDead, match=r"lost their hook.*never searched"):
        measure(call, calls=4, warmup=0, witness=False)
    monkeypatch.undo()
    assert measure(call, calls=4, warmup=0, witness=False).allocs_per_call == (1, 1, 1, 1)


def test_record_says_when_a_library_came(build: Any, tmp_path: Any) -> None:
    import shutil

    copy = tmp_path / "libcopy.so"
    shutil.copy(build("paths.cpp", "libpathscpp.so", "-shared", "-fPIC", "-std=c++17"), copy)
    with record() as allocations:
        library = ctypes.CDLL(str(copy))
    assert any("libraries were loaded" in spot for spot in allocations.blind_spots)
    del library


def test_link_path_that_takes_the_hooks_and_one_that_does_not() -> None:
    def link(code: bytes, imports: Any) -> int:
        return jit.link([code], [CANARY_KERNEL], imports)[CANARY_KERNEL]

    def link_past(code: bytes, imports: Any) -> int:
        # Not by dlsym: in an interpreter that is no PIE it gives entries of the program's own, which lead to the hooks.
        return link(code, {name: installed().slots.originals[name] for name in imports})

    check_link_path(link)
    with pytest.raises(HooksDead, match=r"allocates past the hooks.*saw none of them"):
        check_link_path(link_past)


def test_a_plan_explains_what_its_canaries_showed() -> None:
    plan = WindowPlan(calls=1)
    assert not plan.canary_lives()
    assert "0 calls of 0 bytes before" in plan.canary_report()


def test_hooks_work_again_after_all_that(paths: Any) -> None:
    with contextlib.suppress(HooksDead):
        measure(installed().disarm, calls=1, warmup=0, witness=False)
    assert measure_native(paths.address("p_malloc"), 0, calls=3).allocs_per_call == (1, 1, 1)


@pytest.mark.parametrize(("outer", "inner"), [("thread", "process"), ("process", "thread")])
def test_scopes_are_not_mixed(outer: Any, inner: Any, paths: Any) -> None:
    """The counters know one scope at a time: one of the two windows would lose calls or take over foreign ones."""
    with record(scope=outer) as recording:
        with pytest.raises(HooksBusy, match=f"a recording of scope '{outer}' is open"), record(scope=inner):
            pass
        with pytest.raises(HooksBusy, match="give both the same scope"):
            measure(paths.functions.p_malloc, None, calls=1, scope=inner)
        paths.functions.p_malloc(None)
    assert recording.by_function["malloc"] >= 1
    with record(scope=inner):
        pass


def test_inside_a_recording_of_all_threads_no_thread_is_left_out_for_a_witness(paths: Any) -> None:
    with record(scope="process"):
        report = measure(paths.functions.p_malloc, None, calls=2, scope="process")
    assert report.allocs_per_call == (1, 1)
    assert {w.name: w.state for w in report.witnesses}["hardware breakpoints"] == "not asked"


def test_a_tool_that_our_hooks_call_may_allocate_at_a_canary() -> None:
    plan = WindowPlan(calls=1, chained=True)
    for when in ("first", "last"):
        plan._write(**{f"{when}_canary_calls": 4, f"{when}_canary_bytes": CANARY_BYTES + 500})
    assert plan.canary_lives()
    plan._write(last_canary_calls=0, last_canary_bytes=0)
    assert not plan.canary_lives()
    plan = WindowPlan(calls=1)
    for when in ("first", "last"):
        plan._write(**{f"{when}_canary_calls": 2, f"{when}_canary_bytes": 2 * CANARY_BYTES})
    assert not plan.canary_lives()  # counted twice
