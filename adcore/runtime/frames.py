"""One call's frame, filled: arguments into words, results out of them. The layout is that of `adcore.abi.frame`."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.abi.faults import AssignedBefore, Fault
from adcore.abi.frame import DETAIL_A, DETAIL_B, WORKSPACE_BASE, WORKSPACE_END, WORKSPACE_MARK, FrameLayout
from adcore.abi.frame import words as width
from adcore.abi.messages import ROOM_BASE, ROOM_END, ROOM_FREE
from adcore.ir.types import NUMPY_NAMES, ArrayType, Scalar
from adcore.runtime.values.leaves import LeafValue, NDArray
from adcore.runtime.workspaces import Lease

ROOM = 16 << 20
"""Bytes for the messages of one call, at most. They are addresses until something is written there."""

NEVER_RAN = -1
"""In the place of the bytes used, before the first call."""

Words = np.ndarray[Any, np.dtype[np.int64]]

_DETAIL_TYPES: dict[str, Any] = {"f64": np.float64, "f32": np.float64}
"""What a word of a detail holds; integers of any width for the others."""

_SCALAR_FORMATS = {"f64": "<d", "f32": "<fxxxx"}


class Frame:
    """One frame with its contents; keeps alive what it points at. One call at a time runs in it."""

    def __init__(self, layout: FrameLayout, words: Words | None = None) -> None:
        self.layout = layout
        if words is None:
            words = np.zeros(layout.size, np.int64)
            words[WORKSPACE_MARK] = NEVER_RAN
        self.words = words
        self.address: int = self.words.__array_interface__["data"][0]
        self.pinned: dict[int, Any] = {}
        self.workspace: Lease | None = None
        self.room: Lease | None = None
        self.note = ""
        """What an error says besides, where the caller's memory may not be as Python would have left it."""
        self.fault: Fault | None = None
        """Why the last call failed, if one did."""

    @classmethod
    def at(cls, layout: FrameLayout, address: int, note: str = "") -> Frame:
        """The frame of a call that a native wrapper is making, which ends when this is read."""
        memory: Any = (ctypes.c_int64 * layout.size).from_address(address)
        words: Words = np.frombuffer(memory, np.int64)
        made = cls(layout, words)
        made.note = note
        return made

    def grant(self, base: int, end: int) -> None:
        """Where the kernel may put what it stores."""
        self.words[WORKSPACE_BASE], self.words[WORKSPACE_END] = base, end

    def take_workspace(self) -> None:
        """Have a workspace, one of the pool unless it was granted another, and room for messages where there may be
        any: until `release`, or as long as the frame."""
        if self.workspace is None and not self.words[WORKSPACE_END]:
            self.workspace = Lease()
            self.grant(self.workspace.base, self.workspace.end)
        if self.layout.messages and self.room is None:
            self.room, at = Lease(), self.layout.room_word
            self.words[at + ROOM_BASE] = self.words[at + ROOM_FREE] = self.room.base
            self.words[at + ROOM_END] = min(self.room.base + ROOM, self.room.end)

    def release(self) -> None:
        """The results are read: another call may have the workspace."""
        own, self.workspace = self.workspace, None
        if own is not None:
            self.grant(0, 0)
            own.release()
        room, self.room = self.room, None
        if room is not None:
            room.release()

    @property
    def used(self) -> int:
        """The most bytes that the last call kept for its reverse sweep at any moment; 0 before the first."""
        return max(0, int(self.words[WORKSPACE_MARK]))

    @property
    def ran(self) -> bool:
        """Whether there was a call."""
        return int(self.words[WORKSPACE_MARK]) != NEVER_RAN

    @property
    def details(self) -> tuple[int, int]:
        """The two numbers that a fault reports."""
        return int(self.words[DETAIL_A]), int(self.words[DETAIL_B])

    def assigned(self) -> tuple[AssignedBefore | None, list[Any]]:
        """What a program had assigned to attributes when it failed (None: not known), and the numbers that it left."""
        known = self.fault.assigned if self.fault is not None else None
        kinds = () if known is None else known.kinds
        first = 0 if known is None else known.first
        return known, [self.detail(first + k, dtype, weak) for k, (dtype, weak) in enumerate(kinds)]

    def detail(self, k: int, dtype: str, weak: bool) -> Any:
        """Number `k` of those that a fault leaves, as Python's or as NumPy's."""
        return word_as_number(self.words[self.layout.detail_word(k)], dtype, weak)

    def set_param(self, k: int, value: LeafValue) -> None:
        """Put parameter `k`: a number, an array or a tuple of arrays, of the layout's type."""
        type_, at = self.layout.params[k], self.layout.param_words[k]
        if isinstance(type_, Scalar):
            pack_scalar(self.words, at, type_, value)
            return
        if isinstance(type_, ArrayType):
            self.words[at : at + width(type_)] = array_words(value)
            self.pinned[k] = value
            return
        table = np.array([array_words(item) for item in value], np.int64)
        self.words[at], self.words[at + 1] = table.__array_interface__["data"][0], len(value)
        self.pinned[k] = (table, value)

    def result(self, k: int) -> Any:
        """Result `k`: a Python number, or an array copied out of the memory where the kernel left it."""
        type_, at = self.layout.results[k], self.layout.result_words[k]
        if isinstance(type_, Scalar):
            return read_scalar(self.words, at, type_)
        assert isinstance(type_, ArrayType), "a kernel does not make lists of arrays"
        return view_at(self.words[at : at + width(type_)], type_).copy()


def word_as_number(word: Any, dtype: str, weak: bool) -> Any:
    """A number that compiled code has left in a word, as Python's (`weak`) or as NumPy's."""
    value = np.dtype(NUMPY_NAMES[dtype]).type(word.view(_DETAIL_TYPES.get(dtype, np.int64)))
    return value.item() if weak else value


def array_words(array: NDArray) -> list[int]:
    """Base, dimensions and strides of an array."""
    return [array.__array_interface__["data"][0], *array.shape, *array.strides]


def pack_scalar(words: Words, at: int, type_: Scalar, value: Any) -> None:
    """Write a number as `type_` into word `at`."""
    if type_.name in _SCALAR_FORMATS:
        struct.pack_into(_SCALAR_FORMATS[type_.name], words.data.cast("B"), 8 * at, value)
    else:
        words[at] = int(value) - (1 << 64 if int(value) >= 1 << 63 else 0)


def read_scalar(words: Words, at: int, type_: Scalar) -> Any:
    """The number of `type_` in word `at`: float, int or bool; NumPy's float32 for f32, which is no Python type."""
    element = words[at : at + 1].view(NUMPY_NAMES[type_.name])[0]
    return element if type_.name == "f32" else element.item()


class _Memory:
    """Memory at an address, as NumPy's array protocol wants it described."""

    def __init__(self, interface: dict[str, Any]) -> None:
        self.__array_interface__ = interface


def view_at(words: Sequence[int] | Words, type_: ArrayType) -> NDArray:
    """The array that base, dimensions and strides in `words` describe; a view of foreign memory: copy it at once."""
    base, *rest = (int(word) for word in words)
    shape, strides = tuple(rest[: type_.rank]), tuple(rest[type_.rank :])
    dtype = np.dtype(NUMPY_NAMES[type_.element.name])
    if 0 in shape:
        return np.zeros(shape, dtype)
    interface = {"data": (base, False), "shape": shape, "strides": strides, "typestr": dtype.str, "version": 3}
    return np.asarray(_Memory(interface))
