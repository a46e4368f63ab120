"""Kernels that take long let other threads go on; short ones keep the GIL. Nothing here depends on how long exactly."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.runtime.wrappers import EVERY, PACE

X = np.linspace(0.5, 1.0, 50)


def long(x, rounds):
    total = 0.0
    for _ in range(rounds):
        for i in range(len(x)):
            total += np.sin(x[i]) * np.exp(-x[i] * x[i])
    return total


def searching(x, rounds):
    total, k = 0.0, 0
    while k < rounds:
        for i in range(len(x)):
            total += np.sin(x[i]) * x[i]
        k += 1
    return total


def pace(call: Any) -> int:
    return int(call._block.words[PACE].astype(np.int64))


def calls(f: Any) -> dict[str, Callable[[int], Any]]:
    handle = ad.compile(f, ad.Duplicated(X, np.zeros_like(X)), ad.Const(1))
    gradient = ad.grad(f)
    strided, shadow = np.zeros((50, 2))[:, 0], np.zeros((50, 2))[:, 1]
    strided[:] = X
    bound = handle.bind(X, np.zeros_like(X), 400_000)
    return {
        "handle": lambda rounds: handle(X, np.zeros_like(X), rounds),
        "bound": lambda rounds: bound(),
        "gradient": lambda rounds: gradient(X, rounds),
        "general path": lambda rounds: ad.autodiff(
            ad.Reverse, f, ad.Duplicated(strided, shadow), ad.Const(rounds), boundscheck=False
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("f", [long, searching])
@pytest.mark.parametrize("how", ["handle", "bound", "gradient", "general path"])
def test_other_threads_go_on(f: Any, how: str) -> None:
    """A thread that only counts gets far while a kernel of a tenth of a second runs; with the GIL it would wait."""
    call = calls(f)[how]
    for _ in range(1 if how == "bound" else EVERY + 1):
        call(20_000)  # it is noticed that it takes long
    counted, ended = [0], threading.Event()

    def count() -> None:
        while not ended.is_set():
            counted[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    time.sleep(0.05)
    before = counted[0]
    call(400_000)
    after = counted[0]
    ended.set()
    thread.join()
    assert after - before > 100


def test_short_kernels_keep_it_and_are_timed_now_and_then() -> None:
    bound = ad.compile(lambda x: x * x, ad.Active(2.0)).bind(3.0)
    assert pace(bound) == 0
    bound()
    assert pace(bound) == EVERY
    for _ in range(EVERY):
        bound()
    assert pace(bound) == 0
    bound()
    assert pace(bound) == EVERY


def test_a_kernel_that_was_long_and_is_short_again() -> None:
    handle = ad.compile(long, ad.Const(X), ad.Const(1), mode=ad.Primal)
    handle(X, 20_000)
    assert pace(handle) == -1
    assert handle(X, 3) == pytest.approx(long(X, 3))
    assert pace(handle) == EVERY


def test_a_fault_of_a_kernel_without_the_gil_is_raised() -> None:
    def reads(x, rounds, at):
        total = 0.0
        for _ in range(rounds):
            for i in range(len(x)):
                total += np.sin(x[i])
        return total + x[at]

    handle = ad.compile(reads, ad.Const(X), ad.Const(1), ad.Const(0), mode=ad.Primal)
    handle(X, 20_000, 0)
    assert pace(handle) == -1
    with pytest.raises(IndexError, match="index 99 is out of bounds"):
        handle(X, 20_000, 99)
    assert handle(X, 2, 1) == pytest.approx(reads(X, 2, 1))


def test_a_signal_ends_it_all_the_same() -> None:
    class Stopped(Exception):
        pass

    def stop(number: int, frame: Any) -> None:
        raise Stopped

    handle = ad.compile(searching, ad.Const(X), ad.Const(1), mode=ad.Primal)
    handle(X, 20_000)
    assert pace(handle) == -1
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(Stopped):
            handle(X, 10**10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert handle(X, 2) == pytest.approx(searching(X, 2))
