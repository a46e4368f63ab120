"""Statements: assignments, jumps, definitions. Branches are in `blocks`, loops in `loops`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any

from adcore.frontend.numpy.elements import is_list, load, store, writeable
from adcore.frontend.numpy.functions.products import matmul
from adcore.frontend.numpy.indexing.arrays import is_special, update_selected
from adcore.frontend.numpy.indexing.slices import locate, subscripts
from adcore.frontend.numpy.materialise import Target, in_memory, put_array, update
from adcore.frontend.objects.attributes import store_attribute
from adcore.frontend.objects.operators import in_place
from adcore.frontend.python.attributes import attribute
from adcore.frontend.python.containers.dicts import delete_at
from adcore.frontend.python.containers.list_methods import extend_by
from adcore.frontend.python.dispatch import statement
from adcore.frontend.python.expressions import closure, subscript
from adcore.frontend.python.operators import combine
from adcore.frontend.python.targets import assign, store_into
from adcore.frontend.session import FunctionScope, name_value
from adcore.frontend.values.abstract import (
    NONE,
    TRUE,
    UNBOUND,
    Abstract,
    ArrayRef,
    Constant,
    Expanded,
    Items,
    ListRef,
    ObjectRef,
    Poison,
    Reshaped,
    is_scalar,
)
from adcore.frontend.values.containers.dicts import is_dict
from adcore.frontend.values.containers.lists import check_list_store


def _in_memory(scope: FunctionScope, node: ast.expr) -> Abstract:
    with scope.at(node):
        return in_memory(scope, node, scope.evaluate(node))


@statement(ast.Return)
def _return(scope: FunctionScope, stmt: ast.Return) -> None:
    scope.state.result = NONE if stmt.value is None else _in_memory(scope, stmt.value)
    name_value(scope.state.result, "result")
    scope.state.returns = TRUE


@statement(ast.Break)
def _break(scope: FunctionScope, stmt: ast.Break) -> None:
    scope.state.breaks = TRUE


@statement(ast.Continue)
def _continue(scope: FunctionScope, stmt: ast.Continue) -> None:
    scope.state.continues = TRUE


@statement(ast.Pass)
def _pass(scope: FunctionScope, stmt: ast.stmt) -> None:
    """Nothing to do."""


@statement(ast.Expr)
def _expression(scope: FunctionScope, stmt: ast.Expr) -> None:
    if not isinstance(stmt.value, ast.Constant):
        scope.evaluate(stmt.value)


@statement(ast.Assign)
def _assign(scope: FunctionScope, stmt: ast.Assign) -> None:
    value = scope.evaluate(stmt.value)
    if len(stmt.targets) > 1:
        value = in_memory(scope, stmt.value, value)
    for target in stmt.targets:
        assign(scope, target, value)


@statement(ast.AnnAssign)
def _annotated(scope: FunctionScope, stmt: ast.AnnAssign) -> None:
    if stmt.value is not None:
        assign(scope, stmt.target, scope.evaluate(stmt.value))


@statement(ast.AugAssign)
def _augmented(scope: FunctionScope, stmt: ast.AugAssign) -> None:
    """`target OP= value`: the target is evaluated once, before the value."""
    target = stmt.target
    if isinstance(target, ast.Subscript):
        _augmented_item(scope, stmt, target)
    elif isinstance(target, ast.Name):
        read = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        _augment(scope, stmt, scope.evaluate(read), lambda new: assign(scope, target, new))
    else:
        assert isinstance(target, ast.Attribute)
        owner = scope.evaluate(target.value)
        old = attribute(scope, target, owner, target.attr)
        _augment(scope, stmt, old, lambda new: store_attribute(scope, target, owner, target.attr, new))


def _augment(scope: FunctionScope, stmt: ast.AugAssign, old: Abstract, put: Callable[[Abstract], None]) -> None:
    """A name or an attribute: what it holds changes in place, if it can, and `put` stores what is new otherwise."""
    kind = type(stmt.op)
    value = scope.evaluate(stmt.value)
    if isinstance(old, ArrayRef) and old.rank == 0:
        _augment_element(scope, stmt, old, [], value)
    elif isinstance(old, (ArrayRef, Expanded, Reshaped)) and not is_list(old):
        _update_whole(scope, stmt, kind, old, value)
    elif isinstance(old, ListRef):
        if kind is ast.Add:
            extend_by(scope, stmt, old, value)
        else:
            scope.error(stmt, "a list is changed in place by this operator", "make a new list under a new name")
    elif isinstance(old, ObjectRef) and (found := in_place(scope, stmt, kind, old, value)) is not None:
        put(found)
    else:
        put(in_memory(scope, stmt, combine(scope, stmt, kind, old, value)))


def _augmented_item(scope: FunctionScope, stmt: ast.AugAssign, target: ast.Subscript) -> None:
    owner = scope.evaluate(target.value)
    parts = subscripts(scope, target.slice)
    kind = type(stmt.op)
    if any(isinstance(p, Poison) for p in parts):
        scope.evaluate(stmt.value)
        return
    if isinstance(owner, (ArrayRef, Expanded, Reshaped)) and not is_list(owner) and is_special(owner, parts):
        update_selected(scope, stmt, kind, owner, parts, stmt.value, lambda: scope.evaluate(stmt.value))
        return
    if isinstance(owner, ArrayRef):
        place = locate(scope, target, owner, parts)
        if place is None:
            scope.evaluate(stmt.value)
        elif place[1] is None:
            _update_whole(scope, stmt, kind, place[0], scope.evaluate(stmt.value))
        else:
            _augment_element(scope, stmt, place[0], place[1], None)
        return
    old = subscript(scope, target, owner, parts)
    value = scope.evaluate(stmt.value)
    store_into(scope, target, owner, parts, combine(scope, stmt, type(stmt.op), old, value))


def _update_whole(
    scope: FunctionScope, stmt: ast.AugAssign, kind: type[ast.operator], target: Target, value: Abstract
) -> None:
    """An array, or a view, changed in place."""
    if kind is ast.MatMult:
        product = matmul(scope, stmt, target, value)
        if isinstance(product, ArrayRef):
            put_array(scope, stmt, target, product)
        return
    if not isinstance(value, Poison):
        update(scope, stmt, kind, target, value)


def _augment_element(
    scope: FunctionScope, stmt: ast.AugAssign, array: ArrayRef, index: list[Any], value: Abstract | None
) -> None:
    old = load(scope, array, index)
    value = scope.evaluate(stmt.value) if value is None else value
    new = combine(scope, stmt, type(stmt.op), old, value)
    if is_scalar(new):
        check_list_store(scope, array, new)
        if writeable(scope, array):
            store(scope, stmt, new, array, index)


@statement(ast.FunctionDef)
def _function(scope: FunctionScope, stmt: ast.FunctionDef) -> None:
    if stmt.decorator_list:
        scope.error(stmt.decorator_list[0], "a decorator on an inner function is not supported", "leave it out")
    scope.state.locals[stmt.name] = closure(scope, stmt)


@statement(ast.Delete)
def _delete(scope: FunctionScope, stmt: ast.Delete) -> None:
    """`del name`, after which the name has no value, and `del d[key]`."""
    for target in stmt.targets:
        if isinstance(target, ast.Name):
            scope.evaluate(ast.copy_location(ast.Name(target.id, ast.Load()), target))
            scope.state.locals[target.id] = UNBOUND
            continue
        if isinstance(target, ast.Subscript):
            owner = scope.evaluate(target.value)
            parts = subscripts(scope, target.slice)
            if isinstance(owner, Poison) or any(isinstance(p, Poison) for p in parts):
                continue
            if is_dict(owner):
                delete_at(scope, target, owner, parts[0] if len(parts) == 1 else Items(tuple(parts)))
                continue
        scope.error(target, "only names and entries of dicts can be deleted", "leave it as it is")


@statement(ast.Import)
def _import(scope: FunctionScope, stmt: ast.Import) -> None:
    for alias in stmt.names:
        module = sys.modules.get(alias.name)
        if module is None or (alias.asname is None and "." in alias.name):
            scope.error(stmt, f"`import {alias.name}` inside the function is not supported", "import it at the top")
        else:
            scope.state.locals[alias.asname or alias.name] = Constant(module)


@statement(ast.ImportFrom)
def _import_from(scope: FunctionScope, stmt: ast.ImportFrom) -> None:
    module = sys.modules.get(stmt.module or "")
    for alias in stmt.names:
        if module is None or stmt.level or not hasattr(module, alias.name):
            scope.error(stmt, "this import inside the function is not supported", "import at the top of the file")
        else:
            scope.state.locals[alias.asname or alias.name] = Constant(getattr(module, alias.name))
