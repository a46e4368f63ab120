"""Messages: what the user's program says to the outside while it runs.

`message v... [message]` leaves its operands, numbers of any type, behind those of earlier messages. Whoever called the
code sends them afterwards. That is done once: what runs a part of the forward sweep again leaves messages out. There is
limited room for them, so a program may end here.
"""

from __future__ import annotations

from collections.abc import Mapping

from adcore.ir.core import Attributes, Function, Instr, Region, walk
from adcore.ir.messages import Message
from adcore.ir.types import Scalar, Type
from adcore.ops.define import Op, OpTypeError
from adcore.ops.effects import Effects

MESSAGES = "messages"
"""What the op uses in the order of the program."""


def message_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if not all(isinstance(type_, Scalar) for type_ in types):
        raise OpTypeError(f"message takes numbers, not ({', '.join(map(str, types))})")
    if not isinstance(attrs.get("message"), Message):
        raise OpTypeError("message without what it says")
    return ()


OPS = (Op("message", message_type, None, effects=Effects(ordered=MESSAGES, raises="always")),)


def first_message(region: Region, effects: Mapping[str, Effects]) -> Instr | None:
    """The first of those in `region` that send messages."""
    return next((instr for instr in walk(region) if effects[instr.op].ordered == MESSAGES), None)


def silent(region: Region, effects: Mapping[str, Effects]) -> Region:
    """`region` without the messages in it, for code that runs a second time; the same object where it has none."""
    if first_message(region, effects) is None:
        return region
    kept = (instr for instr in region.body if effects[instr.op].ordered != MESSAGES)
    return region.with_body(tuple(i.with_regions(tuple(silent(r, effects) for r in i.regions)) for i in kept))


def silenced(function: Function, effects: Mapping[str, Effects]) -> Function:
    """`function` without its messages."""
    return function.with_region(silent(function.region, effects))
