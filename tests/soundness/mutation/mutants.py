"""One change to one function of a module: a statement dropped, a condition settled, a part of a condition ignored.

if a and b:                 if True:    if False:    if a:    if b:
    self.add(x, y)    ->        pass
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """`number` counts the changes that are possible in the module's source."""

    module: ModuleType
    number: int
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.module.__name__}:{self.line} {self.kind}"

    def apply(self) -> None:
        """Change the function in this process. What was made by it before stays."""
        tree = ast.parse(inspect.getsource(self.module))
        changed = _Change(self.number).visit(tree)
        code = compile(ast.fix_missing_locations(changed), str(self.module.__file__), "exec")
        codes = {(c.co_name, c.co_firstlineno): c for c in _codes(code)}
        for function in _functions(self.module):
            key = function.__code__.co_name, function.__code__.co_firstlineno
            if key in codes and codes[key].co_freevars == function.__code__.co_freevars:
                function.__code__ = codes[key]
        for cached in vars(self.module).values():
            if isinstance(cached, functools._lru_cache_wrapper):
                cached.cache_clear()


def mutants(module: ModuleType) -> list[Mutant]:
    """All of a module's functions, in the order of their lines."""
    seen = _Change(-1)
    seen.visit(ast.parse(inspect.getsource(module)))
    return [Mutant(module, k, line, kind) for k, (line, kind) in enumerate(seen.places)]


class _Change(ast.NodeTransformer):
    """Makes change number `wanted`, and lists all of them on the way."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.places = wanted, []  # type: tuple[int, list[tuple[int, str]]]
        self.within = 0

    def _is_next(self, node: Any, kind: str) -> bool:
        self.places.append((node.lineno, kind))
        return len(self.places) - 1 == self.wanted

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.within += 1
        self.generic_visit(node)
        self.within -= 1
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        if self.within and isinstance(node.value, ast.Call) and self._is_next(node, f"without {ast.unparse(node)}"):
            return ast.copy_location(ast.Pass(), node)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if self.within and self._is_next(node, f"without {ast.unparse(node)}"):
            return ast.copy_location(ast.Pass(), node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        stored = isinstance(node.targets[0], (ast.Attribute, ast.Subscript))
        if self.within and stored and self._is_next(node, f"without {ast.unparse(node)}"):
            return ast.copy_location(ast.Pass(), node)
        return node

    def _settled(self, test: ast.expr) -> ast.expr:
        for answer in (True, False):
            if self._is_next(test, f"{answer} for {ast.unparse(test)}"):
                return ast.copy_location(ast.Constant(answer), test)
        return test

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        node.test = self._settled(node.test)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        node.test = self._settled(node.test)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs = [self._settled(test) for test in node.ifs]
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        for k, part in enumerate(node.values):
            if self.within and self._is_next(part, f"without the part {ast.unparse(part)}"):
                node.values = node.values[:k] + node.values[k + 1 :]
                return node if len(node.values) > 1 else node.values[0]
        return node


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        members = list(vars(value).values()) if inspect.isclass(value) else [value]
        for member in members:
            plain = (
                getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
            )
            plain = inspect.unwrap(plain) if callable(plain) else plain
            if isinstance(plain, FunctionType):
                yield plain
