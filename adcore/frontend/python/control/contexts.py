"""`with`: of contexts that change nothing about what compiled code computes, but perhaps which warnings are shown."""

from __future__ import annotations

import ast
import contextlib
import warnings

import numpy as np

from adcore.frontend.python.control.exceptions import Handlers, run_guarded
from adcore.frontend.python.dispatch import statement
from adcore.frontend.python.functions.messages import FILTERS, emit_message
from adcore.frontend.python.targets import assign
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import NONE, Constant, Poison

QUIET = ("ignore", "warn", "print", "log")
"""What NumPy may do about a division by zero, say, that is no error: compiled code gives infinity and goes on."""

SUPPORTED = "np.errstate, warnings.catch_warnings, contextlib.suppress and contextlib.nullcontext are supported"


@statement(ast.With)
def _with(scope: FunctionScope, stmt: ast.With) -> None:
    guards = []
    for item in stmt.items:
        classes = _suppressed(scope, item)
        if classes is None:
            _enter(scope, item)
        else:
            guards.append(classes)
    if not guards:
        _run(scope, stmt)
        return
    handlers = Handlers(guards, f"$caught {stmt.lineno}:{stmt.col_offset}")
    run_guarded(scope, stmt, stmt.body, handlers)
    scope.state.locals.pop(handlers.flag, None)


def _run(scope: FunctionScope, stmt: ast.With) -> None:
    """The body; filters of warnings that it sets are those of the messages in it only."""
    kept = [item for item in stmt.items if _value(scope, item) is warnings.catch_warnings]
    inside = (node for part in stmt.body for node in ast.walk(part))
    sets = any(isinstance(node, ast.Call) and _called_name(node) in FILTERS for node in inside)
    if kept and sets:
        emit_message(scope, stmt, "enter", ())
    before = scope.session.filters
    scope.execute(stmt.body)
    if kept and sets and not scope.state.dead:
        emit_message(scope, stmt, "leave", ())
    elif kept and scope.session.filters > before and not sets:
        title = "filters of warnings are set in a function that `with warnings.catch_warnings()` calls"
        scope.error(kept[0].context_expr, title, "set them in the block itself")


def _value(scope: FunctionScope, item: ast.withitem) -> object:
    call = item.context_expr
    function = scope.evaluate(call.func) if isinstance(call, ast.Call) else None
    return function.value if isinstance(function, Constant) else None


def _called_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _suppressed(scope: FunctionScope, item: ast.withitem) -> tuple[type[BaseException], ...] | None:
    """The errors of `contextlib.suppress(...)`; None for other contexts."""
    call = item.context_expr
    if not isinstance(call, ast.Call) or _value(scope, item) is not contextlib.suppress:
        return None
    values = [scope.evaluate(argument) for argument in call.args]
    found = [value.value for value in values if isinstance(value, Constant) and isinstance(value.value, type)]
    if len(found) < len(values):
        scope.error(call, "contextlib.suppress takes exception classes that are known while compiling")
    return tuple(found)


def _enter(scope: FunctionScope, item: ast.withitem) -> None:
    call = item.context_expr
    function = scope.evaluate(call.func) if isinstance(call, ast.Call) else scope.evaluate(call)
    arguments = [] if not isinstance(call, ast.Call) else [*call.args, *(keyword.value for keyword in call.keywords)]
    values = [scope.evaluate(argument) for argument in arguments]
    entered: Constant | Poison = NONE
    known = function.value if isinstance(function, Constant) else None
    if isinstance(function, Poison):
        entered = function
    elif known is np.errstate:
        if not all(isinstance(value, Constant) and value.value in QUIET for value in values):
            entered = scope.error(call, "np.errstate that makes errors is not supported", "test the operands first")
    elif known is contextlib.nullcontext:
        entered = values[0] if values else NONE  # type: ignore[assignment]
    elif known is warnings.catch_warnings:
        if arguments:
            entered = scope.error(call, "warnings.catch_warnings with arguments is not supported", "leave them out")
    else:
        entered = scope.error(call, "this context of `with` is not supported", SUPPORTED)
    if item.optional_vars is not None:
        assign(scope, item.optional_vars, entered)
