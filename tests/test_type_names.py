"""One type name, one meaning: no class, alias of a type or type variable is defined under a name that another has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def defined(path: Path) -> Iterator[tuple[str, int]]:
    """The names of types that a module defines, with the line.

    A name that is assigned counts as one if it is written like a class: `Extents`, but neither `TABLE` nor `extents`.
    """
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.ClassDef):
            yield node.name, node.lineno
            continue
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and target.id.lstrip("_")[:1].isupper() and not target.id.isupper():
                yield target.id, node.lineno


def meanings(paths: list[Path]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        for name, line in defined(path):
            found.setdefault(name, []).append(f"{path.relative_to(ROOT)}:{line}")
    return found


def test_no_type_name_is_defined_twice() -> None:
    paths = [path for package in ("adcore", "pytest_adalloc") for path in sorted((ROOT / package).rglob("*.py"))]
    found = meanings(paths)
    assert {"Call", "Extents", "Abstract", "AnySubject"} <= found.keys(), "classes, aliases and type variables are seen"
    twice = {name: places for name, places in found.items() if len(places) > 1}
    assert twice == {}, "give one of each pair a name of its own"
