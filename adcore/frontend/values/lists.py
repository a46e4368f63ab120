"""Lists and tuples of known length: items as values while subscripts are known, in memory once they are not."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.elements import load, nest, stored, wider
from adcore.frontend.numpy.indexing.integers import integer, normalised
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    NUMPY,
    POISON,
    PYTHON,
    UNTRACKED,
    Abstract,
    Array,
    Const,
    Items,
    Kind,
    ListRef,
    Num,
    Poison,
    Slice,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import join_types, kind_of, materialise, scalar_type
from adcore.frontend.values.scalars import fail, python_message
from adcore.frontend.values.sequences import all_scalars, static_items
from adcore.frontend.values.weak_types import chosen, flag
from adcore.ir.core import Value
from adcore.ir.types import I64, Scalar
from adcore.source import Span

LONGEST_SELECTION = 8
"""Up to this many items a subscript that is not known becomes a chain of choices instead of a load from memory."""

SHORTEST_IN_MEMORY = 4
"""Lists of more items are moved to memory when something is stored at a subscript that is not known."""

LONGEST_LIST = 256
"""Longer lists are kept in memory from the start."""


def list_literal(frame: Frame, node: ast.AST, items: tuple[Abstract, ...]) -> Abstract:
    """`[a, b, c]`."""
    where = frame.span(node)
    element = frame.session.speculation.elements.get(where)
    if element is None:
        return frame.new_list(items, where)
    for item in filter(is_scalar, items):
        # The same literal may have held narrower numbers before: in another call, or another iteration.
        frame.session.speculation.needs_memory(where, wider(element, scalar_type(item)) or element)
        element = frame.session.speculation.elements[where]
    return in_memory(frame, items, element, where)


def in_memory(frame: Frame, items: tuple[Abstract, ...], element: Scalar, where: Span | None) -> Array:
    """A small array that holds numbers."""
    buffer = frame.emit("alloc", frame.const(len(items)), element=element.name, hint="list")
    kinds = [kind_of(item) for item in items]
    mixed = where in frame.session.speculation.mixed or any(kind != kinds[0] for kind in kinds)
    array = list_array(frame, buffer, kinds[0] if kinds else PYTHON, mixed, where, Const(len(items)))
    for k, item in enumerate(items):
        frame.put(stored(frame, item, element), buffer, [frame.const(k)])
        if array.kinds is not None:
            frame.put(flag(frame, kinds[k]), array.kinds, [frame.const(k)])
    return array


def list_array(frame: Frame, buffer: Value, kind: Kind, mixed: bool, where: Span | None, length: Abstract) -> Array:
    """A list in memory of numbers of this kind; `mixed`: or of any, each with a flag if flags are carried."""
    mixed = mixed or kind.mixed
    kinds = None
    if mixed and frame.session.speculation.flags:
        kinds = frame.emit("alloc", materialise(frame, length, I64), element="bool", hint="kinds")
    return Array(buffer, buffer, True, UNTRACKED if mixed else kind, where, (length,), local=True, kinds=kinds)


def common_type(frame: Frame, node: ast.AST, items: tuple[Abstract, ...]) -> Scalar | None:
    """The type that holds all items; reports if there is none."""
    if any(isinstance(item, Poison) for item in items):
        return None
    if not items or not all_scalars(items):
        frame.error(
            node,
            "a subscript that is not known while compiling needs a list of numbers",
            "use constant subscripts, or pass a list of arrays as an argument",
        )
        return None
    joined: Abstract = items[0]
    for item in items[1:]:
        type_ = join_types(joined, item)
        if type_ is None:
            frame.error(node, "the items are float32 and float64", "convert them to one type")
            return None
        joined = Num(Value(type_), PYTHON if kind_of(joined).python and kind_of(item).python else NUMPY)
    return scalar_type(joined)


def dynamic_item(frame: Frame, node: ast.AST, owner: Abstract, index: Value) -> Abstract:
    """`owner[index]` for a normalised index that is only known at run time."""
    items = static_items(frame, owner)
    type_ = common_type(frame, node, items)
    if type_ is None:
        return POISON
    if len(items) > LONGEST_SELECTION:
        if isinstance(owner, ListRef):
            return move_to_memory(frame, node, owner, type_, items)
        return load(frame, in_memory(frame, items, type_, None), [index])
    item, kind = materialise(frame, items[-1], type_), kind_of(items[-1])
    for k in range(len(items) - 2, -1, -1):
        here = frame.emit("eq", index, frame.const(k))
        item = frame.emit("select", here, materialise(frame, items[k], type_), item)
        kind = chosen(frame, here, kind_of(items[k]), kind)
    return Num(item, kind)


def move_to_memory(
    frame: Frame, node: ast.AST, owner: ListRef, element: Scalar, items: tuple[Abstract, ...]
) -> Abstract:
    """This list has to be in memory from the start; what reading one of `items` will give, then."""
    where = frame.session.literals.get(owner.cell)
    if where is None:
        return frame.error(node, "this list needs memory, but it is not one list", "use a NumPy array: np.zeros(n)")
    speculation = frame.session.speculation
    known = speculation.elements.get(where, element)
    speculation.needs_memory(where, wider(known, element) or known)
    kinds = [kind_of(item) for item in items]
    number = materialise(frame, Const(0), speculation.elements[where])
    return Num(number, kinds[0] if all(kind == kinds[0] for kind in kinds) else UNTRACKED)


def list_subscript(frame: Frame, node: ast.AST, owner: Abstract, part: Abstract) -> Abstract:
    """`owner[part]` of a tuple, named tuple or list of known length."""
    items = static_items(frame, owner)
    if isinstance(part, Slice):
        bounds = [None if b is NONE else as_static_int(b) for b in (part.lo, part.hi, part.step)]
        if any(b is None and p is not NONE for b, p in zip(bounds, (part.lo, part.hi, part.step), strict=True)):
            return frame.error(node, "the bounds of a slice of a list or tuple must be constants", "use a NumPy array")
        chosen = items[slice(*bounds)]
        return frame.new_list(chosen, frame.span(node)) if isinstance(owner, ListRef) else Items(chosen)
    position = static_position(frame, node, owner, part, len(items))
    if isinstance(position, int):
        return items[position]
    if position is None:
        return POISON
    if not items:
        return frame.error(node, "this list is empty")
    return dynamic_item(frame, node, owner, position)


def static_position(frame: Frame, node: ast.AST, owner: Abstract, part: Abstract, length: int) -> int | Value | None:
    """Where a subscript points: a number, a normalised IR value, or None after an error."""
    known = as_static_int(part)
    if known is None:
        index = integer(frame, node, part)
        if index is None or not length:
            return None
        return normalised(frame, index, Const(length))
    if -length <= known < length:
        return known % length
    fail(frame, *python_message(lambda: ([] if isinstance(owner, ListRef) else ())[0]))
    return None


def store_item(frame: Frame, node: ast.AST, owner: ListRef, part: Abstract, value: Abstract) -> None:
    """`owner[part] = value` for a list."""
    items = static_items(frame, owner)
    if isinstance(part, Slice):
        frame.error(node, "storing into a slice of a list is not supported", "use a NumPy array: np.zeros(n)")
        return
    position = static_position(frame, node, owner, part, len(items))
    if isinstance(position, int):
        frame.set_items(node, owner, (*items[:position], value, *items[position + 1 :]))
    elif position is not None:
        _store_anywhere(frame, node, owner, position, value)


def _store_anywhere(frame: Frame, node: ast.AST, owner: ListRef, index: Value, value: Abstract) -> None:
    """A store at a subscript that is only known at run time: a choice per item of a short list, memory otherwise."""
    items = frame.list_items(owner)
    type_ = common_type(frame, node, (*items, value))
    if type_ is None:
        return
    single = frame.session.literals.get(owner.cell) is not None
    if len(items) > (SHORTEST_IN_MEMORY if single else LONGEST_SELECTION):
        any_item = move_to_memory(frame, node, owner, type_, (*items, value))
        frame.set_items(node, owner, (any_item,) * len(items))
        return
    new = materialise(frame, value, type_)
    changed: list[Abstract] = []
    for k, item in enumerate(items):
        here = frame.emit("eq", index, frame.const(k))
        kind = chosen(frame, here, kind_of(value), kind_of(item))
        changed.append(Num(frame.emit("select", here, new, materialise(frame, item, type_)), kind))
    frame.set_items(node, owner, tuple(changed))


def check_list_store(frame: Frame, array: Array, value: Abstract) -> None:
    """A list in memory that gets a number of a wider type has to be made of that type from the start."""
    if array.literal is not None and is_scalar(value):
        known = frame.session.speculation.elements.get(array.literal, array.element)
        type_ = wider(known, scalar_type(value))
        if type_ is not None:
            frame.session.speculation.needs_memory(array.literal, type_)


def repeat_list(frame: Frame, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    """`[0.0] * n`."""
    owner, count = (a, b) if isinstance(a, (Items, ListRef)) else (b, a)
    if not is_scalar(count):
        return frame.error(node, f"a list can't be multiplied by {describe(count)}")
    items = static_items(frame, owner)
    known = as_static_int(count)
    if isinstance(owner, Items):
        if known is None:
            return frame.error(node, "a tuple can only be repeated a constant number of times", "use np.zeros(n)")
        return Items(items * known)
    where = frame.span(node)
    if known is not None and known * len(items) <= LONGEST_LIST and where not in frame.session.speculation.elements:
        return frame.new_list(items * known, where)
    if len(items) != 1 or not is_scalar(items[0]):
        return frame.error(node, "only a list of one number can be repeated so often", "use np.zeros(n)")
    length = integer(frame, node, count)
    if length is None:
        return POISON
    return filled(frame, Num(frame.emit("maximum", length, frame.const(0))), items[0], where)


def filled(frame: Frame, length: Abstract, item: Abstract, where: Span) -> Array:
    """A list in memory of equal numbers."""
    element = frame.session.speculation.elements.get(where, scalar_type(item))
    buffer = frame.emit("alloc", materialise(frame, length, I64), element=element.name, hint="list")
    value = stored(frame, item, element)
    nest(frame, (length,), lambda index: frame.put(value, buffer, index))
    array = list_array(frame, buffer, kind_of(item), where in frame.session.speculation.mixed, where, length)
    if array.kinds is not None:
        whose, flags = flag(frame, kind_of(item)), array.kinds
        nest(frame, (length,), lambda index: frame.put(whose, flags, index))
    return array


def append(frame: Frame, node: ast.AST, owner: ListRef, value: Abstract) -> Abstract:
    frame.set_items(node, owner, (*frame.list_items(owner), value))
    return NONE
