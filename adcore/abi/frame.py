"""The frame: how a native entry `i32 NAME(ptr frame)` receives its arguments and hands back its results.

    word   0, 1   details of a fault, written when the status is not 0; a forward sweep on its own that ends well
                  puts the first byte of the workspace that is still free here, and the byte after the last
           2, 3   first byte of the workspace arena, and the byte after its last
           4      most bytes kept for the reverse sweep at any moment of the call, written when the kernel leaves
           5      for a reverse sweep: bytes of records that the forward sweep left at the workspace's start
           6...   parameters in order, then results in order, then the details of a fault beyond two, then what
                  `adcore.abi.messages` says, if the kernel has any

A word has 8 bytes. A scalar takes one (f32 in the low half, bool as 0 or 1, integers extended to 64 bits). An array
takes its base, its dims and its strides in bytes (for layout C the strides are not read). A list takes the address of
a table and a count; the table holds base, dims and strides of each item. Result arrays are written by the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from adcore.abi.messages import ROOM_WORDS
from adcore.ir.types import ArrayType, Scalar, Type

DETAIL_A, DETAIL_B, WORKSPACE_BASE, WORKSPACE_END, WORKSPACE_MARK, RECORDS, FIRST = range(7)
FREE_BASE, FREE_END = DETAIL_A, DETAIL_B


def words(type_: Type) -> int:
    """How many words a value of this type takes."""
    if isinstance(type_, Scalar):
        return 1
    return 1 + 2 * type_.rank if isinstance(type_, ArrayType) else 2


class FrameSlot(NamedTuple):
    """Where one parameter or result stands."""

    type: Type
    offset: int

    @property
    def words(self) -> int:
        return words(self.type)


@dataclass(frozen=True)
class FrameLayout:
    """Where everything stands in the frame of a function with these parameter and result types, in words."""

    params: tuple[Type, ...]
    results: tuple[Type, ...]
    details: int = 0
    """The most numbers that a fault leaves."""
    messages: bool = False
    """Whether the kernel leaves messages."""

    @classmethod
    def of(
        cls, params: Sequence[Type], results: Sequence[Type], details: int = 0, messages: bool = False
    ) -> FrameLayout:
        return cls(tuple(params), tuple(results), details, messages)

    @cached_property
    def param_slots(self) -> tuple[FrameSlot, ...]:
        return _place(self.params, FIRST)

    @cached_property
    def result_slots(self) -> tuple[FrameSlot, ...]:
        return _place(self.results, FIRST + sum(map(words, self.params)))

    @cached_property
    def param_words(self) -> tuple[int, ...]:
        """The first word of each parameter."""
        return tuple(slot.offset for slot in self.param_slots)

    @cached_property
    def result_words(self) -> tuple[int, ...]:
        """The first word of each result."""
        return tuple(slot.offset for slot in self.result_slots)

    @cached_property
    def size(self) -> int:
        """Words in the whole frame."""
        return self.room_word + (ROOM_WORDS if self.messages else 0)

    @cached_property
    def room_word(self) -> int:
        """The first of the words about messages, if there are any."""
        return self.results_end + max(0, self.details - 2)

    @cached_property
    def results_end(self) -> int:
        """The word after the last result."""
        return FIRST + sum(map(words, (*self.params, *self.results)))

    def detail_word(self, k: int) -> int:
        """Where detail `k` of a fault stands."""
        return (DETAIL_A, DETAIL_B)[k] if k < 2 else self.results_end + k - 2


def _place(types: tuple[Type, ...], offset: int) -> tuple[FrameSlot, ...]:
    slots = []
    for type_ in types:
        slots.append(FrameSlot(type_, offset))
        offset += words(type_)
    return tuple(slots)
