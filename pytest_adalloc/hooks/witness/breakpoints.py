"""The second witness: the processor itself counts entries into libc's allocator, whatever pointer led there.

Execution breakpoints of ``perf_event_open`` need no privilege at ``perf_event_paranoid`` 2 and cost nothing until they
are hit. Four fit at once, so a few calls are repeated in several passes. Each pass is an ordinary window: hooks and
breakpoints watch the very same calls and are compared function by function. A breakpoint that does not see a call made
to prove it is no witness.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from ctypes import c_int, c_long, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any

from pytest_adalloc.hooks.entries import ENTRIES, LEADS_TO_MALLOC, NEW
from pytest_adalloc.hooks.errors import HooksDead
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.slots import linked_address
from pytest_adalloc.hooks.reports import Witness
from pytest_adalloc.hooks.witness.evidence import Evidence

NAME = "hardware breakpoints"
AT_ONCE = 4
SYSTEM_CALL = {"x86_64": 298, "aarch64": 241}
TYPE_BREAKPOINT, EXECUTE = 5, 4
ATTRIBUTE_BYTES = 128
DISABLED, EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR = 1 << 0, 1 << 5, 1 << 6
BUDGET = 20_000  # hits in one window, a fifth of a second: then a breakpoint switches itself off
RESET, ENABLE, DISABLE = 0x2403, 0x2400, 0x2401

MAPS = tuple(entry.name for entry in ENTRIES if entry.kind == "map")


class Refused(OSError):
    """The system gives us no breakpoint, or one that does not work."""


def watched(hooks: Hooks, wanted: bool) -> AbstractContextManager[Breakpoints]:
    """Breakpoints on the most important entries for one window; none unless wanted."""
    return placed(hooks, list(places(hooks).items())[:AT_ONCE] if wanted else [])


@dataclass
class Breakpoints:
    """Open breakpoints by the first name of their place; ``refusal`` says why there are none."""

    files: dict[str, int]
    places: dict[int, list[str]]
    refusal: str = ""
    _final: dict[str, int] | None = None

    @property
    def events(self) -> tuple[int, ...]:
        """The descriptors that a window switches on and off."""
        return tuple(self.files.values())

    def counts(self, canaries: int) -> dict[str, int]:
        """Entries that the processor counted, without the canaries."""
        if self._final is None:
            self._final = {name: _read(file) for name, file in self.files.items()}
        counts = dict(self._final)
        if "malloc" in counts:
            counts["malloc"] -= canaries
        return counts

    @property
    def stopped(self) -> str:
        """The place whose hits used up the budget, so that it was not watched to the end; empty when none did."""
        # What proves a breakpoint takes some hits of the first period.
        return next((name for name, count in self.counts(0).items() if count >= 0.9 * BUDGET), "")

    def unwatched(self, hooks: Hooks) -> tuple[str, ...]:
        """The entries that no breakpoint was left for, as a blind spot."""
        left = [names[0] for address, names in places(hooks).items() if address not in self.places]
        if self.refusal or not left:
            return ()
        return (f"{', '.join(left)} through pointers that bypass the slots: the processor has {AT_ONCE} breakpoints",)

    def cross_check(self, evidence: Evidence) -> Witness:
        """Compare with what the hooks counted in the same window.

        The processor watches this thread alone: where the hooks count all threads, only more than they count is news.
        """
        if self.refusal:
            return Witness(NAME, "unavailable", self.refusal)
        counts, hooked = self.counts(evidence.canaries), evidence.hooked
        wrong = _unseen(counts, hooked, self.places)
        if wrong:
            detail = ", ".join(f"{name} x {count}" for name, count in wrong.items())
            return Witness(NAME, "disagrees", f"allocation through a path that the hooks cannot see: {detail}", wrong)
        if self.stopped:
            return Witness(NAME, "unavailable", f"stopped: {self.stopped} was entered {BUDGET} times, its budget")
        missed = _missed(counts, evidence.announced, self.places) if evidence.scope == "thread" else ""
        if missed:
            return Witness(NAME, "disagrees", f"the hooks counted more than the processor: {missed}")
        whose = "" if evidence.scope == "thread" else " by this thread"
        return Witness(NAME, "agrees", f"{sum(counts.values())} entries of {', '.join(counts)}{whose}")


@contextmanager
def placed(hooks: Hooks, where: Sequence[tuple[int, list[str]]]) -> Iterator[Breakpoints]:
    """Set breakpoints for the next window, prove each with a call, and close them afterwards. An outer window is paused
    meanwhile.
    """
    around = hooks.events
    with ExitStack() as stack:
        watching = Breakpoints({}, dict(where))
        try:
            for address, names in where:
                file = stack.enter_context(_breakpoint(address))
                _prove(file, address, names[0])
                watching.files[names[0]] = file
        except Refused as error:
            watching.files.clear()
            watching.refusal = _explained(error, nested=bool(around))
        for file in watching.events:
            _ioctl(file, RESET)
        hooks.events = (*around, *watching.events)
        try:
            yield watching
        finally:
            hooks.events = around


def available() -> tuple[bool, str]:
    """Whether this process may set execution breakpoints, and why not."""
    try:
        with _breakpoint(_address_of_getpid()):
            return True, ""
    except Refused as error:
        return False, _explained(error)


def places(hooks: Hooks) -> dict[int, list[str]]:
    """Addresses to watch with the names that share each, in the order of the table of entries."""
    found: dict[int, list[str]] = {}
    for entry in ENTRIES:
        if entry.counts and entry.name in hooks.slots.originals:
            # Under the preloaded library libc's own entries are watched, which that library goes on to.
            behind = linked_address(entry.behind) if hooks.mirror and entry.behind else None
            found.setdefault(behind or hooks.slots.originals[entry.name], []).append(entry.name)
    points = hooks.entry_points
    for address, name in points.left().items():
        # No hook leads there, and what allocators map on their own account is told by nobody but patches.
        if address not in found and points.kind(address) == "allocate":
            found[address] = [name]
    return found


def _unseen(counts: dict[str, int], hooked: Mapping[str, int], places: dict[int, list[str]]) -> dict[str, int]:
    """Entries that the breakpoints saw beyond what the hooks explain."""
    explained = {names[0]: sum(hooked.get(name, 0) for name in names) for names in places.values()}
    explained["malloc"] = explained.get("malloc", 0) + sum(hooked.get(name, 0) for name in LEADS_TO_MALLOC)
    # The preloaded library's posix_memalign is made of libc's memalign.
    aligned = next((names[0] for names in places.values() if "memalign" in names), "memalign")
    explained[aligned] = explained.get(aligned, 0) + hooked.get("posix_memalign", 0)
    if any(hooked.values()):
        # The allocator maps and trims memory on its own account; the call that made it do so is counted.
        counts = {name: count for name, count in counts.items() if name not in MAPS}
    return {name: extra for name, count in counts.items() if (extra := count - explained[name]) > 0}


def _missed(counts: dict[str, int], hooked: Mapping[str, int], places: dict[int, list[str]]) -> str:
    short = []
    for names in places.values():
        expected = sum(hooked.get(name, 0) for name in names)
        if names[0] in counts and counts[names[0]] < expected:
            short.append(f"{names[0]}: {expected} and {counts[names[0]]}")
    return ", ".join(short)


@contextmanager
def _breakpoint(address: int) -> Iterator[int]:
    attribute = ctypes.create_string_buffer(_attribute(address), ATTRIBUTE_BYTES)
    number = SYSTEM_CALL.get(platform.machine())
    if number is None:
        raise Refused(errno.ENOSYS, "the number of perf_event_open is not known here")
    file = _system()(number, attribute, 0, -1, c_long(-1), c_long(0))
    if file < 0:
        code = ctypes.get_errno()
        raise Refused(code, os.strerror(code))
    try:
        yield int(file)
    finally:
        os.close(file)


def _attribute(address: int) -> bytes:
    """A perf_event_attr: count user-mode execution of one address on this thread, switched off at first."""
    raw = bytearray(ATTRIBUTE_BYTES)
    struct.pack_into("<II", raw, 0, TYPE_BREAKPOINT, ATTRIBUTE_BYTES)
    struct.pack_into("<Q", raw, 16, BUDGET)  # the period; windows switch on until the first overflow
    struct.pack_into("<Q", raw, 40, DISABLED | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR)
    struct.pack_into("<I", raw, 52, EXECUTE)
    # The kernel wants the length of a word on x86, that of an instruction on ARM.
    length = 4 if platform.machine() == "aarch64" else ctypes.sizeof(c_long)
    struct.pack_into("<QQ", raw, 56, address, length)
    return bytes(raw)


def _prove(file: int, address: int, name: str) -> None:
    """Enter the function once, harmlessly, and see the breakpoint count it."""
    _ioctl(file, RESET)
    _ioctl(file, ENABLE)
    _enter(name, address)
    _ioctl(file, DISABLE)
    seen = _read(file)
    if seen < 1:
        raise Refused(errno.EIO, f"a breakpoint on {name} did not count a call that was made to prove it")
    _ioctl(file, RESET)


def _enter(name: str, address: int) -> None:
    """Call an entry so that nothing comes of it: the request is larger than any memory, or asks for nothing.

    What it returns is never freed: a preloaded allocator may replace some entries only, and then two do not fit.
    """
    nowhere, impossible = ctypes.byref(c_void_p()), c_size_t(2**64 - 2**16)
    arguments: dict[str, tuple[Any, ...]] = {
        "posix_memalign": (nowhere, c_size_t(16), impossible),
        "realloc": (None, impossible),
        "calloc": (c_size_t(1), impossible),
        "memalign": (c_size_t(16), impossible),
        "aligned_alloc": (c_size_t(16), impossible),
        "mmap": (None, c_size_t(0), c_int(0), c_int(0), c_int(-1), c_long(0)),
        "mremap": (None, c_size_t(0), c_size_t(0), c_int(0), None),
        "sbrk": (c_long(0),),
        "brk": (None,),
    }
    # Without declared types every argument is passed as it is given.
    # An operator must not be asked for the impossible: it would throw.
    short = name.rpartition(": ")[2]
    arguments[NEW.name] = (c_size_t(32), c_size_t(16))
    ctypes.PYFUNCTYPE(c_void_p)(address)(*arguments.get(short, (impossible,)))


def _read(file: int) -> int:
    return int(struct.unpack("<q", os.read(file, 8))[0])


def _ioctl(file: int, request: int) -> None:
    import fcntl

    fcntl.ioctl(file, request, 0)


def _explained(error: Refused, *, nested: bool = False) -> str:
    text = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"perf_event_open was refused ({text}): a container's filter, or perf_event_paranoid above 2"
    if error.errno in (errno.ENOSYS, errno.ENOENT, errno.EOPNOTSUPP):
        return f"this kernel or virtual machine offers no hardware breakpoints ({text})"
    if error.errno in (errno.ENOSPC, errno.EBUSY):
        holder = "the window around this one" if nested else "a debugger or another tool"
        return f"{holder} holds the processor's breakpoints ({text})"
    return text


def _address_of_getpid() -> int:
    address = ctypes.cast(ctypes.PyDLL(None).getpid, c_void_p).value
    if not address:
        raise HooksDead("the C library has no getpid")
    return address


@functools.cache
def _system() -> Any:
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = c_long
    return function
