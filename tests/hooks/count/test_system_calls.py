"""System calls and page faults beside the count, and memory that comes by a raw system call."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pytest_adalloc
from pytest_adalloc.hooks import measure, observing
from pytest_adalloc.hooks.count.system_calls import NAME

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="counted on x86-64 only")


def told(report: Any) -> Any:
    return next(witness for witness in report.witnesses if witness.name == NAME)


@pytest.fixture(autouse=True)
def _possible(paths: Any) -> None:
    witness = told(measure(paths.functions.p_nothing, None, calls=1, realtime=True))
    if witness.state == "unavailable":
        pytest.skip(witness.detail)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_reads_and_writes_are_counted_by_name(pipe: tuple[int, int]) -> None:
    def through() -> None:
        os.write(pipe[1], b"x")
        os.read(pipe[0], 1)

    report = measure(through, calls=10, realtime=True)
    assert dict(report.system_calls) == {"read": 10, "write": 10}
    assert report.page_faults == 0
    assert "system calls: read x 10, write x 10, 0 page faults in 10 further calls" in str(report)
    assert not report.disagreement


def test_nothing_is_nothing(paths: Any) -> None:
    report = measure(paths.functions.p_nothing, None, calls=10, realtime=True)
    assert (dict(report.system_calls), report.page_faults) == ({}, 0)
    assert "no system call, 0 page faults" in str(report)
    assert measure(paths.functions.p_nothing, None, calls=2).page_faults is None


def test_fresh_pages_are_page_faults() -> None:
    def touches() -> None:
        with mmap.mmap(-1, 10 * mmap.PAGESIZE) as block:
            block[:] = b"1" * len(block)

    faults = measure(touches, calls=10, realtime=True).page_faults
    assert faults is not None
    assert faults >= 100


def test_a_lock_that_is_waited_for_is_a_futex() -> None:
    lock = threading.Lock()

    def waits() -> None:
        with lock:
            lock.acquire(timeout=0.001)

    assert measure(waits, calls=5, realtime=True).system_calls["futex"] >= 5


def test_memory_by_a_raw_system_call_is_found(paths: Any) -> None:
    report = measure(paths.functions.h_raw_mmap, None, calls=10, realtime=True)
    assert report.allocs == 0
    assert report.unseen == {"mmap by a raw system call": 10}
    assert "memory taken without the C library" in report.disagreement
    with_libc = measure(paths.functions.h_syscall_mmap, None, calls=10, realtime=True)
    assert with_libc.by_function == {"syscall()": 10}
    assert not with_libc.disagreement


def test_a_call_that_starts_a_thread_still_runs_to_its_end() -> None:
    started = []

    def starts() -> None:
        thread = threading.Thread(target=lambda: started.append(1))
        thread.start()
        thread.join()

    report = measure(starts, calls=3, realtime=True)
    assert told(report).state == "unavailable"
    assert "started or ended a thread" in told(report).detail
    assert len(started) >= 7


def test_results_and_errors_of_system_calls_are_what_they_are(pipe: tuple[int, int]) -> None:
    seen = []

    def asks() -> None:
        seen.append((os.getppid(), os.write(pipe[1], b"abc"), os.read(pipe[0], 3)))
        with pytest.raises(FileNotFoundError):
            os.open("/no/such/file", os.O_RDONLY)

    measure(asks, calls=3, realtime=True)
    assert set(seen) == {(os.getppid(), 3, b"abc")}


def test_a_check_tells_what_its_gradient_asks_of_the_system(pipe: tuple[int, int]) -> None:
    out = np.zeros(4)

    def grad(x: Any) -> Any:
        os.write(pipe[1], b"x")
        os.read(pipe[0], 1)
        return np.add(x, x, out=out)

    def energy(x: Any) -> Any:
        return float(x @ x)

    report = pytest_adalloc.check(energy, np.ones(4), grad=grad, calls=10, realtime=True)
    assert report.allocations is not None
    assert dict(report.allocations.system_calls) == {"read": 10, "write": 10}
    assert "system calls: read x 10, write x 10" in str(report)

    def squares(x: Any) -> Any:
        total = 0.0
        for i in range(len(x)):
            total += x[i] * x[i]
        return total

    assert "no system call, 0 page faults" in str(pytest_adalloc.check(squares, np.ones(4), realtime=True))
    with pytest.raises(ValueError, match="realtime"):
        pytest_adalloc.check(squares, np.ones(4), realtime="yes")


def test_a_check_fails_where_memory_comes_by_a_raw_system_call(paths: Any) -> None:
    def grad(x: float) -> float:
        paths.functions.h_raw_mmap(None)
        return 2 * x

    with pytest.raises(AssertionError, match="allocates through a path that the hooks cannot see"):
        pytest_adalloc.check(lambda x: x * x, 3.0, grad=grad, realtime=True)
    with observing(True), pytest.raises(AssertionError, match="mmap by a raw system call"):
        pytest_adalloc.check(lambda x: x * x, 3.0, grad=grad)


def test_the_handler_of_the_signal_that_was_there_comes_back(paths: Any) -> None:
    import signal

    heard: list[int] = []
    before = signal.signal(signal.SIGSYS, lambda number, _frame: heard.append(number))
    try:
        measure(paths.functions.h_raw_mmap, None, calls=2, realtime=True)
        signal.raise_signal(signal.SIGSYS)
        assert heard == [signal.SIGSYS]
    finally:
        signal.signal(signal.SIGSYS, before)
    assert ctypes.CDLL(None).getpid() == os.getpid()
