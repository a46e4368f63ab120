"""Expressions and statements by the class of their syntax: one function for each, registered where it is defined.

@expression(ast.IfExp)
def conditional(scope: FunctionScope, node: ast.IfExp) -> Abstract: ...

@statement(ast.While)
def while_loop(scope: FunctionScope, stmt: ast.While) -> None: ...
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, TypeVar

from adcore.frontend.liveness import bound_names
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import POISON, Abstract
from adcore.frontend.values.numeric.numbers import TooWide

ExpressionRule = Callable[[FunctionScope, Any], Abstract]
StatementRule = Callable[[FunctionScope, Any], None]
AnyExpression = TypeVar("AnyExpression", bound=Callable[..., Abstract])
AnyStatement = TypeVar("AnyStatement", bound=Callable[..., None])

EXPRESSIONS: dict[type[ast.expr], ExpressionRule] = {}
STATEMENTS: dict[type[ast.stmt], StatementRule] = {}


def expression(syntax: type[ast.expr]) -> Callable[[AnyExpression], AnyExpression]:
    """Register what compiles an expression."""

    def decorate(rule: AnyExpression) -> AnyExpression:
        EXPRESSIONS[syntax] = rule
        return rule

    return decorate


def statement(syntax: type[ast.stmt]) -> Callable[[AnyStatement], AnyStatement]:
    """Register what compiles a statement. An `if` is no such: what follows it may become a part of it (`blocks`)."""

    def decorate(rule: AnyStatement) -> AnyStatement:
        STATEMENTS[syntax] = rule
        return rule

    return decorate


def evaluate(scope: FunctionScope, node: ast.expr) -> Abstract:
    """The abstract value of an expression; reports what it can't compile and returns Poison for it."""
    rule = EXPRESSIONS.get(type(node))
    if rule is None:
        what, help = NO_EXPRESSIONS.get(type(node), (f"{type(node).__name__} expressions are not supported", ""))
        return scope.error(node, what, help)
    if scope.state.dead:
        return POISON
    with scope.at(node):
        try:
            return rule(scope, node)
        except TooWide as error:
            return too_wide(scope, node, error)


def perform(scope: FunctionScope, stmt: ast.stmt) -> None:
    """One statement that is no `if`."""
    rule = STATEMENTS.get(type(stmt))
    if rule is None:
        what, help = NO_STATEMENTS.get(type(stmt), (f"{type(stmt).__name__} statements are not supported", ""))
        scope.error(_head(stmt), what, help)
        _look_inside(scope, stmt)
        return
    try:
        rule(scope, stmt)
    except TooWide as error:
        scope.error(stmt, f"{error} does not fit in a 64-bit integer", "use a float")


def _look_inside(scope: FunctionScope, stmt: ast.stmt) -> None:
    """More errors in the bodies of a statement that is refused; names that it binds keep silent afterwards."""
    before, names = scope.state, bound_names([stmt])
    inside = [getattr(stmt, part, []) for part in ("body", "orelse", "finalbody")]
    inside += [part.body for part in (*getattr(stmt, "handlers", []), *getattr(stmt, "cases", []))]
    for body in inside if not isinstance(stmt, ast.ClassDef) else ():
        names |= bound_names(body)
        scope.state = before.copy()
        scope.state.locals.update(dict.fromkeys(names - before.locals.keys(), POISON))
        scope.execute(body)
    scope.state = before
    scope.state.locals.update(dict.fromkeys(names, POISON))


def too_wide(scope: FunctionScope, node: ast.AST, error: TooWide) -> Abstract:
    return scope.error(node, f"{error} does not fit in a 64-bit integer", "use a float")


def _head(stmt: ast.stmt) -> ast.AST:
    """The first line of a statement with a body, for the caret."""
    body = getattr(stmt, "body", None)
    if not body:
        return stmt
    head = ast.copy_location(ast.Pass(), stmt)
    head.end_lineno, head.end_col_offset = stmt.lineno, stmt.col_offset + len(type(stmt).__name__)
    return head


NO_EXPRESSIONS: dict[type[ast.expr], tuple[str, str]] = {
    ast.GeneratorExp: ("a generator expression is only supported as the argument of a call", "write a `for` loop"),
    ast.SetComp: ("sets are not supported", "use an array or a tuple"),
    ast.Await: ("`await` is not supported", "compute without coroutines"),
    ast.Yield: ("`yield` is not supported", "write results into an array"),
    ast.YieldFrom: ("`yield from` is not supported", "write results into an array"),
    ast.Starred: ("`*` is not supported here", "name the items one by one"),
    ast.Slice: ("a slice is not supported here", ""),
}
"""What is refused, and what to write instead."""

NO_STATEMENTS: dict[type[ast.stmt], tuple[str, str]] = {
    ast.Global: ("`global` is not supported", "pass the value as an argument and return the new one"),
    ast.Match: ("this pattern of `match` is not supported", "use constants, `|`, names and `_`, or `if` and `elif`"),
    ast.ClassDef: ("a class inside a compiled function is not supported", "define it outside"),
    ast.AsyncFor: ("`async` is not supported", "compute without coroutines"),
    ast.AsyncWith: ("`async` is not supported", "compute without coroutines"),
    ast.AsyncFunctionDef: ("`async` is not supported", "compute without coroutines"),
}
for _name in ("TryStar", "TypeAlias"):
    if hasattr(ast, _name):
        NO_STATEMENTS[getattr(ast, _name)] = (f"{_name} is not supported", "leave it out")
