"""Where a function that can only be called makes its first number that is not finite: its lines run under a tracer.

After each line the variables of the function are looked at, and those of the functions that it calls, but for what
belongs to libraries.
"""

from __future__ import annotations

import linecache
import math
import sys
import sysconfig
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np

MOST_LINES = 20_000
LARGE = 10_000  # elements of arrays that are looked at, at most
LIBRARIES = tuple(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib"))


class _Done(Exception):
    """The place is known, or too many lines have run."""


class _LineTracer:
    def __init__(self) -> None:
        self.place = ""
        self._left = MOST_LINES
        self._line: dict[FrameType, int] = {}
        self._known: dict[FrameType, set[str]] = {}
        self._times: dict[tuple[Any, int], int] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        if file.startswith(LIBRARIES) or not linecache.getline(file, frame.f_lineno):
            return None
        self._known[frame] = {name for name, value in frame.f_locals.items() if _odd(value)}
        return self._line_of

    def _line_of(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _Done
        last = self._line.get(frame)
        if last is not None:
            # Numbers that were there before are no news; a variable that is finite again may become one later.
            odd = {name: value for name, value in frame.f_locals.items() if _odd(value)}
            new = [name for name in odd if name not in self._known[frame]]
            self._known[frame] = set(odd)
            if new:
                self._found(frame, last, odd[new[0]], skip=new[0])
            if event == "return" and _odd(argument) and not odd:
                self._found(frame, last, argument)
        if event == "line":
            self._line[frame] = frame.f_lineno
            key = (frame.f_code, frame.f_lineno)
            self._times[key] = self._times.get(key, 0) + 1
        return self._line_of

    def _found(self, frame: FrameType, line: int, value: Any, skip: str = "") -> None:
        what = "infinity" if not np.any(np.isnan(value)) else "NaN"
        text = linecache.getline(frame.f_code.co_filename, line)
        read = [
            f"{name} = {number:g}"
            for name, number in frame.f_locals.items()
            if name != skip and isinstance(number, (int, float, np.floating)) and f"{name}" in _words(text)
        ]
        where = f", where {', '.join(read)}" if read else ""
        times = self._times.get((frame.f_code, line), 1)
        again = f" (the {times}. time that this line runs)" if times > 1 else ""
        self.place = f"{what} first appears at line {line}, `{text.strip()}`{where}{again}"
        raise _Done


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def _odd(value: Any) -> bool:
    """Whether a number, or an element of an array or list, is not finite."""
    if isinstance(value, (float, np.floating)):
        return not math.isfinite(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size <= LARGE:
        return not bool(np.all(np.isfinite(value)))
    listed = isinstance(value, (list, tuple)) and len(value) <= LARGE
    return listed and any(isinstance(v, float) and _odd(v) for v in value)


def first_not_finite(call: Callable[..., Any], arguments: Sequence[Any]) -> str:
    """The place as a sentence; empty where all is finite, or it is not known. The call's effects are its caller's."""
    tracer, before = _LineTracer(), sys.gettrace()
    sys.settrace(tracer)
    try:
        with np.errstate(all="ignore"):
            call(*arguments)
    except Exception:  # _Done, and whatever the function raises once its numbers are no numbers
        return tracer.place
    finally:
        sys.settrace(before)
    return tracer.place


__all__ = ["first_not_finite"]
