"""Spellings of LLVM IR that the parts of the native code share."""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import EVERY, NUMBER

FUNCTION = "nounwind uwtable"  # unwind tables, so that a backtrace gets past our own frames


def element(table: str, index: int) -> str:
    """The address of a pointer in a global table."""
    return f"getelementptr (ptr, ptr @{table}, i64 {index})"


def word(index: int) -> str:
    """The address of a word of the state."""
    return f"getelementptr (i64, ptr @adalloc_state, i64 {index})"


ENTRY_SHIFT = (
    56  # in a site's key the entry sits in the top bits, and whether a slot led there below: no address is so high
)


def key_of(caller: str, entry: str, past: str = "0") -> str:
    """``%key`` of the site of an entry and its caller, and of those that come past the slots."""
    return f"""  %tag = shl i64 {entry}, {ENTRY_SHIFT}
  %way = shl i64 {past}, {ENTRY_SHIFT - 1}
  %tagged = xor i64 {caller}, %tag
  %key = xor i64 %tagged, %way"""


def slot_of(key: str) -> str:
    """``%slot``, where the search for a key's site begins."""
    return f"""  %mixed = mul i64 {key}, -7046029254386353131
  %slot = lshr i64 %mixed, {64 - (layout.SITE_COUNT - 1).bit_length()}"""


def site_at(slot: str, site: str) -> str:
    """The address of a site of the table."""
    return f"""  {site}.offset = mul i64 {slot}, {layout.SITE_WORDS}
  {site} = getelementptr i64, ptr {word(layout.SITES)}, i64 {site}.offset"""


def allocates(entry: str) -> str:
    """``%allocates``: whether calls of an entry enter the count."""
    mask = sum(1 << NUMBER[each.name] for each in EVERY if each.counts)
    return f"""  %bit = shl i64 1, {entry}
  %masked = and i64 %bit, {mask}
  %allocates = icmp ne i64 %masked, 0"""
