"""The system calls and page faults of the measured calls, for programs that must not wait.

They are counted over further calls, because each costs some ten microseconds more. What needs no system call is not
seen: a lock that nobody holds, and a clock that is read without entering the kernel.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.count.drivers import Driver
from pytest_adalloc.hooks.install.entry_points import LIBC
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.loaded_objects import definitions
from pytest_adalloc.hooks.reports import Witness

NAME = "system calls"
SIGSYS, SIGACTION = 31, 13
WITH_INFO, WITH_RESTORER, NOT_DEFERRED = 0x4, 0x04000000, 0x40000000
NAMES = {
    0: "read", 1: "write", 3: "close", 7: "poll", 9: "mmap", 10: "mprotect", 11: "munmap", 12: "brk",
    13: "rt_sigaction", 14: "rt_sigprocmask", 16: "ioctl", 20: "writev", 24: "sched_yield", 25: "mremap",
    28: "madvise", 35: "nanosleep", 39: "getpid", 56: "clone", 98: "getrusage", 186: "gettid", 202: "futex",
    228: "clock_gettime", 230: "clock_nanosleep", 257: "openat", 262: "newfstatat", 318: "getrandom", 332: "statx",
    435: "clone3",
}  # fmt: skip
MEMORY = (9, 12, 25)  # those that ask for memory

_asked: ContextVar[bool] = ContextVar("asked", default=False)


@contextmanager
def observing(wanted: bool) -> Iterator[None]:
    """Let every measurement of a block count system calls too, if it is wanted."""
    token = _asked.set(wanted or _asked.get())
    try:
        yield
    finally:
        _asked.reset(token)


def asked() -> bool:
    """Whether measurements are to count system calls."""
    return _asked.get()


@dataclass(frozen=True)
class SystemCalls:
    """What the calls asked of the system, by name, and how many pages were not there. ``witness`` says how that is
    known, and whether memory came by a raw system call.
    """

    witness: Witness
    by_name: Mapping[str, int] = field(default_factory=dict)
    page_faults: int | None = None


def observe_system_calls(hooks: Hooks, driver: Driver, calls: int) -> SystemCalls:
    """Make further calls and count what this thread asks of the system meanwhile."""
    if platform.machine() != "x86_64":
        return SystemCalls(Witness(NAME, "unavailable", f"counted on x86-64 only; this is {platform.machine()}"))
    words = hooks.words
    ranges = [owner.span() for owner in hooks.slots.objects if definitions(owner, [LIBC])]
    words[layout.SYSTEM_LOW], words[layout.SYSTEM_HIGH] = ranges[0] if ranges else (0, 0)
    tables = slice(layout.SYSTEM_CALLS, layout.SYSTEM_CALLS + 2 * layout.SYSTEM_COUNT)
    words[tables] = memoryview(bytes(16 * layout.SYSTEM_COUNT)).cast("Q")
    with hooks.paused(), _handled(hooks):
        driver.observe(hooks, calls)
    if words[layout.SYSTEM_REFUSED]:
        reason = os.strerror(2**64 - words[layout.SYSTEM_REFUSED])
        return SystemCalls(Witness(NAME, "unavailable", f"this kernel does not report them ({reason})"))
    libc, raw = (
        [words[start + number] for number in range(layout.SYSTEM_COUNT)]
        for start in (layout.SYSTEM_CALLS, layout.RAW_CALLS)
    )
    names = {
        NAMES.get(number, f"system call {number}"): a + b for number, (a, b) in enumerate(zip(libc, raw, strict=True))
    }
    faults = sum(
        words[layout.USAGE + layout.USAGE_WORDS + at] - words[layout.USAGE + at]
        for at in (layout.SMALL_FAULTS, layout.LARGE_FAULTS)
    )
    found = {name: count for name, count in sorted(names.items(), key=lambda pair: -pair[1]) if count}
    if words[layout.SYSTEM_STOPPED]:
        return SystemCalls(
            Witness(NAME, "unavailable", "stopped: a call started or ended a thread or a process"), found, faults
        )
    return SystemCalls(_judged(raw, sum(found.values()), calls), found, faults)


def _judged(raw: list[int], total: int, calls: int) -> Witness:
    unseen = {f"{NAMES[number]} by a raw system call": raw[number] for number in MEMORY if raw[number]}
    if unseen:
        told = ", ".join(f"{name} x {count}" for name, count in unseen.items())
        return Witness(NAME, "disagrees", f"memory taken without the C library: {told}", unseen)
    return Witness(NAME, "agrees", f"{total} in {calls} calls of this thread, none of them raw that asks for memory")


@contextmanager
def _handled(hooks: Hooks) -> Iterator[None]:
    """Our handler of the signal that stands for a system call, for the length of a block."""
    system = ctypes.CDLL(None, use_errno=True).syscall
    action = struct.pack(
        "<QQQQ",
        hooks.core["adalloc_handler"],
        WITH_INFO | WITH_RESTORER | NOT_DEFERRED,
        hooks.core["adalloc_restorer"],
        0,
    )
    before = ctypes.create_string_buffer(32)
    new = ctypes.create_string_buffer(action, 32)
    if system(ctypes.c_long(SIGACTION), SIGSYS, new, before, ctypes.c_size_t(8)):
        raise OSError(ctypes.get_errno(), "the signal of system calls cannot be handled")
    try:
        yield
    finally:
        system(ctypes.c_long(SIGACTION), SIGSYS, before, None, ctypes.c_size_t(8))
