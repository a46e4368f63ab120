"""Gradients of calls with objects, records and containers like one before.

A generated function takes the arguments apart (`adcore.driver.extraction`), native code does the rest
(`adcore.driver.leaf_kernel`), and derivatives are put together as the general path does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.driver.calls.call import Call
from adcore.driver.derivatives.destination import Destination
from adcore.driver.derivatives.rules import generation
from adcore.driver.extraction import Extractor, extractor
from adcore.driver.fast_path import Answer
from adcore.driver.leaf_kernel import MISSED, LeafKernel
from adcore.driver.rebuilding import rebuilder
from adcore.driver.request import Options
from adcore.ir.types import Scalar
from adcore.runtime.calls import Returned
from adcore.runtime.values.structures import DerivativeStructure
from adcore.signature import ArrayArg, ScalarArg


class ObjectFastPath:
    """Value and gradients of calls with arguments of one kind. `native` gives the value, and behind all results the
    derivatives of numbers; arrays get theirs in fresh shadows."""

    def __init__(self, native: LeafKernel, call: Call, extract: Extractor) -> None:
        self._native, self._primal, self._extract = native, call.primal, extract
        self._code = call.function.__code__
        self._function = call.function
        self._generation = generation()
        self._bakes = bool(call.primal.interface.captures)
        self._parts, self._count = call.parts, len(call.kinds)
        self._duplicated = tuple(call.duplicated)
        self._actives = tuple(k for k, kind in enumerate(call.kinds) if kind == "active")
        # What is a number or an array, by its leaf; what is more, by its path and the argument that it is.
        self._leaf = [_leaf_of(call, target.path) for target in call.targets]
        self._whole = [
            (target.path or "", list(call.names).index(target.name)) if leaf is None else ("", 0)
            for target, leaf in zip(call.targets, self._leaf, strict=True)
        ]
        self._first = len(call.result_types)
        self._is_simple = None not in self._leaf
        parts = [call.parts[target.path or ""] for target in call.targets]
        made = [rebuilder(part.arg, part.span.start) for part in parts]
        self._rebuild = [rebuild for rebuild in made if rebuild is not None] if None not in made else None

    def __call__(self, args: Sequence[Any], out: Destination | None = None) -> Answer | None:
        """Value and gradients, in `out` if it is given; None where this call needs the general path."""
        if out is not None and not self._is_simple:
            return None
        if self._generation != generation() or self._function.__code__ is not self._code:
            return None
        if self._bakes and not self._primal.is_current():
            return None
        try:
            values = self._extract(args)
        except (KeyError, AttributeError, IndexError):
            return None
        if values is None:
            return None
        found: list[Any] = [None] * self._count
        for k in self._duplicated:
            shadow = out.shadow(self._leaf.index(k), values[k], values) if out is not None else None
            if shadow is None:
                shadow = np.zeros(values[k].shape, values[k].dtype)
            found[k] = shadow
            values.append(shadow)
        try:
            answer = self._native(*values)
        except NotImplementedError:
            # An axis of length 1 that has to stretch, say.
            return None
        if answer is MISSED:
            return None
        at = self._first
        for k in self._actives:
            found[k] = answer[at]
            at += 1
        if self._is_simple:
            return answer[0], tuple([found[k] for k in self._leaf])  # type: ignore[index]
        if self._rebuild is not None:
            return answer[0], tuple([rebuild(found) for rebuild in self._rebuild])
        structure = DerivativeStructure(self._parts, found)
        return answer[0], tuple(
            [found[leaf] if leaf is not None else structure.of(path, args[at])
             for leaf, (path, at) in zip(self._leaf, self._whole, strict=True)]
        )  # fmt: skip


def _leaf_of(call: Call, path: str | None) -> int | None:
    """The leaf that a part of the call is; None if it is more than one."""
    part = call.parts[path or ""]
    return part.span[0] if isinstance(part.arg, (ScalarArg, ArrayArg)) else None


def object_fast_path(call: Call, options: Options) -> ObjectFastPath | None:
    """What serves later calls like `call`, which has been run; None where only the general path can."""
    primal = call.primal
    if call.groups or primal.written or options.workspace not in ("auto", "heap", 0):
        return None
    if primal.signature.ones or primal.signature.lengths:
        return None
    if len(call.values) != len(call.flattened.values) or call.flattened.packed:
        return None
    for target in call.targets:
        if target.path is None or (target.name not in call.names and _leaf_of(call, target.path) is None):
            return None
    taken = extractor(call.signature.args, call.names)
    if taken is None or not hasattr(call.function, "__code__"):
        return None
    seeds = [True] + [False] * (len(call.result_types) - 1)
    shadows = call.shadows()
    given = [*call.copies(), *(shadows[k] for k in call.duplicated), 1.0]
    code = call.specialised((call.reverse(seeds),), given)
    layout = code.kernel.layout
    if not all(isinstance(type_, Scalar) for type_ in layout.results):
        return None
    if any(str(type_) != "f64" for type_ in (layout.results[0], *layout.results[len(call.result_types) :])):
        return None
    # The wrapper makes the numbers: whatever Python reads from the frame could be that of another thread by then.
    # Attributes that are assigned are among them, and dropped, so that it does not matter what they are.
    native = LeafKernel(code, given, len(call.values), call.duplicated, Returned(len(layout.results)))
    return ObjectFastPath(native, call, taken[0]) if native.is_attached else None


__all__ = ["ObjectFastPath", "object_fast_path"]
