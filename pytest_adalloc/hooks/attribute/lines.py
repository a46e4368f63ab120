"""Which line of Python led to an allocation of native code: one more call, traced line by line.

The hooks know return addresses, not Python's frames. So the callable runs once more under a trace function that looks
at the counters between lines; what a counter gained belongs to the line that ran last, or to the line of the user's
that led there when that one is in an installed library.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NamedTuple

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.install.counters import read_sites

OWN_CODE = os.path.dirname(os.path.dirname(__file__)) + os.sep  # that of the hooks, in whatever room


class Line(NamedTuple):
    """A line of Python, the name of the function that it is part of, and whether the wrappers of a compiled function
    lie between it and the allocation.
    """

    file: str
    number: int
    function: str
    phase: str = ""


WRAPPER = "call wrapper"


Gains = dict[Line, tuple[int, int]]
"""What a site counted under each line: allocations and bytes."""


def python_lines(words: memoryview, run: Callable[[], object]) -> dict[int, Gains]:
    """For each site that ``run()`` adds to, what it counted under which line of Python; nothing when it raises."""
    tracer = _Tracer(words)
    with suppress(Exception), _tracing(tracer.event):
        run()
    return tracer.lines()


class _Tracer:
    """Charges what the sites gain to the line that ran before."""

    def __init__(self, words: memoryview) -> None:
        self._words = words
        self._total = words[layout.ALLOCATIONS]
        self._counts = {key: (site.count, site.bytes) for key, site in read_sites(words).items()}
        self._last: tuple[FrameType, int] | None = None
        self._charged: dict[int, Gains] = {}

    def event(self, frame: FrameType, kind: str, _argument: object) -> Any:
        if self._words[layout.ALLOCATIONS] != self._total:
            self._charge()
        current = frame.f_back if kind == "return" else frame
        self._last = (current, current.f_lineno) if current else None
        return self.event

    def lines(self) -> dict[int, Gains]:
        return self._charged

    def _charge(self) -> None:
        self._total = self._words[layout.ALLOCATIONS]
        line = user_line(*self._last) if self._last else None
        for key, site in read_sites(self._words).items():
            count, size = self._counts.get(key, (0, 0))
            self._counts[key] = site.count, site.bytes
            if site.count > count and line is not None:
                gains = self._charged.setdefault(key, {})
                counted, asked = gains.get(line, (0, 0))
                gains[line] = counted + site.count - count, asked + site.bytes - size


def user_line(frame: FrameType, number: int) -> Line | None:
    """The line of the nearest caller outside installed libraries, else the line itself; None where no Python ran."""
    if _is_ours(frame):
        return None
    place: FrameType | None = frame
    at, phase, compiler = number, "", _compiler()
    while place is not None and _is_installed(place.f_code.co_filename, compiler):
        phase = WRAPPER if place.f_code.co_filename.startswith(compiler) else phase
        place = place.f_back
        at = place.f_lineno if place else 0
    # Our own frames are below everything that is measured.
    if place is None or _is_ours(place):
        place, at = frame, number
    return Line(place.f_code.co_filename, at, place.f_code.co_name, phase)


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(OWN_CODE)


def _compiler() -> tuple[str, ...]:
    """Where our compiler lies, if it is loaded: its wrappers are not the user's code even where it is not installed."""
    file = getattr(sys.modules.get("adcore"), "__file__", None)
    return (os.path.dirname(file) + os.sep,) if file else ()


def _is_installed(file: str, compiler: tuple[str, ...]) -> bool:
    # Libraries may lie elsewhere than where this interpreter installs them, as a path of PYTHONPATH says.
    folders = ("/site-packages/", "/dist-packages/")
    return file.startswith((*_installed(), *compiler)) or any(folder in file for folder in folders)


@functools.cache
def _installed() -> tuple[str, ...]:
    paths = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return ("<frozen", *{f"{path}{os.sep}" for path in paths if path})


@contextmanager
def _tracing(event: Any) -> Iterator[None]:
    # A debugger's or a coverage tool's trace function comes back afterwards; it misses this one call.
    before = sys.gettrace()
    sys.settrace(event)
    try:
        yield
    finally:
        sys.settrace(before)
