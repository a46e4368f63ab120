"""Who allocates, from return addresses: native code, the interpreter, or a library that allocates for its callers.

For the last kind the first frame beyond such libraries is responsible.
"""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.native.spelling import FUNCTION, element, word


def callers() -> str:
    """The functions that look at addresses, and those that take backtraces."""
    return _class_of() + _within() + _responsible_of() + _unwinds() + _unwind()


def _class_of() -> str:
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
"""


def _within() -> str:
    return f"""
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
"""


def _responsible_of() -> str:
    return f"""
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
"""


def _unwinds() -> str:
    return f"""
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
"""


def _unwind() -> str:
    return f"""
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
"""
