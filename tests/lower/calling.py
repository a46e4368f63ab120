"""Calling a native entry through its frame: slow, general, and plain; the fast callers are compiled.

`pack` fills a frame from NumPy arguments, `call` runs the entry and turns its status into the exception that the fault
names, `results` reads what it left behind.
"""

from __future__ import annotations

import builtins
import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore import errors
from adcore.abi import frame
from adcore.abi.faults import Fault
from adcore.abi.frame import FrameLayout
from adcore.ir.types import NUMPY_NAMES, ArrayType, ListType, Scalar, Type
from adcore.lower.kernel_memory import ALIGNMENT
from adcore.lower.lowering import Lowered

ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


@dataclass
class Frame:
    """The words of one call, and the objects that they point into."""

    words: Any
    layout: FrameLayout
    keep: list[Any]

    @property
    def address(self) -> int:
        return ctypes.addressof(self.words)

    @property
    def workspace_used(self) -> int:
        """The high-water mark that the last call left."""
        return int(self.words[frame.WORKSPACE_MARK])


def pack(layout: FrameLayout, arguments: Sequence[Any], workspace: int = 1 << 20) -> Frame:
    """A frame for `arguments` (scalars, NumPy arrays of the right types, lists of such), with its own workspace."""
    arena = ctypes.create_string_buffer(workspace + ALIGNMENT)
    packed = Frame((ctypes.c_int64 * layout.size)(), layout, [arena])
    base = -(-ctypes.addressof(arena) // ALIGNMENT) * ALIGNMENT
    packed.words[frame.WORKSPACE_BASE], packed.words[frame.WORKSPACE_END] = base, base + workspace
    for slot, argument in zip(layout.param_slots, arguments, strict=True):
        for k, word in enumerate(_words(slot.type, argument, packed.keep)):
            packed.words[slot.offset + k] = word
    return packed


def _words(type_: Type, argument: Any, keep: list[Any]) -> list[int]:
    if isinstance(type_, ListType):
        item = ArrayType(type_.element, type_.rank, type_.layout)
        rows = [word for array in argument for word in _words(item, array, keep)]
        table = (ctypes.c_int64 * max(len(rows), 1))(*rows)
        keep.append(table)
        return [ctypes.addressof(table), len(argument)]
    if isinstance(type_, ArrayType):
        assert argument.dtype == NUMPY_NAMES[type_.element.name], f"{argument.dtype} given for {type_}"
        assert argument.ndim == type_.rank
        keep.append(argument)
        return [argument.ctypes.data, *argument.shape, *argument.strides]
    if type_.kind == "f":
        data = struct.pack("<d" if type_.bytes == 8 else "<f4x", argument)
        return [struct.unpack("<q", data)[0]]
    return [ctypes.c_int64(int(argument)).value]


def call(address: int, lowered: Lowered, packed: Frame) -> tuple[Any, ...]:
    """Run the entry at `address`; its results, or the exception of its fault with `error.span`."""
    status = ENTRY(address)(packed.address)
    if status:
        raise exception(lowered.faults[status - 1], packed.words[0], packed.words[1])
    return tuple(_read(slot, packed) for slot in packed.layout.result_slots)


def exception(fault: Fault, a: int, b: int) -> Exception:
    """The exception of a fault, with the details in its message and the span as `error.span`."""
    message = fault.message.format(a, b)
    error: Exception
    if fault.error == "WorkspaceError":
        error = errors.WorkspaceError([errors.Diagnostic(message, fault.span)])
    else:
        error = getattr(builtins, fault.error)(message)
    error.span = fault.span  # type: ignore[attr-defined]
    return error


def _read(slot: frame.FrameSlot, packed: Frame) -> Any:
    type_, words = slot.type, packed.words[slot.offset : slot.offset + slot.words]
    if isinstance(type_, Scalar):
        return _scalar(type_, words[0])
    assert isinstance(type_, ArrayType), "a list cannot be a result"
    dims, strides = words[1 : 1 + type_.rank], words[1 + type_.rank :]
    dtype = np.dtype(NUMPY_NAMES[type_.element.name])
    if 0 in dims:
        return np.empty(dims, dtype)
    # Strides may be negative, so the buffer is the one element at the base and the view is built from it.
    holder = (ctypes.c_char * type_.element.bytes).from_address(words[0])
    return np.lib.stride_tricks.as_strided(np.frombuffer(memoryview(holder), dtype), dims, strides)


def _scalar(type_: Scalar, word: int) -> Any:
    if type_.kind == "f":
        data = struct.pack("<q", word)
        return struct.unpack("<d", data)[0] if type_.bytes == 8 else np.frombuffer(data[:4], np.float32)[0]
    return bool(word) if type_.kind == "b" else word % 2**64 if type_.name == "u64" else word
