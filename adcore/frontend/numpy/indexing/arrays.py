"""Subscripts that go beyond elements and slices of an array: which kind they are, and what they mean."""

from __future__ import annotations

import ast
from collections.abc import Callable

from adcore.frontend.numpy.elements import store
from adcore.frontend.numpy.elementwise import operand, operation
from adcore.frontend.numpy.indexing.booleans import boolean_index_of, masks_as_positions, put_boolean
from adcore.frontend.numpy.indexing.integer_arrays import gathered, index_array, scatter
from adcore.frontend.numpy.indexing.views import is_none, place, view
from adcore.frontend.numpy.materialise import (
    Target,
    base,
    can_hold,
    computed,
    in_memory,
    is_writeable,
    put_array,
    settled,
    update,
)
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    POISON,
    Abstract,
    ArrayRef,
    BooleanIndexed,
    Expanded,
    Items,
    Lazy,
    ListRef,
    Poison,
    Reshaped,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.ir.core import Value


def selected(scope: FunctionScope, node: ast.AST, owner: Abstract, parts: list[Abstract]) -> Abstract:
    """`owner[parts]` of an array in memory or not: a number, a view, or what an array of bools or integers selects."""
    if isinstance(owner, Lazy):
        owner = computed(scope, node, owner)
    if isinstance(owner, BooleanIndexed):
        owner = in_memory(scope, node, owner)
    assert isinstance(owner, (ArrayRef, Expanded, Reshaped))
    selects = boolean_index_of(scope, node, owner, parts)
    if isinstance(selects, Poison):
        return POISON
    if selects is not None:
        source = operand(scope, owner)
        assert source is not None
        return BooleanIndexed(source, selects)
    parts = [index_array(scope, node, p) for p in masks_as_positions(scope, node, parts)]
    if any(map(is_array, parts)):
        return gathered(scope, node, owner, parts)
    return view(scope, node, owner, parts)


def is_special(owner: Abstract, parts: list[Abstract]) -> bool:
    """Whether `owner[parts]` is for this module."""
    return isinstance(owner, (Expanded, Reshaped, Lazy, BooleanIndexed)) or any(
        is_none(p) or is_array(p) or isinstance(p, (Items, ListRef)) for p in parts
    )


def put_selected(scope: FunctionScope, node: ast.AST, owner: Target, parts: list[Abstract], value: Abstract) -> None:
    """`owner[parts] = value`."""
    selects = boolean_index_of(scope, node, owner, parts)
    if isinstance(selects, Poison):
        return
    if selects is not None:
        put_boolean(scope, node, owner, selects, value)
        return
    if isinstance(value, BooleanIndexed):
        value = in_memory(scope, node, value)
    parts = [index_array(scope, node, p) for p in masks_as_positions(scope, node, parts)]
    if any(isinstance(p, Poison) for p in parts):
        return
    if any(map(is_array, parts)):
        scatter(scope, node, owner, parts, value)
        return
    found = place(scope, node, owner, parts)
    if found is None:
        return
    target, index = found
    if index is None:
        put_array(scope, node, target, value)
    elif not is_scalar(value):
        scope.error(node, f"{describe(value)} can't be stored into an element", "store a number")
    elif is_writeable(scope, target):
        store(scope, node, value, base(target), index)


def update_selected(
    scope: FunctionScope,
    node: ast.AST,
    kind: type[ast.operator],
    owner: Target,
    parts: list[Abstract],
    later: ast.AST,
    evaluate: Callable[[], Abstract],
) -> None:
    """`owner[parts] OP= value` for arrays of bools and integers: out, changed, back; `evaluate` gives the value."""
    selects = boolean_index_of(scope, node, owner, parts)
    parts = [index_array(scope, node, p) for p in masks_as_positions(scope, node, parts)] if selects is None else []
    if isinstance(selects, Poison) or any(isinstance(p, Poison) for p in parts):
        evaluate()
    elif selects is not None:
        old, value = settled(scope, node, selected(scope, node, owner, [selects]), later, evaluate)
        new = operation(scope, node, kind, old, value)
        element = new.source.element if isinstance(new, BooleanIndexed) else getattr(new, "element", None)
        if element is not None and can_hold(scope, node, base(owner).element, element):
            put_boolean(scope, node, owner, selects, new)
    elif any(map(is_array, parts)):
        old = gathered(scope, node, owner, parts)
        new = operation(scope, node, kind, old, evaluate())
        if isinstance(new, Lazy) and can_hold(scope, node, base(owner).element, new.element):
            scatter(scope, node, owner, parts, new)
    else:
        _update_view(scope, node, kind, place(scope, node, owner, parts), evaluate())


def _update_view(
    scope: FunctionScope,
    node: ast.AST,
    kind: type[ast.operator],
    found: tuple[Target, list[Value] | None] | None,
    value: Abstract,
) -> None:
    if found is None:
        return
    target, index = found
    if index is None:
        update(scope, node, kind, target, value)
    else:
        scope.error(node, "an element of a view with new axes is changed in place", "change the element of the array")
