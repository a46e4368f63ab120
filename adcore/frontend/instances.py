"""What one compilation knows of objects: their attributes as slots of cells, and which of those from outside are read.

An object from outside has its slots from the start (`initial`); a state holds only cells that were written since. What
a slot holds is found out at the first read, as parameters of the program that are defined at its entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adcore.frontend.values.abstract import Abstract, ArrayRef, Constant, Items, Num, ObjectRef, UnreadAttribute
from adcore.ir.core import Value
from adcore.ir.exceptions import AssignedBefore, Deferred, FaultDetail, GivenObject
from adcore.signature import (
    ABSENT,
    ArgType,
    DictArg,
    Leaf,
    LiveAttributes,
    ObjectArg,
    RecordArg,
    SequenceArg,
    StaticArg,
)


@dataclass
class Instances:
    """`slots`: the attributes of each cell, in the order of its items; `paths`: where the object of a cell from an
    argument is; `fields`: what is described of it; `parameters`: the IR's parameters by the path of the leaf;
    `met`: objects and arrays of arguments by path; `outside`: cells of objects of globals and closures, by identity,
    and `behind` those objects, with what they are called."""

    live: LiveAttributes | None = None
    slots: dict[int, tuple[str, ...]] = field(default_factory=dict)
    initial: dict[int, tuple[Abstract, ...]] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    fields: dict[str, dict[str, ArgType]] = field(default_factory=dict)
    parameters: dict[str, tuple[Leaf, Value]] = field(default_factory=dict)
    met: dict[str, ObjectRef | ArrayRef] = field(default_factory=dict)
    outside: dict[int, ObjectRef] = field(default_factory=dict)
    behind: dict[int, tuple[Any, str]] = field(default_factory=dict)
    _origins: dict[int, tuple[Abstract, str]] = field(default_factory=dict)
    _found: dict[UnreadAttribute, Abstract] = field(default_factory=dict)

    def known(self, value: Abstract) -> Abstract:
        """What a slot holds: found out now, if nobody has asked before."""
        if not isinstance(value, UnreadAttribute):
            return value
        if value not in self._found:
            self._found[value] = value.find()
        return self._found[value]

    def contents(self, cells: dict[int, tuple[Abstract, ...]], cell: int) -> tuple[Abstract, ...]:
        """The items of a cell in a state."""
        return cells[cell] if cell in cells else self.initial[cell]

    def absent(self, cell: int, name: str) -> None:
        """The program depends on an object of an argument not having this attribute."""
        if cell in self.paths:
            self.fields[self.paths[cell]].setdefault(name, StaticArg(ABSENT))

    def note(self, value: Abstract, path: str) -> None:
        """A value that an attribute or an argument at `path` holds when the call starts."""
        if isinstance(value, (ArrayRef, ObjectRef)):
            self.met[path] = value
        if not isinstance(value, ObjectRef):
            self._origins[id(value)] = (value, path)

    def origin(self, value: Abstract) -> str | None:
        """Where this very value came from with the call; None for what the program made, and for numbers."""
        if isinstance(value, ArrayRef):
            # Through other names an array is the same as long as its descriptor is.
            return next((path for known, path in self._origins.values() if _is_array(known, value)), None)
        known = self._origins.get(id(value))
        return known[1] if known is not None else None

    def assigned(self, cells: Mapping[int, tuple[Abstract, ...]], first: int) -> tuple[AssignedBefore, list[Value]]:
        """What the program has assigned to attributes of the call's objects, for an exception with `first` numbers of
        its own; the numbers of it that only a run knows."""
        numbers: list[Value] = []
        kinds: list[tuple[str, bool]] = []
        attributes: list[tuple[str, str, Any]] = []
        lost: list[str] = []

        def described(item: Abstract) -> Any:
            item = self.known(item)
            if isinstance(item, Num) and not item.weak.mixed:
                numbers.append(item.value)
                kinds.append(((item.narrow or item.type).name, item.weak.always))
                return FaultDetail(len(numbers) - 1)
            if isinstance(item, Constant):
                return item.value
            if isinstance(item, Items):
                return Deferred("tuple", tuple(map(described, item.items)))
            path = self.paths.get(item.cell) if isinstance(item, ObjectRef) else self.origin(item)
            if path is None:
                raise LookupError
            return GivenObject(path)

        for cell in [cell for cell in cells if cell in self.paths]:
            for name, item, before in zip(self.slots[cell], cells[cell], self.initial[cell], strict=True):
                if item is before or name.endswith("()") or self.known(before) is self.known(item):
                    continue
                kept = len(numbers)
                try:
                    attributes.append((self.paths[cell], name, described(item)))
                except LookupError:
                    del numbers[kept:], kinds[kept:]
                    lost.append(f"{self.paths[cell]}.{name}")
        return AssignedBefore(tuple(attributes), tuple(kinds), first, tuple(lost)), numbers

    def is_external(self, cell: int) -> bool:
        """Whether the object of a cell was there before the call."""
        return cell in self.initial

    def refined(self, arg: ArgType) -> ArgType:
        """A kind of argument, with all that was read of its objects."""
        if isinstance(arg, ObjectArg):
            known = self.fields.get(arg.path, dict(arg.fields))
            return replace(arg, fields=tuple((name, self.refined(part)) for name, part in known.items()))
        if isinstance(arg, (SequenceArg, DictArg)):
            return replace(arg, items=tuple(map(self.refined, arg.items)))
        if isinstance(arg, RecordArg):
            return replace(arg, fields=tuple((name, self.refined(part)) for name, part in arg.fields))
        return arg


def _is_array(known: Abstract, value: ArrayRef) -> bool:
    return isinstance(known, ArrayRef) and known.value is value.value
