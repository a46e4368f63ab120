"""Blocks: statements one after the other, branches, and what follows an early exit.

`break`, `continue` and `return` set flags; what follows a statement that may have set one is compiled under a test of
the flags. A branch that surely leaves needs none: what follows the `if` goes into the other branch.

    if x[0] > 1.0:                 %r = if %c {                   and after many of them   %r = if %c { ... }
        return s                     yield %s                                                   %q = if %going {
    s += x[0]                      } else {                                                       ... the next ones
    ...                              ... all that follows ...                                   }
                                   }

Either way branches would lie as deep in one another as a program has early exits. So beyond `MOST_NESTED` of them what
is left follows after the outermost branch, under a test of its own, where the names that it needs are numbers (they
outlive a branch) or from before it. Chains of `elif` are divided in the same way.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adcore.frontend.liveness import only_if
from adcore.frontend.python.control.branches import branch, exit_flag, keeping, negated, wanted_before
from adcore.frontend.python.control.raising import raise_if_harmless
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import FALSE, TRUE, Abstract, Constant, Num, Poison
from adcore.frontend.values.numeric.conditions import condition
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.types import BOOL

MOST_NESTED = 64
"""Branches that may lie in one another although the program's lines do not."""

Statements = Sequence[ast.stmt]


@dataclass(frozen=True)
class Depth:
    """How many branches around a statement there are only because of exits before it, or of `elif`s; `names` had these
    values before the outermost of them."""

    names: dict[str, Abstract]
    level: int = 0

    @property
    def deeper(self) -> Depth:
        return replace(self, level=self.level + 1)

    def reached(self, scope: FunctionScope, keep: Callable[[str], bool]) -> bool:
        """Whether it is enough, and what `keep` names may be used after the outermost branch as well."""
        return self.level >= MOST_NESTED and all(
            isinstance(value, (Num, Constant, Poison)) or self.names.get(name) is value
            for name, value in scope.state.locals.items()
            if keep(name)
        )


def execute(scope: FunctionScope, body: Statements) -> None:
    """Statements one after the other, until control surely leaves."""
    depth = Depth(scope.state.locals.copy())
    rest = nested(scope, body, depth)
    while rest and not scope.state.leaves:
        flag = exit_flag(scope)
        rest = under_flag(scope, flag, rest, depth) if isinstance(flag, Num) else nested(scope, rest, depth)


def nested(scope: FunctionScope, body: Statements, depth: Depth) -> Statements:
    """Statements one after the other; those that are left once branches lie too deep in one another."""
    for position, stmt in enumerate(body):
        if scope.state.leaves:
            return ()
        with scope.at(stmt):
            if isinstance(stmt, ast.If):
                rest = if_statement(scope, stmt, body, position + 1, depth)
                if rest is not None:
                    return rest
            else:
                scope.perform(stmt)
        if position + 1 < len(body) and not scope.state.leaves:
            flag = exit_flag(scope)
            if isinstance(flag, Num):
                rest = body[position + 1 :]
                if depth.reached(scope, wanted_before(scope, rest[0])):
                    return rest
                return under_flag(scope, flag, rest, depth)
    return ()


def if_statement(
    scope: FunctionScope, stmt: ast.If, body: Statements, following: int, depth: Depth
) -> Statements | None:
    """`stmt`, which `body[following:]` follows. None, or what is left if that was compiled as a part of a branch."""
    found = _undecided(scope, stmt)
    if found is None:
        return None
    inner, flag = found
    if inner is stmt:
        return _branches(scope, stmt, flag, body[following:], depth)
    left = _branches(scope, inner, flag, (), depth)
    return [*left, *body[following:]] if left else None


def _undecided(scope: FunctionScope, stmt: ast.If) -> tuple[ast.If, Num] | None:
    """The first of `if` and its `elif`s that needs a branch, with its condition; those before it are compiled."""
    while True:
        with scope.at(stmt):
            test = scope.evaluate(stmt.test)
            if isinstance(test, Poison):
                _both_for_errors(scope, stmt)
                return None
            flag = condition(scope, stmt.test, test)
            if isinstance(flag, Constant) and flag.value:
                scope.execute(stmt.body)
                return None
            if isinstance(flag, Num):
                if len(stmt.body) != 1 or not isinstance(stmt.body[0], ast.Raise):
                    return stmt, flag
                if not raise_if_harmless(scope, stmt.body[0], negated(scope, flag)):
                    return stmt, flag
        otherwise = only_if(stmt.orelse)
        if otherwise is None or scope.state.leaves:
            scope.execute(stmt.orelse)
            return None
        stmt = otherwise


def _both_for_errors(scope: FunctionScope, stmt: ast.If) -> None:
    """The test can't be compiled: look for more errors in the branches."""
    before = scope.state
    for body in (stmt.body, stmt.orelse):
        scope.state = before.copy()
        scope.execute(body)
        for name, value in scope.state.locals.items():
            before.locals.setdefault(name, Poison() if name not in before.locals else value)
    scope.state = before


def _branches(scope: FunctionScope, stmt: ast.If, flag: Num, rest: Statements, depth: Depth) -> Statements | None:
    """`stmt`, which has to be a branch, and `rest` if one side of it surely leaves; the same result."""
    leaves = scope.liveness.leaves
    if leaves(stmt.body) and leaves(stmt.orelse):
        return _exit(scope, stmt, flag, (), depth) or None
    if leaves(stmt.body) or leaves(stmt.orelse):
        return _exit(scope, stmt, flag, rest, depth)
    _chain_of(scope, stmt, flag)
    return None


# Exits ----------------------------------------------------------------------------------------------------------------


def _exit(scope: FunctionScope, stmt: ast.If, flag: Num, rest: Statements, depth: Depth) -> Statements:
    """A branch of which one side leaves; the other one goes on with `rest`. What is left of it."""
    then_leaves = scope.liveness.leaves(stmt.body)
    leaving = stmt.body if then_leaves else stmt.orelse
    going = [*(stmt.orelse if then_leaves else stmt.body), *rest]
    left: list[ast.stmt] = []

    def go_on() -> None:
        left[:] = nested(scope, going, depth.deeper)

    def leave() -> None:
        scope.execute(leaving)

    if going and depth.reached(scope, wanted_before(scope, going[0])):
        # It follows after the outermost branch.
        left, go_on = going, lambda: None
    keep = _keeping_for(scope, rest[-1] if rest else stmt, left)
    sides = (leave, go_on) if then_leaves else (go_on, leave)
    branch(scope, materialise(scope, flag, BOOL), *sides, keep)
    return left


def under_flag(scope: FunctionScope, flag: Num, rest: Statements, depth: Depth) -> Statements:
    """`rest`, if control is still on the straight line; what is left of it."""
    left: list[ast.stmt] = []

    def going_on() -> None:
        scope.state.returns = scope.state.breaks = scope.state.continues = FALSE
        left[:] = nested(scope, rest, depth.deeper)

    with scope.at(rest[0]):
        inside = materialise(scope, negated(scope, flag), BOOL)
        branch(scope, inside, going_on, lambda: None, _keeping_for(scope, rest[-1], left))
    return left


def _keeping_for(scope: FunctionScope, last: ast.stmt, left: Statements) -> Callable[[str], bool]:
    """Which names matter after a branch that ends with `last`, or leaves `left` of it to be compiled."""
    after = keeping(scope, last)
    return lambda name: wanted_before(scope, left[0])(name) if left else after(name)


# Chains of `elif` -----------------------------------------------------------------------------------------------------


def _chain_of(scope: FunctionScope, stmt: ast.If, flag: Num) -> None:
    """An `if` with all its `elif`s, of which no side surely leaves.

    Where they are many, a name of their own says whether none of those before was taken, and the next ones follow.
    """
    none_taken = f"$none taken at {stmt.lineno}:{stmt.col_offset}" if _is_long(stmt) else ""
    if none_taken:
        scope.state.locals[none_taken] = FALSE
    depth = Depth(scope.state.locals.copy())
    left = _chain(scope, stmt, flag, none_taken, depth)
    while left is not None:
        left = _next_part(scope, stmt, left, none_taken, depth)
    scope.state.locals.pop(none_taken, None)


def _next_part(scope: FunctionScope, stmt: ast.If, part: ast.If, none_taken: str, depth: Depth) -> ast.If | None:
    """The `elif`s of `stmt` from `part` on, if none before was taken; what is left."""
    going = scope.state.locals[none_taken]
    assert isinstance(going, Num)
    left: list[ast.If] = []

    def go_on() -> None:
        scope.state.locals[none_taken] = FALSE
        found = _undecided(scope, part)
        if found is not None:
            left[:] = filter(None, [_chain(scope, *found, none_taken, depth)])

    def taken() -> None:
        scope.state.locals[none_taken] = FALSE

    branch(scope, going.value, go_on, taken, _keeping_chain(scope, stmt, left))
    return left[0] if left else None


def _is_long(stmt: ast.If) -> bool:
    count, inner = 0, only_if(stmt.orelse)
    while inner is not None and count <= MOST_NESTED:
        count, inner = count + 1, only_if(inner.orelse)
    return count > MOST_NESTED


def _chain(scope: FunctionScope, stmt: ast.If, flag: Num, none_taken: str, depth: Depth) -> ast.If | None:
    """As far as branches may lie in one another; the `if` of the first `elif` that is left."""
    left: list[ast.If] = []

    def otherwise() -> None:
        inner = only_if(stmt.orelse)
        if inner is None:
            scope.execute(stmt.orelse)
        elif none_taken and depth.reached(scope, wanted_before(scope, inner)):
            scope.state.locals[none_taken] = TRUE
            left[:] = [inner]
        else:
            found = _undecided(scope, inner)
            if found is not None:
                left[:] = filter(None, [_chain(scope, *found, none_taken, depth.deeper)])

    keep = _keeping_chain(scope, stmt, left)
    branch(scope, materialise(scope, flag, BOOL), lambda: scope.execute(stmt.body), otherwise, keep)
    return left[0] if left else None


def _keeping_chain(scope: FunctionScope, stmt: ast.If, left: Sequence[ast.If]) -> Callable[[str], bool]:
    """Which names matter after a part of the chain of `stmt`: one that was taken goes on after all of it."""
    after = keeping(scope, stmt)
    return lambda name: after(name) or (bool(left) and wanted_before(scope, left[0])(name))
