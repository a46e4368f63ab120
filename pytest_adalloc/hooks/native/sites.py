"""The table of sites: open addressing, a site per entry and caller. Behind it are sites for what does not fit.

A site is an entry point and the code that called it. Its class is decided at its first call and kept: native code, the
interpreter, or a library that allocates for its callers. For the last kind the backtrace of every call decides.
"""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.native.spelling import FUNCTION, site_at, slot_of, word


def sites() -> str:
    """The functions that find, claim and describe a site."""
    return _probe() + _take() + _describe()


def _probe() -> str:
    return f"""
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
"""


def _take() -> str:
    return f"""
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
"""


def _describe() -> str:
    return f"""
define internal void @describe(
    ptr %site, i64 %entry, i64 %caller, i64 %responsible, i64 %class, ptr %frames, i64 %count,
    i64 %past)
    {FUNCTION} {{
start:
{_store_fields(ENTRY="%entry", CALLER="%caller", RESPONSIBLE="%responsible", PAST_SLOTS="%past")}
{_store_fields(FRAME_COUNT="%count", CLASS="%class")}
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
