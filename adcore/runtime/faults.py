"""Faults of the user's program: Python's own exception, raised as if from the user's own line."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType
from typing import NoReturn

from adcore.source import Span

ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (IndexError, ZeroDivisionError, ValueError, OverflowError, TypeError, MemoryError, RuntimeError)
}


@dataclass(frozen=True)
class Fault:
    """What a non-zero status means. `message` has `{0}` and `{1}` for the details that the kernel left behind."""

    error: str
    message: str
    span: Span | None
    function: str = "<compiled>"


def raise_fault(fault: Fault, details: tuple[int, int]) -> NoReturn:
    """Raise the fault's exception; the innermost frame of its traceback is the user's line."""
    error = ERRORS[fault.error](fault.message.format(*details))
    if fault.span is None:
        raise error
    error.span = fault.span  # type: ignore[attr-defined]
    exec(_raising(fault.span, fault.function), {"__name__": "adcore", "__error__": error})
    raise AssertionError("unreachable")


def _raising(span: Span, function: str) -> CodeType:
    """Code that raises from `span`'s line of `span`'s file, so that tracebacks, debuggers and pytest show that line."""
    code = compile("\n" * (span.line - 1) + "raise __error__", span.file, "exec")
    return code.replace(co_name=function, co_firstlineno=span.line)
