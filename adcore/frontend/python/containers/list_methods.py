"""Methods of lists, and `+=` of one."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.python.containers.ordering import LONGEST_SORTED, in_order
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import NONE, POISON, Abstract, ArrayRef, Constant, ListRef
from adcore.frontend.values.containers.growing import (
    append,
    as_list,
    clear,
    extend,
    extend_by_array,
    grown,
    insert,
    list_copy,
    pop,
)
from adcore.frontend.values.containers.iterables import consume, iterable_of
from adcore.frontend.values.containers.sequences import static_length

LIST_METHODS = {
    "append": (1, 1), "extend": (1, 1), "insert": (2, 2), "pop": (0, 1), "clear": (0, 0), "copy": (0, 0),
    "reverse": (0, 0), "sort": (0, 0),
}  # fmt: skip
"""Which there are, and how many arguments they take."""


def call_list_method(
    scope: FunctionScope, node: ast.Call, owner: ListRef, name: str, given: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """`items.append(x)` and the like."""
    least, most = LIST_METHODS[name]
    unknown = named.keys() - ({"key", "reverse"} if name == "sort" else set())
    if unknown or not least <= len(given) <= most:
        return scope.error(node, f"`.{name}` of a list does not take these arguments")
    if name == "append":
        return append(scope, node, owner, in_memory(scope, node, given[0]))
    if name == "extend":
        return extend_by(scope, node, owner, given[0])
    if name == "insert":
        return insert(scope, node, owner, given[0], in_memory(scope, node, given[1]))
    if name == "pop":
        return pop(scope, node, owner, given[0] if given else Constant(-1))
    if name == "clear":
        return clear(scope, node, owner)
    if name in ("reverse", "sort"):
        return _reordered(scope, node, owner, named if name == "sort" else None)
    if grown(scope, owner) is not None:
        now = as_list(scope, owner)
        if isinstance(now, ArrayRef) and now.literal is not None:
            return list_copy(scope, now)
        return scope.error(node, "a list of arrays that has grown can't be copied", "make an array: np.array(items)")
    return scope.new_list(scope.list_items(owner), scope.span(node))


def _reordered(scope: FunctionScope, node: ast.Call, owner: ListRef, named: dict[str, Abstract] | None) -> Abstract:
    """`owner.sort(key=, reverse=)` and, without names, `owner.reverse()`: other items at the same places."""
    what = f"a list of up to {LONGEST_SORTED} items, of a number that is known while compiling, can be put in order"
    if grown(scope, owner) is not None:
        return scope.error(node, what, "fill an array, and take its elements in order")
    items = list(scope.list_items(owner))
    if named is None:
        found: list[Abstract] | None = items[::-1]
    else:
        reverse = named.get("reverse", Constant(False))
        if len(items) > LONGEST_SORTED or not isinstance(reverse, Constant):
            return scope.error(node, what, "sort outside of the function")
        found = in_order(scope, node, items, named.get("key", NONE), bool(reverse.value))
    if found is None:
        return POISON
    scope.set_items(node, owner, tuple(found))
    return NONE


def extend_by(scope: FunctionScope, node: ast.AST, owner: ListRef, value: Abstract) -> Abstract:
    """`owner.extend(value)`, `owner += value`."""
    value = in_memory(scope, node, as_list(scope, value))
    length = static_length(scope, value)
    iterable = iterable_of(scope, node, consume(scope, node, value))
    if iterable is None:
        return POISON
    length = as_static_int(iterable.length) if length is None else length
    if length is not None and length <= 64:
        return extend(scope, node, owner, [iterable.item(Constant(k)) for k in range(length)])
    if isinstance(value, ArrayRef) and value.rank:
        return extend_by_array(scope, node, owner, value)
    return scope.error(node, f"a list can't be extended by this {iterable.what} of unknown length", "append in a loop")
