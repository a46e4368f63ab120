"""What a `for` runs over: arrays, lists, ranges, and the iterators made of them."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.elements import dim
from adcore.frontend.numpy.indexing.views import view
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    BooleanIndexed,
    Constant,
    DictRef,
    Expanded,
    Items,
    IterableValue,
    Lazy,
    ListRef,
    Num,
    ObjectRef,
    OutsideDict,
    Poison,
    Range,
    Reshaped,
    Uniform,
)
from adcore.frontend.values.containers.dicts import as_abstract, keys_of
from adcore.frontend.values.containers.growing import as_list
from adcore.frontend.values.containers.lengths import items_of, needed_length
from adcore.frontend.values.containers.lists import dynamic_item
from adcore.frontend.values.containers.sequences import (
    is_named_tuple,
    range_item,
    row,
    sequence_length,
    static_items,
    static_length,
    trip_count,
    uniform_item,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import minimum
from adcore.ir.types import I64


def iterable_of(scope: FunctionScope, node: ast.AST, value: Abstract) -> IterableValue | None:
    """What iterating over `value` gives; reports what can't be iterated over."""
    if isinstance(value, IterableValue):
        return value
    value = as_list(scope, value)
    if isinstance(value, Range):
        return IterableValue(trip_count(scope, value), lambda k: range_item(scope, value, k), "range")
    if isinstance(value, Uniform):
        length = sequence_length(scope, value)
        return IterableValue(length, lambda k: uniform_item(scope, value, materialise(scope, k, I64)), "list")
    if isinstance(value, (Items, ListRef)) or is_named_tuple(value):
        return IterableValue(
            sequence_length(scope, value), lambda k: _static_item(scope, node, value, k), "tuple", True
        )
    if isinstance(value, (DictRef, OutsideDict)):
        return iterable_of(scope, node, Items(tuple(map(as_abstract, keys_of(scope, value)))))
    if isinstance(value, (Lazy, BooleanIndexed)):
        return iterable_of(scope, node, in_memory(scope, node, value))
    if isinstance(value, (Expanded, Reshaped)):
        owner = value
        return IterableValue(owner.shape[0], lambda k: view(scope, node, owner, [k]), "array")
    if isinstance(value, ArrayRef) and value.rank:
        return IterableValue(dim(scope, value, 0), lambda k: row(scope, value, materialise(scope, k, I64)), "array")
    if isinstance(value, ObjectRef) and (found := scope.special(node, value, "__iter__")) is not None:
        return iterable_of(scope, node, found)
    if isinstance(value, ArrayRef):
        scope.error(node, "iteration over a 0-d array", "pass an array of rank 1 or more")
    elif not isinstance(value, Poison):
        scope.error(node, f"{describe(value)} can't be iterated over", "loop over a range, an array, a tuple or a list")
    return None


def consume(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """`value`, about to be run over: an iterator can be that only once."""
    if not isinstance(value, IterableValue):
        return value
    if any(value is used for used in scope.session.used_up):
        return scope.error(node, f"this {value.what} is used up by what ran over it before", "make a new one")
    scope.session.used_up.append(value)
    return value


UNKNOWN_STAR = "`*` needs a length that is known while compiling"


def starred(scope: FunctionScope, node: ast.AST, value: Abstract) -> list[Abstract] | None:
    """The items of `*value`; None where they are not known, which is reported."""
    if isinstance(value, (Items, ListRef)) and static_length(scope, value) is not None:
        return list(static_items(scope, value))
    if isinstance(value, Poison):
        return None
    iterable = iterable_of(scope, node, consume(scope, node, in_memory(scope, node, value)))
    return items_of(scope, node, iterable, UNKNOWN_STAR, "unpack an argument, or name the items one by one")


def _static_item(scope: FunctionScope, node: ast.AST, value: Abstract, k: Abstract) -> Abstract:
    items = static_items(scope, value)
    position = as_static_int(k)
    if position is not None:
        return items[position] if position < len(items) else scope.error(node, "the list shrinks during the loop")
    return dynamic_item(scope, node, value, materialise(scope, k, I64))


def enumerated(scope: FunctionScope, iterable: IterableValue, start: Abstract) -> IterableValue:
    counting = Range(start, start, Constant(1))
    return IterableValue(
        iterable.length,
        lambda k: Items((range_item(scope, counting, k), iterable.item(k))),
        "enumerate",
        iterable.mixed,
    )


def zipped(scope: FunctionScope, node: ast.AST, iterables: list[IterableValue]) -> IterableValue:
    if not iterables:
        return IterableValue(Constant(0), lambda k: Items(()), "zip")
    known = [n for s in iterables if s.mixed and (n := as_static_int(s.length)) is not None]
    if known and any(as_static_int(s.length) is None for s in iterables):
        # Items of several kinds can't be chosen at run time: the others have to be as many.
        return _zipped_with_kinds(scope, node, iterables)
    shortest = minimum(scope, node, [s.length for s in iterables], ast.Lt)
    return IterableValue(
        shortest, lambda k: Items(tuple(s.item(k) for s in iterables)), "zip", any(s.mixed for s in iterables)
    )


def _zipped_with_kinds(scope: FunctionScope, node: ast.AST, iterables: list[IterableValue]) -> IterableValue:
    title, help = "zip of items of several kinds or shapes, and of an unknown number of others", "zip arguments"
    lengths = [needed_length(scope, node, s.length, title, help) for s in iterables]
    known = [0 if length is None else length for length in lengths]
    return IterableValue(Constant(min(known)), lambda k: Items(tuple(s.item(k) for s in iterables)), "zip", True)


def reverse(scope: FunctionScope, iterable: IterableValue) -> IterableValue:
    known = as_static_int(iterable.length)

    def item(k: Abstract) -> Abstract:
        position = as_static_int(k)
        if known is not None and position is not None:
            return iterable.item(Constant(known - 1 - position))
        last = scope.emit("sub", materialise(scope, iterable.length, I64), scope.const(1), exact=True)
        return iterable.item(Num(scope.emit("sub", last, materialise(scope, k, I64), exact=True)))

    return IterableValue(iterable.length, item, "reversed", iterable.mixed)


def reversed_range(scope: FunctionScope, value: Range) -> Range:
    """`reversed(range(...))` as a range."""
    known, step = static_length(scope, value), as_static_int(value.step)
    if known is not None:
        back = range(*(as_static_int(v) or 0 for v in (value.lo, value.hi, value.step)))[::-1]
        return Range(Constant(back.start), Constant(back.stop), Constant(back.step))
    one = scope.const(1)
    if step == 1:
        lo, hi = materialise(scope, value.lo, I64), materialise(scope, value.hi, I64)
        before = Constant(value.lo.value - 1) if isinstance(value.lo, Constant) else Num(scope.emit("sub", lo, one))
        return Range(Num(scope.emit("sub", hi, one)), before, Constant(-1))
    trips = materialise(scope, trip_count(scope, value), I64)
    lo, s = materialise(scope, value.lo, I64), materialise(scope, value.step, I64)
    last = scope.emit("add", lo, scope.emit("mul", scope.emit("sub", trips, one), s))
    negative: Abstract = Constant(-step) if step is not None else Num(scope.emit("neg", s))
    return Range(Num(last), Num(scope.emit("sub", lo, s)), negative)
