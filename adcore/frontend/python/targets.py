"""Targets of assignments and loops: names, tuples of targets, elements and slices."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.elements import ARRAY_EXPRESSIONS, check_length, dim, fill, is_list, load, store, writeable
from adcore.frontend.numpy.indexing.arrays import is_special, put_selected
from adcore.frontend.numpy.indexing.slices import locate, subscripts
from adcore.frontend.numpy.materialise import in_memory, put_array, settled
from adcore.frontend.objects.attributes import store_attribute
from adcore.frontend.session import FunctionScope, name_value
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    BooleanIndexed,
    Constant,
    Expanded,
    Items,
    IterableValue,
    Lazy,
    ListRef,
    ObjectRef,
    Poison,
    Record,
    Reshaped,
    Uniform,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.dicts import is_dict, store_at
from adcore.frontend.values.containers.growing import as_list
from adcore.frontend.values.containers.iterables import UNKNOWN_STAR, consume, iterable_of
from adcore.frontend.values.containers.lengths import items_of
from adcore.frontend.values.containers.lists import check_list_store, store_item
from adcore.frontend.values.containers.sequences import static_items, static_length
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.scalars import fail


def assign(scope: FunctionScope, target: ast.expr, value: Abstract) -> None:
    """Bind a target of an assignment or of a loop."""
    if isinstance(target, ast.Name):
        value = in_memory(scope, target, value)
        scope.state.locals[target.id] = value
        name_value(value, target.id)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(scope, target, value)
    elif isinstance(target, ast.Subscript):
        value, place = settled(scope, target, value, target, lambda: _owner_and_parts(scope, target))
        assert isinstance(place, Items)
        owner, *parts = place.items
        with scope.at(target):
            store_into(scope, target, owner, parts, value)
    elif isinstance(target, ast.Attribute):
        value, owner = settled(scope, target, value, target, lambda: scope.evaluate(target.value))
        store_attribute(scope, target, owner, target.attr, in_memory(scope, target, value))
    else:
        scope.error(target, "this assignment target is not supported", "assign to names one by one")


def _owner_and_parts(scope: FunctionScope, target: ast.Subscript) -> Items:
    owner = scope.evaluate(target.value)
    return Items((owner, *subscripts(scope, target.slice)))


def _unpack(scope: FunctionScope, target: ast.Tuple | ast.List, value: Abstract) -> None:
    """`a, b = value` and `a, *b = value`."""
    stars = [k for k, part in enumerate(target.elts) if isinstance(part, ast.Starred)]
    value = consume(scope, target, in_memory(scope, target, value))
    iterable = None if isinstance(value, Poison) else iterable_of(scope, target, value)
    items = None if iterable is None else _unpacked(scope, target, iterable, starred=bool(stars))
    if items is None:
        _poison_targets(scope, target)
        return
    if stars:
        (star,) = stars
        after = len(target.elts) - star - 1
        middle = scope.new_list(tuple(items[star : len(items) - after]), scope.span(target))
        items = [*items[:star], middle, *items[len(items) - after :]]
    for part, item in zip(target.elts, items, strict=True):
        assign(scope, part.value if isinstance(part, ast.Starred) else part, item)


def _unpacked(
    scope: FunctionScope, target: ast.Tuple | ast.List, iterable: IterableValue, starred: bool
) -> list[Abstract] | None:
    """The items for the targets; raises ValueError at run time if there are too few or too many."""
    wanted = len(target.elts) - starred
    length = static_length(scope, iterable)
    if length is None:
        if starred:
            return items_of(scope, target, iterable, UNKNOWN_STAR, "assign the items one by one")
        # Python words this in two ways; which of them depends on the length.
        check_length(scope, Constant(wanted), iterable.length, "expected {0} values to unpack, got {1}")
        length = wanted
    elif length < wanted or (length > wanted and not starred):
        least = "at least " if starred else ""
        few = f"not enough values to unpack (expected {least}{wanted}, got {length})"
        fail(scope, "ValueError", few if length < wanted else f"too many values to unpack (expected {wanted})")
        return None
    return [iterable.item(Constant(k)) for k in range(length)]


def _poison_targets(scope: FunctionScope, target: ast.Tuple | ast.List) -> None:
    for part in target.elts:
        assign(scope, part.value if isinstance(part, ast.Starred) else part, Poison())


def store_into(
    scope: FunctionScope, node: ast.Subscript, owner: Abstract, parts: list[Abstract], value: Abstract
) -> None:
    """`owner[parts] = value`."""
    if isinstance(owner, Poison) or isinstance(value, Poison) or any(isinstance(p, Poison) for p in parts):
        return
    owner = as_list(scope, owner)
    if isinstance(owner, (ArrayRef, Expanded, Reshaped)) and not is_list(owner) and is_special(owner, parts):
        put_selected(scope, node, owner, parts, value)
        return
    if isinstance(owner, ObjectRef):
        key = parts[0] if len(parts) == 1 else Items(tuple(parts))
        if scope.special(node, owner, "__setitem__", key, in_memory(scope, node, value)) is None:
            scope.error(node, f"{describe(owner)} does not support item assignment", "give it a method `__setitem__`")
        return
    if isinstance(owner, (ListRef, ArrayRef)) and isinstance(value, Lazy) and is_list(owner):
        value = in_memory(scope, node, value)
    if is_dict(owner):
        store_at(scope, node, owner, parts[0] if len(parts) == 1 else Items(tuple(parts)), value)
    elif isinstance(owner, ListRef) and len(parts) == 1:
        store_item(scope, node, owner, parts[0], value)
    elif isinstance(owner, ArrayRef):
        _store_array(scope, node, owner, parts, value)
    elif isinstance(owner, (Items, Uniform, Record)):
        scope.error(
            node,
            "items of tuples, and of lists that come from outside the function, can't be replaced",
            "pass a NumPy array, or store into the arrays that the list holds: `xs[i][:] = ...`",
        )
    else:
        scope.error(node, f"{describe(owner)} does not support item assignment")


def _store_array(
    scope: FunctionScope, node: ast.Subscript, owner: ArrayRef, parts: list[Abstract], value: Abstract
) -> None:
    check_list_store(scope, owner, value)
    place = locate(scope, node, owner, parts)
    if place is None:
        return
    target, index = place
    if isinstance(value, ArrayRef) and value.rank == 0:
        value = load(scope, value, ())
    if index is not None:
        if not is_scalar(value):
            scope.error(node, f"{describe(value)} can't be stored into an element", "store a number")
        elif writeable(scope, target):
            store(scope, node, value, target, index)
        return
    if is_scalar(value):
        fill(scope, node, target, value)
    elif isinstance(value, ArrayRef) or is_array(value):
        put_array(scope, node, target, in_memory(scope, node, value) if isinstance(value, BooleanIndexed) else value)
    elif isinstance(value, (Items, ListRef)) and target.rank == 1:
        _store_items(scope, node, target, static_items(scope, value))
    else:
        scope.error(node, f"{describe(value)} can't be stored into a slice", ARRAY_EXPRESSIONS)


def _store_items(scope: FunctionScope, node: ast.Subscript, target: ArrayRef, items: tuple[Abstract, ...]) -> None:
    """`x[:] = a, b, c`."""
    if not all(map(is_scalar, items)):
        scope.error(node, "only numbers can be stored into a slice", ARRAY_EXPRESSIONS)
    elif writeable(scope, target):
        message = "could not broadcast input array from shape ({1},) into shape ({0},)"
        check_length(scope, dim(scope, target, 0), Constant(len(items)), message)
        for k, item in enumerate(items):
            store(scope, node, item, target, [scope.const(k)])
