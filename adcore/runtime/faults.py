"""Faults of the user's program: Python's own exception, raised as if from the user's own line."""

from __future__ import annotations

from types import CodeType
from typing import NoReturn

from adcore.abi.faults import Fault
from adcore.errors import Diagnostic, WorkspaceError
from adcore.source import Span

ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        IndexError, ZeroDivisionError, ValueError, OverflowError, TypeError, MemoryError, RuntimeError, AssertionError,
        UnboundLocalError, AttributeError, NameError, ArithmeticError, FloatingPointError, KeyError,
        NotImplementedError,
    )
}  # fmt: skip


def raise_fault(fault: Fault, details: tuple[int, int], function: str) -> NoReturn:
    """Raise the fault's exception; the innermost frame of its traceback is the user's line, in `function`."""
    message = fault.message.format(*details)
    if fault.error == WorkspaceError.__name__:
        raise WorkspaceError([Diagnostic(message, fault.span)])
    error = ERRORS[fault.error](message)
    if fault.span is None:
        raise error
    error.span = fault.span  # type: ignore[attr-defined]
    exec(_raising(fault.span, function), {"__name__": "adcore", "__error__": error})
    raise AssertionError("unreachable")


def _raising(span: Span, function: str) -> CodeType:
    """Code that raises from `span`'s line of `span`'s file, so that tracebacks, debuggers and pytest show that line."""
    code = compile("raise __error__", span.file, "exec")
    # Line numbers are kept relative to the first line.
    return code.replace(co_name=function, co_firstlineno=span.line)
