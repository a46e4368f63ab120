"""A call's arguments as a tree whose leaves are numbers and arrays, and as one vector that can be moved.

Arguments may be arrays, numbers, and tuples, lists, dicts, named tuples and dataclasses of them. Every copy made here
keeps strides, flags and overlaps: two arguments that share memory share it in the copy.
"""

from __future__ import annotations

import ast
import copy
import ctypes
import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcore.instances import is_object
from pytest_adalloc.checks.inputs.instances import attributes, cached

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ArgumentLeaf:
    """A number or an array inside an argument: `path` as in the user's source, and its place in the vector (if any)."""

    path: str
    argument: int
    shape: tuple[int, ...] | None  # None: a scalar
    dtype: np.dtype[Any] | None  # None: not a number
    start: int = -1
    size: int = 0

    @property
    def moves(self) -> bool:
        """Whether the gradient with respect to this leaf is checked."""
        return self.start >= 0

    @property
    def floats(self) -> bool:
        return self.dtype is not None and self.dtype.kind == "f"


def walk(value: Any, path: str, seen: dict[int, Any] | None = None) -> Iterator[tuple[str, Any]]:
    """The leaves of a value, depth first, with their paths; those of an object that was met before count once."""
    seen = {} if seen is None else seen
    if is_object(value):
        if id(value) not in seen:
            seen[id(value)] = value
            for name, item in attributes(value):
                if not (isinstance(item, np.ndarray) and id(item) in seen):
                    yield from walk(item, f"{path}.{name}", seen)
                if isinstance(item, np.ndarray):
                    seen[id(item)] = item
    elif isinstance(value, (tuple, list)):
        fields = getattr(value, "_fields", None)
        for k, item in enumerate(value):
            yield from walk(item, f"{path}.{fields[k]}" if fields else f"{path}[{k}]", seen)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, f"{path}[{key!r}]", seen)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from walk(getattr(value, field.name), f"{path}.{field.name}", seen)
    else:
        yield path, value


def rebuilt(value: Any, leaves: Iterator[Any], made: dict[int, Any] | None = None) -> Any:
    """A value of the same structure with the given leaves, in the order of `walk`."""
    made = {} if made is None else made
    if is_object(value):
        return _rebuilt_instance(value, leaves, made)
    if isinstance(value, (tuple, list)):
        items = [rebuilt(item, leaves, made) for item in value]
        if hasattr(value, "_make"):
            return value._make(items)
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: rebuilt(item, leaves, made) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        twin = copy.copy(value)
        for name in cached(value):
            vars(twin).pop(name)  # computed anew from the new fields
        for field in dataclasses.fields(value):
            # Frozen dataclasses refuse plain assignment; their __init__ may do more than assign.
            object.__setattr__(twin, field.name, rebuilt(getattr(value, field.name), leaves, made))
        return twin
    return next(leaves)


def _rebuilt_instance(value: Any, leaves: Iterator[Any], made: dict[int, Any]) -> Any:
    """An object of the class, made without `__init__`, shared where the original is."""
    if id(value) not in made:
        twin = made[id(value)] = object.__new__(type(value))
        for name, item in attributes(value):
            if isinstance(item, np.ndarray):
                part = made[id(item)] = made[id(item)] if id(item) in made else next(leaves)
            else:
                part = rebuilt(item, leaves, made)
            object.__setattr__(twin, name, part)
    return made[id(value)]


class Replica:
    """A copy of arguments that can be put back and moved any number of times.

    Overlapping arrays are copied as the stretch of memory that they cover together.
    """

    def __init__(self, arguments: Sequence[Any]) -> None:
        self._original = tuple(arguments)
        leaves = [leaf for argument in arguments for _, leaf in walk(argument, "")]
        self.leaves: list[Any] = list(leaves)
        self._blocks: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
        self.shares = False  # whether two array leaves overlap
        self._movable: dict[int, NDArray[Any]] = {}
        arrays = [k for k, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray)]
        spans = {k: bounds(leaves[k]) for k in arrays if leaves[k].size}
        for low, high, members in _merged(spans):
            pristine = np.frombuffer(ctypes.string_at(low, high - low), dtype=np.uint8)
            live = _block(low, high)
            live[:] = pristine
            self._blocks.append((pristine, live))
            self.shares |= len(members) > 1
            for k in members:
                self._place(k, leaves[k], live, low)
        for k in arrays:
            if not leaves[k].size:
                self.leaves[k] = leaves[k].copy()

    def _place(self, k: int, array: NDArray[Any], live: NDArray[np.uint8], low: int) -> None:
        start = array.__array_interface__["data"][0] - low
        view: NDArray[Any] = np.ndarray(array.shape, array.dtype, buffer=live.data, offset=start, strides=array.strides)
        self._movable[k] = view
        frozen = view.view()
        frozen.flags.writeable = array.flags.writeable
        self.leaves[k] = frozen

    def restore(self) -> None:
        """Put every array back to what it held when the replica was made."""
        for pristine, live in self._blocks:
            live[:] = pristine

    def array(self, leaf: int) -> NDArray[Any]:
        """The memory of an array leaf, writeable even where the argument is not."""
        found: NDArray[Any] = self._movable.get(leaf, self.leaves[leaf])
        return found

    def arguments(self, numbers: dict[int, Any] | None = None) -> tuple[Any, ...]:
        """The arguments; containers are new each time, `numbers` replaces scalar leaves by position."""
        values = iter([*self.leaves] if not numbers else [numbers.get(k, leaf) for k, leaf in enumerate(self.leaves)])
        return tuple(rebuilt(argument, values) for argument in self._original)


def bounds(array: NDArray[Any]) -> tuple[int, int]:
    """First address of an array's memory and the one after its last."""
    first = array.__array_interface__["data"][0]
    reach = [(extent - 1) * stride for extent, stride in zip(array.shape, array.strides, strict=True)]
    return first + sum(r for r in reach if r < 0), first + sum(r for r in reach if r > 0) + array.itemsize


def _merged(spans: dict[int, tuple[int, int]]) -> list[tuple[int, int, list[int]]]:
    merged: list[tuple[int, int, list[int]]] = []
    for k, (low, high) in sorted(spans.items(), key=lambda item: item[1]):
        if merged and low < merged[-1][1]:
            first, last, members = merged[-1]
            merged[-1] = (first, max(last, high), [*members, k])
        else:
            merged.append((low, high, [k]))
    return merged


def _block(low: int, high: int) -> NDArray[np.uint8]:
    # As far from a cache line's start as the original: alignment decides which code a vectorised loop runs.
    room = np.zeros(high - low + 64, dtype=np.uint8)
    shift = (low - room.__array_interface__["data"][0]) % 64
    return room[shift : shift + high - low]


class Point:
    """The place where a gradient is checked: the arguments, their leaves, and the vector of what is differentiated."""

    def __init__(self, names: Sequence[str], arguments: Sequence[Any], wrt: Any = None) -> None:
        __tracebackhide__ = True
        self.names = tuple(names)
        self.arguments = tuple(arguments)
        self.paths = chosen(wrt, self.names, self.arguments)
        self.wrt = tuple(_owner(path, self.names) for path in self.paths)
        self.leaves = tuple(self._leaves())
        self.size = sum(leaf.size for leaf in self.leaves if leaf.moves)
        self._replica = Replica(self.arguments)
        self.vector = np.concatenate(
            [self._values(k) for k, leaf in enumerate(self.leaves) if leaf.moves] or [np.zeros(0)]
        )

    @property
    def shares(self) -> bool:
        """Whether arguments overlap in memory: then components of the vector are the same number twice."""
        return self._replica.shares

    def consistent(self, vector: Vector) -> tuple[Vector, Vector]:
        """A direction in which components of shared memory agree, and 1 for each number's first component, else 0.

        Of several components of one number the last that is not zero counts.
        """
        if not self.shares:
            return vector, np.ones(self.size)
        memory, seen = Replica(self.pristine()), Replica(self.pristine())
        agreed, first = vector.copy(), np.ones(self.size)
        for k, leaf in enumerate(self.leaves):
            if leaf.floats and leaf.shape is not None:
                memory.array(k)[...] = 0.0
                seen.array(k)[...] = 0.0
        for k, leaf in self._arrays():
            part = slice(leaf.start, leaf.start + leaf.size)
            values = vector[part].reshape(leaf.shape or ())
            np.copyto(memory.array(k), values, where=values != 0, casting="same_kind")
            first[part] = (seen.array(k) == 0.0).reshape(-1)
            seen.array(k)[...] = 1.0
        for k, leaf in self._arrays():
            agreed[leaf.start : leaf.start + leaf.size] = memory.array(k).reshape(-1)
        return agreed, first

    def _arrays(self) -> Iterator[tuple[int, ArgumentLeaf]]:
        return ((k, leaf) for k, leaf in enumerate(self.leaves) if leaf.moves and leaf.shape is not None)

    def _leaves(self) -> Iterator[ArgumentLeaf]:
        start = 0
        for number, (name, argument) in enumerate(zip(self.names, self.arguments, strict=True)):
            for path, value in walk(argument, name):
                leaf = _leaf(path, number, value)
                if leaf.floats and any(_within(path, target) for target in self.paths):
                    leaf = dataclasses.replace(leaf, start=start)
                    start += leaf.size
                yield leaf

    def _values(self, k: int) -> Vector:
        value: Vector = np.array(self._replica.leaves[k], dtype=np.float64)
        return value.reshape(-1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest floating-point type among all arguments: it bounds what can be seen."""
        kinds = [leaf.dtype for leaf in self.leaves if leaf.floats and leaf.dtype is not None and leaf.size]
        return min(kinds, key=lambda kind: kind.itemsize, default=np.dtype(np.float64))

    def held(self, leaf: int) -> NDArray[Any]:
        """What an array leaf holds at the point, whatever has become of the arguments since."""
        return self._replica.array(leaf)

    def pristine(self) -> tuple[Any, ...]:
        """The point's own copy of the arguments: to be read, never written."""
        return self._replica.arguments()

    def fresh(self) -> tuple[Any, ...]:
        """An independent copy of the arguments."""
        return Replica(self._replica.arguments()).arguments()

    def place(self, component: int) -> tuple[str, Any]:
        """Argument path and index of a component of the vector; the index of a scalar is None."""
        for leaf in self.leaves:
            if leaf.moves and leaf.start <= component < leaf.start + leaf.size:
                if leaf.shape is None:
                    return leaf.path, None
                index = tuple(int(i) for i in np.unravel_index(component - leaf.start, leaf.shape))
                return leaf.path, index[0] if len(index) == 1 else index
        raise IndexError(component)

    def spelled(self, component: int) -> str:
        """A component as the user would write it: `x[3]`, `p.mass`, `A[0, 2]`."""
        path, index = self.place(component)
        if index is None or index == ():
            return path
        return f"{path}[{', '.join(map(str, index if isinstance(index, tuple) else (index,)))}]"

    def split(self, vector: Vector) -> tuple[Any, ...]:
        """A vector in the structure of what is differentiated."""
        pieces = []
        for number, path in zip(self.wrt, self.paths, strict=True):
            leaves = [leaf for leaf in self.leaves if _within(leaf.path, path)]
            values = iter([_piece(leaf, vector) for leaf in leaves])
            pieces.append(rebuilt(_part(self.arguments[number], path.removeprefix(self.names[number])), values))
        return tuple(pieces)

    def tangents(self, vector: Vector) -> tuple[Any, ...]:
        """A vector in the structure of all arguments, with None for what is not differentiated."""
        values = iter([_piece(leaf, vector) for leaf in self.leaves])
        whole = [rebuilt(argument, values) for argument in self.arguments]
        return tuple(made if k in self.wrt else None for k, made in enumerate(whole))


def _leaf(path: str, argument: int, value: Any) -> ArgumentLeaf:
    if isinstance(value, np.ndarray):
        return ArgumentLeaf(path, argument, value.shape, value.dtype, size=value.size)
    if isinstance(value, (bool, int, float, np.generic)):
        return ArgumentLeaf(path, argument, None, np.asarray(value).dtype, size=1)
    return ArgumentLeaf(path, argument, None, None)


def _piece(leaf: ArgumentLeaf, vector: Vector) -> Any:
    if not leaf.moves:
        return None
    values = vector[leaf.start : leaf.start + leaf.size]
    return float(values[0]) if leaf.shape is None else values.reshape(leaf.shape).copy()


def chosen(wrt: Any, names: Sequence[str], arguments: Sequence[Any]) -> tuple[str, ...]:
    """Names of what is differentiated: what `wrt` says (an index, a name, the path of a part such as `arm.length`, or a
    tuple of these), or all arguments that hold floats.

    Raises TypeError if there is no such argument or part, or nothing in it that can be differentiated.
    """
    __tracebackhide__ = True
    if wrt is None:
        return tuple(names[number] for number in differentiable(names, arguments, range(len(names))))
    paths = []
    for item in wrt if isinstance(wrt, (tuple, list)) else (wrt,):
        path = names[item] if isinstance(item, int) and -len(names) <= item < len(names) else item
        if not isinstance(path, str) or not any(_within(path, name) for name in names):
            raise TypeError(f"wrt={item!r}: there is no such argument; the arguments are {', '.join(names)}")
        name = names[_owner(path, names)]
        parts = [(leaf, value) for leaf, value in walk(arguments[names.index(name)], name) if _within(leaf, path)]
        if not parts:
            raise TypeError(f"wrt={item!r}: {name} has no such part")
        if not any(_leaf(leaf, 0, value).floats for leaf, value in parts):
            raise TypeError(f"wrt={item!r}: {path} holds no floating-point number")
        paths.append(path)
    return tuple(paths)


def _within(path: str, whole: str) -> bool:
    """Whether a path is `whole`, or a part of it."""
    return path == whole or (path.startswith(whole) and path[len(whole)] in ".[")


def _owner(path: str, names: Sequence[str]) -> int:
    """The number of the argument that a path starts with. (`rest[0]` may be the name of one.)"""
    return max((len(name), k) for k, name in enumerate(names) if _within(path, name))[1]


STEP = re.compile(r"\.(\w+)|\[([^]]+)\]")


def _part(value: Any, steps: str) -> Any:
    """The part of a value that steps such as `.arms[0].length` lead to."""
    for attribute, key in STEP.findall(steps):
        value = getattr(value, attribute) if attribute else value[ast.literal_eval(key)]
    return value


def differentiable(names: Sequence[str], arguments: Sequence[Any], among: Sequence[int]) -> tuple[int, ...]:
    """Which of the arguments `among` hold floats. Raises TypeError if none does."""
    __tracebackhide__ = True
    found = tuple(number for number in among if _has_floats(arguments[number]))
    if not found:
        told = ", ".join(names[number] for number in among)
        raise TypeError(f"nothing to differentiate: no argument of ({told}) holds a floating-point number")
    return found


def _has_floats(argument: Any) -> bool:
    return any(_leaf("", 0, leaf).floats for _, leaf in walk(argument, ""))


class Moved:
    """Calls a function at points near a `Point`, on a replica that is put back before each call."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self.replica = Replica(point.pristine())
        self._bare = [k for k, leaf in enumerate(point.leaves) if leaf.moves and leaf.shape is None]

    def at(self, vector: Vector | None = None) -> tuple[Any, ...]:
        """The arguments with `vector` in place of the differentiated numbers (None: the point itself)."""
        self.replica.restore()
        if vector is None:
            return self.replica.arguments()
        numbers = {}
        for k, leaf in enumerate(self._point.leaves):
            if not leaf.moves:
                continue
            values = vector[leaf.start : leaf.start + leaf.size]
            if leaf.shape is None:
                original = self.replica.leaves[k]
                numbers[k] = type(original)(values[0])
            elif leaf.size:
                self.replica.array(k)[...] = values.reshape(leaf.shape)
        return self.replica.arguments(numbers)

    def along(self, component: int, step: float) -> tuple[Any, ...]:
        """The arguments with one component moved; cheap where arrays are big."""
        self.replica.restore()
        for k, leaf in enumerate(self._point.leaves):
            if leaf.moves and leaf.start <= component < leaf.start + leaf.size:
                if leaf.shape is None:
                    original = self.replica.leaves[k]
                    return self.replica.arguments({k: type(original)(float(original) + step)})
                self.replica.array(k).flat[component - leaf.start] += step
                break
        return self.replica.arguments()

    def written(self) -> tuple[int, ...]:
        """Which array leaves no longer hold what they held, bit for bit."""
        changed = []
        for k, leaf in enumerate(self._point.leaves):
            if leaf.shape is not None and leaf.size and leaf.dtype is not None:
                now, before = self.replica.array(k), self._point.held(k)
                if now.tobytes() != before.tobytes():
                    changed.append(k)
        return tuple(changed)
