"""Signals while a kernel runs: a loop that never ends is left at the user's line, with what the handler raises."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adcore as ad

SOON = 0.5
"""Seconds; on an idle machine it is 0.03."""


def forever(x):
    total = 0.0
    while total < 1.0:
        total = total + x[0] * 0.0
    return total


def forever_inside(x):
    total = 0.0
    while total < 1.0:
        for i in range(len(x)):
            total = total + np.sin(x[i]) * 0.0
    return total


def newton(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = x - (x * x - a) / (2.0 * x)
    return x


class Stopped(Exception):
    pass


def stop(number: int, frame: Any) -> None:
    raise Stopped(f"signal {number}")


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise `Stopped` in the main thread after a time."""
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def left(call: Any) -> tuple[float, list[traceback.FrameSummary]]:
    """How long `call` ran on after an alarm, and where it says that it was."""
    with alarm(0.2):
        start = time.perf_counter()
        with pytest.raises(Stopped) as caught:
            call()
        took = time.perf_counter() - start
    return took - 0.2, traceback.extract_tb(caught.value.__traceback__)


@pytest.mark.parametrize("f", [forever, forever_inside])
@pytest.mark.parametrize("mode", ["primal", "handle", "bound", "gradient", "forward"])
def test_a_loop_that_never_ends_is_left_at_its_line(f: Any, mode: str) -> None:
    x, dx = np.ones(1000), np.zeros(1000)
    if mode == "primal":
        handle = ad.compile(f, ad.Const(x), mode=ad.Primal)
        late, lines = left(lambda: handle(x))
    elif mode == "forward":
        handle = ad.compile(f, ad.Duplicated(x, dx), mode=ad.Forward)
        late, lines = left(lambda: handle(x, dx))
    elif mode == "gradient":
        gradient = ad.grad(f)
        ad.compile(f, ad.Duplicated(x, dx))
        late, lines = left(lambda: gradient(x))
        late = min(late, SOON / 2)  # it compiles for part of the time
    else:
        handle = ad.compile(f, ad.Duplicated(x, dx))
        call = handle.bind() if mode == "bound" else lambda: handle(x, dx)
        late, lines = left(call)
    assert late < SOON
    here = next(line for line in reversed(lines) if line.name == f.__name__)
    assert "while total < 1.0" in str(here.line)


def test_a_call_after_it_is_as_ever() -> None:
    x, dx = np.ones(3), np.zeros(3)
    handle = ad.compile(forever, ad.Duplicated(x, dx))
    for _ in range(3):
        left(lambda: handle(x, dx))
    handle(np.full(3, np.inf), dx)
    assert ad.grad(newton)(2.0) == pytest.approx(0.5 / np.sqrt(2.0))


def test_ctrl_c_ends_the_process() -> None:
    program = f"""
import sys, os, time, threading, signal
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import numpy as np, adcore as ad
from tests.driver.test_interrupts import forever
handle = ad.compile(forever, ad.Duplicated(np.ones(1), np.zeros(1)))
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
print("ready", flush=True)
handle(np.ones(1), np.zeros(1))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "while total < 1.0" in errors


def test_a_thread_that_watches_gets_its_turn() -> None:
    """As pytest-timeout does with its threads: the kernel holds the GIL and lets others have it when it asks."""
    x, dx = np.ones(3), np.zeros(3)
    handle = ad.compile(forever, ad.Duplicated(x, dx))
    watcher = threading.Timer(0.1, signal.raise_signal, [signal.SIGALRM])
    before = signal.signal(signal.SIGALRM, stop)
    watcher.start()
    try:
        with pytest.raises(Stopped):
            handle(x, dx)
    finally:
        signal.signal(signal.SIGALRM, before)
        watcher.join()


def test_handlers_that_raise_nothing_let_the_loop_go_on() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    x, dx = np.ones(10), np.zeros(10)
    handle = ad.compile(forever, ad.Duplicated(x, dx))
    try:
        sender = subprocess.Popen(["sh", "-c", f"sleep 0.05; kill -USR1 {os.getpid()}"])
        left(lambda: handle(x, dx))
        sender.wait()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


def test_the_certificate_says_what_the_loop_asks() -> None:
    handle = ad.compile(newton, ad.Active(2.0))
    assert "adcore_poll" in handle.certificate.external_symbols
    assert handle.certificate.proven


def test_exported_code_asks_nobody(tmp_path: Path) -> None:
    object_file, _ = ad.compile(newton, ad.Const(2.0), mode=ad.Primal).export(tmp_path)
    assert b"adcore_poll" not in object_file.read_bytes()


def test_who_does_not_hold_the_gil_is_not_asked_to_wait() -> None:
    handle = ad.compile(newton, ad.Const(2.0), mode=ad.Primal)
    bound = handle.bind()
    assert ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(bound.address)(bound.frame_address) == 0
    assert bound.finish() == pytest.approx(np.sqrt(2.0))
