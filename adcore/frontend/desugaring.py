"""Statements that are others in disguise, written as those before anything looks at the function.

    match kind:                            $1 = kind
        case "a" | "b":                    if $1 == "a" or $1 == "b":
            ...                                ...
        case n if n > 2:          ->       elif (n := $1, True)[1] and n > 2:
            ...                                ...
        case _:                            else:
            ...                                ...

    while (n := n - 1) > 0:       ->       while True:
        ...                                    if not (n := n - 1) > 0:
                                                   break
                                               ...

What a `while` tests may not change a name, as the test of a loop of the IR yields nothing but a truth.
"""

from __future__ import annotations

import ast
from typing import TypeVar


def desugared(node: ast.FunctionDef, text: str) -> ast.FunctionDef:
    """The function with what it can be said with; most functions, whose `text` shows it, are given back as they are."""
    possible = ":=" in text or "match" in text
    if possible and any(isinstance(inner, (ast.Match, ast.NamedExpr)) for inner in ast.walk(node)):
        return ast.fix_missing_locations(_Desugaring().visit(node))  # type: ignore[no-any-return]
    return node


class _Desugaring(ast.NodeTransformer):
    def __init__(self) -> None:
        self.subjects = 0

    def visit_While(self, node: ast.While) -> ast.AST:
        self.generic_visit(node)
        if node.orelse or not any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(node.test)):
            return node
        leave = ast.If(ast.UnaryOp(ast.Not(), node.test), [ast.Break()], [])
        made = ast.While(ast.Constant(True), [_at(node.test, leave), *node.body], [])
        return ast.copy_location(made, node)

    def visit_Match(self, node: ast.Match) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        self.subjects += 1
        subject = f"$match {self.subjects}"
        rest: list[ast.stmt] = []
        for case in reversed(node.cases):
            test = _test(case.pattern, subject)
            if test is None:
                return node
            if case.guard is not None:
                test = ast.BoolOp(ast.And(), [test, case.guard])
            if isinstance(test, ast.Constant):
                rest = case.body
            else:
                rest = [_at(case.pattern, ast.If(_at(case.pattern, test), case.body, rest))]
        assigned = ast.Assign([ast.Name(subject, ast.Store())], node.subject)
        return [_at(node.subject, assigned), *rest]


def _test(pattern: ast.pattern, subject: str) -> ast.expr | None:
    """Whether the subject matches; a constant where it always does, None for patterns that look inside."""
    value = ast.Name(subject, ast.Load())
    if isinstance(pattern, ast.MatchValue):
        return ast.Compare(value, [ast.Eq()], [pattern.value])
    if isinstance(pattern, ast.MatchSingleton):
        return ast.Compare(value, [ast.Is()], [ast.Constant(pattern.value)])
    if isinstance(pattern, ast.MatchOr):
        tests = [_test(part, subject) for part in pattern.patterns]
        known = [test for test in tests if test is not None]
        return ast.BoolOp(ast.Or(), known) if len(known) == len(tests) else None
    if isinstance(pattern, ast.MatchAs):
        inner = ast.Constant(True) if pattern.pattern is None else _test(pattern.pattern, subject)
        if pattern.name is None or inner is None:
            return inner
        named = ast.NamedExpr(ast.Name(pattern.name, ast.Store()), value)
        bound = ast.Subscript(ast.Tuple([named, ast.Constant(True)], ast.Load()), ast.Constant(1), ast.Load())
        return bound if isinstance(inner, ast.Constant) else ast.BoolOp(ast.And(), [inner, bound])
    return None


AnyNode = TypeVar("AnyNode", bound=ast.AST)


def _at(where: ast.AST, made: AnyNode) -> AnyNode:
    """A node that stands where another one does, with all that it has no place for yet."""
    for inner in ast.walk(made):
        if not hasattr(inner, "lineno") and "lineno" in inner._attributes:
            ast.copy_location(inner, where)
    return made
