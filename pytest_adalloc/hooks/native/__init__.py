"""The native half in LLVM's own language: hooks, the table of sites, the measuring loop, the Python domains' shims.

``hooks_text()`` is one layer of hooks; there is a layer per distinct original, so that a foreign hook is called and not
bypassed. ``core_text()`` holds the state and what counts, ``domains_text()`` the shims, ``scan`` the search for slots.
None has an undefined symbol but the state and ``note``, so that the objects can be cached and linked at any address.
"""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import ENTRIES
from pytest_adalloc.hooks.native import dispatch
from pytest_adalloc.hooks.native.callers import callers
from pytest_adalloc.hooks.native.domains import domains
from pytest_adalloc.hooks.native.entered import entered
from pytest_adalloc.hooks.native.hooks import hooks
from pytest_adalloc.hooks.native.note import note
from pytest_adalloc.hooks.native.sites import sites
from pytest_adalloc.hooks.native.spelling import FUNCTION
from pytest_adalloc.hooks.native.window import window

CORE_SYMBOLS = (
    "adalloc_state",
    "adalloc_libc",
    "adalloc_note",
    "adalloc_thread",
    "adalloc_begin",
    "adalloc_end",
    "adalloc_pause",
    "adalloc_resume",
    "adalloc_calls",
    "adalloc_window",
    "adalloc_canary",
    "adalloc_python",
    "adalloc_disarm",
    "adalloc_entry",
    *dispatch.SYMBOLS,
)
DOMAIN_SYMBOLS = (
    "adalloc_domain_originals",
    *(f"adalloc_{domain}_{call}" for domain in layout.DOMAIN_NAMES for call in layout.DOMAIN_CALLS),
)
HOOK_SYMBOLS = ("adalloc_descriptions", *(f"adalloc_hook_{entry.name}" for entry in ENTRIES))


def hooks_text(triple: str) -> str:
    """One layer of hooks as LLVM IR; the caller links it and fills in the originals of ``adalloc_descriptions``."""
    head = f"""
target triple = "{triple}"
@adalloc_state = external global [{layout.WORDS} x i64]
declare i64 @adalloc_note(i64, i64, i64, i64)
declare ptr @llvm.returnaddress(i32)
declare ptr @llvm.addressofreturnaddress.p0()
declare ptr @llvm.thread.pointer()
!0 = !{{!"branch_weights", i32 1000, i32 1}}
"""
    return head + hooks()


def core_text(triple: str) -> str:
    """State, table of sites and measuring loop as LLVM IR."""
    head = f"""
target triple = "{triple}"
@adalloc_state = dso_local global [{layout.WORDS} x i64] zeroinitializer, align 64
@adalloc_libc = dso_local global [{len(layout.LIBC)} x ptr] zeroinitializer
declare ptr @llvm.thread.pointer()
declare ptr @llvm.addressofreturnaddress.p0()
declare i64 @llvm.umin.i64(i64, i64)
!0 = !{{!"branch_weights", i32 1000, i32 1}}
"""
    return head + _THREAD + callers() + sites() + note() + entered(triple) + window() + dispatch.dispatch(triple)


def domains_text(triple: str) -> str:
    """The shims of Python's domains as LLVM IR. They stand in place during windows only."""
    head = f"""
target triple = "{triple}"
@adalloc_state = external global [{layout.WORDS} x i64]
@adalloc_domain_originals = dso_local global [{5 * len(layout.DOMAIN_NAMES)} x ptr] zeroinitializer
declare ptr @llvm.thread.pointer()
!0 = !{{!"branch_weights", i32 1000, i32 1}}
"""
    return head + "".join(domains())


_THREAD = f"""
define i64 @adalloc_thread() {FUNCTION} {{
  %pointer = call ptr @llvm.thread.pointer()
  %thread = ptrtoint ptr %pointer to i64
  ret i64 %thread
}}
"""
