"""Lists whose length only a run tells: they grow in loops, or on one path only.

    out = []                          room = alloc n
    for v in x:                       for v in x:
        if v > 0.0:          ->           if v > 0.0 { room[count] = 2.0 * v; count += 1 }
            out.append(2.0 * v)
    return out[-1]                    return room[count - 1]

A list is a value item by item while its length is known. A loop that makes it longer gives it room before the loop, for
as many items as the loop may add: appends of one iteration times trips, a formula of what is known before it. From then
on the cell of the list holds three values: a mark, the memory, and how many items there are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adcore.frontend.numpy.elements import check_length, dims, load, nest, store, wider
from adcore.frontend.numpy.indexing.integers import integer, normalised
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    MARK,
    NONE,
    POISON,
    STRONG,
    Abstract,
    ArrayRef,
    Constant,
    ListRef,
    Num,
    Poison,
    is_grown,
    is_scalar,
)
from adcore.frontend.values.containers.lists import check_list_store, list_array
from adcore.frontend.values.containers.sequences import row
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.narrow import numpy_element
from adcore.frontend.values.numeric.numbers import materialise, weak_type_of
from adcore.ir.core import Value
from adcore.ir.types import F32, I64, Scalar
from adcore.source import Span


@dataclass
class Growth:
    """What was appended to a list, and how often: each of `terms` is a product of numbers. `where`: the first append;
    `untold`: that is not all of it."""

    where: Span
    items: list[Abstract] = field(default_factory=list)
    terms: list[tuple[Value | int, ...]] = field(default_factory=list)
    untold: bool = False


SPARE = 8
"""Room that a list gets at a time where it grows outside of loops."""

Growths = dict[int, Growth]
"""By cell."""


def grown(scope: FunctionScope, value: Abstract) -> tuple[ArrayRef, Abstract] | None:
    """Memory and number of items of a list that has grown."""
    if not isinstance(value, ListRef):
        return None
    items = scope.state.cells.get(value.cell, ())
    if not is_grown(items):
        return None
    assert isinstance(items[1], ArrayRef)
    return items[1], items[2]


def as_list(scope: FunctionScope, value: Abstract) -> Abstract:
    """A list that has grown as the list in memory (of numbers), or the array (of arrays), that it is by now."""
    found = grown(scope, value)
    if found is None:
        return value
    memory, count = found
    lengths = dims(scope, memory)[1:]
    operands = [scope.const(0), materialise(scope, count, I64), scope.const(1)]
    for length in lengths:
        operands += [scope.const(0), materialise(scope, length, I64), scope.const(1)]

    def part(array: Value) -> Value:
        return scope.emit("view", array, *operands, axes="s" * memory.rank)

    flags = None if memory.weak_flags is None else part(memory.weak_flags)
    literal = memory.literal if memory.rank == 1 else None
    weak = memory.weak if memory.rank == 1 else STRONG
    return ArrayRef(part(memory.value), memory.root, True, weak, literal, (count, *lengths), True, flags)


def list_copy(scope: FunctionScope, array: ArrayRef) -> ArrayRef:
    """A list of numbers in memory that has the items of another one, as a slice and `copy` give it."""
    assert array.literal is not None
    shape = dims(scope, array)
    copy = _memory(scope, array.element, list(shape), array, array.literal)
    nest(scope, shape, lambda index: store(scope, scope.node, load(scope, array, index), copy, index))
    return copy


# What changes them ----------------------------------------------------------------------------------------------------


def note(scope: FunctionScope, node: ast.AST, owner: ListRef, items: Sequence[Abstract], times: Value | int) -> None:
    """A list gets `items` (one of each kind), `times` altogether."""
    growth = scope.session.growth.setdefault(owner.cell, Growth(scope.span(node)))
    growth.items += items
    growth.terms.append((times,))


def append(scope: FunctionScope, node: ast.AST, owner: ListRef, value: Abstract) -> Abstract:
    """`owner.append(value)`."""
    note(scope, node, owner, (value,), 1)
    found = _with_room(scope, node, owner, value)
    if found is None:
        scope.set_items(node, owner, (*scope.list_items(owner), value))
        return NONE
    memory, count = found
    _put(scope, node, memory, materialise(scope, count, I64), value)
    _set_count(scope, node, owner, memory, count, 1)
    return NONE


def _with_room(
    scope: FunctionScope, node: ast.AST, owner: ListRef, value: Abstract
) -> tuple[ArrayRef, Abstract] | None:
    """A list that has grown, with room for one item more: the loop or branch around has reserved it, or it is made."""
    found, session, depth = grown(scope, owner), scope.session, scope.builder.depth
    if found is None or found[0].value in session.reserved:
        return found
    spare = session.spare.get((found[0].value, depth), 0)
    if not spare:
        spare = SPARE
        growth = Growth(scope.span(node), [value])
        if not give_room(scope, owner.cell, growth, scope.const(spare)):
            return found
        found = grown(scope, owner)
        assert found is not None
    session.spare[found[0].value, depth] = spare - 1
    return found


def extend(scope: FunctionScope, node: ast.AST, owner: ListRef, items: Sequence[Abstract]) -> Abstract:
    """`owner.extend(items)`, `owner += items` of known length."""
    for item in items:
        append(scope, node, owner, item)
    return NONE


def extend_by_array(scope: FunctionScope, node: ast.AST, owner: ListRef, given: ArrayRef) -> Abstract:
    """The same of an array, or of a list in memory."""
    length = dims(scope, given)[0]
    n = materialise(scope, length, I64)
    with scope.builder.region():
        item = row(scope, given, scope.const(0))
    note(scope, node, owner, (item,), n)
    known = grown(scope, owner)
    if known is None or known[0].value not in scope.session.reserved:
        growth = Growth(scope.span(node), [item], [(n,)])
        if not give_room(scope, owner.cell, growth, n):
            return POISON
    found = grown(scope, owner)
    assert found is not None
    memory, count = found
    first = materialise(scope, count, I64)

    def one(index: list[Value]) -> None:
        there = scope.emit("add", first, index[0], exact=True)
        _put(scope, node, memory, there, row(scope, given, index[0]))

    nest(scope, (length,), one)
    scope.set_items(node, owner, (MARK, memory, Num(scope.emit("add", first, n, exact=True))))
    return NONE


def insert(scope: FunctionScope, node: ast.AST, owner: ListRef, index: Abstract, value: Abstract) -> Abstract:
    """`owner.insert(index, value)`: outside it is at the nearest end."""
    note(scope, node, owner, (value,), 1)
    found, known = _with_room(scope, node, owner, value), as_static_int(index)
    if found is None:
        if known is None:
            return scope.error(
                node, "a list gets an item at a place that only a run tells", "append it, or use an array"
            )
        items = list(scope.list_items(owner))
        items.insert(known, value)
        scope.set_items(node, owner, tuple(items))
        return NONE
    where = integer(scope, node, index)
    if where is None:
        return POISON
    memory, count = found
    n, zero = materialise(scope, count, I64), scope.const(0)
    back = scope.emit("maximum", scope.emit("add", where, n), zero)
    where = scope.emit("select", scope.emit("lt", where, zero), back, scope.emit("minimum", where, n))
    moved = scope.emit("sub", n, where, exact=True)

    def up(index: list[Value]) -> None:
        last = scope.emit("sub", n, index[0], exact=True)
        _move(scope, node, memory, scope.emit("sub", last, scope.const(1), exact=True), last)

    nest(scope, (Num(moved),), up)
    _put(scope, node, memory, where, value)
    _set_count(scope, node, owner, memory, count, 1)
    return NONE


def pop(scope: FunctionScope, node: ast.AST, owner: ListRef, index: Abstract) -> Abstract:
    """`owner.pop(index)`."""
    note(scope, node, owner, (), 0)
    found, known = grown(scope, owner), as_static_int(index)
    if found is None:
        items = list(scope.list_items(owner))
        if known is None or not -len(items) <= known < len(items):
            return scope.error(node, "a list loses an item that only a run tells, or that it has not", "use an array")
        item = items.pop(known)
        scope.set_items(node, owner, tuple(items))
        return item
    where = integer(scope, node, index)
    if where is None:
        return POISON
    memory, count = found
    n = materialise(scope, count, I64)
    if memory.rank > 1:
        return scope.error(node, "`pop` of a list of arrays that grows is not supported", "read `items[-1]`")
    scope.check(scope.emit("gt", n, scope.const(0)), "IndexError", "pop from empty list")
    place = normalised(scope, where, count)
    item = load(scope, memory, [place])
    if known != -1:
        last = scope.emit("sub", n, scope.const(1), exact=True)

        def down(index: list[Value]) -> None:
            there = scope.emit("add", place, index[0], exact=True)
            _move(scope, node, memory, scope.emit("add", there, scope.const(1), exact=True), there)

        nest(scope, (Num(scope.emit("sub", last, place, exact=True)),), down)
    _set_count(scope, node, owner, memory, count, -1)
    return item


def clear(scope: FunctionScope, node: ast.AST, owner: ListRef) -> Abstract:
    """`owner.clear()`."""
    note(scope, node, owner, (), 0)
    found = grown(scope, owner)
    scope.set_items(node, owner, () if found is None else (MARK, found[0], Constant(0)))
    return NONE


def _set_count(
    scope: FunctionScope, node: ast.AST, owner: ListRef, memory: ArrayRef, count: Abstract, change: int
) -> None:
    known = as_static_int(count)
    more: Abstract = Constant((known or 0) + change)
    if known is None:
        more = Num(scope.emit("add", materialise(scope, count, I64), scope.const(change), exact=True))
    scope.set_items(node, owner, (MARK, memory, more))


def _put(scope: FunctionScope, node: ast.AST, memory: ArrayRef, where: Value, value: Abstract) -> None:
    """An item at a place that is known to be inside."""
    if isinstance(value, Poison):
        return
    lengths = dims(scope, memory)[1:]
    if is_scalar(value) and not lengths:
        check_list_store(scope, memory, value)
        store(scope, node, value, memory, [where])
    elif isinstance(value, ArrayRef) and value.literal is None and value.rank == len(lengths) > 0:
        source = value
        if source.element != memory.element:
            scope.error(node, "the arrays in this list are of several types", "convert them with .astype(...)")
            return
        for length, own in zip(lengths, dims(scope, source), strict=True):
            check_length(scope, length, own, "a list that grows holds arrays of one shape: lengths {0} and {1}")
        nest(scope, lengths, lambda k: store(scope, node, load(scope, source, k), memory, [where, *k]))
        # The list has the array itself in Python: a copy is the same only if nobody changes it.
        scope.session.frozen.add(source.root)
    else:
        scope.error(
            node,
            f"a list that grows gets {describe(value)} beside other kinds of items",
            "a list whose length is only known at run time holds numbers, or arrays of one shape",
        )


def _move(scope: FunctionScope, node: ast.AST, memory: ArrayRef, source: Value, target: Value) -> None:
    lengths = dims(scope, memory)[1:]
    nest(scope, lengths, lambda k: store(scope, node, load(scope, memory, [source, *k]), memory, [target, *k]))


# Room for them --------------------------------------------------------------------------------------------------------


def give_room(
    scope: FunctionScope,
    cell: int,
    growth: Growth,
    more: Value,
    before: Callable[[Abstract], Abstract | None] = lambda length: length,
) -> bool:
    """Move a list to memory that has room for `more` items; reports what can't be moved there. `before` gives a length
    of an item that was made inside as it is known here."""
    found = grown(scope, ListRef(cell))
    where = growth.where
    if found is not None:
        memory, count = found
        room = scope.emit("add", materialise(scope, count, I64), more, exact=True)
        where = memory.literal or where
        bigger = _memory(scope, memory.element, [Num(room), *dims(scope, memory)[1:]], memory, where)
        nest(
            scope,
            (count, *dims(scope, memory)[1:]),
            lambda k: store(scope, scope.node, load(scope, memory, k), bigger, k),
        )
        scope.state.cells[cell] = (MARK, bigger, count)
        return True
    items = scope.state.cells[cell]
    every = [*items, *growth.items]
    if any(isinstance(item, Poison) for item in every):
        scope.state.cells[cell] = (POISON,)
        return False
    shape = _item_shape(scope, where, every, before)
    element = _element(scope, where, every)
    if shape is None or element is None:
        return False
    room = scope.emit("add", scope.const(len(items)), more, exact=True)
    memory = _memory(scope, element, [Num(room), *shape], every[0], where)
    for k, item in enumerate(items):
        _put(scope, scope.node, memory, scope.const(k), item)
    scope.state.cells[cell] = (MARK, memory, Constant(len(items)))
    return True


def _memory(scope: FunctionScope, element: Scalar, shape: list[Abstract], like: Abstract, where: Span) -> ArrayRef:
    buffer = scope.emit("alloc", *(materialise(scope, n, I64) for n in shape), element=element.name, hint="list")
    if len(shape) > 1:
        return ArrayRef(buffer, buffer, True, STRONG, where, tuple(shape), local=True)
    weak = like.weak if isinstance(like, ArrayRef) else weak_type_of(like)
    mixed = where in scope.session.speculation.mixed
    return list_array(scope, buffer, weak, mixed, where, shape[0])


def _item_shape(
    scope: FunctionScope, where: Span, items: list[Abstract], before: Callable[[Abstract], Abstract | None]
) -> list[Abstract] | None:
    """The shape of all items: of none for numbers; lengths have to be known before the list grows."""
    first = items[0]
    if all(map(is_scalar, items)):
        return []
    arrays = [item for item in items if isinstance(item, ArrayRef) and item.literal is None and item.rank]
    if len(arrays) == len(items) and len({a.rank for a in arrays}) == 1:
        known = next((a.shape for a in arrays if a.shape is not None), None)
        lengths = [before(n) for n in known] if known is not None else [None]
        if None not in lengths:
            return [n for n in lengths if n is not None]
        text = "the shape of the arrays in this list is not known before it grows"
        scope.error(where, text, "store them into the rows of np.zeros((most, n))")
        return None
    other = next((i for i in items if type(i) is not type(first)), first)
    scope.error(
        where,
        f"a list of {describe(first)}" + (f" and {describe(other)}" if other is not first else "") + " that grows",
        "a list whose length is only known at run time holds numbers, or arrays of one shape",
    )
    return None


def _element(scope: FunctionScope, where: Span, items: list[Abstract]) -> Scalar | None:
    own = [item.element if isinstance(item, ArrayRef) else numpy_element(item) for item in items]
    element = scope.session.speculation.elements.get(where, own[0])
    for type_ in own:
        element = wider(element, type_) or element
    if any(F32 in (type_, element) and type_ != element for type_ in own):
        scope.error(where, "the items of this list are of several types of floats", "convert them: np.float64(...)")
        return None
    return element


def total_of(scope: FunctionScope, factors: Sequence[Value | int]) -> Value:
    """A product of numbers that are known here."""
    result: Value | None = None
    for factor in factors:
        value = scope.const(factor) if isinstance(factor, int) else factor
        result = value if result is None else scope.emit("mul", result, value, exact=True)
    assert result is not None
    return result
