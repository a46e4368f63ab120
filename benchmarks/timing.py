"""Native calls in a native loop: medians of interleaved repetitions on one core."""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import adcore as ad
from benchmarks.kernels import Kernel

REPEATS = 9
BUDGET = 0.02  # seconds that one repetition of one contestant may take
Contestant = Callable[[int], float]  # calls -> nanoseconds a call


class Block(ctypes.Structure):
    """What the functions of peers.c take."""

    _fields_ = (("x", ctypes.c_void_p), ("y", ctypes.c_void_p), ("g", ctypes.c_void_p), ("n", ctypes.c_int64),
                ("steps", ctypes.c_int64), ("value", ctypes.c_double))  # fmt: skip


class Restored(ctypes.Structure):
    """Memory that is copied back (or cleared) before each call."""

    _fields_ = (("to", ctypes.c_void_p), ("source", ctypes.c_void_p), ("bytes", ctypes.c_int64))


def pin() -> str:
    """Stay on one core, where the system lets us."""
    try:
        core = sorted(os.sched_getaffinity(0))[-1]
        os.sched_setaffinity(0, {core})
    except (AttributeError, OSError):
        return "not pinned"
    return f"pinned to core {core}"


@cache
def peers(fast: bool) -> ctypes.CDLL | None:
    """peers.c as a library; None without a compiler."""
    compiler = next((found for name in ("gcc", "clang", "cc") if (found := shutil.which(name))), None)
    if compiler is None:
        return None
    target = Path(tempfile.mkdtemp()) / f"peers{fast:d}.so"
    flags = ["-O3", "-march=native", "-shared", "-fPIC", *(["-ffast-math"] if fast else [])]
    command = [compiler, *flags, "-o", str(target), str(Path(__file__).with_name("peers.c")), "-lm"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        return None
    library = ctypes.CDLL(str(target))
    library.loop.restype = ctypes.c_double
    library.loop.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    return library


def driven(entry: int, argument: int, restored: list[Restored], keep: Any) -> Contestant:
    """A native entry in the native loop of peers.c."""
    library = peers(fast=False)
    assert library is not None
    table = (Restored * len(restored))(*restored)

    def run(calls: int, keep: Any = (keep, restored)) -> float:
        spent = float(library.loop(entry, argument, ctypes.addressof(table), len(restored), calls))
        assert spent >= 0, "a kernel stopped with an error"
        return spent

    return run


def stepwise(bound: Callable[[], Any], reset: Callable[[], None]) -> Contestant:
    """The same without a C compiler: through Python, whose part is small for all but the smallest kernels."""

    def run(calls: int) -> float:
        spent = 0
        for _ in range(calls):
            reset()
            started = time.perf_counter_ns()
            bound()
            spent += time.perf_counter_ns() - started
        return spent / calls

    return run


def copies(pairs: list[tuple[np.ndarray, np.ndarray | None]]) -> list[Restored]:
    return [Restored(to.ctypes.data, None if source is None else source.ctypes.data, to.nbytes) for to, source in pairs]


def ours(kernel: Kernel, gradient: bool, fastmath: bool = False) -> tuple[Contestant, Any]:
    """Our kernel, or its gradient with the value; shadows are cleared and what is written restored before each call."""
    args = [a.copy() if isinstance(a, np.ndarray) else a for a in kernel.args]
    shadows = {k: np.zeros_like(args[k]) for k in kernel.active}
    if gradient:
        given = [ad.Duplicated(a, shadows[k]) if k in shadows else ad.Const(a) for k, a in enumerate(args)]
        handle = ad.compile(kernel.f, *given, mode=ad.ReverseWithPrimal, fastmath=fastmath)
    else:
        handle = ad.compile(kernel.f, *args, mode=ad.Primal, fastmath=fastmath)
    written = {name.split("[")[0] for name in handle.written}
    names = kernel.f.__code__.co_varnames
    pairs: list[tuple[np.ndarray, np.ndarray | None]] = []
    pairs += [(a, kernel.args[k]) for k, a in enumerate(args) if names[k] in written]
    pairs += [(s, None) for s in shadows.values()] if gradient else []
    bound = handle.bind(*given) if gradient else handle.bind(*args)

    def reset() -> None:
        for to, source in pairs:
            to[...] = 0.0 if source is None else source

    reset()
    bound()
    if peers(fast=False) is None:
        return stepwise(bound, reset), handle
    return driven(bound.address, bound.frame_address, copies(pairs), (bound, handle, args, shadows)), handle


def theirs(kernel: Kernel, gradient: bool, fast: bool) -> tuple[Contestant, Callable[[], np.ndarray]] | None:
    """The hand-written twin, and its gradient after a call."""
    library = peers(fast)
    if library is None or (gradient and not kernel.adjoint):
        return None
    arrays = [a.copy() for a in kernel.args if isinstance(a, np.ndarray)]
    written = kernel.name in ("burgers", "cholesky", "lu", "insertion_sort")
    shadow = np.zeros_like(arrays[0])
    second = arrays[1].ctypes.data if len(arrays) > 1 else None
    steps = next((a for a in kernel.args if isinstance(a, int)), 0)
    block = Block(arrays[0].ctypes.data, second, shadow.ctypes.data, len(arrays[0]), steps, 0.0)
    entry = ctypes.cast(
        getattr(library, (kernel.twin or kernel.name) + ("_adjoint" if gradient else "")), ctypes.c_void_p
    ).value
    assert entry is not None
    pairs: list[tuple[np.ndarray, np.ndarray | None]] = [(arrays[0], kernel.args[0])] if written else []
    return driven(entry, ctypes.addressof(block), copies(pairs), (block, arrays, shadow)), lambda: shadow


def blas(f: Callable[..., Any], kernel: Kernel) -> Contestant:
    """The kernel by means of NumPy, called from Python."""
    args = [a.copy() for a in kernel.args]

    def run(calls: int) -> float:
        started = time.perf_counter_ns()
        for _ in range(calls):
            f(*args)
        return (time.perf_counter_ns() - started) / calls

    return run


def medians(contestants: dict[str, Contestant]) -> dict[str, float]:
    """Nanoseconds a call of each, in turns, so that all meet the same machine."""
    calls = {name: max(1, int(BUDGET * 1e9 / max(run(1), run(2), 20.0))) for name, run in contestants.items()}
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(REPEATS):
        for name, run in contestants.items():
            taken[name].append(run(calls[name]))
    return {name: statistics.median(each) for name, each in taken.items()}
