"""Every module of `adcore.transform` has a test of its own, with texts, in the room of the same name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.transform.texts import BECOMES

ROOT = Path(__file__).parents[2]
MODULES = sorted(p for p in (ROOT / "adcore" / "transform").rglob("*.py") if p.name != "__init__.py")


def test_of(module: Path) -> Path:
    inside = module.relative_to(ROOT / "adcore")
    return ROOT / "tests" / inside.parent / f"test_{inside.name}"


test_of.__test__ = False  # type: ignore[attr-defined]


def name(module: Path) -> str:
    return ".".join(module.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_module_has_a_test_that_reads_texts(module: Path) -> None:
    test = test_of(module)
    assert test.exists(), f"{name(module)} needs before/after texts in {test.relative_to(ROOT)}"
    text = test.read_text()
    assert name(module) in text or f"import {module.stem}" in text, f"{test.relative_to(ROOT)} does not use its module"
    assert "texts import" in text, f"{test.relative_to(ROOT)} has no texts"


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_what_a_module_shows_is_run(module: Path) -> None:
    shown = BECOMES in (ast.get_docstring(ast.parse(module.read_text()), clean=False) or "").split("\n")
    text = test_of(module).read_text() if shown else ""
    assert not shown or "check_docstring" in text or "docstring_texts" in text, (
        f"nothing runs the texts of {name(module)}"
    )
