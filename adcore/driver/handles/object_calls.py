"""Calls of a handle with objects, records and containers like those of its compilation.

A generated function takes the arguments apart and native code runs; what is returned, and attributes that were
assigned, are made as the general path makes them. Whatever is not exactly as it was goes that path.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from adcore.activities import Active, Activity, Const, Duplicated
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.extraction import Extractor, Objects, extractor
from adcore.driver.leaf_kernel import MISSED, LeafKernel
from adcore.runtime.frames import Frame
from adcore.signature import ArrayArg, ScalarArg


class _Found:
    """The objects of one call by their paths, as results and attributes are made of them."""

    def __init__(self, objects: Mapping[str, Any]) -> None:
        self._objects = objects

    def holds(self, path: str) -> bool:
        return path in self._objects

    def object_at(self, path: str) -> Any:
        return self._objects[path]


class ObjectCalls:
    """Calls like `run`."""

    def __init__(
        self, run: InPlaceRun, native: LeafKernel, extract: Extractor, objects: Objects, is_plain: bool
    ) -> None:
        """`is_plain`: what the native wrapper hands back is what the call returns."""
        self._run, self._native, self._extract, self._objects = run, native, extract, objects
        self._classes = [type(a) for a in run.activities]
        self._shadowed = [isinstance(a, Duplicated) for a in run.activities]
        self._updates = bool(run.call.primal.interface.updates)
        self._compares = bool(run.call.primal.interface.compared)
        self._is_plain = is_plain

    @property
    def frame(self) -> Frame:
        """The frame of the last call."""
        return self._native.frame

    def __call__(self, args: Sequence[Any]) -> Any:
        """What the call returns; MISSED where the general path has to serve it."""
        given, shadows = self._opened(args)
        if given is None:
            return MISSED
        try:
            values = self._extract(given)
        except (KeyError, AttributeError, IndexError):
            return MISSED
        if values is None or (self._compares and any(1 in getattr(value, "shape", ()) for value in values)):
            # An axis of length 1 may have to stretch.
            return MISSED
        try:
            answer = self._native(*values, *shadows)
        except Exception as error:
            known = self._native.assigned()
            if self._updates:
                self._over(given, values).assign_before(error, *known)
            raise
        if answer is MISSED or self._is_plain:
            return answer
        run = self._over(given, values)
        run.results = lambda frame=None: list(answer)  # type: ignore[method-assign]
        return run.finish()

    def _opened(self, args: Sequence[Any]) -> tuple[list[Any] | None, list[Any]]:
        """Values and shadows, whether they come annotated or in a row."""
        given: list[Any] = []
        shadows: list[Any] = []
        rest = iter(args)
        for cls, shadowed in zip(self._classes, self._shadowed, strict=True):
            value = next(rest, MISSED)
            if type(value) is cls:
                given.append(value.value)
                if isinstance(value, Duplicated):
                    shadows.append(value.shadow)
                continue
            if value is MISSED or isinstance(value, Activity):
                return None, shadows
            given.append(value)
            if shadowed:
                shadows.append(next(rest, MISSED))
        return (given if next(rest, MISSED) is MISSED else None), shadows

    def _over(self, given: Sequence[Any], values: list[Any]) -> InPlaceRun:
        """The run over the arguments of this call."""
        run = copy.copy(self._run)
        run.call = copy.copy(run.call)
        run.call.values = values
        run.call.live = _Found(self._objects(given))  # type: ignore[assignment]
        return run


def object_calls(run: InPlaceRun) -> ObjectCalls | None:
    """What serves calls like `run`; None where only the general path can."""
    call = run.call
    if type(run) is not InPlaceRun or not run.is_direct or call.groups or run.assigned:
        return None
    if call.primal.signature.ones or call.primal.signature.lengths:
        return None
    if len(call.values) != len(call.flattened.values) or run.specialisation.kernel.messages:
        return None
    for arg, activity in zip(call.signature.args, run.activities, strict=True):
        plain = isinstance(arg, (ScalarArg, ArrayArg))
        if not (plain or isinstance(activity, (Const, Active))):
            return None
    taken = extractor(call.signature.args, call.names)
    if taken is None:
        return None
    behind = {"forward": call.varied, "reverse": call.duplicated, "primal": []}[run.mode.sweep]
    if len(behind) != sum(isinstance(a, Duplicated) for a in run.activities):
        return None
    returned = run.returned
    direct = returned if returned.floats is not None and not call.primal.interface.updates else None
    native = LeafKernel(run.specialisation, run.values, len(call.values), behind, direct)
    native.frame.note = run.frame.note
    return ObjectCalls(run, native, *taken, direct is not None) if native.is_attached else None


__all__ = ["ObjectCalls", "object_calls"]
