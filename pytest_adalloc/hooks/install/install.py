"""Bring the hooks to life, once per process, and lend them to one thread at a time.

``installed()`` compiles or loads the native code and patches every loaded library; afterwards the hooks stay in place,
disarmed. ``opened()`` lends them for a window: it refuses a second thread and starts the table of sites afresh for the
outermost window.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_uint64, c_void_p
from dataclasses import dataclass, field

from pytest_adalloc.hooks import layout, native
from pytest_adalloc.hooks.attribute import caller, sites
from pytest_adalloc.hooks.entries import ENTRIES, NUMBER
from pytest_adalloc.hooks.errors import HooksBusy, HooksDead, HooksUnavailable
from pytest_adalloc.hooks.install import loaded_objects as elf
from pytest_adalloc.hooks.install.slots import Slots, linked_address, unlisted_libraries
from pytest_adalloc.hooks.native.hooks import DESCRIPTION_BYTES
from pytest_adalloc.hooks.witness import preloaded as strict

CANARY_TEXT = b"a canary of the allocator hooks " * 39  # a size that nothing else asks for
CANARY_BYTES = len(CANARY_TEXT) + 1

PATIENCE = 10.0  # seconds until a thread that does not come out of a hook counts as stuck

_installing = threading.RLock()


@dataclass(eq=False)
class Hooks:
    """The running native code: its addresses, its memory and the slots that lead to it."""

    core: dict[str, int]
    layers: list[dict[str, int]]
    words: memoryview
    slots: Slots
    begin: Callable[[int], None]
    end: Callable[[int], None]
    pause: Callable[[int], None]
    resume: Callable[[int], None]
    calls: Callable[[int], None]
    window: Callable[[int], None]
    locked_calls: Callable[[int], None]
    locked_window: Callable[[int], None]
    thread: Callable[[], int]
    events: tuple[int, ...] = ()  # breakpoints that the next window switches on and off
    mirror: int = 0  # the armed word of the preloaded library, where there is one
    canary_keys: frozenset[int] = frozenset()
    ranges_fit: bool = True
    unlisted: tuple[str, ...] = ()  # libraries whose slots cannot be found
    domains_in_place: tuple[str, ...] = ()
    numpy_capsule: object = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _depth: int = 0
    _owner: int = 0
    _scope: str = ""
    _seen: tuple[int, int] = (-1, -1)

    def refresh(self) -> None:
        """Patch what was loaded since the last time and tell the hooks which code is the interpreter's."""
        self.slots.patch()
        if self._seen != self.slots.generation:
            self.ranges_fit = caller.write_ranges(self.words, self.slots.objects, self.slots.originals["malloc"])
            self.unlisted = unlisted_libraries(self.slots.objects)
            self._seen = self.slots.generation
            sites.forget()

    @property
    def nested(self) -> bool:
        """Whether a window is open around the present one."""
        return self._depth > 1

    @property
    def chained(self) -> bool:
        """Whether some other tool's hooks are called by ours: it may allocate on its own account at any call."""
        return len(self.layers) > 1

    @contextmanager
    def opened(self, scope: str = "thread") -> Iterator[None]:
        """Hold the hooks for one window; nested windows of the same thread and scope share the counters.

        Raises HooksBusy for a second thread, and for a window inside one of the other scope: the counters know one
        scope at a time, and the outer window would lose calls of other threads or count them without being asked.
        ValueError for a scope that is none.
        """
        if scope not in ("thread", "process"):
            raise ValueError(f"scope must be 'thread' or 'process', not {scope!r}")
        if not self._lock.acquire(timeout=0):
            raise HooksBusy("another thread is measuring; one thread measures at a time")
        try:
            if self._depth and scope != self._scope:
                raise HooksBusy(
                    f"a recording of scope {self._scope!r} is open around this one of scope {scope!r}; "
                    "give both the same scope, or let one end before the other begins"
                )
            if self._depth == 0:
                self._wait_for_stragglers()
                self._owner = threading.get_ident()
                self._scope = scope
                self._forget_sites()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
        finally:
            self._lock.release()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Between the snapshots and the ends of a window an outer window counts nothing that this thread asks for, and
        its breakpoints rest: it is ours. A window of all threads goes on, or it would lose calls of the others.
        """
        from pytest_adalloc.hooks.count.window import Plan

        armed, around = self.words[layout.ARMED], self.events
        if armed == layout.EVERY_THREAD:
            self.events = ()
        plan = Plan(mirror=self.mirror, events=around) if armed == self.thread() else None
        if plan:
            self.pause(plan.address)
        try:
            yield
        finally:
            self.events = around
            if plan:
                self.resume(plan.address)

    def disarm(self) -> None:
        """Stop counting at once, whoever is counted."""
        self.words[layout.ARMED] = 0

    def after_fork(self) -> None:
        """In a child process: nothing is measured, and no thread that is not there holds anything up."""
        self.disarm()
        for at in (layout.NOTING, *range(layout.UNWINDING, layout.UNWINDING + layout.UNWINDERS)):
            self.words[at] = 0
        if self._owner != threading.get_ident():
            self._lock, self._depth = threading.RLock(), 0
        global _installing
        _installing = threading.RLock()

    def _wait_for_stragglers(self) -> None:
        """Let threads that a window of all threads has caught in the middle of a call end their noting: their calls are
        no part of the next window, and its table of sites is no place for them. Raises HooksDead when one never ends.
        """
        # Without the interpreter's lock, which whoever holds up such a thread may be waiting for.
        last = time.monotonic() + PATIENCE
        while self.words[layout.NOTING]:
            if time.monotonic() > last:
                raise HooksDead(
                    f"{self.words[layout.NOTING]} calls of an earlier window of scope 'process' are still being noted "
                    f"after {PATIENCE} seconds; the next count would be theirs as well"
                )
            time.sleep(0.0001)

    def _forget_sites(self) -> None:
        nothing = memoryview(bytes(8 * layout.SITE_WORDS)).cast("Q")
        for at in sites.used_sites(self.words):
            self.words[at : at + layout.SITE_WORDS] = nothing
        self.words[layout.USED] = 0
        self.words[layout.CANARIES] = 0
        self.words[layout.LOST] = 0


def available() -> tuple[bool, str]:
    """Whether allocations can be watched on this platform, and why not."""
    if not sys.platform.startswith("linux"):
        return False, f"the allocator hooks need Linux; this is {sys.platform}"
    if platform.machine() not in elf.RELOCATION_KINDS or struct.calcsize("P") != 8 or sys.byteorder != "little":
        return False, f"the allocator hooks know x86-64 and 64-bit ARM; this is {platform.machine()}"
    try:
        import llvmlite.binding  # noqa: F401
    except ImportError as error:
        return False, f"the allocator hooks are compiled with llvmlite, which cannot be imported: {error}"
    if linked_address("dl_iterate_phdr") is None:
        return False, "the C library has no dl_iterate_phdr, so the loaded libraries cannot be listed"
    return True, ""


def hook_addresses() -> dict[str, int]:
    """The hook of each allocator entry, for code that is linked at run time and so has no relocation slot to patch."""
    hooks = installed()
    hooks.refresh()
    first = hooks.layers[0]
    return {name: first[f"adalloc_hook_{name}"] for name in hooks.slots.originals}


def installed() -> Hooks:
    """The hooks of this process, in place and disarmed."""
    with _installing:
        return _installed()


@functools.cache
def _installed() -> Hooks:
    works, reason = available()
    if not works:
        raise HooksUnavailable(reason)
    hooks = _load()
    hooks.refresh()
    hooks.canary_keys = learn_canary(hooks)
    os.register_at_fork(after_in_child=hooks.after_fork)
    return hooks


def _load() -> Hooks:
    from pytest_adalloc.hooks.install import jit as machine

    triple = machine.triple()
    core = machine.link([machine.object_code(native.core_text(triple))], native.CORE_SYMBOLS)
    block = (c_uint64 * layout.WORDS).from_address(core["adalloc_state"])
    block[layout.BASE] = core["adalloc_state"]
    state = {"adalloc_state": core["adalloc_state"]}
    # Sixteen small functions that matter little: compiled without an optimizer, in a quarter of the time.
    shims = machine.object_code(native.domains_text(triple), opt=0)
    core |= machine.link([shims], native.DOMAIN_SYMBOLS, state)
    layer_code = machine.object_code(native.hooks_text(triple))
    shared = {name: core[name] for name in ("adalloc_state", "adalloc_note")}
    layers: list[dict[str, int]] = []

    def hook_for(name: str, original: int) -> int:
        for layer in layers:
            held = c_uint64.from_address(layer["adalloc_descriptions"] + DESCRIPTION_BYTES * NUMBER[name])
            if held.value in (0, original):
                break
        else:
            layer = machine.link([layer_code], native.HOOK_SYMBOLS, shared)
            layers.append(layer)
            held = c_uint64.from_address(layer["adalloc_descriptions"] + DESCRIPTION_BYTES * NUMBER[name])
        # Written before any slot leads here.
        held.value = original
        return layer[f"adalloc_hook_{name}"]

    slots = Slots(hook_for)
    slots.find_originals()
    for entry in ENTRIES:
        if entry.name in slots.originals:
            hook_for(entry.name, slots.originals[entry.name])
    _write_libc(core, slots)
    window = ctypes.CFUNCTYPE(None, c_void_p)
    locked = ctypes.PYFUNCTYPE(None, c_void_p)
    return Hooks(
        core=core,
        layers=layers,
        words=memoryview(block).cast("B").cast("Q"),
        slots=slots,
        begin=locked(core["adalloc_begin"]),
        end=locked(core["adalloc_end"]),
        pause=locked(core["adalloc_pause"]),
        resume=locked(core["adalloc_resume"]),
        calls=window(core["adalloc_calls"]),
        window=window(core["adalloc_window"]),
        locked_calls=locked(core["adalloc_calls"]),
        locked_window=locked(core["adalloc_window"]),
        thread=ctypes.PYFUNCTYPE(c_uint64)(core["adalloc_thread"]),
        mirror=strict.state_address(),
    )


def _write_libc(core: dict[str, int], slots: Slots) -> None:
    """Fill in the functions that the native code calls. Without ``backtrace`` (musl) sites are known by return address
    alone.
    """
    for position, name in enumerate(layout.LIBC):
        address = slots.originals.get(name) or linked_address(name) or 0
        c_uint64.from_address(core["adalloc_libc"] + 8 * position).value = address
    if backtrace := linked_address("backtrace"):
        # Its first call opens a library; let that happen now and not inside a hook.
        frames = (c_void_p * 4)()
        ctypes.CFUNCTYPE(ctypes.c_int, c_void_p, ctypes.c_int)(backtrace)(ctypes.addressof(frames), 4)


def learn_canary(hooks: Hooks) -> frozenset[int]:
    """The sites that the canary leaves, from a window in which nothing else runs."""
    from pytest_adalloc.hooks.count.window import Plan

    with hooks.opened():
        plan = Plan(mirror=hooks.mirror)
        hooks.begin(plan.address)
        hooks.end(plan.address)
        if not plan.canary_lives():
            raise HooksDead(plan.obituary())
        found = sites.read_sites(hooks.words).values()
    return frozenset(
        site.key for site in found if site.kind == layout.NATIVE and site.bytes == CANARY_BYTES * site.count
    )
