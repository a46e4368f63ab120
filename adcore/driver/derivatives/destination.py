"""Where `ad.grad(f, out=...)` puts derivatives: arrays of the caller's in place of new ones.

`out` has the structure of the gradient. An array takes the derivative by an array, one without dimensions that by a
number; None in the place of a derivative leaves it to be returned as ever. Calls like one before write there at once;
the general path copies what it has made.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.runtime.values.arguments import refuse


class Destination:
    """The caller's buffers for the derivatives by each of the chosen arguments, in their order."""

    def __init__(self, out: Any, several: bool) -> None:
        if several and (not isinstance(out, (tuple, list))):
            refuse(f"out= is a tuple like wrt=, with one entry for each, not {type(out).__name__}")
        self.entries: tuple[Any, ...] = tuple(out) if several else (out,)
        arrays = [entry for entry in self.entries if type(entry) is np.ndarray]
        self._apart = not any(np.may_share_memory(a, b) for a, b in itertools.combinations(arrays, 2))

    def shadow(self, at: int, like: Any, arguments: Sequence[Any]) -> Any:
        """The buffer for the derivative by `like`, set to zero, if a sweep can add into it: an array of this shape,
        dtype and order that shares memory with none of the arguments. None where it has to be copied there."""
        if not self._apart or at >= len(self.entries):
            return None
        entry = self.entries[at]
        if type(entry) is not np.ndarray or entry.dtype is not like.dtype or entry.shape != like.shape:
            return None
        flags = entry.flags
        if not (flags.c_contiguous and flags.writeable and flags.aligned):
            return None
        for argument in arguments:
            if type(argument) is np.ndarray and np.may_share_memory(entry, argument):
                return None
        entry.fill(0.0)
        return entry

    def taken(self, answer: tuple[Any, Sequence[Any]], arguments: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
        """Value and derivatives, those in place that have a buffer."""
        value, found = answer
        if len(found) == len(self.entries):
            for entry, own in zip(self.entries, found, strict=True):
                if entry is not own:
                    break
            else:
                return value, tuple(found)
        return value, self.filled(found, arguments)

    def filled(self, found: Sequence[Any], arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The derivatives, those in place that have a buffer. Raises ArgumentError, with nothing written, where one
        does not fit."""
        if len(self.entries) != len(found):
            refuse(f"out= has {len(self.entries)} entries for {len(found)} derivatives")
        written: list[tuple[Any, Any, str]] = []
        for at, (entry, value) in enumerate(zip(self.entries, found, strict=True)):
            _pairs(entry, value, "out" if len(found) == 1 else f"out[{at}]", written)
        arrays = [a for argument in arguments for a in _arrays(argument)]
        for k, (entry, value, name) in enumerate(written):
            if entry is value:
                continue
            if any(np.shares_memory(entry, a) for a in arrays):
                refuse(f"{name} shares memory with an argument, which is not to be changed", help="give it its own")
            if any(np.shares_memory(entry, other) for other, _, _ in written[:k]):
                refuse(f"{name} shares memory with another part of out=", help="give each derivative memory of its own")
        for entry, value, _ in written:
            if entry is not value:
                entry[...] = value
        return tuple(_kept(entry, value) for entry, value in zip(self.entries, found, strict=True))


def _pairs(entry: Any, value: Any, name: str, found: list[tuple[Any, Any, str]]) -> None:
    """Buffers and what goes there. Raises ArgumentError for a buffer that does not fit."""
    if entry is None or value is None:
        return
    if isinstance(entry, np.ndarray):
        shape, dtype = np.shape(value), getattr(value, "dtype", np.dtype(np.float64))
        if not isinstance(value, (np.ndarray, float, np.floating)):
            refuse(f"{name} is an array, and the derivative is a {type(value).__name__}")
        if entry.shape != shape:
            refuse(f"{name} has shape {entry.shape}; the derivative has shape {shape}")
        if entry.dtype != dtype:
            refuse(f"{name} holds {entry.dtype}; the derivative is {dtype}")
        if not entry.flags.writeable:
            refuse(f"{name} is read-only")
        found.append((entry, value, name))
        return
    for part, (inner, its) in _parts(entry, value, name).items():
        _pairs(inner, its, part, found)


def _parts(entry: Any, value: Any, name: str) -> dict[str, tuple[Any, Any]]:
    """The items or fields of a buffer that is built like the derivative."""
    if isinstance(entry, (tuple, list)) and isinstance(value, (tuple, list)) and len(entry) == len(value):
        return {f"{name}[{k}]": pair for k, pair in enumerate(zip(entry, value, strict=True))}
    if isinstance(entry, dict) and isinstance(value, dict) and entry.keys() == value.keys():
        return {f"{name}[{key!r}]": (entry[key], value[key]) for key in entry}
    if type(entry) is type(value) and not isinstance(entry, (float, int, str, tuple, list, dict)):
        names = [f.name for f in dataclasses.fields(entry)] if dataclasses.is_dataclass(entry) else list(vars(entry))
        return {f"{name}.{own}": (getattr(entry, own), getattr(value, own)) for own in names}
    refuse(
        f"{name} is a {type(entry).__name__} where the derivative is a {type(value).__name__}",
        help="give an array for each array, one without dimensions for a number, or None where a new value will do",
    )
    raise AssertionError("unreachable")


def _arrays(value: Any, seen: set[int] | None = None) -> list[Any]:
    """Every array in an argument, however deep in containers and objects it lies."""
    seen = set() if seen is None else seen
    if isinstance(value, np.ndarray):
        return [value]
    if id(value) in seen or isinstance(value, (float, int, str, type)) or callable(value):
        return []
    seen.add(id(value))
    if isinstance(value, (tuple, list)):
        parts = list(value)
    elif isinstance(value, dict):
        parts = list(value.values())
    else:
        slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
        parts = [*getattr(value, "__dict__", {}).values(), *(getattr(value, name, None) for name in slots)]
    return [array for part in parts for array in _arrays(part, seen)]


def _kept(entry: Any, value: Any) -> Any:
    """A derivative with the caller's arrays in it."""
    if isinstance(entry, np.ndarray):
        return entry
    if isinstance(entry, (list, tuple)) and type(entry) is type(value):
        parts = [_kept(e, v) for e, v in zip(entry, value, strict=True)]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value if entry is None or not _holds_all(entry) else entry


def _holds_all(entry: Any) -> bool:
    """Whether every derivative in an object has a buffer there."""
    if isinstance(entry, dict):
        return all(isinstance(item, np.ndarray) for item in entry.values())
    return all(isinstance(item, np.ndarray) for item in vars(entry).values())
