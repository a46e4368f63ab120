"""What a `for` runs over: arrays, lists, ranges, and the iterators made of them."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.elements import dim
from adcore.frontend.numpy.indexing.views import view
from adcore.frontend.numpy.materialise import computed
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    Abstract,
    Array,
    Const,
    Expanded,
    Items,
    Lazy,
    ListRef,
    Num,
    Poison,
    Range,
    Reshaped,
    Stream,
    Uniform,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.lists import dynamic_item
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.scalars import minimum
from adcore.frontend.values.sequences import (
    is_named_tuple,
    range_item,
    row,
    sequence_length,
    static_items,
    static_length,
    trip_count,
    uniform_item,
)
from adcore.ir.types import I64


def stream_of(frame: Frame, node: ast.AST, value: Abstract) -> Stream | None:
    """What iterating over `value` gives; reports what can't be iterated over."""
    if isinstance(value, Stream):
        return value
    if isinstance(value, Range):
        return Stream(trip_count(frame, value), lambda k: range_item(frame, value, k), "range")
    if isinstance(value, Uniform):
        length = sequence_length(frame, value)
        return Stream(length, lambda k: uniform_item(frame, value, materialise(frame, k, I64)), "list")
    if isinstance(value, (Items, ListRef)) or is_named_tuple(value):
        return Stream(sequence_length(frame, value), lambda k: _static_item(frame, node, value, k), "tuple", True)
    if isinstance(value, Lazy):
        return stream_of(frame, node, computed(frame, node, value))
    if isinstance(value, (Expanded, Reshaped)):
        owner = value
        return Stream(owner.shape[0], lambda k: view(frame, node, owner, [k]), "array")
    if isinstance(value, Array) and value.rank:
        return Stream(dim(frame, value, 0), lambda k: row(frame, value, materialise(frame, k, I64)), "array")
    if isinstance(value, Array):
        frame.error(node, "iteration over a 0-d array", "pass an array of rank 1 or more")
    elif not isinstance(value, Poison):
        frame.error(node, f"{describe(value)} can't be iterated over", "loop over a range, an array, a tuple or a list")
    return None


def consume(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    """`value`, about to be run over: an iterator can be that only once."""
    if not isinstance(value, Stream):
        return value
    if any(value is used for used in frame.session.used_up):
        return frame.error(node, f"this {value.what} is used up by what ran over it before", "make a new one")
    frame.session.used_up.append(value)
    return value


def _static_item(frame: Frame, node: ast.AST, value: Abstract, k: Abstract) -> Abstract:
    items = static_items(frame, value)
    position = as_static_int(k)
    if position is not None:
        return items[position] if position < len(items) else frame.error(node, "the list shrinks during the loop")
    return dynamic_item(frame, node, value, materialise(frame, k, I64))


def enumerated(frame: Frame, stream: Stream, start: Abstract) -> Stream:
    counting = Range(start, start, Const(1))
    return Stream(
        stream.length, lambda k: Items((range_item(frame, counting, k), stream.item(k))), "enumerate", stream.mixed
    )


def zipped(frame: Frame, node: ast.AST, streams: list[Stream]) -> Stream:
    if not streams:
        return Stream(Const(0), lambda k: Items(()), "zip")
    shortest = minimum(frame, node, [s.length for s in streams], ast.Lt)
    return Stream(shortest, lambda k: Items(tuple(s.item(k) for s in streams)), "zip", any(s.mixed for s in streams))


def reverse(frame: Frame, stream: Stream) -> Stream:
    known = as_static_int(stream.length)

    def item(k: Abstract) -> Abstract:
        position = as_static_int(k)
        if known is not None and position is not None:
            return stream.item(Const(known - 1 - position))
        last = frame.emit("sub", materialise(frame, stream.length, I64), frame.const(1), exact=True)
        return stream.item(Num(frame.emit("sub", last, materialise(frame, k, I64), exact=True)))

    return Stream(stream.length, item, "reversed", stream.mixed)


def reversed_range(frame: Frame, value: Range) -> Range:
    """`reversed(range(...))` as a range."""
    known, step = static_length(frame, value), as_static_int(value.step)
    if known is not None:
        back = range(*(as_static_int(v) or 0 for v in (value.lo, value.hi, value.step)))[::-1]
        return Range(Const(back.start), Const(back.stop), Const(back.step))
    one = frame.const(1)
    if step == 1:
        lo, hi = materialise(frame, value.lo, I64), materialise(frame, value.hi, I64)
        before = Const(value.lo.value - 1) if isinstance(value.lo, Const) else Num(frame.emit("sub", lo, one))
        return Range(Num(frame.emit("sub", hi, one)), before, Const(-1))
    trips = materialise(frame, trip_count(frame, value), I64)
    lo, s = materialise(frame, value.lo, I64), materialise(frame, value.step, I64)
    last = frame.emit("add", lo, frame.emit("mul", frame.emit("sub", trips, one), s))
    negative: Abstract = Const(-step) if step is not None else Num(frame.emit("neg", s))
    return Range(Num(last), Num(frame.emit("sub", lo, s)), negative)
