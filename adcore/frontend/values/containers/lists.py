"""Lists and tuples of known length: items as values while subscripts are known, in memory once they are not."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.elements import load, nest, stored, wider
from adcore.frontend.numpy.indexing.integers import integer, normalised
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    STRONG,
    UNTRACKED,
    WEAK,
    Abstract,
    ArrayRef,
    Constant,
    Items,
    ListRef,
    Num,
    Poison,
    SubscriptSlice,
    WeakType,
    is_scalar,
)
from adcore.frontend.values.containers.sequences import all_scalars, static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.messages import python_message
from adcore.frontend.values.numeric.narrow import narrow_of, numpy_element
from adcore.frontend.values.numeric.numbers import join_types, materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import fail
from adcore.frontend.values.numeric.weak_types import chosen, flag
from adcore.ir.core import Value
from adcore.ir.types import I64, Scalar
from adcore.source import Span

LONGEST_SELECTION = 8
"""Up to this many items a subscript that is not known becomes a chain of choices instead of a load from memory."""

SHORTEST_IN_MEMORY = 4
"""Lists of more items are moved to memory when something is stored at a subscript that is not known."""

LONGEST_LIST = 256
"""Longer lists are kept in memory from the start."""


def list_literal(scope: FunctionScope, node: ast.AST, items: tuple[Abstract, ...]) -> Abstract:
    """`[a, b, c]`."""
    where = scope.span(node)
    element = scope.session.speculation.elements.get(where)
    if element is None:
        return scope.new_list(items, where)
    for item in filter(is_scalar, items):
        # The same literal may have held narrower numbers before: in another call, or another iteration.
        scope.session.speculation.needs_memory(where, wider(element, numpy_element(item)) or element)
        element = scope.session.speculation.elements[where]
    return in_memory(scope, items, element, where)


def in_memory(scope: FunctionScope, items: tuple[Abstract, ...], element: Scalar, where: Span | None) -> ArrayRef:
    """A small array that holds numbers."""
    buffer = scope.emit("alloc", scope.const(len(items)), element=element.name, hint="list")
    weak_types = [weak_type_of(item) for item in items]
    mixed = where in scope.session.speculation.mixed or any(weak != weak_types[0] for weak in weak_types)
    array = list_array(scope, buffer, weak_types[0] if weak_types else WEAK, mixed, where, Constant(len(items)))
    for k, item in enumerate(items):
        scope.put(stored(scope, item, element), buffer, [scope.const(k)])
        if array.weak_flags is not None:
            scope.put(flag(scope, weak_types[k]), array.weak_flags, [scope.const(k)])
    return array


def list_array(
    scope: FunctionScope, buffer: Value, weak: WeakType, mixed: bool, where: Span | None, length: Abstract
) -> ArrayRef:
    """A list in memory of numbers of this weak type; `mixed`: or of either, each with a flag if flags are carried."""
    mixed = mixed or weak.mixed
    flags = None
    if mixed and scope.session.speculation.flags:
        flags = scope.emit("alloc", materialise(scope, length, I64), element="bool", hint="kinds")
    return ArrayRef(buffer, buffer, True, UNTRACKED if mixed else weak, where, (length,), local=True, weak_flags=flags)


def common_type(scope: FunctionScope, node: ast.AST, items: tuple[Abstract, ...]) -> Scalar | None:
    """The type that holds all items; reports if there is none."""
    if any(isinstance(item, Poison) for item in items):
        return None
    if not items or not all_scalars(items):
        scope.error(
            node,
            "a subscript that is not known while compiling needs a list of numbers",
            "use constant subscripts, or pass a list of arrays as an argument",
        )
        return None
    joined: Abstract = items[0]
    if any(narrow_of(item) != narrow_of(joined) for item in items):
        scope.error(node, "the items are integers of several of NumPy's types", "convert them to one: int(...)")
        return None
    for item in items[1:]:
        type_ = join_types(joined, item)
        if type_ is None:
            scope.error(node, "the items are float32 and float64", "convert them to one type")
            return None
        joined = Num(Value(type_), WEAK if weak_type_of(joined).always and weak_type_of(item).always else STRONG)
    return numpy_element(items[0]) if narrow_of(items[0]) is not None else scalar_type(joined)


def dynamic_item(scope: FunctionScope, node: ast.AST, owner: Abstract, index: Value) -> Abstract:
    """`owner[index]` for a normalised index that is only known at run time."""
    items = static_items(scope, owner)
    type_ = common_type(scope, node, items)
    if type_ is None:
        return POISON
    if len(items) > LONGEST_SELECTION:
        if isinstance(owner, ListRef):
            return move_to_memory(scope, node, owner, type_, items)
        return load(scope, in_memory(scope, items, type_, None), [index])
    narrow = narrow_of(items[0])
    type_ = type_ if narrow is None else scalar_type(items[0])
    item, weak = materialise(scope, items[-1], type_), weak_type_of(items[-1])
    for k in range(len(items) - 2, -1, -1):
        here = scope.emit("eq", index, scope.const(k))
        item = scope.emit("select", here, materialise(scope, items[k], type_), item)
        weak = chosen(scope, here, weak_type_of(items[k]), weak)
    return Num(item, weak, narrow)


def move_to_memory(
    scope: FunctionScope, node: ast.AST, owner: ListRef, element: Scalar, items: tuple[Abstract, ...]
) -> Abstract:
    """This list has to be in memory from the start; what reading one of `items` will give, then."""
    where = scope.session.literals.get(owner.cell)
    if where is None:
        return scope.error(node, "this list needs memory, but it is not one list", "use a NumPy array: np.zeros(n)")
    speculation = scope.session.speculation
    known = speculation.elements.get(where, element)
    speculation.needs_memory(where, wider(known, element) or known)
    weak_types = [weak_type_of(item) for item in items]
    element = speculation.elements[where]
    narrow = element if element.kind in "iu" and element != I64 else None
    number = materialise(scope, Constant(0), I64 if narrow else element)
    return Num(number, weak_types[0] if all(weak == weak_types[0] for weak in weak_types) else UNTRACKED, narrow)


def list_subscript(scope: FunctionScope, node: ast.AST, owner: Abstract, part: Abstract) -> Abstract:
    """`owner[part]` of a tuple, named tuple or list of known length."""
    items = static_items(scope, owner)
    if isinstance(part, SubscriptSlice):
        bounds = [None if b is NONE else as_static_int(b) for b in (part.lo, part.hi, part.step)]
        if any(b is None and p is not NONE for b, p in zip(bounds, (part.lo, part.hi, part.step), strict=True)):
            return scope.error(node, "the bounds of a slice of a list or tuple must be constants", "use a NumPy array")
        chosen = items[slice(*bounds)]
        return scope.new_list(chosen, scope.span(node)) if isinstance(owner, ListRef) else Items(chosen)
    position = static_position(scope, node, owner, part, len(items))
    if isinstance(position, int):
        return items[position]
    if position is None:
        return POISON
    if not items:
        return scope.error(node, "this list is empty")
    return dynamic_item(scope, node, owner, position)


def static_position(
    scope: FunctionScope, node: ast.AST, owner: Abstract, part: Abstract, length: int
) -> int | Value | None:
    """Where a subscript points: a number, a normalised IR value, or None after an error."""
    known = as_static_int(part)
    if known is None:
        index = integer(scope, node, part)
        if index is None or not length:
            return None
        return normalised(scope, index, Constant(length))
    if -length <= known < length:
        return known % length
    fail(scope, *python_message(lambda: ([] if isinstance(owner, ListRef) else ())[0]))
    return None


def store_item(scope: FunctionScope, node: ast.AST, owner: ListRef, part: Abstract, value: Abstract) -> None:
    """`owner[part] = value` for a list."""
    items = static_items(scope, owner)
    if isinstance(part, SubscriptSlice):
        scope.error(node, "storing into a slice of a list is not supported", "use a NumPy array: np.zeros(n)")
        return
    position = static_position(scope, node, owner, part, len(items))
    if isinstance(position, int):
        scope.set_items(node, owner, (*items[:position], value, *items[position + 1 :]))
    elif position is not None:
        _store_anywhere(scope, node, owner, position, value)


def _store_anywhere(scope: FunctionScope, node: ast.AST, owner: ListRef, index: Value, value: Abstract) -> None:
    """A store at a subscript that is only known at run time: a choice per item of a short list, memory otherwise."""
    items = scope.list_items(owner)
    type_ = common_type(scope, node, (*items, value))
    if type_ is None:
        return
    single = scope.session.literals.get(owner.cell) is not None
    if len(items) > (SHORTEST_IN_MEMORY if single else LONGEST_SELECTION):
        any_item = move_to_memory(scope, node, owner, type_, (*items, value))
        scope.set_items(node, owner, (any_item,) * len(items))
        return
    narrow = narrow_of(value)
    type_ = type_ if narrow is None else scalar_type(value)
    new = materialise(scope, value, type_)
    changed: list[Abstract] = []
    for k, item in enumerate(items):
        here = scope.emit("eq", index, scope.const(k))
        weak = chosen(scope, here, weak_type_of(value), weak_type_of(item))
        changed.append(Num(scope.emit("select", here, new, materialise(scope, item, type_)), weak, narrow))
    scope.set_items(node, owner, tuple(changed))


def check_list_store(scope: FunctionScope, array: ArrayRef, value: Abstract) -> None:
    """A list in memory that gets a number of a wider type has to be made of that type from the start."""
    if array.literal is not None and is_scalar(value):
        own = array.element if array.element.kind in "iu" and array.element != I64 else None
        if own != narrow_of(value) and scope.builder.span is not None:
            title = "a list gets integers of several of NumPy's types, or of NumPy and of Python"
            scope.error(scope.builder.span, title, "convert them to one type: int(...)")
            return
        known = scope.session.speculation.elements.get(array.literal, array.element)
        type_ = wider(known, scalar_type(value))
        if type_ is not None:
            scope.session.speculation.needs_memory(array.literal, type_)


def repeat_list(scope: FunctionScope, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    """`[0.0] * n`."""
    owner, count = (a, b) if isinstance(a, (Items, ListRef)) else (b, a)
    if not is_scalar(count):
        return scope.error(node, f"a list can't be multiplied by {describe(count)}")
    items = static_items(scope, owner)
    known = as_static_int(count)
    if isinstance(owner, Items):
        if known is None:
            return scope.error(node, "a tuple can only be repeated a constant number of times", "use np.zeros(n)")
        return Items(items * known)
    where = scope.span(node)
    if known is not None and known * len(items) <= LONGEST_LIST and where not in scope.session.speculation.elements:
        return scope.new_list(items * known, where)
    if len(items) != 1 or not is_scalar(items[0]):
        return scope.error(node, "only a list of one number can be repeated so often", "use np.zeros(n)")
    length = integer(scope, node, count)
    if length is None:
        return POISON
    return filled(scope, Num(scope.emit("maximum", length, scope.const(0))), items[0], where)


def filled(scope: FunctionScope, length: Abstract, item: Abstract, where: Span) -> ArrayRef:
    """A list in memory of equal numbers."""
    element = scope.session.speculation.elements.get(where, numpy_element(item))
    buffer = scope.emit("alloc", materialise(scope, length, I64), element=element.name, hint="list")
    value = stored(scope, item, element)
    nest(scope, (length,), lambda index: scope.put(value, buffer, index))
    array = list_array(scope, buffer, weak_type_of(item), where in scope.session.speculation.mixed, where, length)
    if array.weak_flags is not None:
        weak, flags = flag(scope, weak_type_of(item)), array.weak_flags
        nest(scope, (length,), lambda index: scope.put(weak, flags, index))
    return array
