"""`raise` and `assert`: checks of the IR."""

from __future__ import annotations

import ast

from adcore.frontend.python.dispatch import statement
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import FALSE, Abstract, Constant, Poison
from adcore.frontend.values.conditions import condition
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.scalars import fail
from adcore.ir.types import BOOL
from adcore.ops.memory import FAULTS


@statement(ast.Assert)
def assert_statement(scope: FunctionScope, stmt: ast.Assert) -> None:
    flag = condition(scope, stmt.test, scope.evaluate(stmt.test))
    message = _message(scope, stmt.msg) if stmt.msg is not None else ""
    if not __debug__:
        return
    if isinstance(flag, Constant):
        if not flag.value:
            fail(scope, "AssertionError", message)
    else:
        scope.check(flag.value, "AssertionError", message)


def _message(scope: FunctionScope, node: ast.expr) -> str:
    """The text of an error that the program raises; it can't depend on run-time values."""
    value = scope.evaluate(node)
    text = str(value.value) if isinstance(value, Constant) else ""
    if not isinstance(value, (Constant, Poison)):
        scope.error(node, "the text of an error must be a constant", "write the message as a plain string")
    return text.replace("{", "{{").replace("}", "}}")


@statement(ast.Raise)
def raise_statement(scope: FunctionScope, stmt: ast.Raise) -> None:
    raise_unless(scope, stmt, FALSE)
    scope.state.dead = True


def raise_unless(scope: FunctionScope, stmt: ast.Raise, ok: Abstract) -> None:
    """`if not ok: raise ...`."""
    call = stmt.exc
    named = call.func if isinstance(call, ast.Call) else call
    if named is None:
        scope.error(stmt, "`raise` without an exception is not supported", "name the exception")
        return
    cls = scope.evaluate(named)
    if isinstance(cls, Poison):
        return
    name = getattr(cls.value, "__name__", "") if isinstance(cls, Constant) else ""
    if name not in FAULTS or not isinstance(cls, Constant) or cls.value is not FAULTS[name]:
        scope.error(stmt, "this exception can't be raised from compiled code", f"raise one of {', '.join(FAULTS)}")
        return
    texts = call.args if isinstance(call, ast.Call) else []
    message = _message(scope, texts[0]) if texts else ""
    with scope.at(stmt):
        scope.check(materialise(scope, ok, BOOL), name, message)
