"""Faults of the compiler itself, as a user sees them: which function, where, and a program that shows it."""

from __future__ import annotations

import inspect
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adcore.errors import CompileError, Diagnostic
from adcore.source import Span


class CompilerFault(CompileError):
    """The compiler has a fault here: the program may be all right."""


def fault(function: Callable[..., Any], arguments: str, span: Span | None, error: Exception) -> CompilerFault:
    """What is raised for `error`, which nobody expected while `function` was compiled; `arguments` are their kinds."""
    name = getattr(function, "__name__", "the function")
    where = _written(function, arguments, error)
    notes = [f"{type(error).__name__}: {error}" if str(error) else type(error).__name__]
    if where is not None:
        notes.append(f"a program that shows it: {where}")
    title = f"the compiler has a fault here, while it compiles {name}"
    help = "please report it" + (" with that program" if where is not None else "") + "; the function need not be wrong"
    return CompilerFault([Diagnostic(title, span, notes=tuple(notes), help=help)])


def _written(function: Callable[..., Any], arguments: str, error: Exception) -> Path | None:
    """A file with the source of the function, the kinds of its arguments and the trace of the fault."""
    plain = inspect.unwrap(function)
    try:
        source = inspect.getsource(plain)
        module = sys.modules.get(getattr(plain, "__module__", ""))
        around = inspect.getsource(module).splitlines() if module is not None else []
        imports = [line for line in around if line.startswith(("import ", "from "))]
    except (OSError, TypeError):
        return None
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    lines = [
        '"""A fault of the compiler. Compiled for:', arguments, '"""', "", *imports, "", "", inspect.cleandoc(source),
        "", "", *(f"# {line}".rstrip() for line in trace.splitlines()), "",
    ]  # fmt: skip
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="adcore-fault-", suffix=".py", delete=False, encoding="utf-8"
        ) as file:
            file.write("\n".join(lines))
    except OSError:
        return None
    return Path(file.name)


__all__ = ["CompilerFault", "fault"]
