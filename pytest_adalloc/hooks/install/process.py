"""Bring the hooks to life, once per process.

``installed()`` compiles or loads the native code and patches every loaded library; afterwards the hooks stay in place,
disarmed.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import struct
import sys
import threading
from ctypes import c_uint64, c_void_p
from dataclasses import dataclass, field

from pytest_adalloc.hooks import layout, native
from pytest_adalloc.hooks.entries import ENTRIES
from pytest_adalloc.hooks.errors import HooksDead, HooksUnavailable
from pytest_adalloc.hooks.install.counters import read_sites
from pytest_adalloc.hooks.install.entry_points import EntryPoints, refusal
from pytest_adalloc.hooks.install.hooks import Hooks, original_of
from pytest_adalloc.hooks.install.loaded_objects import RELOCATION_KINDS
from pytest_adalloc.hooks.install.plan import CANARY_BYTES, WindowPlan
from pytest_adalloc.hooks.install.preload_state import state_address
from pytest_adalloc.hooks.install.slots import Slots, linked_address
from pytest_adalloc.hooks.patching.memory import prepare
from pytest_adalloc.hooks.patching.patches import Patches

_installing = threading.RLock()


def available() -> tuple[bool, str]:
    """Whether allocations can be watched on this platform, and why not."""
    if not sys.platform.startswith("linux"):
        return False, f"the allocator hooks need Linux; this is {sys.platform}"
    if platform.machine() not in RELOCATION_KINDS or struct.calcsize("P") != 8 or sys.byteorder != "little":
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
    os.register_at_fork(after_in_child=functools.partial(_after_fork, hooks))
    _disarm_forked_children(hooks.core["adalloc_disarm"])
    return hooks


def _after_fork(hooks: Hooks) -> None:
    global _installing
    _installing = threading.RLock()
    hooks.after_fork()


def _disarm_forked_children(disarm: int) -> None:
    """Children that native code forks hear nothing of Python's own handlers. The C library knows these by heart."""
    register = linked_address("__register_atfork")
    if register:
        ctypes.PYFUNCTYPE(ctypes.c_int, c_void_p, c_void_p, c_void_p, c_void_p)(register)(None, None, disarm, None)


def _load() -> Hooks:
    core = _core()
    layers = _Layers({name: core[name] for name in ("adalloc_state", "adalloc_note")}, _layer_code())
    prepare()
    slots = Slots(layers.hook_for)
    slots.find_originals()
    for entry in ENTRIES:
        if entry.name in slots.originals:
            layers.hook_for(entry.name, slots.originals[entry.name])
    _write_libc(core, slots)
    words = memoryview(_state(core)).cast("B").cast("Q")
    patches = Patches(core["adalloc_state"] + 8 * layout.ARMED, core["adalloc_entry"])
    window = ctypes.CFUNCTYPE(None, c_void_p)
    locked = ctypes.PYFUNCTYPE(None, c_void_p)
    return Hooks(
        core=core,
        layers=layers.linked,
        words=words,
        slots=slots,
        entry_points=EntryPoints(words, patches, refusal()),
        begin=locked(core["adalloc_begin"]),
        end=locked(core["adalloc_end"]),
        pause=locked(core["adalloc_pause"]),
        resume=locked(core["adalloc_resume"]),
        calls=window(core["adalloc_calls"]),
        observed=window(core["adalloc_observed"]),
        locked_observed=locked(core["adalloc_observed"]),
        window=window(core["adalloc_window"]),
        locked_calls=locked(core["adalloc_calls"]),
        locked_window=locked(core["adalloc_window"]),
        thread=ctypes.PYFUNCTYPE(c_uint64)(core["adalloc_thread"]),
        mirror=state_address(),
    )


def _core() -> dict[str, int]:
    """Link the state with what counts, and the shims of Python's domains."""
    from pytest_adalloc.hooks.install import jit

    triple = jit.triple()
    core = jit.link([jit.object_code(native.core_text(triple))], native.CORE_SYMBOLS)
    _state(core)[layout.BASE] = core["adalloc_state"]
    # Sixteen small functions that matter little: compiled without an optimizer, in a quarter of the time.
    shims = jit.object_code(native.domains_text(triple), opt=0)
    return core | jit.link([shims], native.DOMAIN_SYMBOLS, {"adalloc_state": core["adalloc_state"]})


def _layer_code() -> bytes:
    from pytest_adalloc.hooks.install import jit

    return jit.object_code(native.hooks_text(jit.triple()))


def _state(core: dict[str, int]) -> ctypes.Array[c_uint64]:
    return (c_uint64 * layout.WORDS).from_address(core["adalloc_state"])


@dataclass
class _Layers:
    """The hooks, layer by layer: each passes on to one original of each entry, and ``shared`` is what all of them
    call.
    """

    shared: dict[str, int]
    code: bytes
    linked: list[dict[str, int]] = field(default_factory=list)

    def hook_for(self, name: str, original: int) -> int:
        """The hook that passes on to this original, in a further layer where those before have another."""
        for layer in self.linked:
            held = original_of(layer, name)
            if held.value in (0, original):
                break
        else:
            layer = self._further()
            held = original_of(layer, name)
        # Written before any slot leads here.
        held.value = original
        return layer[f"adalloc_hook_{name}"]

    def _further(self) -> dict[str, int]:
        from pytest_adalloc.hooks.install import jit

        self.linked.append(jit.link([self.code], native.HOOK_SYMBOLS, self.shared))
        return self.linked[-1]


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
    with hooks.opened():
        plan = WindowPlan(mirror=hooks.mirror)
        hooks.begin(plan.address)
        hooks.end(plan.address)
        if not plan.canary_lives():
            raise HooksDead(plan.canary_report())
        found = read_sites(hooks.words).values()
    return frozenset(
        site.key for site in found if site.kind == layout.NATIVE and site.bytes == CANARY_BYTES * site.count
    )
