"""The measuring loop: arm, canary, calls one by one, canary, disarm; nothing but native code in between."""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.layout import SLOT_OF_PLAN
from pytest_adalloc.hooks.native.spelling import FUNCTION, element, word

REFRESH, DISABLE = 0x2402, 0x2401  # requests to perf events; the first one switches on for a number of overflows


def window() -> str:
    """The functions that read a plan, and the kernel that calls a Python callable."""
    ends = _switch_events() + _arm() + _canary() + _begin() + _copy_domains() + _end() + _pause() + _resume()
    return ends + _calls() + _python() + _window()


def _switch_events() -> str:
    return f"""
define internal void @switch_events(ptr %plan, i64 %request) {FUNCTION} {{
start:
{_plan("events", "count")}{_plan("event_table", "table", "ptr")}
  %ioctl = load ptr, ptr {element("adalloc_libc", layout.LIBC.index("ioctl"))}
  br label %next
next:
  %i = phi i64 [0, %start], [%j, %switch]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %switch, label %done
switch:
  %at = getelementptr i64, ptr %table, i64 %i
  %wide = load i64, ptr %at
  %file = trunc i64 %wide to i32
  ; Until the first overflow: a breakpoint whose hits reach its budget switches itself off.
  %r = call i32 (i32, i64, ...) %ioctl(i32 %file, i64 %request, i64 1)
  %j = add i64 %i, 1
  br label %next
done:
  ret void
}}
"""


def _arm() -> str:
    return f"""
; Whose calls count from now on, in the preloaded library as well.
define internal void @arm(i64 %owner, ptr %mirror) {FUNCTION} {{
  store atomic i64 %owner, ptr {word(layout.ARMED)} seq_cst, align 8
  %mirrored = icmp ne ptr %mirror, null
  br i1 %mirrored, label %reflect, label %done
reflect:
  store atomic i64 %owner, ptr %mirror seq_cst, align 8
  br label %done
done:
  ret void
}}
"""


def _canary() -> str:
    return f"""
; Free on our own account: a patched ``free`` must not take it for a call past the slots.
define internal void @release(ptr %memory, ptr %free) noinline {FUNCTION} {{
  %mark = load i64, ptr {word(layout.FREE_MARK)}
  %place = call ptr @llvm.addressofreturnaddress.p0()
  %place.int = ptrtoint ptr %place to i64
  %told.int = xor i64 %place.int, %mark
  %told = inttoptr i64 %told.int to ptr
  tail call void %free(ptr nest %told, ptr %memory)
  ret void
}}

; Ask libc for memory as any library would: strdup allocates through libc's own slot.
define void @adalloc_canary(ptr %plan, ptr %calls, ptr %bytes) noinline {FUNCTION} {{
{_plan("canary", "text", "ptr")}{_plan("canary_size", "size")}
  %strdup = load ptr, ptr {element("adalloc_libc", layout.LIBC.index("strdup"))}
  %free = load ptr, ptr {element("adalloc_libc", layout.LIBC.index("free"))}
  %calls.before = load i64, ptr {word(layout.ALLOCATIONS)}
  %bytes.before = load i64, ptr {word(layout.BYTES)}
  %w0 = cmpxchg ptr {word(layout.FIRST)}, i64 {layout.WANTED}, i64 {layout.WITHDRAWN} monotonic monotonic
  %copy = call ptr %strdup(ptr %text)
  call void @release(ptr %copy, ptr %free)
  %w1 = cmpxchg ptr {word(layout.FIRST)}, i64 {layout.WITHDRAWN}, i64 {layout.WANTED} monotonic monotonic
  %calls.after = load i64, ptr {word(layout.ALLOCATIONS)}
  %bytes.after = load i64, ptr {word(layout.BYTES)}
  %calls.seen = sub i64 %calls.after, %calls.before
  %bytes.seen = sub i64 %bytes.after, %bytes.before
  store i64 %calls.seen, ptr %calls
  store i64 %bytes.seen, ptr %bytes
  ; What was asked for on the tool's own account leaves the totals again: an outer window may be open.
  %own.calls = call i64 @llvm.umin.i64(i64 %calls.seen, i64 1)
  %own.bytes = mul i64 %own.calls, %size
  %t0 = atomicrmw sub ptr {word(layout.ALLOCATIONS)}, i64 %own.calls monotonic
  %t1 = atomicrmw sub ptr {word(layout.BYTES)}, i64 %own.bytes monotonic
  %t2 = atomicrmw add ptr {word(layout.CANARIES)}, i64 %own.calls monotonic
  ret void
}}
"""


def _begin() -> str:
    return f"""
define void @adalloc_begin(ptr %plan) {FUNCTION} {{
{_plan("owner", "asked")}{_plan("mirror", "mirror", "ptr")}
  %thread = call i64 @adalloc_thread()
  %own = icmp eq i64 %asked, 0
  %owner = select i1 %own, i64 %thread, i64 %asked
  %before = load atomic i64, ptr {word(layout.ARMED)} seq_cst, align 8
{_leave("armed_before", "%before")}
  call void @arm(i64 %owner, ptr %mirror)
  call void @switch_events(ptr %plan, i64 {REFRESH})
  %calls = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["first_canary_calls"]}
  %bytes = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["first_canary_bytes"]}
  call void @adalloc_canary(ptr %plan, ptr %calls, ptr %bytes)
{_plan("domains_before", "copy", "ptr")}
  call void @copy_domains(ptr %copy)
  ret void
}}
"""


def _copy_domains() -> str:
    return f"""
define internal void @copy_domains(ptr %copy) {FUNCTION} {{
  %memcpy = load ptr, ptr {element("adalloc_libc", layout.LIBC.index("memcpy"))}
  %r = call ptr %memcpy(ptr %copy, ptr {word(layout.DOMAINS)}, i64 {8 * layout.DOMAIN_WORDS * layout.DOMAIN_COUNT})
  ret void
}}
"""


def _end() -> str:
    return f"""
define void @adalloc_end(ptr %plan) {FUNCTION} {{
{_plan("domains_after", "copy", "ptr")}
  call void @copy_domains(ptr %copy)
  %calls = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["last_canary_calls"]}
  %bytes = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["last_canary_bytes"]}
  call void @adalloc_canary(ptr %plan, ptr %calls, ptr %bytes)
  call void @switch_events(ptr %plan, i64 {DISABLE})
{_plan("armed_before", "before")}{_plan("mirror", "mirror", "ptr")}
  call void @arm(i64 %before, ptr %mirror)
  ret void
}}
"""


def _pause() -> str:
    return f"""
; Between windows: the one around counts nothing until it is resumed, and its breakpoints rest.
define void @adalloc_pause(ptr %plan) {FUNCTION} {{
{_plan("mirror", "mirror", "ptr")}
  %before = load atomic i64, ptr {word(layout.ARMED)} seq_cst, align 8
{_leave("armed_before", "%before")}
  call void @arm(i64 0, ptr %mirror)
  call void @switch_events(ptr %plan, i64 {DISABLE})
  ret void
}}
"""


def _resume() -> str:
    return f"""
define void @adalloc_resume(ptr %plan) {FUNCTION} {{
{_plan("armed_before", "before")}{_plan("mirror", "mirror", "ptr")}
  call void @switch_events(ptr %plan, i64 {REFRESH})
  call void @arm(i64 %before, ptr %mirror)
  ret void
}}
"""


def _calls() -> str:
    return f"""
define void @adalloc_calls(ptr %plan) {FUNCTION} {{
start:
{_plan("kernel", "kernel", "ptr")}{_plan("frame", "frame", "ptr")}{_plan("calls", "calls")}
{_plan("restores", "restores")}{_plan("restore_table", "table", "ptr")}
{_plan("counts", "counts", "ptr")}{_plan("bytes", "bytes", "ptr")}
  %memcpy = load ptr, ptr {element("adalloc_libc", layout.LIBC.index("memcpy"))}
  %recording = icmp ne ptr %counts, null
  %status.at = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["status"]}
  %done.at = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["done"]}
  %calls.start = load atomic i64, ptr {word(layout.ALLOCATIONS)} monotonic, align 8
  %bytes.start = load atomic i64, ptr {word(layout.BYTES)} monotonic, align 8
  br label %next
next:
  %i = phi i64 [0, %start], [%j, %judge]
  ; A call lasts until the next one begins: what other threads allocate between two calls is counted as well.
  %calls.before = phi i64 [%calls.start, %start], [%calls.after, %judge]
  %bytes.before = phi i64 [%bytes.start, %start], [%bytes.after, %judge]
  %more = icmp ult i64 %i, %calls
  br i1 %more, label %restore, label %out
restore:
  %r = phi i64 [0, %next], [%r.next, %copy]
  %left = icmp ult i64 %r, %restores
  br i1 %left, label %copy, label %run
copy:
  %row = mul i64 %r, 3
  %to.at = getelementptr i64, ptr %table, i64 %row
  %to = load ptr, ptr %to.at
  %from.at = getelementptr i64, ptr %to.at, i64 1
  %from = load ptr, ptr %from.at
  %length.at = getelementptr i64, ptr %to.at, i64 2
  %length = load i64, ptr %length.at
  %copied = call ptr %memcpy(ptr %to, ptr %from, i64 %length)
  %r.next = add i64 %r, 1
  br label %restore
run:
  %status = call i32 %kernel(ptr %frame)
  %calls.after = load atomic i64, ptr {word(layout.ALLOCATIONS)} monotonic, align 8
  %bytes.after = load atomic i64, ptr {word(layout.BYTES)} monotonic, align 8
  %j = add i64 %i, 1
  br i1 %recording, label %record, label %judge
record:
  %calls.seen = sub i64 %calls.after, %calls.before
  %bytes.seen = sub i64 %bytes.after, %bytes.before
  %count.at = getelementptr i64, ptr %counts, i64 %i
  store i64 %calls.seen, ptr %count.at
  %size.at = getelementptr i64, ptr %bytes, i64 %i
  store i64 %bytes.seen, ptr %size.at
  br label %judge
judge:
  store i64 %j, ptr %done.at
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %stop, label %next
stop:
  %wide = sext i32 %status to i64
  store i64 %wide, ptr %status.at
  br label %out
out:
  ret void
}}
"""


def _python() -> str:
    return f"""
; A kernel that calls a Python callable: the frame holds the callable, its arguments, PyObject_Call and Py_DecRef, then
; where in an object its type is, types of results that say that nothing has run yet, and arguments by name or null.
define i32 @adalloc_python(ptr %frame) {FUNCTION} {{
  %callable = load ptr, ptr %frame
  %arguments.at = getelementptr ptr, ptr %frame, i64 1
  %arguments = load ptr, ptr %arguments.at
  %call.at = getelementptr ptr, ptr %frame, i64 2
  %call = load ptr, ptr %call.at
  %drop.at = getelementptr ptr, ptr %frame, i64 3
  %drop = load ptr, ptr %drop.at
  %named.at = getelementptr ptr, ptr %frame, i64 {5 + layout.SUSPENDED_TYPES}
  %named = load ptr, ptr %named.at
  %result = call ptr %call(ptr %callable, ptr %arguments, ptr %named)
  %raised = icmp eq ptr %result, null
  br i1 %raised, label %fail, label %done
fail:
  ret i32 1
done:
  %place.at = getelementptr i64, ptr %frame, i64 4
  %place = load i64, ptr %place.at
  %type.at = getelementptr i8, ptr %result, i64 %place
  %type = load ptr, ptr %type.at
  br label %look
look:
  %i = phi i64 [0, %done], [%j, %other]
  %more = icmp ult i64 %i, {layout.SUSPENDED_TYPES}
  br i1 %more, label %compare, label %ran
compare:
  %k = add i64 %i, 5
  %suspended.at = getelementptr ptr, ptr %frame, i64 %k
  %suspended = load ptr, ptr %suspended.at
  %same = icmp eq ptr %type, %suspended
  br i1 %same, label %ran, label %other
other:
  %j = add i64 %i, 1
  br label %look
ran:
  %answer = phi i32 [0, %look], [{layout.SUSPENDED}, %compare]
  call void %drop(ptr %result)
  ret i32 %answer
}}
"""


def _window() -> str:
    return f"""
define void @adalloc_window(ptr %plan) {FUNCTION} {{
  call void @adalloc_begin(ptr %plan)
  call void @adalloc_calls(ptr %plan)
  call void @adalloc_end(ptr %plan)
  ret void
}}
"""


def _plan(field: str, name: str, kind: str = "i64") -> str:
    """Load a field of the plan into ``%name``."""
    return f"""  %{name}.at = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN[field]}
  %{name} = load {kind}, ptr %{name}.at, align 8
"""


def _leave(field: str, value: str) -> str:
    """Store a value into a field of the plan."""
    return f"""  %{field}.at = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN[field]}
  store i64 {value}, ptr %{field}.at, align 8
"""
