"""What a call has to know of a function's IR."""

from __future__ import annotations

from typing import NamedTuple

from adcore.captures import Capture
from adcore.ir.types import Type
from adcore.signature import ArgType, AttributeUpdate, Leaf


class Interface(NamedTuple):
    """`leaves` are the IR's parameters, those of the signature and then one for each array that the function captures;
    `written` are those that it writes into. `result` is what it returns, whose leaves have `result_types`. `compared`:
    axes (leaf, axis) whose lengths had to agree with others. `size`: how many instructions it has. `updates`:
    attributes of the call's objects that it assigns, whose leaves come behind those of `result`."""

    leaves: tuple[Leaf, ...]
    written: frozenset[int]
    result: ArgType
    result_types: tuple[Type, ...]
    captures: tuple[Capture, ...]
    compared: frozenset[tuple[int, int]]
    size: int
    updates: tuple[AttributeUpdate, ...] = ()


__all__ = ["Interface"]
