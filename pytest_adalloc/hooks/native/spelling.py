"""Spellings of LLVM IR that the parts of the native code share."""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import ENTRIES, NUMBER

FUNCTION = "nounwind uwtable"  # unwind tables, so that a backtrace gets past our own frames


def element(table: str, index: int) -> str:
    """The address of a pointer in a global table."""
    return f"getelementptr (ptr, ptr @{table}, i64 {index})"


def word(index: int) -> str:
    """The address of a word of the state."""
    return f"getelementptr (i64, ptr @adalloc_state, i64 {index})"


def key_of(caller: str, entry: str) -> str:
    """``%key`` of the site of an entry and its caller. The entry sits in the top bits, which no user address has."""
    return f"""  %tag = shl i64 {entry}, 59
  %key = xor i64 {caller}, %tag"""


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
    mask = sum(1 << NUMBER[each.name] for each in ENTRIES if each.counts)
    return f"""  %bit = shl i64 1, {entry}
  %masked = and i64 %bit, {mask}
  %allocates = icmp ne i64 %masked, 0"""
