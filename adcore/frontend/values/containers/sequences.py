"""Things with a length: tuples, lists, ranges, rows of arrays, arguments of like items."""

from __future__ import annotations

from collections.abc import Iterator

from adcore.frontend.numpy.elements import dim, load, loaded
from adcore.frontend.objects.bound import bound_function
from adcore.frontend.objects.slots import argument_object
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    Constant,
    Items,
    IterableValue,
    ListRef,
    Num,
    OutsideDict,
    Range,
    Record,
    Uniform,
    is_grown,
    is_scalar,
)
from adcore.frontend.values.containers.lengths import static_argument_length
from adcore.frontend.values.messages import python_message
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.weak_types import certain
from adcore.instances import BOUND
from adcore.ir.core import Value
from adcore.ir.types import I64, ArrayType, ListType
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


def is_named_tuple(value: Abstract) -> bool:
    return isinstance(value, Record) and issubclass(value.cls, tuple)


def is_sequence(value: Abstract) -> bool:
    """Whether `len` works on it (arrays apart; iterators have no length in Python)."""
    if isinstance(value, ArrayRef):
        return value.literal is not None
    return isinstance(value, (Items, ListRef, Uniform, Range)) or is_named_tuple(value)


def static_items(scope: FunctionScope, value: Abstract) -> tuple[Abstract, ...]:
    """The items of a tuple, list or named tuple."""
    if isinstance(value, Items):
        return value.items
    if isinstance(value, Record):
        return tuple(item for _, item in value.fields)
    assert isinstance(value, ListRef)
    items = scope.list_items(value)
    if is_grown(items):
        title = "a list whose length is only known at run time is used here"
        scope.error(scope.builder.span or scope.span(scope.node), title, "make an array of it: np.array(items)")
        return ()
    return items


def sequence_length(scope: FunctionScope, value: Abstract) -> Abstract:
    """`len(value)`."""
    if isinstance(value, ArrayRef):
        return dim(scope, value, 0)
    if isinstance(value, IterableValue):
        return value.length
    if isinstance(value, Range):
        return trip_count(scope, value)
    if isinstance(value, Uniform):
        (first, *_) = value.leaves
        if (known := static_argument_length(scope, first, 0)) is not None:
            return Constant(known)
        is_list = isinstance(first.type, ListType)
        length = scope.emit("count", first) if is_list else scope.emit("dim", first, axis=0)
        scope.session.measured[length] = first, 0
        return Num(length)
    if isinstance(value, ListRef) and is_grown(items := scope.list_items(value)):
        return items[2]
    return Constant(len(static_items(scope, value)))


def static_length(scope: FunctionScope, value: Abstract) -> int | None:
    """The length of a sequence, if it is known without emitting anything."""
    if isinstance(value, ListRef) and is_grown(scope.list_items(value)):
        return None
    if isinstance(value, (Items, ListRef)) or is_named_tuple(value):
        return len(static_items(scope, value))
    if isinstance(value, IterableValue):
        return as_static_int(value.length)
    if isinstance(value, Range):
        bounds = [as_static_int(v) for v in (value.lo, value.hi, value.step)]
        if any(b is None for b in bounds) or bounds[2] == 0:
            return None
        return len(range(*bounds))  # type: ignore[arg-type]
    if isinstance(value, ArrayRef) and value.shape:
        return as_static_int(value.shape[0])
    return None


def trip_count(scope: FunctionScope, value: Range) -> Abstract:
    """How many numbers a range has."""
    known = static_length(scope, value)
    if known is not None:
        return Constant(known)
    lo, hi = materialise(scope, value.lo, I64), materialise(scope, value.hi, I64)
    zero = scope.const(0)
    step = as_static_int(value.step)
    if step is None:
        s = materialise(scope, value.step, I64)
        scope.check(scope.emit("ne", s, zero), *python_message(range, 0, 1, 0))
        up = scope.emit("gt", s, zero)
        distance = scope.emit("select", up, scope.emit("sub", hi, lo), scope.emit("sub", lo, hi))
        size = scope.emit("abs", s)
        rounded = scope.emit("add", distance, scope.emit("sub", size, scope.const(1), exact=True))
        return Num(scope.emit("maximum", scope.emit("floordiv", rounded, size), zero))
    distance = hi if lo is zero and step == 1 else scope.emit("sub", *((hi, lo) if step > 0 else (lo, hi)))
    if abs(step) > 1:
        distance = scope.emit("add", distance, scope.const(abs(step) - 1))
        distance = scope.emit("floordiv", distance, scope.const(abs(step)))
    return Num(scope.emit("maximum", distance, zero))


def range_item(scope: FunctionScope, value: Range, k: Abstract) -> Abstract:
    """The `k`-th number of a range (0 <= k < length), which fits whenever the bounds do."""
    numbers = [as_static_int(v) for v in (value.lo, value.step, k)]
    if all(n is not None for n in numbers):
        lo, step, position = (n or 0 for n in numbers)
        return Constant(lo + step * position)
    x = materialise(scope, k, I64)
    if numbers[1] != 1:
        x = scope.emit("mul", x, materialise(scope, value.step, I64), exact=True)
    return Num(x if numbers[0] == 0 else scope.emit("add", materialise(scope, value.lo, I64), x, exact=True))


def row(scope: FunctionScope, array: ArrayRef, k: Value) -> Abstract:
    """`array[k]` for a normalised `k`: an element or a view."""
    if array.rank == 1:
        return load(scope, array, [k])
    operands, shape = [k], []
    for axis in range(1, array.rank):
        length = dim(scope, array, axis)
        shape.append(length)
        operands += [scope.const(0), materialise(scope, length, I64), scope.const(1)]
    value = scope.emit("view", array.value, *operands, axes="i" + "s" * (array.rank - 1), whole=True)
    return ArrayRef(value, array.root, array.writeable, array.weak, None, tuple(shape), array.local)


def uniform_item(scope: FunctionScope, value: Uniform, k: Value) -> Abstract:
    """One item of a list or tuple argument, `k` normalised."""
    values: list[Value] = []
    for leaf in value.leaves:
        values.append(scope.emit("item", leaf, k) if isinstance(leaf.type, ListType) else scope.emit("load", leaf, k))
    return from_leaves(scope, value.item, iter(zip(values, value.writeable, value.roots, strict=True)))


LeafPairs = Iterator[tuple[Value, bool, Value]]
"""IR value, whether it may be written to, and its root."""


def from_leaves(scope: FunctionScope, arg: ArgType, values: LeafPairs) -> Abstract:
    """The abstract value of an argument whose leaves are `values`, in order."""
    if isinstance(arg, StaticArg):
        return Constant(arg.value)
    if isinstance(arg, ScalarArg):
        value, _, _ = next(values)
        return loaded(scope, value, certain(arg.weak))
    if isinstance(arg, ArrayArg):
        value, writeable, root = next(values)
        assert isinstance(value.type, ArrayType)
        # One value for each length, so that equal lengths are seen to be equal.
        shape = tuple(_argument_length(scope, value, axis) for axis in range(arg.rank))
        return ArrayRef(value, root, writeable, shape=shape)
    if isinstance(arg, UniformArg):
        own = [next(values) for _ in leaves(arg.item, "")]
        return Uniform(arg.kind, arg.item, *(tuple(part) for part in zip(*own, strict=True)))
    if isinstance(arg, SequenceArg):
        items = tuple(from_leaves(scope, item, values) for item in arg.items)
        # A list argument is treated as a tuple: storing into it would have to reach the caller's list.
        return Items(items)
    if isinstance(arg, ObjectArg) and arg.cls in BOUND:
        return bound_function(dict(arg.fields), lambda part: from_leaves(scope, part, values))
    if isinstance(arg, ObjectArg):
        return argument_object(scope, arg, values, from_leaves)
    if isinstance(arg, SameArg):
        return scope.session.instances.met[arg.path]
    if isinstance(arg, DictArg):
        items = tuple(from_leaves(scope, item, values) for item in arg.items)
        return OutsideDict(arg.keys, items.__getitem__)
    assert isinstance(arg, RecordArg)
    return Record(arg.cls, tuple((name, from_leaves(scope, field, values)) for name, field in arg.fields))


def _argument_length(scope: FunctionScope, array: Value, axis: int) -> Abstract:
    if (array, axis) in scope.session.ones:
        return Constant(1)
    if (known := static_argument_length(scope, array, axis)) is not None:
        return Constant(known)
    length = scope.emit("dim", array, axis=axis)
    scope.session.lengths[length] = scope.session.measured[length] = array, axis
    return Num(length)


def all_scalars(items: tuple[Abstract, ...]) -> bool:
    return all(map(is_scalar, items))
