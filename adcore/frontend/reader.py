"""From a function object to its syntax tree, in true coordinates of its file."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adcore.captures import unwrap
from adcore.errors import CompileError, Diagnostic
from adcore.frontend.desugaring import desugared
from adcore.loaded_code import is_rewritten, says_the_same
from adcore.source import Span


@dataclass(frozen=True, eq=False)
class FunctionSource:
    """A function that can be compiled: its tree, and how tree positions map to file positions."""

    function: types.FunctionType
    node: ast.FunctionDef | ast.Lambda
    file: str
    line_offset: int
    column_offset: int
    lines: tuple[str, ...] = field(repr=False)
    _spans: dict[int, tuple[ast.AST, Span]] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.function.__name__

    def span(self, node: ast.AST) -> Span:
        """Where `node` stands in the file. Columns count characters, not bytes."""
        found = self._spans.get(id(node))
        if found is None or found[0] is not node:
            # The node is kept, so that its id stays its own.
            found = self._spans[id(node)] = node, self._span(node)
        return found[1]

    def _span(self, node: ast.AST) -> Span:
        line = int(getattr(node, "lineno", 1))
        end_line = int(getattr(node, "end_lineno", None) or line)
        column = self._characters(line, getattr(node, "col_offset", 0))
        end_column = self._characters(end_line, getattr(node, "end_col_offset", None) or 0)
        return Span(
            self.file,
            line + self.line_offset,
            column + self.column_offset,
            end_line + self.line_offset,
            end_column + self.column_offset,
        )

    def _characters(self, line: int, column: int) -> int:
        if not 0 < line <= len(self.lines) or self.lines[line - 1].isascii():
            return column
        return len(self.lines[line - 1].encode()[:column].decode(errors="replace"))

    @functools.cached_property
    def closure(self) -> Mapping[str, types.CellType]:
        return dict(zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True))


def refuse(title: str, help: str = "", notes: tuple[str, ...] = (), span: Span | None = None) -> CompileError:
    return CompileError([Diagnostic(title, span, notes=notes, help=help)])


_last: tuple[types.CodeType, list[str], int] | None = None


def source_lines(code: types.CodeType) -> tuple[list[str], int]:
    """The lines of a function and the number of the first; OSError, TypeError or IndexError if there are none.

    Finding where they end takes a tokenizer, and two stages ask for the same ones: the last answer is kept.
    """
    global _last
    known = _last
    if known is None or known[0] is not code:
        # Of the code, because a function that names another as the one that it wraps would give that one's source.
        known = _last = (code, *inspect.getsourcelines(code))
    return known[1], known[2]


def read(function: Callable[..., Any]) -> FunctionSource:
    """The source of `function`; CompileError if there is none to be had."""
    plain = unwrap(function)
    name = getattr(plain, "__name__", type(plain).__name__)
    if isinstance(plain, types.MethodType):
        raise refuse(f"{name} is a bound method", "write a function that takes the fields it needs as arguments")
    if not isinstance(plain, types.FunctionType):
        raise refuse(
            f"{name} has no Python source: it is a {type(plain).__name__}",
            "pass a function written in Python; call this one inside it if it is a supported math or NumPy function",
        )
    if inspect.isgeneratorfunction(plain) or inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise refuse(f"{name} is a generator or coroutine", "write a plain function that returns its result")
    try:
        lines, start = source_lines(plain.__code__)
        file = inspect.getsourcefile(plain) or plain.__code__.co_filename
    except (OSError, TypeError, IndexError):
        raise refuse(
            f"the source of {name} can't be read",
            "put the function into a file; code made by exec, eval or an interactive prompt keeps no source",
            (f"its code says that it comes from {plain.__code__.co_filename!r}",),
        ) from None
    text = "".join(lines)
    if plain.__name__ == "<lambda>":
        return _lambda(plain, lines, start, file)
    dedented = textwrap.dedent(text)
    first = next((line for line in lines if line.strip()), "")
    column = len(first) - len(first.lstrip())
    try:
        tree = ast.parse(dedented)
    except SyntaxError:
        tree = None
        try:
            # A continuation line or a string further left than the code: wrap instead of dedenting.
            wrapped = ast.parse("if True:\n" + text)
            ast.increment_lineno(wrapped, -1)
            holder = wrapped.body[0]
            if isinstance(holder, ast.If):
                tree, column, dedented = ast.Module(holder.body, []), 0, text
        except SyntaxError:
            pass
    node = tree.body[0] if tree is not None and tree.body else None
    if isinstance(node, ast.FunctionDef) and not (says_the_same(plain, lines) or is_rewritten(plain, node)):
        raise refuse(
            f"the source of {name} is not what is loaded: {file} was changed since",
            "import the module again (importlib.reload), or start Python again",
            ("compiled is the text of a function; running is what that text was at the import",),
            Span(file, start, 0, start, len(lines[0].rstrip()) if lines else 0),
        )
    if not isinstance(node, ast.FunctionDef):
        raise refuse(f"the source of {name} can't be parsed on its own", "define the function with `def` in a file")
    return FunctionSource(plain, desugared(node, text), file, start - 1, column, tuple(dedented.splitlines()))


def _lambda(function: types.FunctionType, lines: list[str], start: int, file: str) -> FunctionSource:
    """The one lambda on its line whose code is that of `function`."""
    line = linecache.getline(file, function.__code__.co_firstlineno) or lines[0]
    candidates = []
    for column in range(len(line)):
        if line.startswith("lambda", column) and not (column and (line[column - 1].isidentifier())):
            node = _parse_lambda(line[column:])
            if node is not None and _same_code(node, function):
                candidates.append((column, node))
    if len(candidates) > 1:
        starts = _body_start(function)
        candidates = [
            (column, node)
            for column, node in candidates
            if starts is None or len(line[:column].encode()) + node.body.col_offset == starts
        ]
    if len(candidates) != 1:
        where = Span(file, function.__code__.co_firstlineno, 0, function.__code__.co_firstlineno, len(line.rstrip()))
        raise refuse(
            "the source of this lambda can't be told apart from the code around it",
            "write it with `def`, or put it on one line of its own",
            ("only the line on which a lambda starts is recorded",),
            where,
        )
    ((column, node),) = candidates
    return FunctionSource(function, node, file, function.__code__.co_firstlineno - 1, column, (line[column:],))


def _body_start(function: types.FunctionType) -> int | None:
    """The column (in bytes) where the body of a lambda starts; recorded since Python 3.11."""
    positions = getattr(function.__code__, "co_positions", None)
    if positions is None:
        return None
    # What covers no column belongs to the frame, not to the body.
    return min((start for _, _, start, end in positions() if start is not None and end), default=None)


def _parse_lambda(text: str) -> ast.Lambda | None:
    """The longest prefix of `text` that is a lambda expression."""
    for end in range(len(text), len("lambda"), -1):
        try:
            node = ast.parse(text[:end].rstrip(), mode="eval").body
        except (SyntaxError, ValueError):
            continue
        if isinstance(node, ast.Lambda):
            return node
    return None


def _same_code(node: ast.Lambda, function: types.FunctionType) -> bool:
    """Whether compiling `node` gives the code of `function` (up to free variables, which compile to globals here)."""
    whole = compile(ast.fix_missing_locations(ast.Expression(node)), "<lambda>", "eval")
    # Defaults come first, and may hold lambdas themselves.
    code = [constant for constant in whole.co_consts if isinstance(constant, types.CodeType)][-1]
    own = function.__code__
    return bool(
        code.co_varnames == own.co_varnames
        and set(code.co_names) == set(own.co_names) | set(own.co_freevars)
        and [c for c in code.co_consts if not isinstance(c, types.CodeType)]
        == [c for c in own.co_consts if not isinstance(c, types.CodeType)]
    )
