"""The native half in LLVM's own language: hooks, the table of sites, the measuring loop, the Python domains' shims.

Two modules. ``hooks_text()`` is one layer of hooks: each loads the armed word, and when it is zero jumps to the
function that it stands for. A layer per distinct original, so that a foreign hook is called and not bypassed.
``core_text()`` is everything else. Neither has an undefined symbol but the state and ``note``, so that the objects can
be cached and linked at any address.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import ENTRIES, NUMBER, Entry
from pytest_adalloc.hooks.layout import SLOT_OF_PLAN

CORE_SYMBOLS = (
    "adalloc_state",
    "adalloc_libc",
    "adalloc_domain_originals",
    "adalloc_note",
    "adalloc_thread",
    "adalloc_begin",
    "adalloc_end",
    "adalloc_calls",
    "adalloc_window",
    "adalloc_canary",
    "adalloc_python",
    *(f"adalloc_{domain}_{call}" for domain in layout.DOMAIN_NAMES for call in layout.DOMAIN_CALLS),
)
HOOK_SYMBOLS = ("adalloc_originals", *(f"adalloc_hook_{entry.name}" for entry in ENTRIES))

_FUNCTION = "nounwind uwtable"


def hooks_text(triple: str) -> str:
    """One layer of hooks as LLVM IR; the caller links it and fills ``adalloc_originals``, by entry number."""
    head = f"""
target triple = "{triple}"
@adalloc_state = external global [{layout.WORDS} x i64]
@adalloc_originals = dso_local global [{len(ENTRIES)} x ptr] zeroinitializer
declare void @adalloc_note(i64, i64, i64, i64)
declare ptr @llvm.returnaddress(i32)
!0 = !{{!"branch_weights", i32 1000, i32 1}}
"""
    return head + "".join(map(_hook, ENTRIES))


def core_text(triple: str) -> str:
    """State, table of sites, measuring loop and Python shims as LLVM IR."""
    head = f"""
target triple = "{triple}"
@adalloc_state = dso_local global [{layout.WORDS} x i64] zeroinitializer, align 64
@adalloc_libc = dso_local global [{len(layout.LIBC)} x ptr] zeroinitializer
@adalloc_domain_originals = dso_local global [{5 * len(layout.DOMAIN_NAMES)} x ptr] zeroinitializer
declare ptr @llvm.thread.pointer.p0()
declare i64 @llvm.umin.i64(i64, i64)
!0 = !{{!"branch_weights", i32 1000, i32 1}}
"""
    return head + _THREAD + _sites() + _note() + _window() + "".join(_domains())


def _hook(entry: Entry) -> str:
    # Two functions: the first has no frame and costs a load, a compare and a jump; the second is entered by a jump
    # too, so that its return address is still the caller's.
    parameters = ", ".join(f"{kind} %p{i}" for i, kind in enumerate(entry.params))
    original = f"load ptr, ptr {_element('adalloc_originals', NUMBER[entry.name])}"
    return f"""
define {entry.result} @adalloc_hook_{entry.name}({parameters}) {_FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %idle = icmp eq i64 %armed, 0
  br i1 %idle, label %pass, label %watch, !prof !0
pass:
  %original = {original}
  {_jump(entry.result, "%original", parameters, "r")}
watch:
  {_jump(entry.result, f"@watched_{entry.name}", parameters, "w")}
}}
define internal {entry.result} @watched_{entry.name}({parameters}) noinline {_FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %returns = call ptr @llvm.returnaddress(i32 0)
  %caller = ptrtoint ptr %returns to i64
{_size(entry)}
  call void @adalloc_note(i64 {NUMBER[entry.name]}, i64 %size, i64 %caller, i64 %armed)
  %original = {original}
  {_jump(entry.result, "%original", parameters, "r")}
}}
"""


def _jump(result: str, target: str, parameters: str, name: str) -> str:
    if result == "void":
        return f"musttail call void {target}({parameters})\n  ret void"
    return f"%{name} = musttail call {result} {target}({parameters})\n  ret {result} %{name}"


def _size(entry: Entry) -> str:
    factors = [f"%p{i}" for i in entry.size]
    if len(factors) == 2:
        return f"  %size = mul i64 {factors[0]}, {factors[1]}"
    return f"  %size = add i64 0, {factors[0] if factors else 0}"


def _element(table: str, index: int) -> str:
    return f"getelementptr (ptr, ptr @{table}, i64 {index})"


def _word(index: int) -> str:
    return f"getelementptr (i64, ptr @adalloc_state, i64 {index})"


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


_THREAD = f"""
define i64 @adalloc_thread() {_FUNCTION} {{
  %pointer = call ptr @llvm.thread.pointer.p0()
  %thread = ptrtoint ptr %pointer to i64
  ret i64 %thread
}}
"""


def _sites() -> str:
    """The table of sites: open addressing, a site per entry and caller; one last site takes what does not fit."""
    overflow = layout.SITES + layout.SITE_COUNT * layout.SITE_WORDS
    return f"""
define internal i64 @class_of(i64 %address) {_FUNCTION} {{
entry:
  %through = load i64, ptr {_word(layout.THROUGH_RANGES)}
  %passed = call i1 @within(i64 %address, ptr {_word(layout.THROUGH)}, i64 %through)
  br i1 %passed, label %is_through, label %ask
ask:
  %own = load i64, ptr {_word(layout.INTERPRETER_RANGES)}
  %interpreter = call i1 @within(i64 %address, ptr {_word(layout.RANGES)}, i64 %own)
  %class = select i1 %interpreter, i64 {layout.INTERPRETER}, i64 {layout.NATIVE}
  ret i64 %class
is_through:
  ret i64 {layout.PASSED_THROUGH}
}}

define internal i1 @within(i64 %address, ptr %ranges, i64 %count) {_FUNCTION} {{
entry:
  br label %next
next:
  %i = phi i64 [0, %entry], [%j, %look]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %look, label %no
look:
  %at = mul i64 %i, 2
  %low.at = getelementptr i64, ptr %ranges, i64 %at
  %low = load i64, ptr %low.at
  %high.at = getelementptr i64, ptr %low.at, i64 1
  %high = load i64, ptr %high.at
  %above = icmp uge i64 %address, %low
  %below = icmp ult i64 %address, %high
  %inside = and i1 %above, %below
  %j = add i64 %i, 1
  br i1 %inside, label %yes, label %next
yes:
  ret i1 true
no:
  ret i1 false
}}

; The site of a key, or the free one that it may claim, or the overflow site.
define internal ptr @probe(i64 %key) {_FUNCTION} {{
entry:
  %mixed = mul i64 %key, -7046029254386353131
  %start = lshr i64 %mixed, {64 - (layout.SITE_COUNT - 1).bit_length()}
  br label %next
next:
  %i = phi i64 [0, %entry], [%j, %step]
  %sum = add i64 %start, %i
  %index = and i64 %sum, {layout.SITE_COUNT - 1}
  %offset = mul i64 %index, {layout.SITE_WORDS}
  %site = getelementptr i64, ptr {_word(layout.SITES)}, i64 %offset
  %held = load atomic i64, ptr %site monotonic, align 8
  %same = icmp eq i64 %held, %key
  %free = icmp eq i64 %held, 0
  %stop = or i1 %same, %free
  br i1 %stop, label %found, label %step
step:
  %j = add i64 %i, 1
  %full = icmp eq i64 %j, {layout.SITE_COUNT}
  br i1 %full, label %overflow, label %next
found:
  ret ptr %site
overflow:
  %lost = atomicrmw add ptr {_word(layout.LOST)}, i64 1 monotonic
  ret ptr {_word(overflow)}
}}

; Who is responsible for a call out of a library that allocates for its caller: the first frame beyond such libraries.
define internal i64 @culprit_of(i64 %caller, ptr %frames, i64 %count) {_FUNCTION} {{
entry:
  br label %seek
seek:
  %i = phi i64 [0, %entry], [%i.next, %seek.step]
  %i.more = icmp ult i64 %i, %count
  br i1 %i.more, label %seek.step, label %none
seek.step:
  %i.at = getelementptr i64, ptr %frames, i64 %i
  %i.frame = load i64, ptr %i.at
  %i.next = add i64 %i, 1
  %here = icmp eq i64 %i.frame, %caller
  br i1 %here, label %climb, label %seek
climb:
  %k = phi i64 [%i, %seek.step], [%k.next, %climb.step]
  %k.more = icmp ult i64 %k, %count
  br i1 %k.more, label %climb.step, label %none
climb.step:
  %k.at = getelementptr i64, ptr %frames, i64 %k
  %frame = load i64, ptr %k.at
  %k.next = add i64 %k, 1
  %class = call i64 @class_of(i64 %frame)
  %through = icmp eq i64 %class, {layout.PASSED_THROUGH}
  br i1 %through, label %climb, label %found
found:
  ret i64 %frame
none:
  ret i64 %caller
}}

define internal i64 @unwind(ptr %frames, i64 %thread) {_FUNCTION} {{
  %taken = cmpxchg ptr {_word(layout.UNWINDING)}, i64 0, i64 %thread monotonic monotonic
  %mine = extractvalue {{i64, i1}} %taken, 1
  br i1 %mine, label %walk, label %busy
walk:
  %backtrace = load ptr, ptr {_element("adalloc_libc", layout.LIBC.index("backtrace"))}
  %absent = icmp eq ptr %backtrace, null
  br i1 %absent, label %give.up, label %ask
give.up:
  store atomic i64 0, ptr {_word(layout.UNWINDING)} monotonic, align 8
  ret i64 0
ask:
  %found = call i32 %backtrace(ptr %frames, i32 {layout.FRAME_CAPACITY})
  store atomic i64 0, ptr {_word(layout.UNWINDING)} monotonic, align 8
  %count = zext i32 %found to i64
  ret i64 %count
busy:
  ret i64 0
}}

define internal void @describe(ptr %site, i64 %entry, i64 %caller, i64 %culprit, i64 %class, ptr %frames, i64 %count)
    {_FUNCTION} {{
start:
{_store_fields(ENTRY="%entry", CALLER="%caller", CULPRIT="%culprit", FRAME_COUNT="%count", CLASS="%class")}
  br label %next
next:
  %i = phi i64 [0, %start], [%j, %copy]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %copy, label %done
copy:
  %from = getelementptr i64, ptr %frames, i64 %i
  %frame = load i64, ptr %from
  %at = add i64 %i, {layout.FRAMES}
  %to = getelementptr i64, ptr %site, i64 %at
  store i64 %frame, ptr %to
  %j = add i64 %i, 1
  br label %next
done:
  ret void
}}
"""


def _store_fields(**fields: str) -> str:
    lines = []
    for field, value in fields.items():
        lines.append(f"  %{field}.at = getelementptr i64, ptr %site, i64 {getattr(layout, field)}")
        lines.append(f"  store atomic i64 {value}, ptr %{field}.at monotonic, align 8")
    return "\n".join(lines)


def _note() -> str:
    """What a hook calls while a window is open. Entry numbers sit in the key's top bits, which no user address has."""
    counted = [entry for entry in ENTRIES if entry.counts]
    mask = sum(1 << NUMBER[entry.name] for entry in counted)
    return f"""
define void @adalloc_note(i64 %entry, i64 %size, i64 %caller, i64 %armed) noinline {_FUNCTION} {{
start:
  %thread = call i64 @adalloc_thread()
  %same = icmp eq i64 %armed, %thread
  %every = icmp eq i64 %armed, -1
  %counted = or i1 %same, %every
  br i1 %counted, label %mine, label %others
others:
  %other.at = getelementptr i64, ptr {_word(layout.OTHERS)}, i64 %entry
  %other = atomicrmw add ptr %other.at, i64 1 monotonic
  ret void
mine:
  %unwinding = load atomic i64, ptr {_word(layout.UNWINDING)} monotonic, align 8
  %nested = icmp eq i64 %unwinding, %thread
  br i1 %nested, label %leave, label %find
leave:
  ret void
find:
  %tag = shl i64 %entry, 59
  %key = xor i64 %caller, %tag
  %near = call ptr @probe(i64 %key)
  %near.key = load atomic i64, ptr %near monotonic, align 8
  %known = icmp eq i64 %near.key, %key
  %near.class.at = getelementptr i64, ptr %near, i64 {layout.CLASS}
  br i1 %known, label %read, label %first
first:
  call void @claim(ptr %near, i64 %key, i64 %entry, i64 %caller, i64 %thread)
  br label %read
read:
  %class = load atomic i64, ptr %near.class.at monotonic, align 8
  %through = icmp eq i64 %class, {layout.PASSED_THROUGH}
  br i1 %through, label %beyond, label %count
beyond:
  %far = call ptr @deep(i64 %entry, i64 %caller, i64 %thread)
  br label %count
count:
  %site = phi ptr [%near, %read], [%far, %beyond]
  %count.at = getelementptr i64, ptr %site, i64 {layout.COUNT}
  %bytes.at = getelementptr i64, ptr %site, i64 {layout.SITE_BYTES}
  %site.class.at = getelementptr i64, ptr %site, i64 {layout.CLASS}
  %site.class = load atomic i64, ptr %site.class.at monotonic, align 8
  %own = icmp eq i64 %site.class, {layout.INTERPRETER}
  %bit = shl i64 1, %entry
  %masked = and i64 %bit, {mask}
  %release = icmp eq i64 %masked, 0
  %silent = or i1 %own, %release
  br i1 %every, label %shared, label %single
shared:
  %s0 = atomicrmw add ptr %count.at, i64 1 monotonic
  %s1 = atomicrmw add ptr %bytes.at, i64 %size monotonic
  br i1 %silent, label %leave, label %shared.total
shared.total:
  %s2 = atomicrmw add ptr {_word(layout.ALLOCATIONS)}, i64 1 monotonic
  %s3 = atomicrmw add ptr {_word(layout.BYTES)}, i64 %size monotonic
  ret void
single:
{_add("%count.at", "1", "c")}{_add("%bytes.at", "%size", "b")}
  br i1 %silent, label %leave, label %single.total
single.total:
{_add(_word(layout.ALLOCATIONS), "1", "tc")}{_add(_word(layout.BYTES), "%size", "tb")}
  ret void
}}

; First call of a site. Its class is found here once; the backtrace is taken for native code only.
define internal void @claim(ptr %site, i64 %key, i64 %entry, i64 %caller, i64 %thread) noinline {_FUNCTION} {{
  %frames = alloca [{layout.FRAME_CAPACITY} x i64], align 16
  %class = call i64 @class_of(i64 %caller)
  %native = icmp eq i64 %class, {layout.NATIVE}
  br i1 %native, label %walk, label %enter
walk:
  %walked = call i64 @unwind(ptr %frames, i64 %thread)
  br label %enter
enter:
  %count = phi i64 [0, %0], [%walked, %walk]
  %spill = icmp eq ptr %site, {_word(layout.SITES + layout.SITE_COUNT * layout.SITE_WORDS)}
  br i1 %spill, label %full, label %take
take:
  %taken = cmpxchg ptr %site, i64 0, i64 %key monotonic monotonic
  call void @describe(ptr %site, i64 %entry, i64 %caller, i64 %caller, i64 %class, ptr %frames, i64 %count)
  ret void
full:
  call void @describe(ptr %site, i64 %entry, i64 %caller, i64 %caller, i64 {layout.NATIVE}, ptr %frames, i64 0)
  ret void
}}

; A call out of a library that allocates for others: one site per path through that library.
define internal ptr @deep(i64 %entry, i64 %caller, i64 %thread) noinline {_FUNCTION} {{
  %frames = alloca [{layout.FRAME_CAPACITY} x i64], align 16
  %count = call i64 @unwind(ptr %frames, i64 %thread)
  %culprit = call i64 @culprit_of(i64 %caller, ptr %frames, i64 %count)
  %seen = call i64 @class_of(i64 %culprit)
  %own = icmp eq i64 %seen, {layout.INTERPRETER}
  %class = select i1 %own, i64 {layout.INTERPRETER}, i64 {layout.NATIVE}
  %spread = mul i64 %culprit, 6364136223846793005
  %mixed = xor i64 %spread, %caller
  %low = lshr i64 %mixed, 5
  %odd = or i64 %low, 1
  %tag = shl i64 %entry, 59
  %key = xor i64 %odd, %tag
  %site = call ptr @probe(i64 %key)
  %held = load atomic i64, ptr %site monotonic, align 8
  %known = icmp eq i64 %held, %key
  br i1 %known, label %give, label %fill
fill:
  %spill = icmp eq ptr %site, {_word(layout.SITES + layout.SITE_COUNT * layout.SITE_WORDS)}
  br i1 %spill, label %full, label %take
take:
  %taken = cmpxchg ptr %site, i64 0, i64 %key monotonic monotonic
  call void @describe(ptr %site, i64 %entry, i64 %caller, i64 %culprit, i64 %class, ptr %frames, i64 %count)
  br label %give
full:
  call void @describe(ptr %site, i64 %entry, i64 %caller, i64 %culprit, i64 {layout.NATIVE}, ptr %frames, i64 0)
  br label %give
give:
  ret ptr %site
}}
"""


def _add(address: str, amount: str, name: str) -> str:
    # A plain addition: the armed thread is the only writer, and a locked one would cost more than the rest of the hook.
    return f"""  %{name}.old = load i64, ptr {address}, align 8
  %{name}.new = add i64 %{name}.old, {amount}
  store i64 %{name}.new, ptr {address}, align 8
"""


def _window() -> str:
    """Arm, canary, calls one by one, canary, disarm; nothing but native code in between."""
    return f"""
define internal void @switch_events(ptr %plan, i64 %request) {_FUNCTION} {{
start:
{_plan("events", "count")}{_plan("event_table", "table", "ptr")}
  %ioctl = load ptr, ptr {_element("adalloc_libc", layout.LIBC.index("ioctl"))}
  br label %next
next:
  %i = phi i64 [0, %start], [%j, %switch]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %switch, label %done
switch:
  %at = getelementptr i64, ptr %table, i64 %i
  %wide = load i64, ptr %at
  %file = trunc i64 %wide to i32
  %r = call i32 (i32, i64, ...) %ioctl(i32 %file, i64 %request, i64 0)
  %j = add i64 %i, 1
  br label %next
done:
  ret void
}}

; Ask libc for memory as any library would: strdup allocates through libc's own slot.
define void @adalloc_canary(ptr %plan, ptr %calls, ptr %bytes) noinline {_FUNCTION} {{
{_plan("canary", "text", "ptr")}{_plan("canary_size", "size")}
  %strdup = load ptr, ptr {_element("adalloc_libc", layout.LIBC.index("strdup"))}
  %free = load ptr, ptr {_element("adalloc_libc", layout.LIBC.index("free"))}
  %calls.before = load i64, ptr {_word(layout.ALLOCATIONS)}
  %bytes.before = load i64, ptr {_word(layout.BYTES)}
  %copy = call ptr %strdup(ptr %text)
  call void %free(ptr %copy)
  %calls.after = load i64, ptr {_word(layout.ALLOCATIONS)}
  %bytes.after = load i64, ptr {_word(layout.BYTES)}
  %calls.seen = sub i64 %calls.after, %calls.before
  %bytes.seen = sub i64 %bytes.after, %bytes.before
  store i64 %calls.seen, ptr %calls
  store i64 %bytes.seen, ptr %bytes
  ; What was asked for on the tool's own account leaves the totals again: an outer window may be open.
  %own.calls = call i64 @llvm.umin.i64(i64 %calls.seen, i64 1)
  %own.bytes = mul i64 %own.calls, %size
  %t0 = atomicrmw sub ptr {_word(layout.ALLOCATIONS)}, i64 %own.calls monotonic
  %t1 = atomicrmw sub ptr {_word(layout.BYTES)}, i64 %own.bytes monotonic
  %t2 = atomicrmw add ptr {_word(layout.CANARIES)}, i64 %own.calls monotonic
  ret void
}}

define void @adalloc_begin(ptr %plan) {_FUNCTION} {{
{_plan("owner", "asked")}{_plan("mirror", "mirror", "ptr")}
  %thread = call i64 @adalloc_thread()
  %own = icmp eq i64 %asked, 0
  %owner = select i1 %own, i64 %thread, i64 %asked
  %before = load atomic i64, ptr {_word(layout.ARMED)} seq_cst, align 8
{_leave("armed_before", "%before")}
  store atomic i64 %owner, ptr {_word(layout.ARMED)} seq_cst, align 8
  %mirrored = icmp ne ptr %mirror, null
  br i1 %mirrored, label %reflect, label %watch
reflect:
  store atomic i64 %owner, ptr %mirror seq_cst, align 8
  br label %watch
watch:
  call void @switch_events(ptr %plan, i64 {0x2400})
  %calls = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["first_canary_calls"]}
  %bytes = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["first_canary_bytes"]}
  call void @adalloc_canary(ptr %plan, ptr %calls, ptr %bytes)
  ret void
}}

define void @adalloc_end(ptr %plan) {_FUNCTION} {{
  %calls = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["last_canary_calls"]}
  %bytes = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["last_canary_bytes"]}
  call void @adalloc_canary(ptr %plan, ptr %calls, ptr %bytes)
  call void @switch_events(ptr %plan, i64 {0x2401})
{_plan("armed_before", "before")}{_plan("mirror", "mirror", "ptr")}
  store atomic i64 %before, ptr {_word(layout.ARMED)} seq_cst, align 8
  %mirrored = icmp ne ptr %mirror, null
  br i1 %mirrored, label %reflect, label %done
reflect:
  store atomic i64 %before, ptr %mirror seq_cst, align 8
  br label %done
done:
  ret void
}}

define void @adalloc_calls(ptr %plan) {_FUNCTION} {{
start:
{_plan("kernel", "kernel", "ptr")}{_plan("frame", "frame", "ptr")}{_plan("calls", "calls")}
{_plan("restores", "restores")}{_plan("restore_table", "table", "ptr")}{_plan("counts", "counts", "ptr")}{_plan("bytes", "bytes", "ptr")}
  %memcpy = load ptr, ptr {_element("adalloc_libc", layout.LIBC.index("memcpy"))}
  %recording = icmp ne ptr %counts, null
  %status.at = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["status"]}
  %done.at = getelementptr i64, ptr %plan, i64 {SLOT_OF_PLAN["done"]}
  br label %next
next:
  %i = phi i64 [0, %start], [%j, %judge]
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
  %calls.before = load atomic i64, ptr {_word(layout.ALLOCATIONS)} monotonic, align 8
  %bytes.before = load atomic i64, ptr {_word(layout.BYTES)} monotonic, align 8
  %status = call i32 %kernel(ptr %frame)
  %calls.after = load atomic i64, ptr {_word(layout.ALLOCATIONS)} monotonic, align 8
  %bytes.after = load atomic i64, ptr {_word(layout.BYTES)} monotonic, align 8
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

; A kernel that calls a Python callable: the frame holds the callable, its arguments, PyObject_Call and Py_DecRef.
define i32 @adalloc_python(ptr %frame) {_FUNCTION} {{
  %callable = load ptr, ptr %frame
  %arguments.at = getelementptr ptr, ptr %frame, i64 1
  %arguments = load ptr, ptr %arguments.at
  %call.at = getelementptr ptr, ptr %frame, i64 2
  %call = load ptr, ptr %call.at
  %drop.at = getelementptr ptr, ptr %frame, i64 3
  %drop = load ptr, ptr %drop.at
  %result = call ptr %call(ptr %callable, ptr %arguments, ptr null)
  %raised = icmp eq ptr %result, null
  br i1 %raised, label %fail, label %done
fail:
  ret i32 1
done:
  call void %drop(ptr %result)
  ret i32 0
}}

define void @adalloc_window(ptr %plan) {_FUNCTION} {{
  call void @adalloc_begin(ptr %plan)
  call void @adalloc_calls(ptr %plan)
  call void @adalloc_end(ptr %plan)
  ret void
}}
"""


_DOMAIN_SHAPES = {
    "malloc": ("ptr", "ptr %context, i64 %a", "%a"),
    "calloc": ("ptr", "ptr %context, i64 %a, i64 %b", "mul"),
    "realloc": ("ptr", "ptr %context, ptr %a, i64 %b", "%b"),
    "free": ("void", "ptr %context, ptr %a", ""),
}


def _domains() -> Iterable[str]:
    """Shims of Python's memory domains and of NumPy's data handler; they find the original by number, not by context."""
    for domain, name in enumerate(layout.DOMAIN_NAMES):
        for position, call in enumerate(layout.DOMAIN_CALLS, start=1):
            result, parameters, size = _DOMAIN_SHAPES[call]
            if name == "numpy" and call == "free":
                parameters += ", i64 %b"
            yield _shim(domain, name, call, position, result, parameters, size)


def _shim(domain: int, name: str, call: str, position: int, result: str, parameters: str, size: str) -> str:
    first = layout.DOMAINS + domain * layout.DOMAIN_WORDS
    counter = first + 2 if call == "free" else first
    measured = "  %size = mul i64 %a, %b" if size == "mul" else f"  %size = add i64 0, {size or 0}"
    passed = parameters.replace("%context", "%original.context")
    give = f"tail call void %original({passed})\n  ret void"
    if result != "void":
        give = f"%r = tail call {result} %original({passed})\n  ret {result} %r"
    return f"""
define {result} @adalloc_{name}_{call}({parameters}) {_FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %idle = icmp eq i64 %armed, 0
  br i1 %idle, label %pass, label %ask, !prof !0
ask:
  %thread = call i64 @adalloc_thread()
  %same = icmp eq i64 %armed, %thread
  %every = icmp eq i64 %armed, -1
  %counted = or i1 %same, %every
  br i1 %counted, label %count, label %pass
count:
{measured}
  %calls = atomicrmw add ptr {_word(counter)}, i64 1 monotonic
  %bytes = atomicrmw add ptr {_word(first + 1)}, i64 %size monotonic
  br label %pass
pass:
  %original.context = load ptr, ptr {_element("adalloc_domain_originals", 5 * domain)}
  %original = load ptr, ptr {_element("adalloc_domain_originals", 5 * domain + position)}
  {give}
}}
"""
