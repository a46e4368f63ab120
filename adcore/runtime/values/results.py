"""What a call leaves behind, from the results of the IR: the value it returns, and attributes that it has assigned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adcore.abi.faults import AssignedBefore, evaluated
from adcore.instances import instance_value
from adcore.ir.types import NUMPY_NAMES
from adcore.runtime.values.leaves import LeafValue, exact, rebuild, record
from adcore.runtime.values.objects import LiveObjects
from adcore.signature import (
    ArgType,
    ArrayArg,
    AttributeUpdate,
    DictArg,
    Leaf,
    ObjectArg,
    RecordArg,
    SameArg,
    ScalarArg,
    SequenceArg,
    StaticArg,
)


class CallResults:
    """The results of one call, built in the order of their leaves. `values` are the call's own, by their `leaves`."""

    def __init__(self, live: LiveObjects, leaves: Sequence[Leaf], values: Sequence[LeafValue]) -> None:
        self._live = live
        self._leaves, self._values = leaves, values
        self._made: dict[str, Any] = {}
        self._attributes = False

    def rebuilt(self, arg: ArgType, leaf: Iterator[LeafValue]) -> Any:
        """A value that the program hands out."""
        if isinstance(arg, StaticArg):
            return arg.value
        if isinstance(arg, SameArg):
            return self._same(arg.path)
        if isinstance(arg, ObjectArg):
            made: Any = object.__new__(arg.cls)
            self._made[arg.path] = made
            for name, field in arg.fields:
                object.__setattr__(made, name, self._attribute(field, leaf))
            return made
        if isinstance(arg, SequenceArg):
            items = [self.rebuilt(item, leaf) for item in arg.items]
            return items if arg.kind == "list" else tuple(items)
        if isinstance(arg, DictArg):
            return {key: self.rebuilt(item, leaf) for key, item in zip(arg.keys, arg.items, strict=True)}
        if isinstance(arg, RecordArg):
            return record(arg.cls, [(name, self.rebuilt(field, leaf)) for name, field in arg.fields])
        value = rebuild(arg, leaf, _as_assigned if self._attributes else exact)
        if self._attributes and isinstance(arg, ArrayArg):
            self._made[f"result {len(self._made)}"] = value
        return value

    def _attribute(self, arg: ArgType, leaf: Iterator[LeafValue]) -> Any:
        """As `rebuilt`; arrays have numbers, because another attribute may hold the same one."""
        before, self._attributes = self._attributes, True
        value = self.rebuilt(arg, leaf)
        self._attributes = before
        return value

    def _same(self, path: str) -> Any:
        """What stands at a path: made here, or given to the call."""
        if path in self._made:
            return self._made[path]
        if self._live.holds(path):
            return self._live.object_at(path)
        pairs = zip(self._leaves, self._values, strict=False)
        given = next((value for leaf, value in pairs if leaf.path == path), None)
        if given is not None:
            return given
        owner, _, name = path.rpartition(".")
        return instance_value(self._live.object_at(owner), name)

    def assign(self, updates: Sequence[AttributeUpdate], leaf: Iterator[LeafValue]) -> None:
        """Give the call's objects the attributes that the program has assigned."""
        found = []
        for update in updates:
            wanted = not update.conditional or next(leaf)
            value = self._attribute(update.arg, leaf)
            if wanted:
                found.append((self._live.object_at(update.path), update.name, value))
        for target, name, value in found:
            object.__setattr__(target, name, value)

    def assign_before(self, assigned: AssignedBefore, numbers: Sequence[Any]) -> None:
        """Give the call's objects what the program had assigned when it raised; `numbers` are those that it left."""
        found = [(path, name, evaluated(value, numbers, self._same)) for path, name, value in assigned.attributes]
        for path, name, value in found:
            object.__setattr__(self._live.object_at(path), name, value)


def _as_assigned(arg: ScalarArg, value: Any) -> Any:
    """A number that goes into an attribute, where the next call tells NumPy's from Python's."""
    return value if arg.weak else np.dtype(NUMPY_NAMES[arg.dtype]).type(value)


def note_unassigned(error: Exception, paths: Sequence[str]) -> None:
    """Say of a call that ended in an error which attributes may be as they were before, although Python assigns
    them."""
    if paths:
        names = ", ".join(f"`{path}`" for path in paths)
        notes = [*getattr(error, "__notes__", ()), f"attributes that are as before the call, unlike in Python: {names}"]
        # What `add_note` does, which Python 3.10 lacks.
        setattr(error, "__notes__", notes)  # noqa: B010
