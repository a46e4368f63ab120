"""`raise` and `assert`: checks of the IR."""

from __future__ import annotations

import ast

from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import FALSE, Abstract, Const, Poison
from adcore.frontend.values.conditions import condition
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.scalars import fail
from adcore.ir.types import BOOL
from adcore.ops.memory import FAULTS


def assert_statement(frame: Frame, stmt: ast.Assert) -> None:
    flag = condition(frame, stmt.test, frame.evaluate(stmt.test))
    message = _message(frame, stmt.msg) if stmt.msg is not None else ""
    if not __debug__:
        return
    if isinstance(flag, Const):
        if not flag.value:
            fail(frame, "AssertionError", message)
    else:
        frame.check(flag.value, "AssertionError", message)


def _message(frame: Frame, node: ast.expr) -> str:
    """The text of an error that the program raises; it can't depend on run-time values."""
    value = frame.evaluate(node)
    text = str(value.value) if isinstance(value, Const) else ""
    if not isinstance(value, (Const, Poison)):
        frame.error(node, "the text of an error must be a constant", "write the message as a plain string")
    return text.replace("{", "{{").replace("}", "}}")


def raise_statement(frame: Frame, stmt: ast.Raise) -> None:
    raise_unless(frame, stmt, FALSE)
    frame.state.dead = True


def raise_unless(frame: Frame, stmt: ast.Raise, ok: Abstract) -> None:
    """`if not ok: raise ...`."""
    call = stmt.exc
    named = call.func if isinstance(call, ast.Call) else call
    if named is None:
        frame.error(stmt, "`raise` without an exception is not supported", "name the exception")
        return
    cls = frame.evaluate(named)
    if isinstance(cls, Poison):
        return
    name = getattr(cls.value, "__name__", "") if isinstance(cls, Const) else ""
    if name not in FAULTS or not isinstance(cls, Const) or cls.value is not FAULTS[name]:
        frame.error(stmt, "this exception can't be raised from compiled code", f"raise one of {', '.join(FAULTS)}")
        return
    texts = call.args if isinstance(call, ast.Call) else []
    message = _message(frame, texts[0]) if texts else ""
    with frame.at(stmt):
        frame.check(materialise(frame, ok, BOOL), name, message)
