"""`for` and `while` loops: unrolled where they are short and their length is known, loops of the IR otherwise."""

from __future__ import annotations

import ast
from collections.abc import Callable

from adcore.frontend.liveness import bound_names, stores
from adcore.frontend.python.control.blocks import Depth, Statements
from adcore.frontend.python.control.branches import branch, either, exit_flag, keep_all, keeping, negated
from adcore.frontend.python.control.loop_phis import loop
from adcore.frontend.python.dispatch import statement
from adcore.frontend.python.targets import assign
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    FALSE,
    TRUE,
    Abstract,
    Constant,
    Items,
    IterableValue,
    ListRef,
    Num,
    Poison,
    Range,
    Record,
    is_scalar,
)
from adcore.frontend.values.containers.iterables import consume, iterable_of
from adcore.frontend.values.containers.sequences import static_items, static_length, trip_count
from adcore.frontend.values.numeric.conditions import condition
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64

StatementTypes = tuple[type[ast.stmt], ...]

MOST_TRIPS = 8
"""Longer loops over numbers stay loops. Unrolling short ones before differentiation was measured to beat LLVM's."""

MOST_UNROLLED = 1500
"""Syntax nodes that an unrolled loop may have in total."""

MOST_LAYERS = 64
"""Loops over the subscripts of a list of layers are unrolled up to this length, whatever their bodies weigh."""

MOST_ITEMS = 256
"""Loops over tuples and lists are always unrolled, up to this length."""


@statement(ast.For)
def for_loop(scope: FunctionScope, stmt: ast.For) -> None:
    iterated = consume(scope, stmt.iter, scope.evaluate(stmt.iter))
    with scope.at(stmt.iter):
        iterable = iterable_of(scope, stmt.iter, iterated) if not isinstance(iterated, Range) else None
    if iterable is None and not isinstance(iterated, Range):
        _for_errors(scope, stmt)
        return
    source = iterated if isinstance(iterated, Range) else iterable
    assert source is not None
    length = static_length(scope, source)
    if length is not None and _unrolls(scope, stmt, iterated, length):
        with scope.at(stmt.iter):
            iterable = iterable_of(scope, stmt.iter, source)
        assert iterable is not None
        _unrolled(scope, stmt, iterable, length)
    elif isinstance(source, Range) and not _jumps(stmt.body) and as_static_int(source.step) is not None:
        _counted(scope, stmt, source)
    else:
        with scope.at(stmt.iter):
            iterable = iterable_of(scope, stmt.iter, source)
        assert iterable is not None
        _over_iterable(scope, stmt, iterable)
    _finish(scope, stmt)


def _for_errors(scope: FunctionScope, stmt: ast.For) -> None:
    """What is iterated over can't be compiled: look for more errors in the body."""
    assign(scope, stmt.target, Poison())
    before = scope.state.copy()
    scope.execute(stmt.body)
    scope.state = before
    for name in bound_names([stmt]):
        scope.state.locals[name] = Poison()


def _unrolls(scope: FunctionScope, stmt: ast.For, iterated: Abstract, length: int) -> bool:
    if isinstance(iterated, (Items, ListRef, Record)):
        return length <= MOST_ITEMS
    if isinstance(iterated, IterableValue) and iterated.mixed:
        return length <= MOST_ITEMS
    if length <= MOST_LAYERS and _reads_layers(scope, stmt):
        return True
    return length <= MOST_TRIPS and length * weight(stmt.body) <= MOST_UNROLLED


def _reads_layers(scope: FunctionScope, stmt: ast.For) -> bool:
    """Whether the body subscripts a tuple or list whose items are no numbers: only a constant can select one."""
    if not isinstance(stmt.target, ast.Name):
        return False
    for node in (inner for part in stmt.body for inner in ast.walk(part)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            owner = scope.state.locals.get(node.value.id)
            reads = any(isinstance(n, ast.Name) and n.id == stmt.target.id for n in ast.walk(node.slice))
            known = isinstance(owner, (Items, ListRef)) and static_length(scope, owner) is not None
            if reads and known and owner is not None and not all(map(is_scalar, static_items(scope, owner))):
                return True
    return False


def weight(body: list[ast.stmt]) -> int:
    """The size of statements once short inner loops are unrolled, too."""
    total = 0
    for stmt in body:
        nodes = sum(1 for _ in ast.walk(stmt))
        if isinstance(stmt, ast.For):
            nodes = max(nodes, constant_trips(stmt.iter) * weight(stmt.body))
        total += nodes
    return total


def constant_trips(iterated: ast.expr) -> int:
    """Trips of `range(3)` and the like; 1 where it is not plain."""
    if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Name) and iterated.func.id == "range":
        numbers = [a.value for a in iterated.args if isinstance(a, ast.Constant) and isinstance(a.value, int)]
        if len(numbers) == len(iterated.args) and 1 <= len(numbers) <= 3 and numbers[2:] != [0]:
            return min(len(range(*numbers)), MOST_TRIPS)
    return 1


def _jumps(body: Statements) -> bool:
    """Whether a loop with this body may end early."""
    return _has(body, (ast.Break, ast.Return), (ast.Return,))


def _breaks(body: Statements) -> bool:
    """Whether a loop with this body has a `break` of its own."""
    return _has(body, (ast.Break,), ())


def _has(body: Statements, jumps: StatementTypes, inner: StatementTypes) -> bool:
    """Whether one of `jumps` is in a loop's body; in the body of a loop inside it only those that are `inner` count."""
    pending = [(stmt, jumps) for stmt in body]
    while pending:
        stmt, wanted = pending.pop()
        if isinstance(stmt, wanted):
            return True
        if isinstance(stmt, (ast.If, ast.For, ast.While, ast.With)):
            inside = wanted if isinstance(stmt, (ast.If, ast.With)) else inner
            pending += [(part, inside) for part in stmt.body]
            pending += [(part, wanted) for part in getattr(stmt, "orelse", ())]
        elif isinstance(stmt, ast.Try):
            handled = [part for handler in stmt.handlers for part in handler.body]
            pending += [(part, wanted) for part in (*stmt.body, *handled, *stmt.orelse, *stmt.finalbody)]
    return False


def _unrolled(scope: FunctionScope, stmt: ast.For, iterable: IterableValue, length: int) -> None:
    """Iterations one after the other; after one that may have jumped, under a test."""
    depth = Depth(scope.state.locals.copy())
    k = _iterations(scope, stmt, iterable, 0, length, depth)
    while k < length and not scope.state.leaves:
        flag = exit_flag(scope)
        if isinstance(flag, Num):
            k = _under_flag(scope, stmt, iterable, k, length, flag, depth)
        else:
            k = _iterations(scope, stmt, iterable, k, length, depth)


def _iterations(scope: FunctionScope, stmt: ast.For, iterable: IterableValue, k: int, length: int, depth: Depth) -> int:
    """Iterations `k` and on; the first that is left once branches lie too deep in one another."""
    while k < length:
        with scope.at(stmt.target):
            assign(scope, stmt.target, iterable.item(Constant(k)))
        scope.execute(stmt.body)
        scope.state.continues = FALSE
        if scope.state.leaves:
            return length
        k += 1
        flag = exit_flag(scope)
        if isinstance(flag, Num) and k < length:
            if depth.reached(scope, _wanted_inside(scope, stmt)):
                return k
            return _under_flag(scope, stmt, iterable, k, length, flag, depth)
    return length


def _under_flag(
    scope: FunctionScope, stmt: ast.For, iterable: IterableValue, k: int, length: int, flag: Num, depth: Depth
) -> int:
    reached = length

    def going_on() -> None:
        nonlocal reached
        scope.state.returns = scope.state.breaks = FALSE
        reached = _iterations(scope, stmt, iterable, k, length, depth.deeper)

    with scope.at(stmt):
        inside = materialise(scope, negated(scope, flag), BOOL)
        branch(scope, inside, going_on, lambda: None, _wanted_inside(scope, stmt))
    return reached


def _wanted_inside(scope: FunctionScope, stmt: ast.For) -> Callable[[str], bool]:
    if stmt not in scope.liveness.head:
        return keep_all
    names = scope.liveness.head[stmt] | scope.liveness.after[stmt] | scope.liveness.always
    return lambda name: name in names or name.startswith("$")


def _names(scope: FunctionScope, stmt: ast.For | ast.While) -> tuple[frozenset[str], frozenset[str]]:
    """Names that the loop may change, and those that an iteration or what follows may read."""
    assigned = bound_names(stmt.body)
    if isinstance(stmt, ast.For):
        assigned |= stores(stmt.target)
    return assigned, scope.liveness.head[stmt] | scope.liveness.after[stmt] | scope.liveness.always


def _counted(scope: FunctionScope, stmt: ast.For, source: Range) -> None:
    """A `for` of the IR over the range itself."""
    with scope.at(stmt.iter):
        lo, hi = materialise(scope, source.lo, I64), materialise(scope, source.hi, I64)

    def body(index: Value) -> None:
        with scope.at(stmt.target):
            assign(scope, stmt.target, Num(index))
        scope.execute(stmt.body)

    with scope.at(stmt):
        trips = lambda: materialise(scope, trip_count(scope, source), I64)  # noqa: E731
        loop(scope, *_names(scope, stmt), (lo, hi), as_static_int(source.step), None, body, trips=trips)


def _over_iterable(scope: FunctionScope, stmt: ast.For, iterable: IterableValue) -> None:
    """Items 0, 1, ... of an iterable; with a test of the flags where the loop may end early."""
    with scope.at(stmt.iter):
        length = materialise(scope, iterable.length, I64)

    def body(k: Value) -> None:
        with scope.at(stmt.target):
            assign(scope, stmt.target, iterable.item(Num(k)))
        scope.execute(stmt.body)

    with scope.at(stmt):
        if _jumps(stmt.body):

            def test(k: Value) -> Abstract:
                return Num(scope.emit("lt", k, length))

            loop(scope, *_names(scope, stmt), (), None, test, body, _breaks(stmt.body), lambda: length)
        else:
            loop(scope, *_names(scope, stmt), (scope.const(0), length), 1, None, body, trips=lambda: length)


MOST_GROWING_TRIPS = 8192
"""Iterations of a `while` in which a list grows: nothing tells how many there are, and it needs room before them."""


NO_MORE_ROOM = f"a list grows in this `while` loop for more than {MOST_GROWING_TRIPS} iterations; it has no more room"


@statement(ast.While)
def while_loop(scope: FunctionScope, stmt: ast.While) -> None:
    tests: list[Abstract] = []

    def test(k: Value) -> Abstract:
        tests.append(condition(scope, stmt.test, scope.evaluate(stmt.test)))
        return tests[-1]

    grows: list[bool] = []

    def most_trips() -> Value:
        grows.append(True)
        return scope.const(MOST_GROWING_TRIPS)

    def body(k: Value) -> None:
        if grows:
            fits = scope.emit("lt", k, scope.const(MOST_GROWING_TRIPS))
            scope.check(fits, "RuntimeError", NO_MORE_ROOM)
        scope.execute(stmt.body)

    with scope.at(stmt):
        loop(scope, *_names(scope, stmt), (), None, test, body, _breaks(stmt.body), most_trips)
    if tests and isinstance(tests[-1], Constant) and tests[-1].value and not _breaks(stmt.body):
        # `while True` without `break`: control can't get past it.
        if isinstance(scope.state.returns, Constant):
            scope.state.dead = True
        else:
            scope.state.returns = TRUE
    _finish(scope, stmt)


def _finish(scope: FunctionScope, stmt: ast.For | ast.While) -> None:
    """The `else` of a loop runs unless the loop was left by `break` (or by `return`)."""
    broken, scope.state.breaks = scope.state.breaks, FALSE
    if not stmt.orelse or scope.state.dead:
        return
    left = either(scope, broken, scope.state.returns)
    if isinstance(left, Constant):
        if not left.value:
            scope.execute(stmt.orelse)
        return

    def otherwise() -> None:
        scope.state.returns = FALSE
        scope.execute(stmt.orelse)

    with scope.at(stmt):
        branch(scope, materialise(scope, negated(scope, left), BOOL), otherwise, lambda: None, keeping(scope, stmt))
