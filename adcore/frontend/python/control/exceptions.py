"""`try`: an error that compiled code can tell becomes a branch, and the handler what stands on its other side.

    try:                            %ok = ne %d, 0.0
        y = n / d                   %y, %caught = if %ok {
        z = x[i] * y        ->        ... y = n / d, and all that follows in the body ...
    except ZeroDivisionError:         yield ..., 0
        z = 0.0                     } else {
                                      yield ..., 1
                                    }
                                    %z = if %caught == 1 { ... the handler ... }

Each statement of the body is compiled apart first. Where one of its instructions may raise what a handler takes, that
instruction and everything after it go into a branch; the other side has the names as they were before the statement,
and memory as it is at that point. So all of this is plain control flow for whatever comes after the frontend.

What raises inside a loop, or on one side of an expression, is not taken apart; that is refused. Integers that do not
fit into 64 bits, and arrays for which there is no memory, are no errors of the program: no handler sees them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from adcore.frontend.python.control.branches import both, branch, either, exit_flag, keep_all, keeping, negated, side
from adcore.frontend.python.control.raising import exception
from adcore.frontend.python.dispatch import statement
from adcore.frontend.session import FunctionScope, State
from adcore.frontend.values.abstract import (
    FALSE,
    TRUE,
    UNBOUND,
    Abstract,
    Conflict,
    Constant,
    Items,
    Poison,
)
from adcore.frontend.values.numeric.conditions import condition
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import compare
from adcore.ir.core import Instr, Value
from adcore.ir.types import BOOL
from adcore.ops.memory import FAULTS

ADVICE = "put the `try` around the one line that may raise, inside of the loop or branch, or test the condition first"


@dataclass
class Handlers:
    """The handlers of one `try`: classes of each. `flag` is the name that says which one is to run, 0 for none."""

    classes: list[tuple[type[BaseException], ...]]
    flag: str
    reported: set[object] = field(default_factory=set)
    passing: frozenset[int] = frozenset()
    """Handlers that do nothing but raise again: the error goes on, past those behind them."""

    def number(self, error: type[BaseException]) -> int:
        """The handler that takes an error; 0 if none does."""
        first = next((k for k, own in enumerate(self.classes, start=1) if issubclass(error, own)), 0)
        return 0 if first in self.passing else first

    def caught(self, scope: FunctionScope) -> Abstract:
        """Whether a handler is to run."""
        return compare(scope, ast.Pass(), ast.NotEq, scope.state.locals[self.flag], Constant(0))


@statement(ast.Try)
def _try(scope: FunctionScope, stmt: ast.Try) -> None:
    classes = [_classes(scope, handler.type) for handler in stmt.handlers]
    known = [found for found in classes if found is not None]
    if len(known) < len(classes):
        _look_for_errors(scope, stmt)
        return
    handlers = Handlers(known, f"$caught {stmt.lineno}:{stmt.col_offset}", passing=_passing(stmt))
    scope.session.unfinished += bool(stmt.finalbody)
    run_guarded(scope, stmt, stmt.body, handlers)
    if stmt.orelse:
        _under(scope, negated(scope, _left(scope, handlers)), lambda: scope.execute(stmt.orelse), keep_all)
    for k, handler in enumerate(stmt.handlers, start=1):
        if k not in handlers.passing:
            _handle(scope, handlers, k, handler)
    scope.session.unfinished -= bool(stmt.finalbody)
    scope.state.locals.pop(handlers.flag, None)
    jumps = (scope.state.breaks, scope.state.continues)
    if stmt in scope.liveness.leaving and all(isinstance(flag, Constant) and not flag.value for flag in jumps):
        # The body and every handler end in a `return`, which the flags alone don't show.
        scope.state.returns = TRUE
    said = scope.session.messages
    _finally(scope, stmt.finalbody)
    if scope.session.messages > said:
        title = "a message in `finally`, which an error could pass by"
        scope.error(stmt.finalbody[0], title, "send it after the `try`, and in each handler")


def _passing(stmt: ast.Try) -> frozenset[int]:
    bodies = enumerate((handler.body for handler in stmt.handlers), start=1)
    return frozenset(k for k, body in bodies if isinstance(body[0], ast.Raise) and body[0].exc is None)


def run_guarded(scope: FunctionScope, stmt: ast.stmt, body: Sequence[ast.stmt], handlers: Handlers) -> None:
    """`body`; afterwards the flag of `handlers` says what was caught."""
    scope.state.locals[handlers.flag] = Constant(0)
    with scope.at(stmt):
        _body(scope, list(body), handlers)


def _classes(scope: FunctionScope, node: ast.expr | None) -> tuple[type[BaseException], ...] | None:
    """What a handler takes."""
    if node is None:
        return (BaseException,)
    value = scope.evaluate(node)
    items = value.items if isinstance(value, Items) else (value,)
    found = [item.value for item in items if isinstance(item, Constant) and isinstance(item.value, type)]
    if len(found) == len(items) and all(issubclass(cls, BaseException) for cls in found):
        return tuple(found)
    if not any(isinstance(item, Poison) for item in items):
        scope.error(node, "a handler takes exception classes that are known while compiling")
    return None


def _look_for_errors(scope: FunctionScope, stmt: ast.Try) -> None:
    """The handlers can't be compiled: look for more errors in what is inside."""
    before = scope.state
    for body in (stmt.body, *(handler.body for handler in stmt.handlers), stmt.orelse, stmt.finalbody):
        scope.state = before.copy()
        scope.execute(body)
        for name in scope.state.locals:
            before.locals.setdefault(name, Poison())
    scope.state = before


def _under(scope: FunctionScope, flag: Abstract, run: Callable[[], None], keep: Callable[[str], bool]) -> None:
    """`if flag: run()`, with the flags of jumps down."""
    if isinstance(flag, Constant):
        if flag.value and not scope.state.dead:
            run()
        return

    def going_on() -> None:
        scope.state.returns = scope.state.breaks = scope.state.continues = FALSE
        run()

    branch(scope, materialise(scope, flag, BOOL), going_on, lambda: None, keep)


def _left(scope: FunctionScope, handlers: Handlers) -> Abstract:
    """Whether control has left the straight line, by a jump or by an error."""
    return either(scope, exit_flag(scope), handlers.caught(scope))


# The body -------------------------------------------------------------------------------------------------------------


def _body(scope: FunctionScope, body: list[ast.stmt], handlers: Handlers) -> None:
    if not body or scope.state.leaves:
        return
    stmt, *rest = body

    def onwards() -> None:
        going = negated(scope, _left(scope, handlers))
        _under(scope, going, lambda: _resumed(scope, rest, handlers), keeping(scope, stmt))

    with scope.at(stmt):
        if isinstance(stmt, ast.If):
            _if(scope, stmt, handlers, onwards)
        elif isinstance(stmt, ast.Raise):
            _raise(scope, stmt, handlers)
        else:
            found = side(scope, lambda: scope.perform(stmt))
            _replayed(scope, stmt, list(found.region.region.body), found.end, handlers, onwards)


def _resumed(scope: FunctionScope, rest: list[ast.stmt], handlers: Handlers) -> None:
    scope.state.locals[handlers.flag] = Constant(0)
    _body(scope, rest, handlers)


def _if(scope: FunctionScope, stmt: ast.If, handlers: Handlers, onwards: Callable[[], None]) -> None:
    name = f"$test {stmt.lineno}:{stmt.col_offset}"

    def test() -> None:
        scope.state.locals[name] = condition(scope, stmt.test, scope.evaluate(stmt.test))

    def branches() -> None:
        flag = scope.state.locals.pop(name)
        if isinstance(flag, Constant):
            _body(scope, stmt.body if flag.value else stmt.orelse, handlers)
        else:
            then, otherwise = (lambda body=body: _body(scope, body, handlers) for body in (stmt.body, stmt.orelse))
            branch(scope, materialise(scope, flag, BOOL), then, otherwise)
        if not scope.state.dead:
            onwards()

    found = side(scope, test)
    _replayed(scope, stmt.test, list(found.region.region.body), found.end, handlers, branches)


def _raise(scope: FunctionScope, stmt: ast.Raise, handlers: Handlers) -> None:
    errors = []
    side(scope, lambda: errors.append(exception(scope, stmt)))
    (error,) = errors
    number = handlers.number(error.cls) if error is not None else 0
    if number:
        scope.state.locals[handlers.flag] = Constant(number)
    else:
        scope.perform(stmt)


def _replayed(
    scope: FunctionScope,
    node: ast.AST,
    body: Sequence[Instr],
    end: State,
    handlers: Handlers,
    onwards: Callable[[], None],
) -> None:
    """The instructions of a statement, and what follows it; branches where a handler takes what they raise."""
    for position, instr in enumerate(body):
        number = handlers.number(_error(instr)) if _error(instr) is not None else 0  # type: ignore[arg-type]
        if not number:
            if not all(_is_quiet(inner, handlers) for region in instr.regions for inner in region.body):
                _refuse(scope, node, handlers, instr)
            scope.builder.append(instr)
            continue
        ok = _holds(scope, instr)

        def going_on(instr: Instr = instr, position: int = position) -> None:
            if instr.op != "check":
                scope.builder.append(instr)
            _replayed(scope, node, body[position + 1 :], end, handlers, onwards)

        def failed(number: int = number) -> None:
            scope.state.locals[handlers.flag] = Constant(number)

        branch(scope, ok, going_on, failed)
        return
    scope.state = end.copy()
    if not scope.state.dead:
        onwards()


def _error(instr: Instr) -> type[BaseException] | None:
    """What an instruction raises for the program's sake."""
    if instr.op == "index":
        return IndexError
    if instr.op != "check":
        return None
    raising = instr.attrs.get("raising")
    if raising is not None:
        found: type[BaseException] = raising.cls
        return found
    # Where the compiler gives up, which is no error of the program.
    return None if instr.attrs["error"] == "NotImplementedError" else FAULTS[instr.attrs["error"]]


def _is_quiet(instr: Instr, handlers: Handlers) -> bool:
    """Whether no handler takes what an instruction, or one inside it, raises."""
    error = _error(instr)
    inner = (i for region in instr.regions for i in region.body)
    return not (error is not None and handlers.number(error)) and all(_is_quiet(i, handlers) for i in inner)


def _inside(instr: Instr) -> Iterator[Instr]:
    yield instr
    for region in instr.regions:
        for inner in region.body:
            yield from _inside(inner)


def _refuse(scope: FunctionScope, node: ast.AST, handlers: Handlers, instr: Instr) -> None:
    found = next(i for i in _inside(instr) if (error := _error(i)) is not None and handlers.number(error))
    error = _error(found)
    assert error is not None
    where = found.span if found.span is not None else scope.span(node)
    if where not in handlers.reported:
        handlers.reported.add(where)
        scope.error(
            where, f"a handler would take the {error.__name__} that is raised here, in a loop or branch", ADVICE
        )


def _holds(scope: FunctionScope, instr: Instr) -> Value:
    """The condition under which an instruction does not raise."""
    if instr.op == "check":
        return instr.operands[0]
    i, n = instr.operands
    low = scope.emit("ge", i, scope.emit("sub", scope.const(0), n, exact=True))
    return scope.emit("and", low, scope.emit("lt", i, n))


# Handlers -------------------------------------------------------------------------------------------------------------


def _handle(scope: FunctionScope, handlers: Handlers, number: int, handler: ast.ExceptHandler) -> None:
    caught = scope.state.locals.get(handlers.flag, Constant(0))
    here = compare(scope, handler, ast.Eq, caught, Constant(number))

    def run() -> None:
        if handler.name is not None:
            scope.state.locals[handler.name] = Conflict(
                f"`{handler.name}` is an exception that was caught, which nothing can be asked of", "leave it out"
            )
        scope.execute(handler.body)
        if handler.name is not None:
            scope.state.locals[handler.name] = UNBOUND

    if isinstance(here, Constant):
        if here.value and not scope.state.dead:
            run()
        return
    branch(scope, materialise(scope, both(scope, here, _straight(scope)), BOOL), run, lambda: None)


def _straight(scope: FunctionScope) -> Abstract:
    return negated(scope, exit_flag(scope))


def _finally(scope: FunctionScope, body: Sequence[ast.stmt]) -> None:
    """What runs in any case: also after a `return`, which waits for it."""
    if not body or scope.state.dead:
        return
    state = scope.state
    jumps = state.returns, state.breaks, state.continues
    state.returns = state.breaks = state.continues = FALSE
    result = state.result
    scope.execute(body)
    if isinstance(exit_flag(scope), Constant) and not scope.state.leaves:
        scope.state.returns, scope.state.breaks, scope.state.continues = jumps
        scope.state.result = result
    elif not scope.state.dead:
        scope.error(body[0], "a jump out of `finally` is not supported", "move it after the `try`")
