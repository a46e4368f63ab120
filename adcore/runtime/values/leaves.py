"""Values as leaves and back: what the IR's parameters are given, and results in the user's own structure.

`flatten` takes an argument apart into one value per leaf of its description (a number, an array, or a tuple of arrays),
in the same order as `adcore.signature.leaves`. Lists of numbers are copied into an array on the way in and, where the
function writes into them, back out of it by `Packed.write_back`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from adcore.instances import instance_value
from adcore.ir.types import NUMPY_NAMES
from adcore.signature import (
    ArgType,
    ArrayArg,
    DictArg,
    ObjectArg,
    RecordArg,
    SameArg,
    ScalarArg,
    SequenceArg,
    StaticArg,
    UniformArg,
    leaves,
)

NDArray = np.ndarray[Any, Any]
LeafValue = Any
"""A Python or NumPy number, an array, or a tuple of arrays."""


class Packed(NamedTuple):
    """A list of numbers that was copied into `array`; `put` writes a list of numbers back where they came from."""

    leaf: int
    array: NDArray
    put: Callable[[list[Any]], None] | None
    weak: bool

    def write_back(self) -> None:
        """Bring the array's numbers back into the user's object (nothing for tuples and frozen records)."""
        if self.put is not None:
            self.put(self.array.tolist() if self.weak else list(self.array))


class Flattened:
    """The leaf values of some arguments, and the lists of numbers that were copied to make them."""

    def __init__(self) -> None:
        self.values: list[LeafValue] = []
        self.packed: list[Packed] = []

    def add(self, arg: ArgType, value: Any) -> None:
        """Append the leaves of `value`, which `arg` describes."""
        if isinstance(arg, (ScalarArg, ArrayArg)):
            self.values.append(value)
        elif isinstance(arg, SequenceArg):
            for item, part in zip(arg.items, value, strict=True):
                self.add(item, part)
        elif isinstance(arg, RecordArg):
            for name, field in arg.fields:
                self.add(field, getattr(value, name))
        elif isinstance(arg, ObjectArg) and value is None:
            # A method has no shadow.
            self.values += [None] * sum(1 for _ in leaves(arg, ""))
        elif isinstance(arg, ObjectArg):
            for name, field in arg.fields:
                if not isinstance(field, (StaticArg, SameArg)):
                    self.add(field, instance_value(value, name))
        elif isinstance(arg, DictArg):
            for key, item in zip(arg.keys, arg.items, strict=True):
                self.add(item, value[key])
        elif isinstance(arg, UniformArg):
            self._column(arg.item, value, _list_writer(value))

    def _column(self, item: ArgType, column: Sequence[Any], put: Callable[[list[Any]], None] | None) -> None:
        if isinstance(item, ScalarArg):
            array = np.array(column, dtype=NUMPY_NAMES[item.dtype])
            self.packed.append(Packed(len(self.values), array, put, item.weak))
            self.values.append(array)
        elif isinstance(item, ArrayArg):
            self.values.append(tuple(column))
        elif isinstance(item, RecordArg):
            for name, field in item.fields:
                self._column(field, [getattr(record, name) for record in column], _field_writer(column, name))


def flatten(args: Sequence[ArgType], values: Sequence[Any]) -> Flattened:
    """The leaf values of `values`, which `args` describe, in order."""
    flattened = Flattened()
    for arg, value in zip(args, values, strict=True):
        flattened.add(arg, value)
    return flattened


def _list_writer(target: Any) -> Callable[[list[Any]], None] | None:
    if not isinstance(target, list):
        return None

    def put(numbers: list[Any]) -> None:
        target[:] = numbers

    return put


def _field_writer(records: Sequence[Any], name: str) -> Callable[[list[Any]], None] | None:
    if isinstance(records[0], tuple) or type(records[0]).__dataclass_params__.frozen:
        return None

    def put(numbers: list[Any]) -> None:
        for record, number in zip(records, numbers, strict=True):
            setattr(record, name, number)

    return put


Number = Callable[[ScalarArg, Any], Any]
"""How a number comes back: as a derivative, or as the value that it is."""


def derivative(arg: ScalarArg, value: Any) -> Any:
    """Derivatives of numbers are Python floats."""
    return float(value)


def exact(arg: ScalarArg, value: Any) -> Any:
    """A value of the program: a Python number, or a NumPy scalar of a type that Python has none for."""
    if arg.weak or arg.dtype in ("f64", "i64", "bool"):
        return value
    return np.dtype(NUMPY_NAMES[arg.dtype]).type(value)


def rebuild(arg: ArgType, leaf: Iterator[LeafValue], number: Number = derivative) -> Any:
    """The structure that `arg` describes with the next leaf values in place of its own.

    Arrays come back as they are, lists of numbers as lists; what has no derivative (None among the leaf values, static
    parts) is None.
    """
    if isinstance(arg, ScalarArg):
        value = next(leaf)
        return None if value is None else number(arg, value)
    if isinstance(arg, ArrayArg):
        return next(leaf)
    if isinstance(arg, SequenceArg):
        items = [rebuild(item, leaf, number) for item in arg.items]
        return items if arg.kind == "list" else tuple(items)
    if isinstance(arg, RecordArg):
        return record(arg.cls, [(name, rebuild(field, leaf, number)) for name, field in arg.fields])
    if isinstance(arg, DictArg):
        return {key: rebuild(item, leaf, number) for key, item in zip(arg.keys, arg.items, strict=True)}
    if isinstance(arg, UniformArg):
        column = _rebuild_column(arg.item, leaf, number)
        return column if arg.kind == "list" or column is None else tuple(column)
    return None


def _rebuild_column(item: ArgType, leaf: Iterator[LeafValue], number: Number) -> list[Any] | None:
    if isinstance(item, RecordArg):
        columns = [(name, _rebuild_column(field, leaf, number)) for name, field in item.fields]
        length = next((len(column) for _, column in columns if column is not None), 0)
        rows = [[(name, column[k] if column else None) for name, column in columns] for k in range(length)]
        return [record(item.cls, row) for row in rows]
    if isinstance(item, StaticArg):
        return None
    value = next(leaf)
    if value is None:
        return None
    if isinstance(item, ScalarArg):
        return [number(item, v) for v in value.tolist()]
    return list(value)


def record(cls: type, fields: Sequence[tuple[str, Any]]) -> Any:
    """An instance of a named tuple or dataclass with these field values.

    A dataclass is made without its `__init__`: a derivative need not satisfy what `__post_init__` demands of a value.
    """
    if issubclass(cls, tuple):
        return tuple.__new__(cls, [value for _, value in fields])
    made = object.__new__(cls)
    for name, value in fields:
        object.__setattr__(made, name, value)
    return made


def zeros(value: LeafValue) -> LeafValue:
    """A zero shadow of a leaf value: same shape and dtype, C-contiguous."""
    if isinstance(value, tuple):
        return tuple(np.zeros(item.shape, item.dtype) for item in value)
    if isinstance(value, np.ndarray):
        return np.zeros(value.shape, value.dtype)
    return 0.0


def is_number(value: LeafValue) -> bool:
    """True for a scalar leaf's value."""
    return not isinstance(value, (np.ndarray, tuple))


def arrays(value: LeafValue) -> tuple[NDArray, ...]:
    """The arrays of a leaf value; none for a number."""
    if isinstance(value, tuple):
        return value
    return (value,) if isinstance(value, np.ndarray) else ()
