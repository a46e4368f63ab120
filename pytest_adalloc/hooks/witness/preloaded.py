"""A preloaded counting library: the process runs again under ``LD_PRELOAD``, with a third witness that sees what slots
cannot.

The library replaces the allocator's names for every object from the first instruction on, so pointers taken from
``dlsym`` lead to it too. It is made here, without a compiler: LLVM emits an object, ``shared_object`` turns it into an
ELF library. Its functions count for the armed thread and go on to the names under which glibc exports the originals.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from pytest_adalloc.hooks.entries import BY_NAME, ENTRIES, NUMBER, AllocatorEntry
from pytest_adalloc.hooks.errors import HooksUnavailable
from pytest_adalloc.hooks.install.preload_state import STATE, state_address
from pytest_adalloc.hooks.reports import Witness
from pytest_adalloc.hooks.witness.evidence import Evidence

NAME = "preloaded library"
MARK = "ADALLOC_PRELOADED"  # set by us, so that a process that ignores LD_PRELOAD is not started for ever
OTHERS = 32  # in words: 0 is the armed word, then calls by entry number, from here on those of other threads
WORDS = 64
REPLACED: tuple[AllocatorEntry, ...] = (*(entry for entry in ENTRIES if entry.behind), BY_NAME["posix_memalign"])
BEHIND = tuple(sorted({entry.behind for entry in ENTRIES if entry.behind}))


def active() -> bool:
    """Whether this process runs under the counting library."""
    return state_address() != 0


def reexec(environ: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by itself under the counting library, with the same arguments; does not return."""
    arguments = getattr(sys, "orig_argv", None) or [sys.executable, *sys.argv]
    os.execve(sys.executable, [sys.executable, *arguments[1:]], environment(environ))


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process under the counting library; a library that is preloaded already stays."""
    result = dict(os.environ if environ is None else environ)
    before = [name for name in result.get("LD_PRELOAD", "").replace(":", " ").split() if "adalloc-preload" not in name]
    return {**result, "LD_PRELOAD": " ".join([str(library()), *before]), MARK: "1"}


def library() -> Path:
    """The counting library, built on first use; raises ``HooksUnavailable`` where it cannot be made."""
    from pytest_adalloc.hooks.install import jit
    from pytest_adalloc.hooks.witness.shared_library import shared_object

    if platform.machine() != "x86_64" or not sys.platform.startswith("linux") or not _has_glibc_names():
        raise HooksUnavailable("strict mode needs glibc on x86-64 Linux; the relocation slots are watched without it")
    directory = jit.cache_directory()
    if directory is None:
        raise HooksUnavailable("strict mode needs a private directory for its library; see ADALLOC_CACHE")
    text = _text(jit.triple())
    exports = (*(entry.name for entry in REPLACED), STATE)
    image = shared_object(jit.object_code(text), exports=exports, pointers=("originals", BEHIND), needed="libc.so.6")
    path = directory / f"adalloc-preload-{jit.digest(text)[:16]}.so"
    if not path.exists() or path.read_bytes() != image:
        jit.replace_file(path, image)
    return path


def counts(state: int) -> dict[str, int]:
    """Calls of the armed thread so far, by function; empty when there is no library, whose ``state_address`` is 0."""
    if not state:
        return {}
    words = (ctypes.c_uint64 * WORDS).from_address(state)
    return {entry.name: words[1 + NUMBER[entry.name]] for entry in REPLACED}


def cross_check(evidence: Evidence) -> Witness:
    """Compare what the library counted over a window with what the slots counted."""
    if evidence.scope != "thread":
        return Witness(NAME, "not asked", "it counts the calls of one thread, and all threads were counted")
    hooked = evidence.hooked
    seen = {name: count for name, count in evidence.preloaded.items() if BY_NAME[name].counts}
    seen["malloc"] -= evidence.canaries
    extra = {name: count - hooked.get(name, 0) for name, count in seen.items() if count > hooked.get(name, 0)}
    if not extra:
        return Witness(NAME, "agrees", f"{sum(seen.values())} calls of {len(seen)} functions, and both canaries")
    detail = ", ".join(f"{name} x {count}" for name, count in extra.items())
    return Witness(NAME, "disagrees", f"allocation through a path that the hooks cannot see: {detail}", extra)


def _has_glibc_names() -> bool:
    process = ctypes.PyDLL(None)
    return all(hasattr(process, name) for name in BEHIND)


def _text(triple: str) -> str:
    head = f"""
target triple = "{triple}"
declare ptr @llvm.thread.pointer()
@{STATE} = global [{WORDS} x i64] zeroinitializer, section ".data", align 16
@originals = hidden externally_initialized global [{len(BEHIND)} x ptr] zeroinitializer, section ".data", align 16

define internal void @note(i64 %number) noinline nounwind {{
  %armed = load atomic i64, ptr @state monotonic, align 8
  %idle = icmp eq i64 %armed, 0
  br i1 %idle, label %done, label %ask
ask:
  %pointer = call ptr @llvm.thread.pointer()
  %thread = ptrtoint ptr %pointer to i64
  %same = icmp eq i64 %armed, %thread
  %every = icmp eq i64 %armed, -1
  %counted = or i1 %same, %every
  %first = select i1 %counted, i64 1, i64 {OTHERS}
  %at = add i64 %number, %first
  %word = getelementptr i64, ptr @state, i64 %at
  %before = atomicrmw add ptr %word, i64 1 monotonic
  br label %done
done:
  ret void
}}
@state = hidden alias [{WORDS} x i64], ptr @{STATE}
"""
    return head + "".join(_replacement(entry) for entry in REPLACED if entry.behind) + _POSIX_MEMALIGN


def _replacement(entry: AllocatorEntry) -> str:
    parameters = ", ".join(f"{kind} %p{i}" for i, kind in enumerate(entry.params))
    # Patched functions know by the register of the static chain which calls a hook has counted: it is handed on.
    give = f"%r = tail call {entry.result} %original(ptr nest %told, {parameters})\n  ret {entry.result} %r"
    if entry.result == "void":
        give = f"tail call void %original(ptr nest %told, {parameters})\n  ret void"
    return f"""
define {entry.result} @{entry.name}(ptr nest %told, {parameters}) nounwind {{
  call void @note(i64 {NUMBER[entry.name]})
  %original = load volatile ptr, ptr {_original(entry.behind)}
  {give}
}}
"""


def _original(name: str) -> str:
    return f"getelementptr (ptr, ptr @originals, i64 {BEHIND.index(name)})"


# glibc exports no other name for it, so it is what the manual says in terms of memalign; 22 and 12 are EINVAL and
# ENOMEM.
_POSIX_MEMALIGN = f"""
declare i64 @llvm.ctpop.i64(i64)
define i32 @posix_memalign(ptr %out, i64 %alignment, i64 %size) nounwind {{
  call void @note(i64 {NUMBER["posix_memalign"]})
  %ones = call i64 @llvm.ctpop.i64(i64 %alignment)
  %power = icmp eq i64 %ones, 1
  %wide = icmp uge i64 %alignment, 8
  %valid = and i1 %power, %wide
  br i1 %valid, label %ask, label %refuse
refuse:
  ret i32 22
ask:
  %original = load volatile ptr, ptr {_original("__libc_memalign")}
  %memory = call ptr %original(i64 %alignment, i64 %size)
  %none = icmp eq ptr %memory, null
  br i1 %none, label %exhausted, label %give
exhausted:
  ret i32 12
give:
  store ptr %memory, ptr %out
  ret i32 0
}}
"""
