"""Make a failing program small: drop statements and operands while it still fails in the same way.

python -m tests.fuzz.reduce 18
"""

from __future__ import annotations

import ast
import copy
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fuzz.checks import THOROUGH, Mismatch, check, innermost
from tests.fuzz.programs import Program, draw

Path_ = tuple[Any, ...]


def kind_of(program: Program, depth: int = THOROUGH) -> str:
    """How `program` fails; empty if it does not."""
    signal.signal(signal.SIGALRM, _too_long)  # without its `n += 1` a `while` does not end
    with tempfile.TemporaryDirectory() as folder:
        signal.alarm(10)
        try:
            report = check(program, Path(folder), depth)
        except Mismatch as error:
            return error.kind
        except Exception as error:
            return innermost(error)
        finally:
            signal.alarm(0)
        return "refused" if report.refused else ""


def _too_long(*_: object) -> None:
    raise TimeoutError("too long")


def sites(node: ast.AST, path: Path_ = ()) -> Iterator[Path_]:
    """Where something could be left out, outermost first. What the arguments are is not touched."""
    if isinstance(node, ast.ClassDef) or (isinstance(node, ast.FunctionDef) and node.name == "arguments"):
        return
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            for k, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield (*path, name, k)
                    yield from sites(item, (*path, name, k))
        elif isinstance(value, ast.AST):
            yield (*path, name)
            yield from sites(value, (*path, name))


def at(tree: Any, path: Path_) -> Any:
    for step in path:
        tree = tree[step] if isinstance(step, int) else getattr(tree, step)
    return tree


def smaller(tree: ast.Module, path: Path_) -> Iterator[ast.Module]:
    """The tree with what is at `path` left out, or replaced by a part of itself."""
    try:
        node = at(tree, path)
    except (IndexError, AttributeError):
        return
    options: list[Any] = []
    if isinstance(node, ast.FunctionDef) and node.name in ("program", "arguments"):
        return
    if isinstance(node, ast.stmt):
        options.append([])
        body = [*getattr(node, "body", []), *getattr(node, "orelse", [])]
        if body and not isinstance(node, ast.FunctionDef):
            options += [body, list(node.body)]  # type: ignore[attr-defined]
    elif isinstance(node, ast.expr) and not isinstance(node, (ast.Name, ast.Constant)):
        options += [[ast.Constant(0.5)], *([c] for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr))]
    for option in options:
        made = copy.deepcopy(tree)
        owner, step = at(made, path[:-1]), path[-1]
        if isinstance(step, int):
            owner[step : step + 1] = copy.deepcopy(option)
            if not owner and path[-2] == "body":
                owner.append(ast.Pass())
        elif len(option) == 1:
            setattr(owner, step, option[0])
        else:
            continue
        yield made


def reduced(program: Program, fails: Callable[[Program], bool], seconds: float = 120.0) -> Program:
    """The smallest program found that still fails."""
    tree = ast.parse(program.source)
    changed, until = True, time.monotonic() + seconds
    while changed and time.monotonic() < until:
        changed = False
        for path in list(sites(tree)):
            for candidate in smaller(tree, path) if time.monotonic() < until else ():
                try:
                    text = ast.unparse(ast.fix_missing_locations(candidate))
                    tried = replace(program, source=text)
                    if len(text) < len(ast.unparse(tree)) and fails(tried):
                        tree, program, changed = ast.parse(text), tried, True
                        break
                except (SyntaxError, ValueError, AttributeError):
                    continue
    return program


def main() -> None:
    given = sys.argv[1]
    program = draw(int(Path(given).stem.rsplit("_", 1)[-1]))
    if given.endswith(".py"):
        text = Path(given).read_text()
        program = replace(
            program, source=text, numbers=max([int(n) + 1 for n in re.findall(r"\bs\[(\d+)\]", text)] or [0])
        )
    kind = kind_of(program)
    print(f"fails with: {kind}", flush=True)
    if kind:
        depth = next(d for d in range(THOROUGH + 1) if kind_of(program, d) == kind)
        small = reduced(program, lambda p: kind_of(p, depth) == kind)
        print(small.source)


if __name__ == "__main__":
    main()
