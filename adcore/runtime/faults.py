"""Faults of the user's program: Python's own exception, raised as if from the user's own line."""

from __future__ import annotations

import contextlib
from types import CodeType
from typing import NoReturn

from adcore.abi.faults import INTERRUPTED, Fault, made_error
from adcore.errors import Diagnostic, WorkspaceError
from adcore.runtime.frames import Frame
from adcore.runtime.native_types import interruption
from adcore.source import Span

ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        IndexError, ZeroDivisionError, ValueError, OverflowError, TypeError, MemoryError, RuntimeError, AssertionError,
        UnboundLocalError, AttributeError, NameError, ArithmeticError, FloatingPointError, KeyError,
        NotImplementedError,
    )
}  # fmt: skip


def raise_fault(fault: Fault, frame: Frame, function: str, note: str = "") -> NoReturn:
    """Raise the fault's exception; the innermost frame of its traceback is the user's line, in `function`."""
    if fault.raising is not None:
        numbers = [frame.detail(k, dtype, weak) for k, (dtype, weak) in enumerate(fault.raising.kinds)]
        try:
            made = made_error(fault.raising, numbers)
        except Exception as problem:
            # As where Python can't make the exception: what that raises is raised instead.
            made = problem.with_traceback(None)
        raise_from_line(made, fault.span, function, note)
    message = fault.message.format(*frame.details)
    if fault.error == WorkspaceError.__name__:
        raise WorkspaceError([Diagnostic(message, fault.span)])
    if fault.error == INTERRUPTED:
        raise_from_line(interruption(), fault.span, function, note)
    error = ERRORS[fault.error]
    raise_from_line(error(message) if message else error(), fault.span, function, note)


def raise_from_line(error: BaseException, span: Span | None, function: str, note: str = "") -> NoReturn:
    """Raise `error` as if from the user's line."""
    if note:
        # As `add_note` does, which Python has since 3.11.
        error.__dict__.setdefault("__notes__", []).append(note)
    if span is None:
        raise error
    with contextlib.suppress(AttributeError):
        error.span = span  # type: ignore[attr-defined]
    exec(_raising(span, function), {"__name__": "adcore", "__error__": error})
    raise AssertionError("unreachable")


def _raising(span: Span, function: str) -> CodeType:
    """Code that raises from `span`'s line of `span`'s file, so that tracebacks, debuggers and pytest show that line."""
    code = compile("raise __error__", span.file, "exec")
    # Line numbers are kept relative to the first line.
    return code.replace(co_name=function, co_firstlineno=span.line)
