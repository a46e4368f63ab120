"""Messages that compiled code leaves behind for Python to send.

The frame of a kernel with messages has three words more, at its end: first byte of the room for messages, the byte
after its last, and the first byte that is free, which the kernel itself sets when it begins. A message takes a word for
its number, counted from 1 among the `MessageSite`s that the object came with, and one for each of its numbers.
"""

from __future__ import annotations

from typing import NamedTuple

from adcore.ir.exceptions import Deferred, FaultDetail, Raising, evaluated, made_error
from adcore.ir.messages import Message
from adcore.source import Span

ROOM_BASE, ROOM_END, ROOM_FREE, ROOM_WORDS = range(4)


class MessageSite(NamedTuple):
    """A message, and the user's line that sends it."""

    message: Message
    span: Span | None = None


__all__ = [
    "ROOM_BASE", "ROOM_END", "ROOM_FREE", "ROOM_WORDS", "Deferred", "FaultDetail", "Message", "MessageSite", "Raising",
    "evaluated", "made_error",
]  # fmt: skip
