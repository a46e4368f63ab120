"""Targets of assignments and loops: names, tuples of targets, elements and slices."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.elements import ARRAY_EXPRESSIONS, check_length, dim, fill, is_list, load, store, writeable
from adcore.frontend.numpy.indexing.arrays import is_special, put_selected
from adcore.frontend.numpy.indexing.slices import locate, subscripts
from adcore.frontend.numpy.materialise import in_memory, put_array, settled
from adcore.frontend.session import Frame, name_value
from adcore.frontend.values.abstract import (
    Abstract,
    Array,
    Const,
    Expanded,
    Items,
    Lazy,
    ListRef,
    Masked,
    Poison,
    Record,
    Reshaped,
    Stream,
    Uniform,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.iterables import consume, stream_of
from adcore.frontend.values.lists import check_list_store, store_item
from adcore.frontend.values.scalars import fail
from adcore.frontend.values.sequences import static_items, static_length


def assign(frame: Frame, target: ast.expr, value: Abstract) -> None:
    """Bind a target of an assignment or of a loop."""
    if isinstance(target, ast.Name):
        value = in_memory(frame, target, value)
        frame.state.locals[target.id] = value
        name_value(value, target.id)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(frame, target, value)
    elif isinstance(target, ast.Subscript):
        value, place = settled(frame, target, value, target, lambda: _owner_and_parts(frame, target))
        assert isinstance(place, Items)
        owner, *parts = place.items
        with frame.at(target):
            store_into(frame, target, owner, parts, value)
    elif isinstance(target, ast.Attribute):
        frame.evaluate(target.value)
        frame.error(
            target,
            "assigning to an attribute is not supported",
            "keep the value in an array of length 1, or return it",
            "assigned here",
        )
    else:
        frame.error(target, "this assignment target is not supported", "assign to names one by one")


def _owner_and_parts(frame: Frame, target: ast.Subscript) -> Items:
    owner = frame.evaluate(target.value)
    return Items((owner, *subscripts(frame, target.slice)))


def _unpack(frame: Frame, target: ast.Tuple | ast.List, value: Abstract) -> None:
    """`a, b = value` and `a, *b = value`."""
    stars = [k for k, part in enumerate(target.elts) if isinstance(part, ast.Starred)]
    value = consume(frame, target, in_memory(frame, target, value))
    stream = None if isinstance(value, Poison) else stream_of(frame, target, value)
    items = None if stream is None else _unpacked(frame, target, stream, starred=bool(stars))
    if items is None:
        _poison_targets(frame, target)
        return
    if stars:
        (star,) = stars
        after = len(target.elts) - star - 1
        middle = frame.new_list(tuple(items[star : len(items) - after]), frame.span(target))
        items = [*items[:star], middle, *items[len(items) - after :]]
    for part, item in zip(target.elts, items, strict=True):
        assign(frame, part.value if isinstance(part, ast.Starred) else part, item)


def _unpacked(frame: Frame, target: ast.Tuple | ast.List, stream: Stream, starred: bool) -> list[Abstract] | None:
    """The items for the targets; raises ValueError at run time if there are too few or too many."""
    wanted = len(target.elts) - starred
    length = static_length(frame, stream)
    if length is None:
        if starred:
            frame.error(target, "`*` needs a length that is known while compiling", "assign the items one by one")
            return None
        # Python words this in two ways; which of them depends on the length.
        check_length(frame, Const(wanted), stream.length, "expected {0} values to unpack, got {1}")
        length = wanted
    elif length < wanted or (length > wanted and not starred):
        least = "at least " if starred else ""
        few = f"not enough values to unpack (expected {least}{wanted}, got {length})"
        fail(frame, "ValueError", few if length < wanted else f"too many values to unpack (expected {wanted})")
        return None
    return [stream.item(Const(k)) for k in range(length)]


def _poison_targets(frame: Frame, target: ast.Tuple | ast.List) -> None:
    for part in target.elts:
        assign(frame, part.value if isinstance(part, ast.Starred) else part, Poison())


def store_into(frame: Frame, node: ast.Subscript, owner: Abstract, parts: list[Abstract], value: Abstract) -> None:
    """`owner[parts] = value`."""
    if isinstance(owner, Poison) or isinstance(value, Poison) or any(isinstance(p, Poison) for p in parts):
        return
    if isinstance(owner, (Array, Expanded, Reshaped)) and not is_list(owner) and is_special(owner, parts):
        put_selected(frame, node, owner, parts, value)
        return
    if isinstance(owner, (ListRef, Array)) and isinstance(value, Lazy) and is_list(owner):
        value = in_memory(frame, node, value)
    if isinstance(owner, ListRef) and len(parts) == 1:
        store_item(frame, node, owner, parts[0], value)
    elif isinstance(owner, Array):
        _store_array(frame, node, owner, parts, value)
    elif isinstance(owner, (Items, Uniform, Record)):
        frame.error(
            node,
            "items of tuples, and of lists that come from outside the function, can't be replaced",
            "pass a NumPy array, or store into the arrays that the list holds: `xs[i][:] = ...`",
        )
    else:
        frame.error(node, f"{describe(owner)} does not support item assignment")


def _store_array(frame: Frame, node: ast.Subscript, owner: Array, parts: list[Abstract], value: Abstract) -> None:
    check_list_store(frame, owner, value)
    place = locate(frame, node, owner, parts)
    if place is None:
        return
    target, index = place
    if isinstance(value, Array) and value.rank == 0:
        value = load(frame, value, ())
    if index is not None:
        if not is_scalar(value):
            frame.error(node, f"{describe(value)} can't be stored into an element", "store a number")
        elif writeable(frame, target):
            store(frame, node, value, target, index)
        return
    if is_scalar(value):
        fill(frame, node, target, value)
    elif isinstance(value, Array) or is_array(value):
        put_array(frame, node, target, in_memory(frame, node, value) if isinstance(value, Masked) else value)
    elif isinstance(value, (Items, ListRef)) and target.rank == 1:
        _store_items(frame, node, target, static_items(frame, value))
    else:
        frame.error(node, f"{describe(value)} can't be stored into a slice", ARRAY_EXPRESSIONS)


def _store_items(frame: Frame, node: ast.Subscript, target: Array, items: tuple[Abstract, ...]) -> None:
    """`x[:] = a, b, c`."""
    if not all(map(is_scalar, items)):
        frame.error(node, "only numbers can be stored into a slice", ARRAY_EXPRESSIONS)
    elif writeable(frame, target):
        message = "could not broadcast input array from shape ({1},) into shape ({0},)"
        check_length(frame, dim(frame, target, 0), Const(len(items)), message)
        for k, item in enumerate(items):
            store(frame, node, item, target, [frame.const(k)])
