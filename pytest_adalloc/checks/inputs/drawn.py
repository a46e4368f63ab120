"""Inputs for one check at several sizes and points, made from the arguments that were given.

Lengths decide which code a gradient runs: the remainder behind a loop over vectors, the blocks of a product, what stays
on the stack. So arguments are stretched and cut, with the values between those given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.inputs.arguments import Moved, Point, Vector, rebuilt, walk
from pytest_adalloc.checks.inputs.flat import FlatFunction
from pytest_adalloc.options import CheckOptions

DRAWS = 3  # inputs that a callable is asked for at each size
SPREAD = 0.3  # how far a number is moved, in parts of itself
SHIFT = 0.05  # and in parts of the largest of its argument, so that zeros move too


@dataclass(frozen=True)
class CheckInput:
    """Arguments to check at. `size`: how long the named axis is; `number`: which of the draws at this size."""

    args: tuple[Any, ...]
    size: int | None = None
    number: int = 0

    @property
    def described(self) -> str:
        parts = [
            f"size {self.size}" if self.size is not None else "",
            f"point {self.number + 1}" if self.number else "",
        ]
        return ", ".join(filter(None, parts)) or "the given arguments"


class Inputs:
    """All inputs that a check asks for, and smaller ones of the same kind."""

    def __init__(self, f: FlatFunction, args: tuple[Any, ...], options: CheckOptions) -> None:
        self._args, self._options = args, options
        self._names, self._given = f.names, f.given
        self._axes = _axes(Point(self._names, args, options.wrt), options.sizes)
        counts = {len(sizes) for _, sizes in self._axes}
        if len(counts) > 1:
            raise ValueError("sizes: arguments that are scaled together need equally many sizes")

    def __iter__(self) -> Iterator[CheckInput]:
        points = self._options.points
        if not callable(points):
            yield from self._at(None, self._args)
        elif not self._axes:
            for number in range(DRAWS):
                yield CheckInput(self._row(points(self._random(None, number))), None, number)
        for place in range(len(self._axes[0][1]) if self._axes else 0):
            sizes = [sizes[place] for _, sizes in self._axes]
            if callable(points):
                for number in range(DRAWS):
                    yield CheckInput(self._row(points(sizes[0], self._random(sizes[0], number))), sizes[0], number)
            else:
                yield from self._at(sizes[0], self._scaled(sizes))

    def smaller(self, failed: CheckInput, size: int) -> CheckInput:
        """An input of the same draw with another size."""
        points = self._options.points
        if callable(points):
            args = self._row(points(size, self._random(size, failed.number)))
        else:
            args = self._drawn(self._scaled([size] * len(self._axes)), size, failed.number)
        return CheckInput(args, size, failed.number)

    def _at(self, size: int | None, args: tuple[Any, ...]) -> Iterator[CheckInput]:
        points = self._options.points
        if isinstance(points, (list, tuple)):
            given = [self._row(point) for point in points] if size is None else []
            yield CheckInput(args, size)
            yield from (CheckInput(point, size, number + 1) for number, point in enumerate(given))
            return
        for number in range(points or 1):
            yield CheckInput(self._drawn(args, size, number), size, number)

    def _drawn(self, args: tuple[Any, ...], size: int | None, number: int) -> tuple[Any, ...]:
        """The arguments with what is differentiated moved at random within the domain; the first draw is as given."""
        if not number:
            return args
        point = Point(self._names, args, self._options.wrt)
        random = self._random(size, number)
        spread = random.uniform(1 - SPREAD, 1 + SPREAD, point.size)
        shift = random.uniform(-SHIFT, SHIFT, point.size) * np.max(np.abs(point.vector), initial=0.0)
        bounds = DomainBounds.of(self._options.domain, point)
        return moved_to(point, np.clip(point.vector * spread + shift, bounds.low, bounds.high))

    def _scaled(self, sizes: Sequence[int]) -> tuple[Any, ...]:
        wanted = {extent: size for (extent, _), size in zip(self._axes, sizes, strict=True)}
        counted = {k for k, name in enumerate(self._names) if name in (self._options.sizes or ())}
        made = []
        for k, argument in enumerate(self._args):
            if k in counted and not isinstance(argument, np.ndarray) and np.ndim(argument) == 0:
                made.append(type(argument)(wanted[int(argument)]))
            else:
                leaves = [_stretched(leaf, wanted) for _, leaf in walk(argument, "")]
                made.append(rebuilt(argument, iter(leaves)))
        return tuple(made)

    def _row(self, made: Any) -> tuple[Any, ...]:
        """The row of an input that was made elsewhere: what it leaves out is as given."""
        values = made if isinstance(made, tuple) else (made,)
        if len(values) > len(self._args):
            told = f"{len(values)} arguments, and the function takes {', '.join(self._names)}"
            raise TypeError(f"points: an input has {told}")
        row = list(self._args)
        places = self._given if len(values) == len(self._given) else range(len(values))
        for place, value in zip(places, values, strict=True):
            row[place] = value
        return tuple(row)

    def _random(self, size: int | None, number: int) -> np.random.Generator:
        return np.random.default_rng([self._options.seed or 0, size or 0, number])


def moved_to(point: Point, vector: Vector) -> tuple[Any, ...]:
    """The arguments with `vector` in place of what is differentiated."""
    return Moved(point).at(point.consistent(vector)[0])


def _axes(point: Point, sizes: Any) -> list[tuple[int, Sequence[int]]]:
    """Which extents are scaled, and the sizes that they get. Raises ValueError where none is meant."""
    if sizes is None:
        return []
    if point.shares:
        raise ValueError("sizes: arguments that share memory can't be scaled; make them with points=callable")
    if isinstance(sizes, Mapping):
        return [(_extent(point, name), several) for name, several in sizes.items()]
    for leaf in point.leaves:
        if leaf.moves and leaf.shape:
            return [(leaf.shape[0], sizes)]
    raise ValueError("sizes: no array is differentiated; name what is to be scaled, as in sizes={'n': (7, 128)}")


def _extent(point: Point, name: str) -> int:
    found = re.fullmatch(r"(.+?)(?:\[(\d+)\])?", name)
    assert found is not None
    argument, axis = found[1], int(found[2] or 0)
    if argument in point.names:
        value = point.arguments[point.names.index(argument)]
        if np.ndim(value) == 0 and isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            return int(value)
        if isinstance(value, np.ndarray) and axis < value.ndim:
            return int(value.shape[axis])
    raise ValueError(f"sizes: {name!r} is no whole number and no axis of an array among {', '.join(point.names)}")


def _stretched(leaf: Any, wanted: Mapping[int, int]) -> Any:
    if not isinstance(leaf, np.ndarray):
        return leaf
    made = leaf
    for axis, extent in enumerate(leaf.shape):
        if extent in wanted:
            made = resized(made, axis, wanted[extent])
    if made is leaf:
        return leaf
    return np.asfortranarray(made) if leaf.flags.f_contiguous and not leaf.flags.c_contiguous else made


def resized(array: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """Another length along one axis: floats are interpolated, so that grids stay grids; anything else is repeated."""
    places = np.linspace(0.0, max(array.shape[axis] - 1, 0), size)
    below = np.floor(places).astype(np.intp)
    if array.dtype.kind != "f":
        return np.ascontiguousarray(np.take(array, np.rint(places).astype(np.intp), axis=axis))
    above = np.minimum(below + 1, max(array.shape[axis] - 1, 0))
    part = (places - below).reshape([-1 if k == axis else 1 for k in range(array.ndim)])
    low, high = np.take(array, below, axis=axis), np.take(array, above, axis=axis)
    return np.ascontiguousarray(low + (high - low) * part).astype(array.dtype)
