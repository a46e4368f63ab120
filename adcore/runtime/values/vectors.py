"""The floats of any value as one vector, and back: what optimisers work with.

    vector, unravel = ravel(model)
    unravel(vector - 0.1 * gradient)          a model with other floats, the rest shared
    unravel.into(model, vector)               the same floats, put into this model

Floats and arrays of floats count, depth first, what stands at several places once; integers and whatever else a value
holds stay as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.instances import instance_names, instance_value, is_object
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import NDArray, record

Take = Callable[[Any, str], Any]
"""What becomes of a float or an array of floats at a path."""


def ravel(value: Any, only: Iterable[str] | None = None) -> tuple[NDArray, Unravel]:
    """The floats of `value` as a vector of float64, and what puts such a vector back into its structure.

    `value`: an object, dataclass, named tuple, tuple, list, dict or array, nested in any way. `only`: paths of the
    parts that are meant ("arm.length", "layers[0].w"; default: all). Raises ArgumentError where a path has no floats.
    """
    chosen = None if only is None else tuple(only)
    found: list[Any] = []
    used: set[str] = set()

    def take(part: Any, path: str) -> Any:
        matches = [p for p in chosen or () if _is_inside(path, p)]
        if chosen is None or matches:
            used.update(matches)
            found.append(np.asarray(part, np.float64).reshape(-1))
        return part

    _Walk(take).copy(value, "")
    for path in chosen or ():
        if path not in used:
            refuse(f"only={path!r}: there is no float there", help='write it as "arm.length" or "layers[0].w"')
    vector = np.concatenate(found) if found else np.zeros(0)
    return vector, Unravel(value, chosen, vector.size)


def _is_inside(path: str, whole: str) -> bool:
    return path.removeprefix(".").startswith(whole) and path.removeprefix(".")[len(whole) :][:1] in ("", ".", "[")


class Unravel:
    """`unravel(v)`: a copy of the value with the floats of `v`; what holds none of them is shared with the value."""

    def __init__(self, value: Any, only: tuple[str, ...] | None, size: int) -> None:
        self._value, self._only, self._size = value, only, size

    def __call__(self, vector: Any) -> Any:
        """The value with other floats."""
        return _Walk(self._taking(vector, in_place=False)).copy(self._value, "")

    def into(self, value: Any, vector: Any) -> None:
        """Put the floats of `vector` into `value`, which is built like the one that was ravelled: arrays keep their
        memory. Raises ArgumentError where that can't be, as in a tuple that nothing mutable holds."""
        made = _Walk(self._taking(vector, in_place=True), in_place=True).copy(value, "")
        if made is not value:
            refuse(f"a {type(value).__name__} can't be changed in place", help="use what unravel(vector) returns")

    def _taking(self, vector: Any, in_place: bool) -> Take:
        numbers = np.asarray(vector, np.float64)
        if numbers.shape != (self._size,):
            refuse(f"the vector has shape {numbers.shape}; that of the value has shape ({self._size},)")
        position = 0

        def take(part: Any, path: str) -> Any:
            nonlocal position
            if self._only is not None and not any(_is_inside(path, p) for p in self._only):
                return part
            start, position = position, position + int(np.size(part))
            if not isinstance(part, np.ndarray):
                return type(part)(numbers[start])
            shaped = numbers[start:position].reshape(part.shape)
            if not in_place:
                return shaped.astype(part.dtype)
            np.copyto(part, shaped, casting="same_kind")
            return part

        return take


@dataclass
class _Walk:
    """A copy of a value in which `take` decides about its floats; parts in which nothing changes are the same ones."""

    take: Take
    in_place: bool = False

    def __post_init__(self) -> None:
        self._made: dict[int, Any] = {}

    def copy(self, value: Any, path: str) -> Any:
        if id(value) in self._made:
            return self._made[id(value)]
        if isinstance(value, (float, np.floating)):
            return self.take(value, path)
        if isinstance(value, np.ndarray):
            self._made[id(value)] = value
            self._made[id(value)] = self.take(value, path) if value.dtype.kind == "f" else value
            return self._made[id(value)]
        if is_object(value) or _is_mutable_dataclass(value):
            return self._object(value, path)
        items = list(_items(value, path))
        new = [(key, self.copy(item, where)) for key, item, where in items]
        if all(part is item for (_, part), (_, item, _) in zip(new, items, strict=True)):
            return value
        return self._container(value, new)

    def _object(self, value: Any, path: str) -> Any:
        names = instance_names(value)
        made = value if self.in_place else object.__new__(type(value))
        self._made[id(value)] = made
        changed = False
        for name in names:
            old = instance_value(value, name)
            new = self.copy(old, f"{path}.{name}")
            changed = changed or new is not old
            if not self.in_place or new is not old:
                object.__setattr__(made, name, new)
        if not changed:
            # Nothing in it is meant: the copy is not needed, unless a cycle has it already.
            self._made[id(value)] = value
            return value
        return made

    def _container(self, value: Any, items: list[tuple[Any, Any]]) -> Any:
        if isinstance(value, (list, dict)) and self.in_place:
            for key, item in items:
                value[key] = item
            return value
        if isinstance(value, list):
            return [item for _, item in items]
        if isinstance(value, dict):
            return dict(items)
        if type(value) is tuple:
            return tuple(item for _, item in items)
        return record(type(value), items)


def _is_mutable_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type) and not _params(value).frozen


def _params(value: Any) -> Any:
    return type(value).__dataclass_params__


def _items(value: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """The parts of a container: how to reach each, what it is, its path."""
    if type(value) in (list, tuple):
        yield from ((k, item, f"{path}[{k}]") for k, item in enumerate(value))
    elif type(value) is dict:
        yield from ((key, item, f"{path}[{key!r}]") for key, item in value.items())
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((name, getattr(value, name), f"{path}.{name}") for name in value._fields)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        yield from ((name, getattr(value, name, None), f"{path}.{name}") for name in names)
