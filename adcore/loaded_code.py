"""Whether a function's file still says what the function does.

Compiles read text, Python runs code objects. Where a file was edited after it was imported the two differ: the text is
that of another function, which must not be compiled in place of the one that runs, nor kept under its key. So the file
is compiled by Python once more, and has to give the very code object that is loaded.

Not told: an edited `assert` in a module that pytest has rewritten, and the text of a module that a loader of another
make changes on its way from text to code. There the comparison means nothing.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import functools
import importlib.machinery
import inspect
import linecache
import operator
import tokenize
import types
import warnings
from collections.abc import Iterator, Sequence

FUTURE = functools.reduce(operator.or_, (getattr(__future__, n).compiler_flag for n in __future__.all_feature_names))
"""What `from __future__ import ...` leaves in the flags of code; text that is run by `exec` has it from around it."""


def says_the_same(function: types.FunctionType, own: Sequence[str] = ()) -> bool:
    """Whether the text from which `function` would be compiled gives its very code; `own`: its lines, if known.

    A function at the left margin of its file needs nothing around it: Python compiles its own lines, at their place,
    and not a file that may be a hundred times as long. What stands further right needs the file for its surroundings.
    """
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    start = code.co_firstlineno - 1
    if not code.co_freevars and 0 <= start < len(lines) and lines[start].startswith(("def ", "@")):
        with contextlib.suppress(SyntaxError, tokenize.TokenError):
            if _gives(code, "\n" * start + "".join(own or inspect.getblock(lines[start:]))):
                return True
    return _gives(code, "".join(lines))


def _gives(code: types.CodeType, text: str) -> bool:
    known = _codes(text, code.co_filename, code.co_flags & FUTURE)
    return any(found == code for found in known.get(_key(code), ()))


def is_rewritten(function: types.FunctionType, node: ast.AST) -> bool:
    """Whether something has changed the text of `function`, of which `node` is the tree, before it became code."""
    if "@pytest_ar" in function.__globals__:
        return any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
    loader = type(function.__globals__.get("__loader__"))
    plain = importlib.machinery.SourceFileLoader.source_to_code
    return getattr(loader, "source_to_code", plain) is not plain


def _key(code: types.CodeType) -> tuple[str, int]:
    return code.co_name, code.co_firstlineno


@functools.lru_cache(maxsize=16)
def _codes(text: str, file: str, future: int) -> dict[tuple[str, int], list[types.CodeType]]:
    """Every code object that a file's text gives, by name and first line."""
    found: dict[tuple[str, int], list[types.CodeType]] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A cell of a notebook may wait at its top level.
            flags = future | (ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if "await " in text else 0)
            module = compile(text, file, "exec", flags=flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return found
    for code in _inside(module):
        found.setdefault(_key(code), []).append(code)
    return found


def _inside(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _inside(value)
