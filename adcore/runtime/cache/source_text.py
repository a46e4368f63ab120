"""Whether a function's file still says what the function does.

Compiles read text, keys hold code objects. Where a file was edited after it was imported the two differ, and code that
was compiled from the text must not be kept under the key of the code object.
"""

from __future__ import annotations

import functools
import linecache
import types
import warnings
from collections.abc import Iterator


def says_the_same(function: types.FunctionType) -> bool:
    """Whether the text from which `function` would be compiled gives its very code."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    return any(found == code for found in _codes("".join(lines), code.co_filename).get(_key(code), ()))


def _key(code: types.CodeType) -> tuple[str, int]:
    return code.co_name, code.co_firstlineno


@functools.lru_cache(maxsize=16)
def _codes(text: str, file: str) -> dict[tuple[str, int], list[types.CodeType]]:
    """Every code object that a file's text gives, by name and first line."""
    found: dict[tuple[str, int], list[types.CodeType]] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = compile(text, file, "exec", dont_inherit=True)
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
