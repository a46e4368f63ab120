"""Calling a kernel: the general path through a frame, and bound calls that run without Python in between."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, NamedTuple

import numpy as np

from adcore.abi.faults import Fault
from adcore.abi.frame import FrameLayout
from adcore.abi.messages import MessageSite
from adcore.ir.types import ArrayType, ListType
from adcore.runtime.faults import raise_fault
from adcore.runtime.frames import Frame
from adcore.runtime.messages import send
from adcore.runtime.native_types import Block, wrapper_addresses
from adcore.runtime.values.leaves import LeafValue, NDArray
from adcore.runtime.workspaces import stock
from adcore.runtime.wrappers import CALLED_ENTRY, LONG, MOST_ARRAYS

# A PYFUNCTYPE keeps the GIL, a CFUNCTYPE lets go of it.
_ENTRY = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
_ENTRY_APART = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)

C_CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400


class Kernel:
    """A native entry with everything needed to call it: where arguments go, what its faults mean.

    `written` holds the numbers of the parameters that it writes into; `code` is the loaded object, kept alive;
    `messages` are those that it leaves, which are sent whenever it was called.
    """

    def __init__(
        self,
        address: int,
        layout: FrameLayout,
        faults: Sequence[Fault],
        name: str,
        written: frozenset[int],
        code: Any,
        messages: Sequence[MessageSite] = (),
    ) -> None:
        self.address, self.layout, self.faults, self.name = address, layout, tuple(faults), name
        self.written = written
        self._entry, self._apart = _ENTRY(address), _ENTRY_APART(address)
        self._took = 0  # nanoseconds, the last time
        self.code, self.messages = code, tuple(messages)

    def frame(self, values: Sequence[LeafValue]) -> Frame:
        """A frame with these arguments; it takes a workspace when it is run."""
        frame = Frame(self.layout)
        for k, value in enumerate(values):
            frame.set_param(k, value)
        return frame

    def run(self, frame: Frame) -> None:
        """Call the kernel. Raises what the user's program raises, at the user's line."""
        self._call(frame)
        self.send(frame)

    def _call(self, frame: Frame) -> None:
        frame.take_workspace()
        call = self._apart if self._took > LONG else self._entry
        started = perf_counter_ns()
        status = call(frame.address)
        self._took = perf_counter_ns() - started
        if status:
            self.fail(status, frame)

    def send(self, frame: Frame) -> None:
        """Send the messages that the last call left behind."""
        if self.messages:
            send(self.messages, frame)

    def fail(self, status: int, frame: Frame) -> None:
        """Raise the exception that a status stands for, after the messages that came before it."""
        self.send(frame)
        frame.fault = self.faults[status - 1]
        raise_fault(frame.fault, frame, self.name, frame.note)

    def __call__(self, values: Sequence[LeafValue]) -> tuple[Any, ...]:
        """All results for these arguments: numbers, and arrays as fresh copies."""
        frame = self.frame(values)
        try:
            self._call(frame)
            results = tuple(frame.result(k) for k in range(len(self.layout.results)))
            self.send(frame)
            return results
        finally:
            frame.release()


class Returned(NamedTuple):
    """What a native call hands back: None, consecutive float results from number `first`, or what `finish` makes.

    `floats`: None for a general result; 0 for None; otherwise how many. `single`: one float, not a tuple of one.
    `pair`: result `first` is the value, the `floats` behind it are derivatives; returned is (derivatives, value), with
    None for no derivatives.
    """

    floats: int | None
    first: int = 0
    single: bool = False
    pair: bool = False

    def words(self, layout: FrameLayout) -> tuple[int, int, int]:
        """Words 6 to 8 of a wrapper's block."""
        if self.floats is None:
            return 3, 0, 0
        if self.pair:
            return 4, layout.result_words[self.first], self.floats
        if self.floats == 0:
            return 0, 0, 0
        return 1 if self.single else 2, layout.result_words[self.first], self.floats


def bound_block(
    kernel: Kernel, frame: Frame, held: Sequence[LeafValue], returned: Returned, fallback: Callable[..., Any],
    finish: Callable[[Frame], Any],
) -> tuple[int, Block]:  # fmt: skip
    """The native function and the block for a call of `kernel` on the arrays of `held`, one value per parameter."""
    entries = []
    for k, (type_, value) in enumerate(zip(kernel.layout.params, held, strict=True)):
        at = frame.address + 8 * kernel.layout.param_words[k]
        flags = ALIGNED | (WRITEABLE if k in kernel.written else 0)
        if isinstance(type_, ArrayType):
            entries.append(_held(value, at, flags | (C_CONTIGUOUS if type_.layout == "C" else 0)))
        elif isinstance(type_, ListType):
            table = frame.pinned[k][0].__array_interface__["data"][0]
            step = 8 * (1 + 2 * type_.rank)
            flags |= C_CONTIGUOUS if type_.layout == "C" else 0
            entries += [_held(item, table + step * j, flags) for j, item in enumerate(value)]
    block = _block(kernel, frame, returned, fallback, finish, entries, held)
    return wrapper_addresses()["bound"], block


def _held(array: NDArray, words: int, flags: int) -> list[int]:
    return [id(array), words, array.ndim, flags]


def called_block(
    kernel: Kernel, frame: Frame, order: Sequence[tuple[int, str, int | None]], returned: Returned,
    fallback: Callable[..., Any], finish: Callable[[Frame], Any], annotations: Sequence[type | None] = (),
    failed: Callable[[Frame], None] | None = None,
) -> tuple[int, Block] | None:  # fmt: skip
    """The native function and the block for calls with fresh positional arguments.

    `order` gives for each argument the parameter that it fills, its kind ("float", "int", "bool", "array") and, for a
    shadow, the parameter whose shape it has. `annotations`: the class in which each of them may come, whose slots are
    the argument and its shadow; None for a shadow. `failed` gets the frame of a call that fails, before the exception
    is raised. None where the wrapper cannot serve the signature.
    """
    if kernel.messages:
        return None  # Python has a look after each call
    kinds = ("float", "int", "bool", "array")
    entries, keep = [], []
    for parameter, kind, primal in order:
        at = kernel.layout.param_words[parameter]
        entry = [kinds.index(kind), at, *[0] * (CALLED_ENTRY - 2)]
        if kind == "array":
            type_ = kernel.layout.params[parameter]
            if not isinstance(type_, ArrayType) or type_.layout != "C":
                return None
            dtype = np.dtype(f"{type_.element.kind}{type_.element.bytes}" if type_.element.kind != "b" else "bool")
            writes = parameter in kernel.written
            flags = C_CONTIGUOUS | ALIGNED | (WRITEABLE if writes else 0)
            mate = 0 if primal is None else kernel.layout.param_words[primal]
            entry[2:-1] = [type_.rank, id(dtype), dtype.num, flags, int(writes), dtype.itemsize, mate]
            keep.append(dtype)
        entries.append(entry)
    for entry, annotation in zip(entries, annotations, strict=False):
        entry[-1] = 0 if annotation is None else id(annotation)
    if len(keep) > MOST_ARRAYS:
        return None
    return wrapper_addresses()["called"], _block(kernel, frame, returned, fallback, finish, entries, keep, failed)


def _block(
    kernel: Kernel, frame: Frame, returned: Returned, fallback: Callable[..., Any], finish: Callable[[Frame], Any],
    entries: Sequence[Sequence[int]], keep: Any, failed: Callable[[Frame], None] | None = None,
) -> Block:  # fmt: skip
    def on_fault(status: int, address: int) -> None:
        own = Frame.at(kernel.layout, address, frame.note)
        if failed is not None:
            own.fault = kernel.faults[status - 1]
            failed(own)
        kernel.fail(status, own)

    def finished(address: int) -> Any:
        return finish(Frame.at(kernel.layout, address))

    stock()
    return Block(
        kernel.address, (frame.address, kernel.layout.size), fallback, on_fault, finished,
        returned.words(kernel.layout), entries, (kernel, frame, keep),
    )  # fmt: skip


__all__ = ["Kernel", "Returned", "bound_block", "called_block"]
