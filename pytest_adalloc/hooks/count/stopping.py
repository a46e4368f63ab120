"""Stop a block of Python at its first native allocation, before the next instruction of the interpreter.

An allocator cannot raise a Python exception: the code that called it expects memory. So the hook only notes the first
allocation with its backtrace, and a trace function looks at that note before each instruction that this thread
interprets. What it raises comes out of the line that allocated, inside the same ``try`` and ``with``. Signals, pending
calls and asynchronous exceptions would do without tracing, but the interpreter looks at them between calls only, other
threads than the main one never get them, and one that comes late is raised outside of the block.

A trace function that is there already, a debugger's or a coverage tool's, goes on being called.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.attribute.lines import OWN_CODE, Line, user_line
from pytest_adalloc.hooks.count.protection import protected_alike
from pytest_adalloc.hooks.entries import NAMES
from pytest_adalloc.hooks.errors import AllocationForbidden

Trace = Callable[[FrameType, str, Any], Any]

_running: list[Stopper] = []  # nested blocks of the one thread that measures; the innermost one raises

_OWN = (OWN_CODE, contextlib.__file__)


class Stopper:
    """Raises ``AllocationForbidden`` in the thread that made it; ``raised`` is what was raised, ``line`` the line of
    Python that allocated.
    """

    def __init__(self, words: memoryview) -> None:
        self._words = words
        self._before: Trace | None = None
        self._function: Trace = self._called
        self._frames: tuple[FrameType, ...] = ()
        self._last: tuple[FrameType, int] | None = None
        self._unwound: list[tuple[FrameType, Trace | None]] = []
        self._at: tuple[FrameType | None, int] = None, 0  # the instruction that ran last
        self._waits_for: FrameType | None = None
        self._noticed = False
        self._gave_way = False  # to an exception, its own or another
        self.raised: AllocationForbidden | None = None
        self.line: Line | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Trace this thread for the length of a block."""
        before: Any = sys.gettrace()
        self._before = before
        frames = tuple(_stack())
        self._frames = tuple(_beyond(frames))
        held = [frame.f_trace for frame in frames]
        self._last = (self._frames[0], self._frames[0].f_lineno) if self._frames else None
        opcodes = [frame.f_trace_opcodes for frame in frames]
        for frame, theirs in zip(frames, held, strict=True):
            frame.f_trace = _Local(self, theirs, frame.f_trace_opcodes)
            frame.f_trace_opcodes = True
        _running.append(self)
        sys.settrace(self._function)
        try:
            yield
        finally:
            _running.remove(self)
            for frame, theirs, each in zip(frames, held, opcodes, strict=True):
                frame.f_trace = frame.f_trace.theirs if isinstance(frame.f_trace, _Local) else theirs
                frame.f_trace_opcodes = each
            # Whoever replaced the trace function inside the block keeps it. After an exception there is none.
            if sys.gettrace() in (self._function, None):
                self._tell_what_was_missed()
                sys.settrace(self._before)
            self._frames, self._unwound, self._last, self._at = (), [], None, (None, 0)
            self._waits_for = None

    def _tell_what_was_missed(self) -> None:
        """The interpreter drops a trace function that raises; the one before it has to hear of the frames that were
        left since then and of those that were entered, because some count them.
        """
        if self.raised is None or self._before is None:
            return
        for frame, theirs in self._unwound:
            if theirs is not None:
                theirs(frame, "return", None)
        entered = itertools.takewhile(lambda frame: frame not in self._frames, _stack())
        for frame in reversed(tuple(entered)):
            frame.f_trace = self._before(frame, "call", None)

    def find_line(self) -> None:
        """Keep the line that ran last, where the one that allocated is not known yet."""
        if self.line is None and self._last is not None:
            self.line = user_line(*self._last)

    def look(self, frame: FrameType, kind: str, argument: Any) -> None:
        """Raise when there was an allocation since the last event; else remember what runs next."""
        __tracebackhide__ = True
        if not _running or _running[-1] is not self or self._gave_way:
            return
        if self._words[layout.FIRST] == layout.KNOWN:
            self.find_line()
            if kind == "exception" and (not self._noticed or issubclass(argument[0], AllocationForbidden)):
                # The allocating call's own exception goes on, and an inner block's; that an iterator has ended is none.
                self._gave_way = not issubclass(argument[0], StopIteration)
            self._noticed = True
            if kind == "opcode" and self._may_raise(frame):
                self._raise(frame)
        if kind == "opcode":
            self._at = frame, frame.f_lasti
        elif kind != "exception":
            current = frame.f_back if kind == "return" else frame
            self._last = (current, current.f_lineno) if current else None

    def _may_raise(self, frame: FrameType) -> bool:
        """Whether an exception here does what one from the allocating instruction would have done."""
        if self._waits_for is not None:
            # Whatever this frame cleans up, its caller is the next that can be stopped.
            return frame is self._waits_for
        if _is_closed(frame) or any(map(_is_closed, self._above(frame))):
            return False
        if frame.f_code.co_filename == threading.__file__:
            return False  # between giving up a lock and the ``try`` that takes it back; its caller can be stopped
        before, at = self._at
        if before is frame and not protected_alike(frame.f_code, at, frame.f_lasti):
            # A ``finally`` or the end of a ``with`` comes next: an exception that is raised there skips it.
            self._waits_for = frame.f_back
            return False
        return True

    def _raise(self, frame: FrameType) -> None:
        __tracebackhide__ = True
        self._gave_way = True
        self._unwound = [
            (each, each.f_trace.theirs if isinstance(each.f_trace, _Local) else None) for each in self._above(frame)
        ]
        name, size = NAMES[self._words[layout.FIRST_ENTRY]], self._words[layout.FIRST_BYTES]
        place = f" at {self.line[0]}:{self.line[1]}" if self.line else ""
        self.raised = AllocationForbidden(f"{name} of {size} bytes{place} inside a forbid() block")
        raise self.raised

    def _above(self, frame: FrameType | None) -> Iterator[FrameType]:
        """The frames between the block and this one, which comes first."""
        while frame is not None and frame not in self._frames:
            yield frame
            frame = frame.f_back

    def _called(self, frame: FrameType, kind: str, argument: Any) -> Any:
        """The trace function of the thread: called for each new frame."""
        __tracebackhide__ = True
        local = _Local(self, self._before)
        # So that it is found when this very call is the one that is stopped.
        frame.f_trace = local
        local(frame, kind, argument)
        local.opcodes, frame.f_trace_opcodes = frame.f_trace_opcodes, True
        return local

    def hold_on(self) -> None:
        """Stay in place: a trace function that is called from Python may install itself again."""
        if self in _running and sys.gettrace() is not self._function:
            sys.settrace(self._function)


class _Local:
    """The trace function of one frame, in front of the one that the frame has from someone else."""

    __slots__ = ("_stopper", "opcodes", "theirs")

    def __init__(self, stopper: Stopper, theirs: Trace | None, opcodes: bool = False) -> None:
        self._stopper, self.theirs, self.opcodes = stopper, theirs, opcodes  # opcodes: whether they asked for these

    def __call__(self, frame: FrameType, kind: str, argument: Any) -> Any:
        __tracebackhide__ = True
        if self.theirs is not None and (self.opcodes or kind != "opcode"):
            answer = self.theirs(frame, kind, argument)
            # For a new frame the answer is its trace function or none; later, none means the same one again.
            self.theirs = answer if kind == "call" else answer or self.theirs
            self._stopper.hold_on()
        self._stopper.look(frame, kind, argument)
        return self


def _stack() -> Iterator[FrameType]:
    """The frames of this thread, from the caller's outwards."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _beyond(frames: Iterable[FrameType]) -> Iterator[FrameType]:
    """The frames outside of the steps into a block: that of the block itself comes first."""
    return itertools.dropwhile(lambda frame: frame.f_code.co_filename.startswith(_OWN), frames)


def _is_closed(frame: FrameType) -> bool:
    """Whether nothing may be raised in a frame or in what it calls: our own code, the steps in and out of blocks, and
    finalizers, whose exceptions are lost.
    """
    return frame.f_code.co_filename.startswith(_OWN) or frame.f_code.co_name == "__del__"
