"""Derivatives in the structure of the values that they belong to, objects with attributes included.

The derivative of an object is an object of its class, made without `__init__`: floats and arrays of floats in place of
its own, None for what has no derivative. It has the sharing and the cycles of the value, so that a layer that stands at
two places has one derivative, their sum. What the program never read has zeros, so that `m.k -= rate * g.k` works for
every float.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.instances import BOUND, MISSING, instance_names, instance_value, is_object
from adcore.runtime.values.leaves import LeafValue, derivative, rebuild, record
from adcore.signature import (
    ArgType,
    DictArg,
    ObjectArg,
    RecordArg,
    SameArg,
    SequenceArg,
    Signature,
    StaticArg,
    has_objects,
    leaves,
    same_as,
)


@dataclass(frozen=True)
class SignaturePart:
    """A part of a signature: its kind, and the numbers of its leaves."""

    arg: ArgType
    span: range


def parts(signature: Signature) -> dict[str, SignaturePart]:
    """Every part of a signature by its path: arguments, fields, attributes and items of unlike kinds."""
    found: dict[str, SignaturePart] = {}
    start = 0
    for name, arg in zip(signature.names, signature.args, strict=True):
        start = _note(found, arg, name, start)
    return found


def _note(found: dict[str, SignaturePart], arg: ArgType, path: str, start: int) -> int:
    inside: list[tuple[str, ArgType]] = []
    if isinstance(arg, DictArg):
        inside = [(f"{path}[{key!r}]", item) for key, item in zip(arg.keys, arg.items, strict=True)]
    elif isinstance(arg, SequenceArg):
        inside = [(f"{path}[{k}]", item) for k, item in enumerate(arg.items)]
    elif isinstance(arg, (RecordArg, ObjectArg)):
        inside = [(f"{path}.{name}", field) for name, field in arg.fields]
    stop = start if inside else start + sum(1 for _ in leaves(arg, path))
    for part_path, part in inside:
        stop = _note(found, part, part_path, stop)
    found[path] = SignaturePart(arg, range(start, stop))
    return stop


def reached(known: dict[str, SignaturePart], path: str) -> set[int]:
    """The leaves of a part, those of objects and arrays that stand elsewhere included."""
    found: set[int] = set()
    waiting, seen = [path], {path}
    while waiting:
        part = known[waiting.pop()]
        found.update(part.span)
        more = [other for other in same_as(part.arg) if other not in seen]
        seen.update(more)
        waiting += more
    return found


class DerivativeStructure:
    """Derivatives of the values of one call; `per_leaf`: one for each leaf of the signature, or None."""

    def __init__(self, known: dict[str, SignaturePart], per_leaf: Sequence[LeafValue | None]) -> None:
        self._known, self._per_leaf = known, per_leaf
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []
        self._open: list[tuple[Any, Any, frozenset[str]]] = []

    def of(self, path: str, value: Any) -> Any:
        """The derivative of the part at `path`, which is `value`."""
        found = self._of(path, value)
        self._complete()
        return found

    def zeros(self, value: Any) -> Any:
        """Zeros in the structure of a value that no part of the call is."""
        found = self._zeros(value)
        self._complete()
        return found

    def _of(self, path: str, value: Any) -> Any:
        part = self._known[path]
        arg = part.arg
        if isinstance(arg, SameArg):
            return self._made[id(value)] if id(value) in self._made else self._of(arg.path, value)
        if isinstance(arg, StaticArg):
            return self._zeros(value)
        if isinstance(arg, ObjectArg):
            return self._object(arg, path, value)
        if isinstance(arg, SequenceArg) and has_objects(arg):
            items = [self._of(f"{path}[{k}]", item) for k, item in enumerate(value)]
            return items if arg.kind == "list" else tuple(items)
        if isinstance(arg, DictArg) and has_objects(arg):
            return {key: self._of(f"{path}[{key!r}]", value[key]) for key in arg.keys}
        if isinstance(arg, RecordArg) and has_objects(arg):
            return record(arg.cls, [(n, self._of(f"{path}.{n}", getattr(value, n))) for n, _ in arg.fields])
        taken: Iterator[Any] = iter([self._per_leaf[k] if k < len(self._per_leaf) else None for k in part.span])
        found = rebuild(arg, taken, derivative)
        return self._note(value, found) if isinstance(value, np.ndarray) else found

    def _object(self, arg: ObjectArg, path: str, value: Any) -> Any:
        if id(value) in self._made:
            return self._made[id(value)]
        if arg.cls in BOUND:
            # A function has no derivative; what it holds has.
            for name, _ in arg.fields:
                self._of(f"{path}.{name}", instance_value(value, name))
            return None
        made = self._note(value, object.__new__(arg.cls))
        for name in instance_names(value):
            # In the object's own order, whatever is read first.
            object.__setattr__(made, name, None)
        self._open.append((made, value, frozenset(name for name, _ in arg.fields)))
        for name, _ in arg.fields:
            own = instance_value(value, name)
            if own is not MISSING:
                object.__setattr__(made, name, self._of(f"{path}.{name}", own))
        return made

    def _note(self, value: Any, made: Any) -> Any:
        # The value is kept, so that its identity stays its own.
        self._kept.append(value)
        self._made[id(value)] = made
        return made

    def _complete(self) -> None:
        """Attributes that are no part of the call. One object after the other: chains of them may be long."""
        while self._open:
            made, value, known = self._open.pop()
            for name in instance_names(value):
                if name not in known:
                    object.__setattr__(made, name, self._zeros(instance_value(value, name)))

    def _zeros(self, value: Any) -> Any:
        """Zeros in the structure of a value; None for what has no derivative."""
        if id(value) in self._made:
            return self._made[id(value)]
        if isinstance(value, (float, np.floating)):
            return 0.0
        if isinstance(value, np.ndarray):
            return self._note(value, np.zeros(value.shape, value.dtype)) if value.dtype.kind == "f" else None
        if type(value) in (list, tuple):
            return type(value)(map(self._zeros, value))
        if type(value) is dict:
            return {key: self._zeros(item) for key, item in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return record(type(value), [(name, self._zeros(getattr(value, name))) for name in value._fields])
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            return record(type(value), [(name, self._zeros(getattr(value, name, None))) for name in names])
        if is_object(value):
            made = self._note(value, object.__new__(type(value)))
            self._open.append((made, value, frozenset()))
            return made
        return None


def zeros_like(value: Any) -> Any:
    """Zeros in the structure of `value`: a shadow for `Duplicated`, or a gradient to add to.

    A float becomes 0.0, an array of floats zeros of its shape and dtype; a list, tuple, dict, named tuple, dataclass or
    object the same with zeros in place of its floats, made without `__init__`, shared where the value's parts are.
    What has no derivative (integers, strings, functions, ...) becomes None.
    """
    return DerivativeStructure({}, ()).zeros(value)
