"""What the frontend makes of a function."""

from __future__ import annotations

from dataclasses import dataclass

from adcore.captures import Capture
from adcore.ir.core import Module
from adcore.signature import ArgType, AttributeUpdate, Signature
from adcore.source import Span


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled function.

    `module.main` takes the leaves of the signature, then one array for each capture that has an `arg`, in order; its
    results are the leaves of `result`, then those of `updates`, attributes of the call's objects that it assigns.
    `signature` is the one that was asked for, with all attributes of objects that the program reads. `compared` are
    axes (leaf number, axis) whose lengths had to agree with others: where one of them is 1 in a call NumPy stretches
    it, and the program has to be compiled for it (`Signature.ones`).
    """

    module: Module
    captures: tuple[Capture, ...]
    result: ArgType
    name: str
    span: Span
    file: str
    signature: Signature
    compared: frozenset[tuple[int, int]] = frozenset()
    updates: tuple[AttributeUpdate, ...] = ()
