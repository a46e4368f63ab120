"""`raise` and `assert`: checks of the IR.

What the exception is made of is evaluated where Python evaluates it, after the test has failed; only where that can do
no harm (constants, mostly) it comes first, and the check needs no branch around it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from adcore.frontend.python.control.branches import branch, effect_free, keeping, side
from adcore.frontend.python.dispatch import statement
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import FALSE, Abstract, Constant, ExceptionValue, Poison
from adcore.frontend.values.deferred import plain_text
from adcore.frontend.values.deferred import raise_unless as raise_made
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.conditions import condition
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import fail
from adcore.ir.types import BOOL
from adcore.ops.memory import FAULTS

MOST_IN_VAIN = 8
"""Instructions that make an exception which may be computed although it is not raised."""


@statement(ast.Assert)
def assert_statement(scope: FunctionScope, stmt: ast.Assert) -> None:
    if not __debug__:
        return
    flag = condition(scope, stmt.test, scope.evaluate(stmt.test))
    if isinstance(flag, Constant) and flag.value:
        return

    def made() -> ExceptionValue | None:
        texts = () if stmt.msg is None else (scope.evaluate(stmt.msg),)
        return None if any(isinstance(t, Poison) for t in texts) else ExceptionValue(AssertionError, texts)

    if isinstance(flag, Constant):
        _raise_always(scope, stmt, made)
    elif not _raise_if_harmless(scope, stmt, flag, made):
        branch(scope, materialise(scope, flag, BOOL), lambda: None, lambda: _raise_always(scope, stmt, made),
               keeping(scope, stmt))  # fmt: skip


def _raise_always(scope: FunctionScope, stmt: ast.stmt, made: Callable[[], ExceptionValue | None]) -> None:
    error = made()
    if error is not None and not scope.state.dead:
        _check(scope, stmt, FALSE, error)
    scope.state.dead = True


@statement(ast.Raise)
def raise_statement(scope: FunctionScope, stmt: ast.Raise) -> None:
    _raise_always(scope, stmt, lambda: exception(scope, stmt))


def raise_if_harmless(scope: FunctionScope, stmt: ast.Raise, ok: Abstract) -> bool:
    """`if not ok: raise ...` as one check; False if what is raised has to wait for the test."""
    return _raise_if_harmless(scope, stmt, ok, lambda: exception(scope, stmt))


def _raise_if_harmless(
    scope: FunctionScope, stmt: ast.stmt, ok: Abstract, made: Callable[[], ExceptionValue | None]
) -> bool:
    errors: list[ExceptionValue | None] = []
    reported = len(scope.session.diagnostics)
    found = side(scope, lambda: errors.append(made()))
    if len(scope.session.diagnostics) > reported:
        return True
    if found.end.dead or not effect_free(scope, found.region.region, MOST_IN_VAIN):
        return False
    for instr in found.region.body:
        scope.builder.append(instr)
    if errors[0] is not None:
        _check(scope, stmt, ok, errors[0])
    return True


def _check(scope: FunctionScope, stmt: ast.stmt, ok: Abstract, error: ExceptionValue) -> None:
    quiet = isinstance(stmt, ast.Raise) and isinstance(stmt.cause, ast.Constant) and stmt.cause.value is None
    message = plain_text(error.args)
    name = error.cls.__name__
    with scope.at(stmt):
        plain = not error.keywords and FAULTS.get(name) is error.cls and not quiet
        # An error of this class without further data is the compiler's own, which no handler takes.
        if message is not None and plain and error.cls is not NotImplementedError:
            scope.check(materialise(scope, ok, BOOL), name, message)
        else:
            raise_made(scope, stmt, materialise(scope, ok, BOOL), error, quiet)


def exception(scope: FunctionScope, stmt: ast.Raise) -> ExceptionValue | None:
    """What is raised."""
    if stmt.exc is None:
        scope.error(
            stmt,
            "`raise` without an exception is not supported here",
            "let it be the first line of its handler, or name the exception",
        )
        return None
    value = scope.evaluate(stmt.exc)
    if isinstance(value, ExceptionValue):
        return value
    if isinstance(value, Constant) and isinstance(value.value, type) and issubclass(value.value, BaseException):
        return ExceptionValue(value.value, ())
    if not isinstance(value, Poison):
        scope.error(stmt, f"{describe(value)} is no exception that can be raised", "raise an exception class, called")
    return None


__all__ = ["assert_statement", "exception", "fail", "raise_if_harmless", "raise_statement"]
