"""The objects among the arguments of a call: which they are, and which of their attributes a program looks at.

Only what a program reads of an object is described, so that a call does not depend on the size of what hangs together.
A first compilation asks for attributes one by one (`LiveObjects.attribute`). Later calls are described `like` what that
one read, and hence differ from it in whatever matters:

    like        ObjectArg(Model, "m", (("mass", ScalarArg("f64")), ("mode", StaticArg("fast"))))
    described   ObjectArg(Model, "m", (("mass", ScalarArg("f64")), ("mode", StaticArg("slow"))))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.errors import ArgumentError, ObjectsNeeded
from adcore.instances import BOUND, MISSING, instance_names, instance_value
from adcore.signature import ABSENT, ArgType, ObjectArg, Opaque, SameArg, StaticArg

Describe = Callable[[Any, str, "LiveObjects", ArgType | None], ArgType]
"""The kind of a value at a path, as far as its objects are described by a kind before."""


class LiveObjects:
    """The objects of one call by the path where each was met first, depth first."""

    def __init__(self, describe: Describe, classes: frozenset[type] = frozenset()) -> None:
        self._describe = describe
        self._classes = classes
        self._objects: dict[str, Any] = {}
        self._paths: dict[int, str] = {}
        self._records: dict[int, str] = {}

    # What a compilation asks for (`adcore.signature.LiveAttributes`)

    @property
    def classes(self) -> frozenset[type]:
        """Dataclasses whose instances are objects, because a program assigns their fields."""
        return self._classes

    def names(self, path: str) -> tuple[str, ...]:
        """The attributes that the object at `path` holds itself."""
        return instance_names(self._objects[path]) if path in self._objects else ()

    def attribute(self, path: str, name: str) -> ArgType:
        """The kind of one of them; of `StaticArg(ABSENT)` if there is none."""
        if path not in self._objects:
            return StaticArg(ABSENT)
        return self._attribute(instance_value(self._objects[path], name), f"{path}.{name}", None)

    def path_of(self, value: object) -> str | None:
        """Where this very object is, if it was met."""
        return self._paths.get(id(value))

    def holds(self, path: str) -> bool:
        """Whether an object or an array was met there."""
        return path in self._objects

    def object_at(self, path: str) -> Any:
        """The object that was met at `path`."""
        return self._objects[path]

    def forget(self) -> None:
        """Let go of the objects: nothing more will be asked for."""
        self._objects.clear()
        self._paths.clear()
        self._records.clear()

    # Describing

    def met(self, value: Any, path: str) -> SameArg | None:
        """Note where an object, or an array in an attribute, is; where it was met before, if it was."""
        before = self._paths.setdefault(id(value), path)
        self._objects.setdefault(before, value)
        return None if before == path else SameArg(before)

    def met_record(self, value: Any, path: str) -> None:
        """Note where an instance of a dataclass is that is described as a value. Raises ObjectsNeeded where objects
        share it: it is one thing then, with one derivative."""
        before = self._records.setdefault(id(value), path)
        if before != path and "." in before + path:
            raise ObjectsNeeded(frozenset((type(value),)))

    def object(self, value: Any, path: str, like: ArgType | None) -> ObjectArg | SameArg:
        """An instance of a class, with the attributes that `like` has."""
        same = self.met(value, path)
        if same is not None:
            return same
        known = like.fields if isinstance(like, ObjectArg) and like.cls is type(value) else ()
        fields = [
            (name, self._attribute(instance_value(value, name), f"{path}.{name}", field)) for name, field in known
        ]
        return ObjectArg(type(value), path, tuple(fields))

    def bound(self, value: Any, path: str, like: ArgType | None) -> ObjectArg:
        """A method of an object, or a partial, with all that it is made of."""
        known = dict(like.fields) if isinstance(like, ObjectArg) and like.cls is type(value) else {}
        fields = [
            (name, self._attribute(getattr(value, name), f"{path}.{name}", known.get(name)))
            for name in BOUND[type(value)]
        ]
        return ObjectArg(type(value), path, tuple(fields))

    def _attribute(self, value: Any, path: str, like: ArgType | None) -> ArgType:
        """An attribute. Bools are constants of the program, and so is an integer that was one before."""
        if value is MISSING:
            return StaticArg(ABSENT)
        if isinstance(value, bool) or (type(value) is int and is_pinned(like)):
            return StaticArg(value)
        if isinstance(value, np.ndarray):
            same = self.met(value, path)
            if same is not None:
                return same
        try:
            return self._describe(value, path, self, like)
        except ArgumentError as error:
            return StaticArg(Opaque(error.diagnostics[0].title, error.diagnostics[0].help))


def is_pinned(arg: ArgType | None) -> bool:
    """Whether an integer attribute is a constant of the program, because something depends on it while compiling."""
    return isinstance(arg, StaticArg) and type(arg.value) is int
