"""`forbid()` stops a block at its first allocation: the next line does not run, and the message says who and where."""

# ruff: noqa: PT012 (how far a block runs is what is tested)

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_adalloc.hooks import AllocationForbidden, forbid, layout, measure_native, record
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.witness import breakpoints
from tests.hooks.count.test_coverage import C_PATHS, CPP_PATHS

LARGE = np.arange(10_000.0)
needs_breakpoints = pytest.mark.skipif(not breakpoints.available()[0], reason="no hardware breakpoints")


def line_of(function: Callable[..., object], offset: int) -> str:
    return f"{__file__}:{function.__code__.co_firstlineno + offset}"


def stopped(block: Callable[[list[int]], object], **options: Any) -> AllocationForbidden:
    """Run a block that has to be stopped before it appends to its argument."""
    reached: list[int] = []
    with pytest.raises(AllocationForbidden) as caught, forbid(**options):
        block(reached)
    assert reached == [], "the block ran on after its first allocation"
    assert installed().words[layout.FIRST] == layout.NOT_WANTED
    return caught.value


def test_the_rest_of_the_line_does_not_run(paths: Any) -> None:
    def block(reached: list[int]) -> None:
        reached.append(paths.functions.p_malloc(None))

    stopped(block)


@pytest.mark.parametrize("how", ["with", "finally", "store"])
def test_what_cleans_up_runs(how: str, paths: Any) -> None:
    """Raised at the next line, it would skip the end of the ``with`` and the ``finally``."""
    lock, cleaned = threading.Lock(), []
    small, numbers = np.zeros(10), np.arange(10_000.0)
    index = list(range(10)) * 1000

    def with_lock() -> None:
        with lock:
            paths.functions.p_malloc(None)

    def with_finally() -> None:
        try:
            paths.functions.p_malloc(None)
        finally:
            cleaned.append(1)

    def with_store() -> None:
        with lock:
            small[index] = numbers  # makes an array of the list, and ends the block

    def block(reached: list[int]) -> None:
        {"with": with_lock, "finally": with_finally, "store": with_store}[how]()
        reached.append(1)

    stopped(block)
    assert not lock.locked()
    assert cleaned == [1] * (how == "finally")


def test_what_does_not_allocate_runs_to_its_end() -> None:
    reached = []
    with forbid() as recording:
        reached.append(sum(range(10)))
    assert reached == [45]
    assert (recording.allocs, recording.pattern) == (0, "none")


def test_an_operator_is_stopped_before_the_next_line() -> None:
    def block(reached: list[int]) -> None:
        made = LARGE + LARGE
        reached += [1]
        del made

    problem = stopped(block)
    first = str(problem).splitlines()[:3]
    assert first[0].startswith(f"malloc of 80000 bytes while {line_of(block, 1)} ran")
    assert first[1] == "    made = LARGE + LARGE"
    assert "_multiarray_umath" in str(problem)
    assert problem.report is not None
    assert problem.report.allocs == 1


def test_a_foreign_function_that_gives_up_the_interpreters_lock(paths: Any) -> None:
    def block(reached: list[int]) -> None:
        paths.functions.p_strdup(None)
        reached.append(1)

    problem = stopped(block)
    assert "malloc of 9 bytes" in str(problem)
    assert "p_strdup (libpaths.so)" in str(problem)
    assert line_of(block, 1) in str(problem)


@pytest.mark.parametrize("name", [name for name in (*C_PATHS, "p_mmap") if name != "p_nothing"])
def test_every_function_of_the_c_library(name: str, paths: Any) -> None:
    def block(reached: list[int]) -> None:
        getattr(paths.functions, name)(None)
        reached.append(1)

    functions = measure_native(paths.address(name), 0, calls=1, witness=False).by_function
    text = str(stopped(block, witness=False))
    assert text.split(" of ")[0] in functions, text
    assert f"{name} (libpaths.so)" in text


@pytest.mark.parametrize("name", CPP_PATHS)
def test_every_form_of_new(name: str, cpp: Any) -> None:
    def block(reached: list[int]) -> None:
        getattr(cpp.functions, name)(None)
        reached.append(1)

    assert "libpathscpp.so" in str(stopped(block, witness=False))


def test_the_line_inside_a_function_that_the_block_calls(paths: Any) -> None:
    def inner() -> None:
        paths.functions.p_malloc(None)
        raise RuntimeError("the function ran on")

    def block(reached: list[int]) -> None:
        inner()
        reached.append(1)

    assert line_of(inner, 1) in str(stopped(block))


def test_a_loop_stops_in_its_first_turn(paths: Any) -> None:
    iterations = []

    def block(reached: list[int]) -> None:
        for k in range(5):
            iterations.append(k)
            paths.functions.p_malloc(None)
        reached.append(1)

    problem = stopped(block)
    assert iterations == [0]
    assert problem.report is not None
    assert problem.report.allocs == 1


def test_the_last_line_of_a_block(paths: Any) -> None:
    with pytest.raises(AllocationForbidden, match="p_malloc"), forbid():
        paths.functions.p_malloc(None)


def test_a_block_in_which_no_python_runs_any_more(paths: Any) -> None:
    """Without a trace function nothing can stop it early: what the end of the block sees is raised there."""
    reached = []
    with pytest.raises(AllocationForbidden, match=r"p_malloc \(libpaths.so\)"), forbid(at_once=False):
        paths.functions.p_malloc(None)
        reached.append(1)
    assert reached == [1]


def test_a_block_in_another_thread(paths: Any) -> None:
    problems: list[AllocationForbidden] = []

    def block(reached: list[int]) -> None:
        paths.functions.p_malloc(None)
        reached.append(1)

    thread = threading.Thread(target=lambda: problems.append(stopped(block)))
    thread.start()
    thread.join()
    assert line_of(block, 1) in str(problems[0])


def test_other_threads_may_allocate(paths: Any) -> None:
    with forbid(witness=False) as recording:
        thread = threading.Thread(target=lambda: paths.functions.p_strdup(None))
        thread.start()
        thread.join()
    assert recording.other_threads["malloc"] >= 1


def test_other_threads_may_not_in_process_scope(paths: Any) -> None:
    def block(reached: list[int]) -> None:
        thread = threading.Thread(target=lambda: paths.functions.p_strdup(None))
        thread.start()
        thread.join()
        reached.append(1)

    with pytest.raises(AllocationForbidden, match=r"first native allocation"), forbid(scope="process", witness=False):
        block([])


def test_a_condition_that_waits_takes_its_lock_back(paths: Any) -> None:
    condition = threading.Condition()
    taken: list[object] = []
    vars(condition)["_release_save"] = functools.partial(paths.functions.p_strdup, None)
    vars(condition)["_acquire_restore"] = taken.append
    with pytest.raises(AllocationForbidden, match=r"first native allocation"), forbid(witness=False), condition:
        condition.wait(0.001)
        taken.append("not reached")
    assert taken == [0]


def test_nested_blocks_both_forbid(paths: Any) -> None:
    inner: list[AllocationForbidden] = []
    reached = []
    with pytest.raises(AllocationForbidden) as outer, forbid():
        try:
            with forbid():
                paths.functions.p_malloc(None)
                reached.append(1)
        except AllocationForbidden as problem:
            inner.append(problem)
        reached.append(2)  # the inner block has told, and what it told was taken
    assert reached == [2]
    assert inner[0] is not outer.value
    for problem in (inner[0], outer.value):
        assert "p_malloc (libpaths.so)" in str(problem)
        assert problem.report is not None


def test_the_inner_block_is_the_one_that_tells(paths: Any) -> None:
    reached = []
    problem: BaseException | None = None
    with record() as outer:
        try:
            with forbid():
                paths.functions.p_malloc(None)
                reached.append(1)
        except AllocationForbidden as caught:
            problem = caught
        paths.functions.p_malloc(None)
    assert reached == []
    assert "p_malloc (libpaths.so)" in str(problem)
    assert outer.by_function == {"malloc": 2}


def test_an_inner_block_that_is_clean_leaves_the_outer_one_watching(paths: Any) -> None:
    def block(reached: list[int]) -> None:
        with forbid():
            len("clean")
        paths.functions.p_malloc(None)
        reached.append(1)

    assert line_of(block, 3) in str(stopped(block))


def test_a_measurement_inside_is_no_first_allocation(paths: Any) -> None:
    """Its canaries allocate on purpose."""
    with forbid(witness=False) as recording:
        report = measure_native(paths.address("p_nothing"), 0, calls=3, warmup=0, witness=False)
    assert (report.pattern, recording.allocs) == ("none", 0)


def test_swallowing_the_exception_does_not_help(paths: Any) -> None:
    reached = []
    with pytest.raises(AllocationForbidden, match=r"p_malloc \(libpaths.so\)"), forbid():
        try:
            paths.functions.p_malloc(None)
            reached.append(1)
        except AssertionError:
            reached.append(2)
        reached.append(3)
    assert reached == [2, 3]


def test_the_exception_of_the_allocating_call_itself_goes_on() -> None:
    with pytest.raises((TypeError, ValueError)) as caught, forbid(witness=False) as recording:
        np.array([1.0] * 5000 + [object()], dtype=float)  # type: ignore[list-item]
    assert not isinstance(caught.value, AllocationForbidden)
    assert recording.allocs > 0


def test_an_exception_before_any_allocation_goes_on() -> None:
    with pytest.raises(KeyError), forbid() as recording:
        raise KeyError
    assert recording.allocs == 0


def test_finalizers_are_not_where_it_is_raised(paths: Any) -> None:
    class Allocates:
        def __del__(self) -> None:
            paths.functions.p_malloc(None)
            len("still in the finalizer, whose exceptions are lost")

    def block(reached: list[int]) -> None:
        thing = Allocates()
        del thing
        reached.append(1)

    stopped(block)


def test_generators_that_outlive_the_block(paths: Any) -> None:
    def numbers() -> Any:
        yield 1
        paths.functions.p_malloc(None)
        yield 2

    running = numbers()
    with forbid():
        assert next(running) == 1
    assert next(running) == 2


def test_many_blocks_leave_nothing_behind() -> None:
    frame = sys._getframe()
    before = sys.gettrace(), frame.f_trace
    for _ in range(50):
        with forbid(witness=False):
            pass
    assert (sys.gettrace(), frame.f_trace) == before


def test_a_trace_function_that_is_there_sees_every_line(paths: Any) -> None:
    def callee() -> int:
        first = 1
        return first + 1

    def block(guard: Any) -> None:
        with guard:
            callee()
            callee()

    def lines(guarded: bool) -> list[tuple[str, str, int]]:
        seen: list[tuple[str, str, int]] = []

        def trace(frame: Any, kind: str, argument: object) -> Any:
            if frame.f_code.co_filename == __file__:
                seen.append((kind, frame.f_code.co_name, frame.f_lineno))
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            block(forbid(witness=False) if guarded else record())
            assert sys.gettrace() is trace
        finally:
            sys.settrace(before)
        return seen

    assert lines(guarded=True) == lines(guarded=False)
    assert ("line", "callee", callee.__code__.co_firstlineno + 2) in lines(guarded=True)


@needs_breakpoints
@pytest.mark.usefixtures("without_entries")
def test_the_second_witness_is_believed_too(paths: Any) -> None:
    paths.functions.h_cached(None)
    with pytest.raises(AllocationForbidden, match="a path that the hooks cannot see"), forbid():
        paths.functions.h_cached(None)
    with forbid(witness=False) as recording:
        paths.functions.h_cached(None)
    assert [w.state for w in recording.witnesses] == ["unavailable", "agrees", "not asked"]


def test_a_request_past_the_slots_stops_a_block_at_once(paths: Any) -> None:
    paths.functions.h_cached(None)
    with pytest.raises(AllocationForbidden, match="malloc of 33 bytes") as problem, forbid():
        paths.functions.h_cached(None)
        raise RuntimeError("not reached")
    assert "h_cached (libpaths" in str(problem.value)


@needs_breakpoints
def test_what_no_breakpoint_was_left_for_is_named() -> None:
    with forbid() as recording:
        pass
    (spot,) = [spot for spot in recording.blind_spots if "4 breakpoints" in spot]
    assert "aligned_alloc" in spot
    assert "malloc," not in spot.replace("aligned_alloc,", "").replace("valloc,", "")


COVERED = """
import numpy as np
from pytest_adalloc.hooks import AllocationForbidden, forbid

def callee(n):
    made = 0
    if n:
        made = n + 1
    return made

def allocates():
    made = callee(1)
    return np.zeros(10000), made

def deeper():
    made = allocates()
    return made

def block():
    with forbid(witness=False):
        callee(0)
        callee(1)
    try:
        with forbid(witness=False):
            deeper()
            raise RuntimeError
    except AllocationForbidden:
        after = callee(0)
    return after

block()
last = callee(0)
"""


def test_coverage_is_measured_inside_the_block(python: Any, tmp_path: Path) -> None:
    """Its C trace function installs itself again whenever it is called, and counts frames."""
    pytest.importorskip("coverage", reason="coverage is not installed")
    script = tmp_path / "covered.py"
    script.write_text(COVERED)
    code = (
        "import coverage, json, runpy, sys\n"
        "c = coverage.Coverage(data_file=None, include=[sys.argv[1]], config_file=False)\n"
        "c.start(); runpy.run_path(sys.argv[1]); c.stop()\n"
        "print(json.dumps(c.analysis2(sys.argv[1])[3]))\n"
    )
    run = python(code, str(script))
    missing = [COVERED.splitlines()[number - 1].strip() for number in map(int, run.stdout.strip()[1:-1].split(","))]
    # The two lines before which the block was stopped.
    assert missing == ["return made", "raise RuntimeError"], run.stderr + run.stdout


def test_a_debuggers_trace_function_goes_on(paths: Any, python: Any) -> None:
    code = """
import bdb, ctypes, sys
from pytest_adalloc.hooks import AllocationForbidden, forbid
library = ctypes.CDLL(sys.argv[1])
lines = []
class Debugger(bdb.Bdb):
    def user_line(self, frame):
        if frame.f_code.co_name == "debugged": lines.append(frame.f_lineno - frame.f_code.co_firstlineno)
        self.set_step()
def debugged():
    with forbid(witness=False):
        first = 1
        library.p_malloc(None)
        second = 2
debugger = Debugger()
try: debugger.runcall(debugged)
except AllocationForbidden as problem: print(lines, "p_malloc" in str(problem))
"""
    run = python(code, str(paths.path))
    assert run.stdout == "[1, 2, 3] True\n", run.stdout + run.stderr


def test_ctypes_is_no_exception() -> None:
    libc = ctypes.CDLL(None)
    libc.strdup.restype = ctypes.c_void_p

    def block(reached: list[int]) -> None:
        libc.strdup(b"abc")
        reached.append(1)

    assert "malloc of 4 bytes" in str(stopped(block))
