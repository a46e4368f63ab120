"""The table of sites and ``note``, which a hook calls while a window is open.

A site is an entry point and the code that called it. Its class is decided at its first call and kept: native code, the
interpreter, or a library that allocates for its callers. For the last kind the backtrace of every call decides.
"""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.native.spelling import FUNCTION, allocates, element, key_of, site_at, slot_of, word


def sites() -> str:
    """The table of sites: open addressing, a site per entry and caller. Behind it are sites for what does not fit."""
    return f"""
define internal i64 @class_of(i64 %address) {FUNCTION} {{
entry:
  %through = load i64, ptr {word(layout.THROUGH_RANGES)}
  %passed = call i1 @within(i64 %address, ptr {word(layout.THROUGH)}, i64 %through)
  br i1 %passed, label %is_through, label %ask
ask:
  %own = load i64, ptr {word(layout.INTERPRETER_RANGES)}
  %interpreter = call i1 @within(i64 %address, ptr {word(layout.RANGES)}, i64 %own)
  %class = select i1 %interpreter, i64 {layout.INTERPRETER}, i64 {layout.NATIVE}
  ret i64 %class
is_through:
  ret i64 {layout.PASSED_THROUGH}
}}

define internal i1 @within(i64 %address, ptr %ranges, i64 %count) {FUNCTION} {{
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

; The site of a key, or the free one that it may claim, or the first overflow site as a sign that there is no room.
define internal ptr @probe(i64 %key) {FUNCTION} {{
entry:
{slot_of("%key")}
  br label %next
next:
  %i = phi i64 [0, %entry], [%j, %step]
  %sum = add i64 %slot, %i
  %index = and i64 %sum, {layout.SITE_COUNT - 1}
{site_at("%index", "%site")}
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
  ret ptr {word(layout.OVERFLOW)}
}}

; The site of a key, claimed now if it is new; a site whose class is still zero has not been described.
define internal ptr @take(i64 %key) {FUNCTION} {{
entry:
  br label %again
again:
  %site = call ptr @probe(i64 %key)
  %held = load atomic i64, ptr %site monotonic, align 8
  %known = icmp eq i64 %held, %key
  %spilled = icmp eq ptr %site, {word(layout.OVERFLOW)}
  %ready = or i1 %known, %spilled
  br i1 %ready, label %give, label %claim
claim:
  %taken = cmpxchg ptr %site, i64 0, i64 %key monotonic monotonic
  %won = extractvalue {{i64, i1}} %taken, 1
  br i1 %won, label %enlist, label %again
enlist:
  %number = atomicrmw add ptr {word(layout.USED)}, i64 1 monotonic
  %at = getelementptr ptr, ptr {word(layout.USED_LIST)}, i64 %number
  store ptr %site, ptr %at
  br label %give
give:
  ret ptr %site
}}

; Who is responsible for a call out of a library that allocates for its caller: the first frame beyond such libraries.
define internal i64 @responsible_of(i64 %caller, ptr %frames, i64 %count) {FUNCTION} {{
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

; Whether a thread is inside backtrace().
define internal i1 @unwinds(i64 %thread) {FUNCTION} {{
entry:
  br label %next
next:
  %i = phi i64 [0, %entry], [%j, %look]
  %more = icmp ult i64 %i, {layout.UNWINDERS}
  br i1 %more, label %look, label %no
look:
  %at = getelementptr i64, ptr {word(layout.UNWINDING)}, i64 %i
  %held = load atomic i64, ptr %at monotonic, align 8
  %same = icmp eq i64 %held, %thread
  %j = add i64 %i, 1
  br i1 %same, label %yes, label %next
yes:
  ret i1 true
no:
  ret i1 false
}}

define internal i64 @unwind(ptr %frames, i64 %thread, i32 %capacity) {FUNCTION} {{
start:
  br label %next
next:
  %i = phi i64 [0, %start], [%j, %try]
  %more = icmp ult i64 %i, {layout.UNWINDERS}
  br i1 %more, label %try, label %busy
try:
  %at = getelementptr i64, ptr {word(layout.UNWINDING)}, i64 %i
  %taken = cmpxchg ptr %at, i64 0, i64 %thread monotonic monotonic
  %mine = extractvalue {{i64, i1}} %taken, 1
  %j = add i64 %i, 1
  br i1 %mine, label %walk, label %next
walk:
  %backtrace = load ptr, ptr {element("adalloc_libc", layout.LIBC.index("backtrace"))}
  %absent = icmp eq ptr %backtrace, null
  br i1 %absent, label %give.up, label %ask
give.up:
  store atomic i64 0, ptr %at monotonic, align 8
  ret i64 0
ask:
  %found = call i32 %backtrace(ptr %frames, i32 %capacity)
  store atomic i64 0, ptr %at monotonic, align 8
  %count = zext i32 %found to i64
  ret i64 %count
busy:
  ret i64 0
}}

define internal void @describe(
    ptr %site, i64 %entry, i64 %caller, i64 %responsible, i64 %class, ptr %frames, i64 %count)
    {FUNCTION} {{
start:
{_store_fields(ENTRY="%entry", CALLER="%caller", RESPONSIBLE="%responsible", FRAME_COUNT="%count", CLASS="%class")}
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


def note() -> str:
    """What a hook calls while a window is open, where it cannot count by itself. Several threads may be counted."""
    return f"""
define void @adalloc_note(i64 %entry, i64 %size, i64 %caller) noinline {FUNCTION} {{
start:
  ; Who opens a window waits until nobody is in here, and who comes later looks whether its window is still open.
  %in = atomicrmw add ptr {word(layout.NOTING)}, i64 1 seq_cst
  %thread = call i64 @adalloc_thread()
  %armed = load atomic i64, ptr {word(layout.ARMED)} seq_cst, align 8
  %same = icmp eq i64 %armed, %thread
  %every = icmp eq i64 %armed, -1
  %watched = or i1 %same, %every
  br i1 %watched, label %open, label %leave
open:
  %nested = call i1 @unwinds(i64 %thread)
  br i1 %nested, label %leave, label %find
find:
{key_of("%caller", "%entry")}
  %near = call ptr @take(i64 %key)
  %spilled = icmp eq ptr %near, {word(layout.OVERFLOW)}
  br i1 %spilled, label %beyond, label %fits
fits:
  %near.class.at = getelementptr i64, ptr %near, i64 {layout.CLASS}
  %near.class = load atomic i64, ptr %near.class.at monotonic, align 8
  %new = icmp eq i64 %near.class, 0
  br i1 %new, label %first, label %known
first:
  %found = call i64 @first_call(ptr %near, i64 %entry, i64 %caller, i64 %thread)
  br label %known
known:
  %class = phi i64 [%near.class, %fits], [%found, %first]
  %through = icmp eq i64 %class, {layout.PASSED_THROUGH}
  br i1 %through, label %beyond, label %count
beyond:
  %far = call ptr @deep(i64 %entry, i64 %caller, i64 %thread)
  br label %count
count:
  %site = phi ptr [%near, %known], [%far, %beyond]
  %count.at = getelementptr i64, ptr %site, i64 {layout.COUNT}
  %bytes.at = getelementptr i64, ptr %site, i64 {layout.SITE_BYTES}
  %site.class.at = getelementptr i64, ptr %site, i64 {layout.CLASS}
  %site.class = load atomic i64, ptr %site.class.at monotonic, align 8
  %own = icmp eq i64 %site.class, {layout.INTERPRETER}
{allocates("%entry")}
  %native = xor i1 %own, true
  %totals = and i1 %native, %allocates
  %s0 = atomicrmw add ptr %count.at, i64 1 monotonic
  %s1 = atomicrmw add ptr %bytes.at, i64 %size monotonic
  br i1 %totals, label %sum, label %leave
sum:
  %s2 = atomicrmw add ptr {word(layout.ALLOCATIONS)}, i64 1 monotonic
  %s3 = atomicrmw add ptr {word(layout.BYTES)}, i64 %size monotonic
  br label %ask
ask:
  %asked = load atomic i64, ptr {word(layout.FIRST)} monotonic, align 8
  %wanted = icmp eq i64 %asked, {layout.WANTED}
  br i1 %wanted, label %tell, label %leave
tell:
  call void @tell_first(i64 %entry, i64 %size, i64 %caller, i64 %thread)
  br label %leave
leave:
  %out = atomicrmw sub ptr {word(layout.NOTING)}, i64 1 seq_cst
  ret void
}}

; The first allocation that somebody waits for, with a backtrace of its own: that of its site may be of another path.
define internal void @tell_first(i64 %entry, i64 %size, i64 %caller, i64 %thread) noinline {FUNCTION} {{
  %taken = cmpxchg ptr {word(layout.FIRST)}, i64 {layout.WANTED}, i64 {layout.IN_PROGRESS} monotonic monotonic
  %mine = extractvalue {{i64, i1}} %taken, 1
  br i1 %mine, label %tell, label %leave
tell:
  store i64 %entry, ptr {word(layout.FIRST_ENTRY)}
  store i64 %size, ptr {word(layout.FIRST_BYTES)}
  store i64 %caller, ptr {word(layout.FIRST_CALLER)}
  %count = call i64 @unwind(ptr {word(layout.FIRST_FRAMES)}, i64 %thread, i32 {layout.FIRST_CAPACITY})
  store i64 %count, ptr {word(layout.FIRST_COUNT)}
  store atomic i64 {layout.KNOWN}, ptr {word(layout.FIRST)} release, align 8
  br label %leave
leave:
  ret void
}}

; First call of a site. Its class is found here once; the backtrace is taken for native code only.
define internal i64 @first_call(ptr %site, i64 %entry, i64 %caller, i64 %thread) noinline {FUNCTION} {{
start:
  %frames = alloca [{layout.FRAME_CAPACITY} x i64], align 16
  %class = call i64 @class_of(i64 %caller)
  %native = icmp eq i64 %class, {layout.NATIVE}
  br i1 %native, label %walk, label %enter
walk:
  %walked = call i64 @unwind(ptr %frames, i64 %thread, i32 {layout.FRAME_CAPACITY})
  br label %enter
enter:
  %count = phi i64 [0, %start], [%walked, %walk]
  call void @describe(ptr %site, i64 %entry, i64 %caller, i64 %caller, i64 %class, ptr %frames, i64 %count)
  ret i64 %class
}}

; A call that its near site cannot take, out of a library that allocates for others or for want of room: one site per
; path through that library, an overflow site where there is no room.
define internal ptr @deep(i64 %entry, i64 %caller, i64 %thread) noinline {FUNCTION} {{
start:
  %frames = alloca [{layout.FRAME_CAPACITY} x i64], align 16
  %near = call i64 @class_of(i64 %caller)
  %through = icmp eq i64 %near, {layout.PASSED_THROUGH}
  br i1 %through, label %climb, label %place
climb:
  %walked = call i64 @unwind(ptr %frames, i64 %thread, i32 {layout.FRAME_CAPACITY})
  %above = call i64 @responsible_of(i64 %caller, ptr %frames, i64 %walked)
  br label %place
place:
  %count = phi i64 [0, %start], [%walked, %climb]
  %responsible = phi i64 [%caller, %start], [%above, %climb]
  %seen = call i64 @class_of(i64 %responsible)
  %own = icmp eq i64 %seen, {layout.INTERPRETER}
  %class = select i1 %own, i64 {layout.INTERPRETER}, i64 {layout.NATIVE}
  %spread = mul i64 %responsible, 6364136223846793005
  %mixed = xor i64 %spread, %caller
  %low = lshr i64 %mixed, 5
  %odd = or i64 %low, 1
  %tag = shl i64 %entry, 59
  %key = xor i64 %odd, %tag
  %taken = call ptr @take(i64 %key)
  %spilled = icmp eq ptr %taken, {word(layout.OVERFLOW)}
  %row = select i1 %own, i64 {layout.OVERFLOW_ENTRIES}, i64 0
  %number = add i64 %row, %entry
  %offset = mul i64 %number, {layout.SITE_WORDS}
  %spare = getelementptr i64, ptr {word(layout.OVERFLOW)}, i64 %offset
  %one = zext i1 %spilled to i64
  %spills = atomicrmw add ptr {word(layout.SPILLED)}, i64 %one monotonic
  %site = select i1 %spilled, ptr %spare, ptr %taken
  %class.at = getelementptr i64, ptr %site, i64 {layout.CLASS}
  %held = load atomic i64, ptr %class.at monotonic, align 8
  %new = icmp eq i64 %held, 0
  br i1 %new, label %fill, label %give
fill:
  ; An overflow site stands for many places, so it names none.
  %from = select i1 %spilled, i64 0, i64 %caller
  %blamed = select i1 %spilled, i64 0, i64 %responsible
  %room = select i1 %spilled, i64 0, i64 %count
  call void @describe(ptr %site, i64 %entry, i64 %from, i64 %blamed, i64 %class, ptr %frames, i64 %room)
  br label %give
give:
  ret ptr %site
}}
"""
