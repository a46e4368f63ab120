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
from adcore.frontend.python.expressions import closure, combine, subscript
from adcore.frontend.python.loops import for_loop, while_loop
from adcore.frontend.python.raising import assert_statement, raise_statement
from adcore.frontend.python.targets import assign, store_into
from adcore.frontend.session import Frame, name_value
from adcore.frontend.values.abstract import (
    NONE,
    TRUE,
    Abstract,
    Array,
    Const,
    Expanded,
    ListRef,
    Poison,
    Reshaped,
    is_scalar,
)
from adcore.frontend.values.lists import check_list_store
from adcore.frontend.values.numbers import TooWide


def perform(frame: Frame, stmt: ast.stmt) -> None:
    """One statement that is no `if`."""
    rule = RULES.get(type(stmt))
    if rule is None:
        what, help = REFUSED.get(type(stmt), (f"{type(stmt).__name__} statements are not supported", ""))
        frame.error(_head(stmt), what, help)
        return
    try:
        rule(frame, stmt)
    except TooWide as error:
        frame.error(stmt, f"{error} does not fit in a 64-bit integer", "use a float")


def _head(stmt: ast.stmt) -> ast.AST:
    """The first line of a statement with a body, for the caret."""
    body = getattr(stmt, "body", None)
    if not body:
        return stmt
    head = ast.copy_location(ast.Pass(), stmt)
    head.end_lineno, head.end_col_offset = stmt.lineno, stmt.col_offset + len(type(stmt).__name__)
    return head


REFUSED: dict[type[ast.stmt], tuple[str, str]] = {
    ast.With: ("`with` is not supported", "enter the context around the call of the compiled function"),
    ast.Try: ("`try` is not supported", "test the condition first, or catch the exception around the call"),
    ast.Global: ("`global` is not supported", "pass the value as an argument and return the new one"),
    ast.Nonlocal: ("`nonlocal` is not supported", "return the new value from the inner function"),
    ast.ClassDef: ("a class inside a compiled function is not supported", "define it outside"),
    ast.Delete: ("`del` is not supported", "leave the name as it is"),
    ast.AsyncFor: ("`async` is not supported", "compute without coroutines"),
    ast.AsyncWith: ("`async` is not supported", "compute without coroutines"),
    ast.AsyncFunctionDef: ("`async` is not supported", "compute without coroutines"),
    ast.Match: ("`match` is not supported", "write `if` and `elif`"),
}
for _name in ("TryStar", "TypeAlias"):
    if hasattr(ast, _name):
        REFUSED[getattr(ast, _name)] = (f"{_name} is not supported", "leave it out")


def _in_memory(frame: Frame, node: ast.expr) -> Abstract:
    with frame.at(node):
        return in_memory(frame, node, frame.evaluate(node))


def _return(frame: Frame, stmt: ast.Return) -> None:
    frame.state.result = NONE if stmt.value is None else _in_memory(frame, stmt.value)
    name_value(frame.state.result, "result")
    frame.state.returns = TRUE


def _break(frame: Frame, stmt: ast.Break) -> None:
    frame.state.breaks = TRUE


def _continue(frame: Frame, stmt: ast.Continue) -> None:
    frame.state.continues = TRUE


def _pass(frame: Frame, stmt: ast.stmt) -> None:
    """Nothing to do."""


def _expression(frame: Frame, stmt: ast.Expr) -> None:
    if not isinstance(stmt.value, ast.Constant):
        frame.evaluate(stmt.value)


def _assign(frame: Frame, stmt: ast.Assign) -> None:
    value = frame.evaluate(stmt.value)
    if len(stmt.targets) > 1:
        value = in_memory(frame, stmt.value, value)
    for target in stmt.targets:
        assign(frame, target, value)


def _annotated(frame: Frame, stmt: ast.AnnAssign) -> None:
    if stmt.value is not None:
        assign(frame, stmt.target, frame.evaluate(stmt.value))


def _augmented(frame: Frame, stmt: ast.AugAssign) -> None:
    """`target OP= value`: the target is evaluated once, before the value."""
    kind, target = type(stmt.op), stmt.target
    if isinstance(target, ast.Subscript):
        _augmented_item(frame, stmt, target)
    elif isinstance(target, ast.Name):
        read = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        old = frame.evaluate(read)
        value = frame.evaluate(stmt.value)
        if isinstance(old, Array) and old.rank == 0:
            _augment_element(frame, stmt, old, [], value)
        elif isinstance(old, (Array, Expanded, Reshaped)) and not is_list(old):
            _update_whole(frame, stmt, kind, old, value)
        elif isinstance(old, ListRef):
            frame.error(stmt, "a list is changed in place", "make a new list under a new name")
        else:
            assign(frame, target, combine(frame, stmt, kind, old, value))
    else:
        frame.evaluate(stmt.value)
        assign(frame, target, Poison())


def _augmented_item(frame: Frame, stmt: ast.AugAssign, target: ast.Subscript) -> None:
    owner = frame.evaluate(target.value)
    parts = subscripts(frame, target.slice)
    kind = type(stmt.op)
    if any(isinstance(p, Poison) for p in parts):
        frame.evaluate(stmt.value)
        return
    if isinstance(owner, (Array, Expanded, Reshaped)) and not is_list(owner) and is_special(owner, parts):
        update_selected(frame, stmt, kind, owner, parts, stmt.value, lambda: frame.evaluate(stmt.value))
        return
    if isinstance(owner, Array):
        place = locate(frame, target, owner, parts)
        if place is None:
            frame.evaluate(stmt.value)
        elif place[1] is None:
            _update_whole(frame, stmt, kind, place[0], frame.evaluate(stmt.value))
        else:
            _augment_element(frame, stmt, place[0], place[1], None)
        return
    old = subscript(frame, target, owner, parts)
    value = frame.evaluate(stmt.value)
    store_into(frame, target, owner, parts, combine(frame, stmt, type(stmt.op), old, value))


def _update_whole(frame: Frame, stmt: ast.AugAssign, kind: type[ast.operator], target: Target, value: Abstract) -> None:
    """An array, or a view, changed in place."""
    if kind is ast.MatMult:
        product = matmul(frame, stmt, target, value)
        if isinstance(product, Array):
            put_array(frame, stmt, target, product)
        return
    if not isinstance(value, Poison):
        update(frame, stmt, kind, target, value)


def _augment_element(frame: Frame, stmt: ast.AugAssign, array: Array, index: list[Any], value: Abstract | None) -> None:
    old = load(frame, array, index)
    value = frame.evaluate(stmt.value) if value is None else value
    new = combine(frame, stmt, type(stmt.op), old, value)
    if is_scalar(new):
        check_list_store(frame, array, new)
        if writeable(frame, array):
            store(frame, stmt, new, array, index)


def _function(frame: Frame, stmt: ast.FunctionDef) -> None:
    if stmt.decorator_list:
        frame.error(stmt.decorator_list[0], "a decorator on an inner function is not supported", "leave it out")
    frame.state.locals[stmt.name] = closure(frame, stmt)


def _import(frame: Frame, stmt: ast.Import) -> None:
    for alias in stmt.names:
        module = sys.modules.get(alias.name)
        if module is None or (alias.asname is None and "." in alias.name):
            frame.error(stmt, f"`import {alias.name}` inside the function is not supported", "import it at the top")
        else:
            frame.state.locals[alias.asname or alias.name] = Const(module)


def _import_from(frame: Frame, stmt: ast.ImportFrom) -> None:
    module = sys.modules.get(stmt.module or "")
    for alias in stmt.names:
        if module is None or stmt.level or not hasattr(module, alias.name):
            frame.error(stmt, "this import inside the function is not supported", "import at the top of the file")
        else:
            frame.state.locals[alias.asname or alias.name] = Const(getattr(module, alias.name))


RULES: dict[type[ast.stmt], Callable[[Frame, Any], None]] = {
    ast.Assign: _assign, ast.AnnAssign: _annotated, ast.AugAssign: _augmented, ast.Return: _return,
    ast.Expr: _expression, ast.For: for_loop, ast.While: while_loop, ast.Break: _break, ast.Continue: _continue,
    ast.Pass: _pass, ast.Assert: assert_statement, ast.Raise: raise_statement, ast.FunctionDef: _function,
    ast.Import: _import, ast.ImportFrom: _import_from,
}  # fmt: skip
