"""Sending the messages of compiled code: in the order of the program, after the call, before it raises anything.

Python's own functions send them: `print` to the stream that is `sys.stdout` then, `warnings` by the filters of then,
loggers with the user's file, line and function in the record.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

from adcore.abi.messages import ROOM_BASE, ROOM_FREE, MessageSite, Raising, evaluated, made_error
from adcore.ir.types import I64, ArrayType
from adcore.runtime.faults import raise_from_line
from adcore.runtime.frames import Frame, view_at, word_as_number
from adcore.source import Span

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class _Thread(threading.local):
    silent = False


_thread = _Thread()


Opened = list[warnings.catch_warnings]
"""The blocks of `with warnings.catch_warnings()` that the program is in."""


class Sent(NamedTuple):
    """A message with its numbers."""

    site: MessageSite
    numbers: list[Any]


@contextlib.contextmanager
def unsent() -> Iterator[None]:
    """Messages of calls inside are dropped: they repeat what was sent already."""
    before, _thread.silent = _thread.silent, True
    try:
        yield
    finally:
        _thread.silent = before


def send(sites: Sequence[MessageSite], frame: Frame) -> None:
    """Send what the last call of a kernel left in the room of `frame`. Raises what a filter or a stream raises; the
    messages behind it are dropped then, as Python would not have got there."""
    found = _taken(sites, frame)
    if _thread.silent:
        return
    opened: Opened = []
    try:
        for message in found:
            CHANNELS[message.site.message.channel](message, opened)
    finally:
        # Those that an error left open: Python leaves them on the way out.
        while opened:
            opened.pop().__exit__(None, None, None)


def _taken(sites: Sequence[MessageSite], frame: Frame) -> list[Sent]:
    """The messages in the room, which is empty afterwards."""
    at = frame.layout.room_word
    base, free = int(frame.words[at + ROOM_BASE]), int(frame.words[at + ROOM_FREE])
    words = view_at([base, (free - base) // 8, 8], ArrayType(I64, 1)).copy()
    frame.words[at + ROOM_FREE] = base
    found, k = [], 0
    while k < len(words):
        site = sites[int(words[k]) - 1]
        kinds = site.message.kinds
        numbers = [word_as_number(words[k + 1 + j], dtype, weak) for j, (dtype, weak) in enumerate(kinds)]
        found.append(Sent(site, numbers))
        k += 1 + len(kinds)
    return found


def _given(sent: Sent) -> tuple[list[Any], dict[str, Any]]:
    message = sent.site.message
    keywords = {name: evaluated(item, sent.numbers) for name, item in message.keywords}
    return [evaluated(item, sent.numbers) for item in message.args], keywords


def _print(sent: Sent, opened: Opened) -> None:
    args, keywords = _given(sent)
    if "file" in keywords:
        keywords["file"] = getattr(sys, keywords["file"])
    print(*args, **keywords)


def _log(sent: Sent, opened: Opened) -> None:
    (logger, method, *args), keywords = _given(sent)
    owner = logging if logger is None else logging.getLogger(logger)
    message = sent.site.message
    _from_line(sent.site.span, message.function, _globals(message.module), getattr(owner, method), args, keywords)


def _warn(sent: Sent, opened: Opened) -> None:
    message = sent.site.message
    first, *rest = message.args
    text: Any = made_error(first, sent.numbers) if isinstance(first, Raising) else evaluated(first, sent.numbers)
    category, level = (evaluated(item, sent.numbers) for item in rest)
    kind = type(text) if isinstance(text, Warning) else (category or UserWarning)
    lines = [(sent.site.span, message.module), *message.callers]
    span, module = lines[min(max(level, 1), len(lines)) - 1]
    if level > len(lines) or span is None:
        file, line, space = _of_frame(_caller(level - len(lines)))
    else:
        file, line, space = span.file, span.line, _globals(module)
    registry = space.setdefault("__warningregistry__", {})
    name = space.get("__name__") or "<string>"
    try:
        warnings.warn_explicit(text, kind, file, line, name, registry, space)
    except Warning as error:
        raise_from_line(error.with_traceback(None), sent.site.span, message.function)


def _caller(steps: int) -> FrameType | None:
    """The frame that called compiled code, or what called that."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    for _ in range(steps - 1):
        frame = frame.f_back if frame is not None else None
    return frame


def _of_frame(frame: FrameType | None) -> tuple[str, int, dict[str, Any]]:
    return ("sys", 1, vars(sys)) if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_globals)


def _globals(module: str) -> dict[str, Any]:
    """The globals of the user's module, where Python notes which warnings it has shown."""
    found = sys.modules.get(module)
    return {"__name__": module} if found is None else vars(found)


def _from_line(
    span: Span | None, function: str, space: dict[str, Any], called: Callable[..., Any], args: Any, keywords: Any
) -> None:
    """Call something as if from the user's line, in `function`."""
    if span is None:
        called(*args, **keywords)
        return
    code = compile("__send__(*__args__, **__keywords__)", span.file, "exec")
    code = code.replace(co_name=function, co_firstlineno=span.line)
    exec(code, space, {"__send__": called, "__args__": args, "__keywords__": keywords})


def _enter(sent: Sent, opened: Opened) -> None:
    block = warnings.catch_warnings()
    block.__enter__()
    opened.append(block)


def _leave(sent: Sent, opened: Opened) -> None:
    opened.pop().__exit__(None, None, None)


def _filter(sent: Sent, opened: Opened) -> None:
    (function, *args), keywords = _given(sent)
    getattr(warnings, function)(*args, **keywords)


CHANNELS: dict[str, Callable[[Sent, Opened], None]] = {
    "print": _print, "log": _log, "warn": _warn, "enter": _enter, "leave": _leave, "filter": _filter,
}  # fmt: skip
"""What sends a message, by its channel."""

__all__ = ["send", "unsent"]
