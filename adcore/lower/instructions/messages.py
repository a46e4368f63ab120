"""Messages: a few words behind those of earlier messages, in the room that the frame tells of."""

from __future__ import annotations

from adcore.abi.faults import Fault
from adcore.abi.frame import FrameLayout
from adcore.abi.messages import ROOM_BASE, ROOM_END, ROOM_FREE, MessageSite
from adcore.ir.core import Instr, Region
from adcore.lower.instructions.checks import number_as_word
from adcore.lower.region_lowering import Lowering

FULL = "the messages of one call take more than the {1} bytes that there are for them"


def begin_messages(lowering: Lowering, layout: FrameLayout) -> None:
    """At the start of a kernel: it has sent nothing yet."""
    lowering.emitter.room_word = layout.room_word
    if layout.messages:
        w = lowering.writer
        w.do(f"store ptr {_loaded(lowering, ROOM_BASE)}, ptr {_place(lowering, ROOM_FREE)}")


def lower_message(lowering: Lowering, instr: Instr, region: Region) -> None:
    w, e = lowering.writer, lowering.emitter
    texts = lowering.texts(instr.operands)
    words = [number_as_word(lowering, text, v.type) for text, v in zip(texts, instr.operands, strict=True)]
    e.messages.append(MessageSite(instr.attrs["message"], instr.span))
    free, size = _loaded(lowering, ROOM_FREE), 8 * (1 + len(words))
    after = w.let(f"getelementptr i8, ptr {free}, i64 {size}")
    ends = {part: w.let(f"ptrtoint ptr {_loaded(lowering, part)} to i64") for part in (ROOM_BASE, ROOM_END)}
    room = w.let(f"sub i64 {ends[ROOM_END]}, {ends[ROOM_BASE]}")
    full = w.let(f"icmp ugt i64 {w.let(f'ptrtoint ptr {after} to i64')}, {ends[ROOM_END]}")
    e.leave_if(full, Fault("RuntimeError", FULL, instr.span), (str(size), room))
    for k, word in enumerate((str(len(e.messages)), *words)):
        w.do(f"store i64 {word}, ptr {w.let(f'getelementptr i8, ptr {free}, i64 {8 * k}')}")
    w.do(f"store ptr {after}, ptr {_place(lowering, ROOM_FREE)}")


def _place(lowering: Lowering, part: int) -> str:
    return lowering.writer.let(f"getelementptr i64, ptr %frame, i64 {lowering.emitter.room_word + part}")


def _loaded(lowering: Lowering, part: int) -> str:
    return lowering.writer.let(f"load ptr, ptr {_place(lowering, part)}")
