"""Things with a length: tuples, lists, ranges, rows of arrays, arguments of like items."""

from __future__ import annotations

from collections.abc import Iterator

from adcore.frontend.numpy.elements import dim, load, loaded
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    Abstract,
    Array,
    Const,
    Items,
    ListRef,
    Num,
    Range,
    Record,
    Stream,
    Uniform,
    is_scalar,
)
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.scalars import python_message
from adcore.frontend.values.weak_types import certain
from adcore.ir.core import Value
from adcore.ir.types import I64, ArrayType, ListType
from adcore.signature import ArgType, ArrayArg, RecordArg, ScalarArg, SequenceArg, StaticArg, UniformArg, leaves


def is_named_tuple(value: Abstract) -> bool:
    return isinstance(value, Record) and issubclass(value.cls, tuple)


def is_sequence(value: Abstract) -> bool:
    """Whether `len` works on it (arrays apart; iterators have no length in Python)."""
    if isinstance(value, Array):
        return value.literal is not None
    return isinstance(value, (Items, ListRef, Uniform, Range)) or is_named_tuple(value)


def static_items(frame: Frame, value: Abstract) -> tuple[Abstract, ...]:
    """The items of a tuple, list or named tuple."""
    if isinstance(value, Items):
        return value.items
    if isinstance(value, Record):
        return tuple(item for _, item in value.fields)
    assert isinstance(value, ListRef)
    return frame.list_items(value)


def sequence_length(frame: Frame, value: Abstract) -> Abstract:
    """`len(value)`."""
    if isinstance(value, Array):
        return dim(frame, value, 0)
    if isinstance(value, Stream):
        return value.length
    if isinstance(value, Range):
        return trip_count(frame, value)
    if isinstance(value, Uniform):
        (first, *_) = value.leaves
        return Num(frame.emit("count", first) if isinstance(first.type, ListType) else frame.emit("dim", first, axis=0))
    return Const(len(static_items(frame, value)))


def static_length(frame: Frame, value: Abstract) -> int | None:
    """The length of a sequence, if it is known without emitting anything."""
    if isinstance(value, (Items, ListRef)) or is_named_tuple(value):
        return len(static_items(frame, value))
    if isinstance(value, Stream):
        return as_static_int(value.length)
    if isinstance(value, Range):
        bounds = [as_static_int(v) for v in (value.lo, value.hi, value.step)]
        if any(b is None for b in bounds) or bounds[2] == 0:
            return None
        return len(range(*bounds))  # type: ignore[arg-type]
    if isinstance(value, Array) and value.shape:
        return as_static_int(value.shape[0])
    return None


def trip_count(frame: Frame, value: Range) -> Abstract:
    """How many numbers a range has."""
    known = static_length(frame, value)
    if known is not None:
        return Const(known)
    lo, hi = materialise(frame, value.lo, I64), materialise(frame, value.hi, I64)
    zero = frame.const(0)
    step = as_static_int(value.step)
    if step is None:
        s = materialise(frame, value.step, I64)
        frame.check(frame.emit("ne", s, zero), *python_message(range, 0, 1, 0))
        up = frame.emit("gt", s, zero)
        distance = frame.emit("select", up, frame.emit("sub", hi, lo), frame.emit("sub", lo, hi))
        size = frame.emit("abs", s)
        rounded = frame.emit("add", distance, frame.emit("sub", size, frame.const(1), exact=True))
        return Num(frame.emit("maximum", frame.emit("floordiv", rounded, size), zero))
    distance = hi if lo is zero and step == 1 else frame.emit("sub", *((hi, lo) if step > 0 else (lo, hi)))
    if abs(step) > 1:
        distance = frame.emit("add", distance, frame.const(abs(step) - 1))
        distance = frame.emit("floordiv", distance, frame.const(abs(step)))
    return Num(frame.emit("maximum", distance, zero))


def range_item(frame: Frame, value: Range, k: Abstract) -> Abstract:
    """The `k`-th number of a range (0 <= k < length), which fits whenever the bounds do."""
    numbers = [as_static_int(v) for v in (value.lo, value.step, k)]
    if all(n is not None for n in numbers):
        lo, step, position = (n or 0 for n in numbers)
        return Const(lo + step * position)
    x = materialise(frame, k, I64)
    if numbers[1] != 1:
        x = frame.emit("mul", x, materialise(frame, value.step, I64), exact=True)
    return Num(x if numbers[0] == 0 else frame.emit("add", materialise(frame, value.lo, I64), x, exact=True))


def row(frame: Frame, array: Array, k: Value) -> Abstract:
    """`array[k]` for a normalised `k`: an element or a view."""
    if array.rank == 1:
        return load(frame, array, [k])
    operands, shape = [k], []
    for axis in range(1, array.rank):
        length = dim(frame, array, axis)
        shape.append(length)
        operands += [frame.const(0), materialise(frame, length, I64), frame.const(1)]
    value = frame.emit("view", array.value, *operands, axes="i" + "s" * (array.rank - 1), whole=True)
    return Array(value, array.root, array.writeable, array.kind, None, tuple(shape), array.local)


def uniform_item(frame: Frame, value: Uniform, k: Value) -> Abstract:
    """One item of a list or tuple argument, `k` normalised."""
    values: list[Value] = []
    for leaf in value.leaves:
        values.append(frame.emit("item", leaf, k) if isinstance(leaf.type, ListType) else frame.emit("load", leaf, k))
    return from_leaves(frame, value.item, iter(zip(values, value.writeable, value.roots, strict=True)))


Leaves = Iterator[tuple[Value, bool, Value]]
"""IR value, whether it may be written to, and its root."""


def from_leaves(frame: Frame, arg: ArgType, values: Leaves) -> Abstract:
    """The abstract value of an argument whose leaves are `values`, in order."""
    if isinstance(arg, StaticArg):
        return Const(arg.value)
    if isinstance(arg, ScalarArg):
        value, _, _ = next(values)
        return loaded(frame, value, certain(arg.weak))
    if isinstance(arg, ArrayArg):
        value, writeable, root = next(values)
        assert isinstance(value.type, ArrayType)
        # One value for each length, so that equal lengths are seen to be equal.
        shape = tuple(_argument_length(frame, value, axis) for axis in range(arg.rank))
        return Array(value, root, writeable, shape=shape)
    if isinstance(arg, UniformArg):
        own = [next(values) for _ in leaves(arg.item, "")]
        return Uniform(arg.kind, arg.item, *(tuple(part) for part in zip(*own, strict=True)))
    if isinstance(arg, SequenceArg):
        items = tuple(from_leaves(frame, item, values) for item in arg.items)
        # A list argument is treated as a tuple: storing into it would have to reach the caller's list.
        return Items(items)
    assert isinstance(arg, RecordArg)
    return Record(arg.cls, tuple((name, from_leaves(frame, field, values)) for name, field in arg.fields))


def _argument_length(frame: Frame, array: Value, axis: int) -> Abstract:
    if (array, axis) in frame.session.ones:
        return Const(1)
    length = frame.emit("dim", array, axis=axis)
    frame.session.lengths[length] = array, axis
    return Num(length)


def all_scalars(items: tuple[Abstract, ...]) -> bool:
    return all(map(is_scalar, items))
