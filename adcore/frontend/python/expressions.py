"""Expressions: from syntax to abstract values."""

from __future__ import annotations

import ast
import sys

from adcore.frontend.numpy.indexing.arrays import is_special, selected
from adcore.frontend.numpy.indexing.integers import integer, normalised
from adcore.frontend.numpy.indexing.slices import element_or_view, subscripts
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.python.attributes import attribute
from adcore.frontend.python.calls import call
from adcore.frontend.python.containers.dicts import dict_item
from adcore.frontend.python.dispatch import expression
from adcore.frontend.python.globals_and_closures import lookup_global
from adcore.frontend.python.operators import part_in_memory
from adcore.frontend.python.texts import text_subscript
from adcore.frontend.session import FunctionScope, as_static_int, name_value
from adcore.frontend.values.abstract import (
    POISON,
    Abstract,
    ArrayRef,
    Closure,
    Conflict,
    Constant,
    DictRef,
    Items,
    ListRef,
    Num,
    ObjectRef,
    OutsideDict,
    Poison,
    PossiblyNone,
    PossiblyUnbound,
    Range,
    Record,
    SubscriptSlice,
    Unbound,
    Uniform,
    is_array,
)
from adcore.frontend.values.containers.dicts import MISSING, key_of
from adcore.frontend.values.containers.growing import as_list, list_copy
from adcore.frontend.values.containers.iterables import iterable_of, starred
from adcore.frontend.values.containers.lengths import items_of
from adcore.frontend.values.containers.lists import list_literal, list_subscript
from adcore.frontend.values.containers.sequences import sequence_length, uniform_item
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.types import BOOL

UNBOUND_TEXT = (
    "cannot access local variable '{}' where it is not associated with a value"
    if sys.version_info >= (3, 11)
    else "local variable '{}' referenced before assignment"
)
"""What this Python says."""


@expression(ast.Constant)
def _constant(scope: FunctionScope, node: ast.Constant) -> Abstract:
    if isinstance(node.value, complex):
        return scope.error(node, "complex numbers are not supported", "use two floats")
    return Constant(node.value)


@expression(ast.Name)
def _name(scope: FunctionScope, node: ast.Name) -> Abstract:
    return read_name(scope, node, node.id)


def read_name(scope: FunctionScope, node: ast.AST, name: str) -> Abstract:
    """A variable: local, of an enclosing function that is being compiled, or from outside."""
    holder: FunctionScope | None = scope
    while holder is not None:
        if name in holder.names:
            return _local(scope, holder, node, name)
        holder = holder.parent
    return lookup_global(scope, node, name)


def _local(scope: FunctionScope, holder: FunctionScope, node: ast.AST, name: str) -> Abstract:
    value = holder.state.locals.get(name)
    if value is None or isinstance(value, Unbound):
        return scope.error(
            node, f"`{name}` has no value here", f"assign `{name}` on every path before this line", "not assigned yet"
        )
    if isinstance(value, Conflict):
        if holder is scope:
            # Once is enough.
            holder.state.locals[name] = POISON
        return scope.error(node, value.title, value.help, notes=value.notes)
    if isinstance(value, PossiblyUnbound) and not isinstance(value, PossiblyNone):
        message = UNBOUND_TEXT.format(name)
        scope.check(materialise(scope, value.bound, BOOL), "UnboundLocalError", message)
        if holder is scope:
            holder.state.locals[name] = value.inner
        return value.inner
    return value


@expression(ast.Tuple)
def _tuple(scope: FunctionScope, node: ast.Tuple) -> Abstract:
    return Items(_items(scope, node.elts))


@expression(ast.Set)
def _set(scope: FunctionScope, node: ast.Set) -> Abstract:
    """`{"a", "b"}`: constants, to be looked up in. In which order a set runs is nothing that a program may know."""
    items = _items(scope, node.elts)
    if any(isinstance(item, Poison) for item in items):
        return POISON
    keys = tuple(map(key_of, items))
    if any(key is MISSING for key in keys):
        return scope.error(node, "the items of a set must be known while compiling", "use a tuple")
    return Constant(frozenset(keys))


@expression(ast.NamedExpr)
def _named(scope: FunctionScope, node: ast.NamedExpr) -> Abstract:
    """`(name := value)`; in a comprehension the name is one of the function around it."""
    holder = scope
    while node.target.id not in holder.names and holder.parent is not None and holder.parent.node is scope.node:
        holder = holder.parent
    if holder is not scope:
        return scope.error(node, "`:=` in a comprehension is not supported", "write the loop out")
    value = in_memory(scope, node.value, scope.evaluate(node.value))
    scope.state.locals[node.target.id] = value
    name_value(value, node.target.id)
    return value


@expression(ast.List)
def _list(scope: FunctionScope, node: ast.List) -> Abstract:
    return list_literal(scope, node, _items(scope, node.elts))


UNKNOWN_SLICE = "a slice of a list argument whose length is not known"


def _items(scope: FunctionScope, nodes: list[ast.expr]) -> tuple[Abstract, ...]:
    found: list[Abstract] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            value = scope.evaluate(node.value)
            found += starred(scope, node, value) or []
        else:
            with scope.at(node):
                found.append(in_memory(scope, node, scope.evaluate(node)))
    return tuple(found)


@expression(ast.Subscript)
def _subscript(scope: FunctionScope, node: ast.Subscript) -> Abstract:
    owner = in_memory(scope, node.value, scope.evaluate(node.value))
    return subscript(scope, node, owner, subscripts(scope, node.slice))


def subscript(scope: FunctionScope, node: ast.AST, owner: Abstract, parts: list[Abstract]) -> Abstract:
    """`owner[parts]`."""
    if isinstance(owner, Poison) or any(isinstance(p, Poison) for p in parts):
        return POISON
    owner = as_list(scope, owner)
    if is_array(owner) and is_special(owner, parts):
        return selected(scope, node, owner, parts)
    if isinstance(owner, ObjectRef) or (isinstance(owner, Record) and not issubclass(owner.cls, tuple)):
        found = scope.special(node, owner, "__getitem__", parts[0] if len(parts) == 1 else Items(tuple(parts)))
        return found if found is not None else scope.error(node, f"{describe(owner)} can't be subscripted")
    if isinstance(owner, ArrayRef):
        found = element_or_view(scope, node, owner, parts)
        # A slice of a list is a list of its own.
        own = isinstance(found, ArrayRef) and found.literal is not None and found.rank == 1
        return list_copy(scope, found) if own and isinstance(found, ArrayRef) else found
    if isinstance(owner, (DictRef, OutsideDict)):
        return dict_item(scope, node, owner, parts[0] if len(parts) == 1 else Items(tuple(parts)))
    if len(parts) != 1:
        return scope.error(node, f"{describe(owner)} takes one subscript")
    (part,) = parts
    if isinstance(owner, (Items, ListRef)) or (isinstance(owner, Record) and issubclass(owner.cls, tuple)):
        return list_subscript(scope, node, owner, part)
    if isinstance(owner, Uniform):
        if isinstance(part, SubscriptSlice):
            items = items_of(
                scope, node, iterable_of(scope, node, owner), UNKNOWN_SLICE, "loop over the indices instead"
            )
            return POISON if items is None else list_subscript(scope, node, Items(tuple(items)), part)
        index = integer(scope, node, part)
        if index is None:
            return POISON
        return uniform_item(scope, owner, normalised(scope, index, sequence_length(scope, owner)))
    if isinstance(owner, Range) and not isinstance(part, SubscriptSlice):
        return _range_item(scope, node, owner, part)
    if isinstance(owner, Constant) and isinstance(owner.value, str):
        return text_subscript(scope, node, owner, part)
    return scope.error(node, f"{describe(owner)} can't be subscripted")


def _range_item(scope: FunctionScope, node: ast.AST, owner: Range, part: Abstract) -> Abstract:
    iterable = iterable_of(scope, node, owner)
    index = integer(scope, node, part)
    if index is None or iterable is None:
        return POISON
    static, length = as_static_int(part), as_static_int(iterable.length)
    if static is not None and length is not None and -length <= static < length:
        return iterable.item(Constant(static % length))
    return iterable.item(Num(normalised(scope, index, iterable.length)))


@expression(ast.Attribute)
def _attribute(scope: FunctionScope, node: ast.Attribute) -> Abstract:
    return attribute(scope, node, scope.evaluate(node.value), node.attr)


@expression(ast.Call)
def _call(scope: FunctionScope, node: ast.Call) -> Abstract:
    return call(scope, node)


@expression(ast.Lambda)
def _lambda(scope: FunctionScope, node: ast.Lambda) -> Abstract:
    return closure(scope, node)


def closure(scope: FunctionScope, node: ast.Lambda | ast.FunctionDef) -> Closure:
    """A function defined here; its defaults are evaluated now, its free names when it is called."""
    a = node.args
    positional = [*a.posonlyargs, *a.args]
    defaults = [
        (arg.arg, part_in_memory(scope, default))
        for arg, default in zip(positional[len(positional) - len(a.defaults) :], a.defaults, strict=True)
    ]
    defaults += [
        (arg.arg, part_in_memory(scope, default))
        for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)
        if default is not None
    ]
    return Closure(node, scope, tuple(defaults))
