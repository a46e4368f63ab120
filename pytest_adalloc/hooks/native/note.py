"""``note``, which a hook calls while a window is open, where it cannot count by itself; in several threads perhaps."""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.native.spelling import ENTRY_SHIFT, FUNCTION, allocates, key_of, word


def note() -> str:
    """``note`` itself, and what it leaves to others: the first allocation, first calls of a site, the unusual paths."""
    return _note() + _tell_first() + _first_call() + _deep()


def _note() -> str:
    return f"""
; The answer is the class of the caller, 0 where nothing is counted.
define i64 @adalloc_note(i64 %entry, i64 %size, i64 %caller, i64 %past) noinline {FUNCTION} {{
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
{key_of("%caller", "%entry", "%past")}
  %near = call ptr @take(i64 %key)
  %spilled = icmp eq ptr %near, {word(layout.OVERFLOW)}
  br i1 %spilled, label %beyond, label %fits
fits:
  %near.class.at = getelementptr i64, ptr %near, i64 {layout.CLASS}
  %near.class = load atomic i64, ptr %near.class.at monotonic, align 8
  %new = icmp eq i64 %near.class, 0
  br i1 %new, label %first, label %known
first:
  %found = call i64 @first_call(ptr %near, i64 %entry, i64 %caller, i64 %thread, i64 %past)
  br label %known
known:
  %class = phi i64 [%near.class, %fits], [%found, %first]
  %through = icmp eq i64 %class, {layout.PASSED_THROUGH}
  br i1 %through, label %beyond, label %count
beyond:
  %far = call ptr @deep(i64 %entry, i64 %caller, i64 %thread, i64 %past)
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
  %answer = phi i64 [0, %start], [0, %open], [%site.class, %count], [%site.class, %ask], [%site.class, %tell]
  %out = atomicrmw sub ptr {word(layout.NOTING)}, i64 1 seq_cst
  ret i64 %answer
}}
"""


def _tell_first() -> str:
    return f"""
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
"""


def _first_call() -> str:
    return f"""
; First call of a site. Its class is found here once; the backtrace is taken for native code only.
define internal i64 @first_call(ptr %site, i64 %entry, i64 %caller, i64 %thread, i64 %past) noinline {FUNCTION} {{
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
  call void @describe(ptr %site, i64 %entry, i64 %caller, i64 %caller, i64 %class, ptr %frames, i64 %count,
    i64 %past)
  ret i64 %class
}}
"""


def _deep() -> str:
    return f"""
; A call that its near site cannot take, out of a library that allocates for others or for want of room: one site per
; path through that library, an overflow site where there is no room.
define internal ptr @deep(i64 %entry, i64 %caller, i64 %thread, i64 %past) noinline {FUNCTION} {{
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
  %low = lshr i64 %mixed, {65 - ENTRY_SHIFT}
  %odd = or i64 %low, 1
{key_of("%odd", "%entry", "%past")}
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
  call void @describe(ptr %site, i64 %entry, i64 %from, i64 %blamed, i64 %class, ptr %frames, i64 %room, i64 %past)
  br label %give
give:
  ret ptr %site
}}
"""
