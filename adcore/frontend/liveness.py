"""Which local names may still be read: only those are carried through loops and joined after branches.

Backward over structured statements. A name that a nested function reads counts as read everywhere, because the
function may be called anywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Names = frozenset[str]
NOTHING: Names = frozenset()


@dataclass
class Liveness:
    """For each statement the names wanted before and after it and, for loops, at the head of an iteration (`head`).
    Inside a loop both include what is wanted where jumps go. `leaving`: the `if`s after which control never goes on."""

    before: dict[ast.AST, Names] = field(default_factory=dict)
    after: dict[ast.AST, Names] = field(default_factory=dict)
    head: dict[ast.AST, Names] = field(default_factory=dict)
    always: Names = NOTHING
    leaving: set[ast.AST] = field(default_factory=set)

    def leaves(self, body: Sequence[ast.stmt]) -> bool:
        """Whether control never runs off the end of `body`."""
        return bool(body) and (
            isinstance(body[-1], (ast.Return, ast.Break, ast.Continue, ast.Raise)) or body[-1] in self.leaving
        )


@dataclass(frozen=True)
class _Jumps:
    """What is live where `break` and `continue` go."""

    on_break: Names = NOTHING
    on_continue: Names = NOTHING

    on_error: Names = NOTHING

    @property
    def any(self) -> Names:
        return self.on_break | self.on_continue | self.on_error

    def with_errors(self, names: Names) -> _Jumps:
        """The same inside of something that errors are caught by, behind which `names` are live."""
        return _Jumps(self.on_break, self.on_continue, self.on_error | names)


def liveness(body: Sequence[ast.stmt]) -> Liveness:
    """The live names of a function body."""
    found = Liveness()
    # What belongs to a function around this one is read there.
    found.always = frozenset(name for stmt in body for name in _nested_reads(stmt)) | nonlocals(body)
    _Solver(found).block(body, found.always, _Jumps())
    return found


class _Solver:
    def __init__(self, found: Liveness) -> None:
        self.found = found
        self.uses: dict[ast.stmt, tuple[Names, Names]] = {}

    def plain(self, stmt: ast.stmt) -> tuple[Names, Names]:
        """What a statement reads and binds; looked at once, however often the loops around it are."""
        if stmt not in self.uses:
            self.uses[stmt] = reads(stmt), stores(stmt)
        return self.uses[stmt]

    def block(self, body: Sequence[ast.stmt], after: Names, jumps: _Jumps) -> Names:
        for stmt in reversed(body):
            after = self.statement(stmt, after, jumps)
            self.found.before[stmt] = after | jumps.any
        return after

    def branches(self, stmt: ast.If, after: Names, jumps: _Jumps) -> Names:
        """Of an `if`; what is in an `elif` is no deeper than what is in the `if`."""
        chain = [stmt]
        while (inner := only_if(chain[-1].orelse)) is not None:
            chain.append(inner)
        otherwise = self.block(chain[-1].orelse, after, jumps)
        for part in reversed(chain):
            self.found.after[part] = after | jumps.any
            otherwise = reads(part.test) | self.block(part.body, after, jumps) | otherwise
            self.found.before[part] = otherwise | jumps.any
            if self.found.leaves(part.body) and self.found.leaves(part.orelse):
                self.found.leaving.add(part)
        return otherwise

    def statement(self, stmt: ast.stmt, after: Names, jumps: _Jumps) -> Names:
        self.found.after[stmt] = after | jumps.any
        if isinstance(stmt, ast.If):
            return self.branches(stmt, after, jumps)
        if isinstance(stmt, ast.While):
            return self.loop(stmt, after, jumps, reads(stmt.test), NOTHING)
        if isinstance(stmt, ast.For):
            return self.loop(stmt, after, jumps, NOTHING, stores(stmt.target)) | reads(stmt.iter)
        if isinstance(stmt, (ast.Return, ast.Raise)):
            return reads(stmt) | self.found.always
        if isinstance(stmt, ast.Break):
            return jumps.on_break
        if isinstance(stmt, ast.Continue):
            return jumps.on_continue
        if isinstance(stmt, ast.FunctionDef):
            return (after - {stmt.name}) | frozenset(_nested_reads(stmt)) | reads(stmt.args)
        if isinstance(stmt, ast.Try):
            return self.guarded(stmt, after, jumps)
        if isinstance(stmt, ast.With):
            # `contextlib.suppress` goes on behind it from anywhere inside.
            return self.block(stmt.body, after, jumps.with_errors(after)) | frozenset(
                n for item in stmt.items for n in reads(item)
            )
        if isinstance(stmt, ast.AugAssign):
            return after | reads(stmt) | stores(stmt.target)
        read, bound = self.plain(stmt)
        return (after - bound) | read

    def guarded(self, stmt: ast.Try, after: Names, jumps: _Jumps) -> Names:
        """Of a `try`: what its handlers read is wanted all through its body, as control may go there from anywhere."""
        last = self.block(stmt.finalbody, after, jumps) | after
        caught = frozenset(
            name
            for handler in stmt.handlers
            for name in self.block(handler.body, last, jumps) | (reads(handler.type) if handler.type else NOTHING)
        )
        caught |= last
        self.found.after[stmt] |= last
        bodies = [stmt.orelse or stmt.body, *(handler.body for handler in stmt.handlers)]
        inner = self.block(stmt.body, self.block(stmt.orelse, last, jumps), jumps.with_errors(caught))
        if all(map(self.found.leaves, bodies)):
            self.found.leaving.add(stmt)
        return inner | caught

    def loop(self, stmt: ast.For | ast.While, after: Names, jumps: _Jumps, test: Names, targets: Names) -> Names:
        leaving = test | self.block(stmt.orelse, after, jumps)
        head = leaving
        while True:
            inner = self.block(stmt.body, head, _Jumps(after, head, jumps.on_error))
            grown = head | (inner - targets)
            if grown == head:
                break
            head = grown
        # A loop may end by a jump of an outer loop's, hence `jumps`.
        self.found.after[stmt] = after | leaving | jumps.any
        self.found.head[stmt] = head
        return head


def nonlocals(body: Sequence[ast.stmt]) -> Names:
    """The names that a function body declares to be those of a function around it."""
    found: set[str] = set()
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Nonlocal):
            found.update(node.names)
        elif not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.expr)):
            pending.extend(children(node))
    return frozenset(found)


def only_if(body: Sequence[ast.stmt]) -> ast.If | None:
    """The one statement of `body`, if that is an `if`: what `elif` gives."""
    return body[0] if len(body) == 1 and isinstance(body[0], ast.If) else None


def children(node: ast.AST) -> list[ast.AST]:
    """What is inside a node, apart from operators and contexts, which have no names."""
    found: list[ast.AST] = []
    for field_name in node._fields:
        value = getattr(node, field_name, None)
        if isinstance(value, ast.AST):
            if value._fields:
                found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
    return found


def reads(node: ast.AST) -> Names:
    """Names that `node` reads. The targets of a comprehension are its own."""
    found: set[str] = set()
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                found.add(node.id)
        elif isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            own = bound_names(generator.target for generator in node.generators)
            found.update(*(reads(child) - own for child in children(node)))
            pending.append(node.generators[0].iter)
        else:
            pending += children(node)
    return frozenset(found)


def stores(node: ast.AST) -> Names:
    """Names that `node` binds (those of comprehensions are their own)."""
    return bound_names((node,))


def bound_names(body: Iterable[ast.AST]) -> Names:
    """Names that statements bind, nested functions' own names excluded: the locals of a function."""
    found: set[str] = set()
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found.add(node.id)
        if isinstance(node, ast.ExceptHandler) and node.name is not None:
            found.add(node.name)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        pending.extend(children(node))
    return frozenset(found)


def _nested_reads(node: ast.AST) -> set[str]:
    """Names read inside functions and lambdas nested in `node`."""
    found: set[str] = set()
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            found.update(reads(node))
        else:
            pending.extend(children(node))
    return found
