"""`for` and `while` loops: unrolled where they are short and their length is known, loops of the IR otherwise."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from adcore.frontend.liveness import bound_names, stores
from adcore.frontend.python.blocks import Depth
from adcore.frontend.python.control_flow import branch, either, exit_flag, keep_all, keeping, loop, negated
from adcore.frontend.python.targets import assign
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    FALSE,
    TRUE,
    Abstract,
    Const,
    Items,
    ListRef,
    Num,
    Poison,
    Range,
    Record,
    Stream,
)
from adcore.frontend.values.conditions import condition
from adcore.frontend.values.iterables import consume, stream_of
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.sequences import static_length
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64

Statements = Sequence[ast.stmt]
Kinds = tuple[type[ast.stmt], ...]

MOST_TRIPS = 8
"""Longer loops over numbers stay loops. Unrolling short ones before differentiation was measured to beat LLVM's."""

MOST_UNROLLED = 1500
"""Syntax nodes that an unrolled loop may have in total."""

MOST_ITEMS = 256
"""Loops over tuples and lists are always unrolled, up to this length."""


def for_loop(frame: Frame, stmt: ast.For) -> None:
    iterable = consume(frame, stmt.iter, frame.evaluate(stmt.iter))
    with frame.at(stmt.iter):
        stream = stream_of(frame, stmt.iter, iterable) if not isinstance(iterable, Range) else None
    if stream is None and not isinstance(iterable, Range):
        _for_errors(frame, stmt)
        return
    source = iterable if isinstance(iterable, Range) else stream
    assert source is not None
    length = static_length(frame, source)
    if length is not None and _unrolls(frame, stmt, iterable, length):
        with frame.at(stmt.iter):
            stream = stream_of(frame, stmt.iter, source)
        assert stream is not None
        _unrolled(frame, stmt, stream, length)
    elif isinstance(source, Range) and not _jumps(stmt.body) and as_static_int(source.step) is not None:
        _counted(frame, stmt, source)
    else:
        with frame.at(stmt.iter):
            stream = stream_of(frame, stmt.iter, source)
        assert stream is not None
        _over_stream(frame, stmt, stream)
    _finish(frame, stmt)


def _for_errors(frame: Frame, stmt: ast.For) -> None:
    """What is iterated over can't be compiled: look for more errors in the body."""
    assign(frame, stmt.target, Poison())
    before = frame.state.copy()
    frame.execute(stmt.body)
    frame.state = before
    for name in bound_names([stmt]):
        frame.state.locals[name] = Poison()


def _unrolls(frame: Frame, stmt: ast.For, iterable: Abstract, length: int) -> bool:
    if isinstance(iterable, (Items, ListRef, Record)):
        return length <= MOST_ITEMS
    if isinstance(iterable, Stream) and iterable.mixed:
        return length <= MOST_ITEMS
    return length <= MOST_TRIPS and length * weight(stmt.body) <= MOST_UNROLLED


def weight(body: list[ast.stmt]) -> int:
    """The size of statements once short inner loops are unrolled, too."""
    total = 0
    for stmt in body:
        nodes = sum(1 for _ in ast.walk(stmt))
        if isinstance(stmt, ast.For):
            nodes = max(nodes, constant_trips(stmt.iter) * weight(stmt.body))
        total += nodes
    return total


def constant_trips(iterable: ast.expr) -> int:
    """Trips of `range(3)` and the like; 1 where it is not plain."""
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) and iterable.func.id == "range":
        numbers = [a.value for a in iterable.args if isinstance(a, ast.Constant) and isinstance(a.value, int)]
        if len(numbers) == len(iterable.args) and 1 <= len(numbers) <= 3 and numbers[2:] != [0]:
            return min(len(range(*numbers)), MOST_TRIPS)
    return 1


def _jumps(body: Statements) -> bool:
    """Whether a loop with this body may end early."""
    return _has(body, (ast.Break, ast.Return), (ast.Return,))


def _breaks(body: Statements) -> bool:
    """Whether a loop with this body has a `break` of its own."""
    return _has(body, (ast.Break,), ())


def _has(body: Statements, jumps: Kinds, inner: Kinds) -> bool:
    """Whether one of `jumps` is in a loop's body; in the body of a loop inside it only those that are `inner` count."""
    pending = [(stmt, jumps) for stmt in body]
    while pending:
        stmt, wanted = pending.pop()
        if isinstance(stmt, wanted):
            return True
        if isinstance(stmt, (ast.If, ast.For, ast.While)):
            inside = wanted if isinstance(stmt, ast.If) else inner
            pending += [(part, inside) for part in stmt.body]
            pending += [(part, wanted) for part in stmt.orelse]
    return False


def _unrolled(frame: Frame, stmt: ast.For, stream: Stream, length: int) -> None:
    """Iterations one after the other; after one that may have jumped, under a test."""
    depth = Depth(frame.state.locals.copy())
    k = _iterations(frame, stmt, stream, 0, length, depth)
    while k < length and not frame.state.leaves:
        flag = exit_flag(frame)
        if isinstance(flag, Num):
            k = _under_flag(frame, stmt, stream, k, length, flag, depth)
        else:
            k = _iterations(frame, stmt, stream, k, length, depth)


def _iterations(frame: Frame, stmt: ast.For, stream: Stream, k: int, length: int, depth: Depth) -> int:
    """Iterations `k` and on; the first that is left once branches lie too deep in one another."""
    while k < length:
        with frame.at(stmt.target):
            assign(frame, stmt.target, stream.item(Const(k)))
        frame.execute(stmt.body)
        frame.state.continues = FALSE
        if frame.state.leaves:
            return length
        k += 1
        flag = exit_flag(frame)
        if isinstance(flag, Num) and k < length:
            if depth.reached(frame, _wanted_inside(frame, stmt)):
                return k
            return _under_flag(frame, stmt, stream, k, length, flag, depth)
    return length


def _under_flag(frame: Frame, stmt: ast.For, stream: Stream, k: int, length: int, flag: Num, depth: Depth) -> int:
    reached = length

    def going_on() -> None:
        nonlocal reached
        frame.state.returns = frame.state.breaks = FALSE
        reached = _iterations(frame, stmt, stream, k, length, depth.deeper)

    with frame.at(stmt):
        inside = materialise(frame, negated(frame, flag), BOOL)
        branch(frame, inside, going_on, lambda: None, _wanted_inside(frame, stmt))
    return reached


def _wanted_inside(frame: Frame, stmt: ast.For) -> Callable[[str], bool]:
    if stmt not in frame.liveness.head:
        return keep_all
    names = frame.liveness.head[stmt] | frame.liveness.after[stmt] | frame.liveness.always
    return lambda name: name in names or name.startswith("$")


def _names(frame: Frame, stmt: ast.For | ast.While) -> tuple[frozenset[str], frozenset[str]]:
    """Names that the loop may change, and those that an iteration or what follows may read."""
    assigned = bound_names(stmt.body)
    if isinstance(stmt, ast.For):
        assigned |= stores(stmt.target)
    return assigned, frame.liveness.head[stmt] | frame.liveness.after[stmt] | frame.liveness.always


def _counted(frame: Frame, stmt: ast.For, source: Range) -> None:
    """A `for` of the IR over the range itself."""
    with frame.at(stmt.iter):
        lo, hi = materialise(frame, source.lo, I64), materialise(frame, source.hi, I64)

    def body(index: Value) -> None:
        with frame.at(stmt.target):
            assign(frame, stmt.target, Num(index))
        frame.execute(stmt.body)

    with frame.at(stmt):
        loop(frame, *_names(frame, stmt), (lo, hi), as_static_int(source.step), None, body)


def _over_stream(frame: Frame, stmt: ast.For, stream: Stream) -> None:
    """Positions 0, 1, ... of a stream; with a test of the flags where the loop may end early."""
    with frame.at(stmt.iter):
        length = materialise(frame, stream.length, I64)

    def body(k: Value) -> None:
        with frame.at(stmt.target):
            assign(frame, stmt.target, stream.item(Num(k)))
        frame.execute(stmt.body)

    with frame.at(stmt):
        if _jumps(stmt.body):

            def test(k: Value) -> Abstract:
                return Num(frame.emit("lt", k, length))

            loop(frame, *_names(frame, stmt), (), None, test, body, _breaks(stmt.body))
        else:
            loop(frame, *_names(frame, stmt), (frame.const(0), length), 1, None, body)


def while_loop(frame: Frame, stmt: ast.While) -> None:
    tests: list[Abstract] = []

    def test(k: Value) -> Abstract:
        tests.append(condition(frame, stmt.test, frame.evaluate(stmt.test)))
        return tests[-1]

    def body(k: Value) -> None:
        frame.execute(stmt.body)

    with frame.at(stmt):
        loop(frame, *_names(frame, stmt), (), None, test, body, _breaks(stmt.body))
    if tests and isinstance(tests[-1], Const) and tests[-1].value and not _breaks(stmt.body):
        # `while True` without `break`: control can't get past it.
        if isinstance(frame.state.returns, Const):
            frame.state.dead = True
        else:
            frame.state.returns = TRUE
    _finish(frame, stmt)


def _finish(frame: Frame, stmt: ast.For | ast.While) -> None:
    """The `else` of a loop runs unless the loop was left by `break` (or by `return`)."""
    broken, frame.state.breaks = frame.state.breaks, FALSE
    if not stmt.orelse or frame.state.dead:
        return
    left = either(frame, broken, frame.state.returns)
    if isinstance(left, Const):
        if not left.value:
            frame.execute(stmt.orelse)
        return

    def otherwise() -> None:
        frame.state.returns = FALSE
        frame.execute(stmt.orelse)

    with frame.at(stmt):
        branch(frame, materialise(frame, negated(frame, left), BOOL), otherwise, lambda: None, keeping(frame, stmt))
