"""What is found out about a function is found out once, and forgotten with it."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from adcore.analysis.activity import activity_of
from adcore.analysis.affine.bounds import bounds_of
from adcore.analysis.affine.conflicts import conflicts_of
from adcore.analysis.affine.dependence import AliasClasses, dependence_of
from adcore.analysis.affine.forms import affine_of
from adcore.analysis.affine.parallel import parallel_answers
from adcore.analysis.affine.ranges import ranges_of
from adcore.analysis.structure import structure_of
from adcore.ir.core import Function
from adcore.ir.facts import forget
from adcore.ops import TABLE
from adcore.transform.arrays.local_arrays import local_arrays
from adcore.transform.canonical.simplify import simplify
from tests.transform.random_programs import random_program

KINDS = ("duplicated", "duplicated", "duplicated", "active", "const")

ANALYSES: dict[str, Callable[[Function], Any]] = {
    "structure": lambda f: structure_of(f, TABLE),
    "affine": lambda f: affine_of(f, TABLE),
    "bounds": lambda f: bounds_of(f, TABLE),
    "ranges": lambda f: ranges_of(f, TABLE),
    "conflicts": lambda f: conflicts_of(f, TABLE),
    "dependence": lambda f: dependence_of(f, TABLE),
    "parallel": lambda f: parallel_answers(f, TABLE, AliasClasses()),
    "activity": lambda f: activity_of(f, TABLE, AliasClasses(), KINDS, (True,)),
    "local arrays": lambda f: local_arrays(f, TABLE),
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is freed in the test, is freed because nothing refers to it."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", ANALYSES)
def test_the_same_question_has_the_same_answer(name: str) -> None:
    function = random_program(0)
    assert ANALYSES[name](function) is ANALYSES[name](function)
    assert ANALYSES[name](function) is not ANALYSES[name](random_program(0))


@pytest.mark.parametrize("name", ANALYSES)
def test_no_fact_keeps_its_function(name: str, no_collector: None) -> None:
    """A fact that refers to what it is about would never be forgotten."""
    function = random_program(0)
    fact, alive = ANALYSES[name](function), ref(function)
    del function
    assert alive() is None
    del fact


def test_answers_differ_by_what_they_depend_on() -> None:
    function = random_program(0)
    apart, together = dependence_of(function, TABLE), dependence_of(function, TABLE, AliasClasses(((0, 1),)))
    assert apart is not together
    assert apart.conflicts is together.conflicts, "what does not hang on aliases is shared"
    assert dependence_of(function, TABLE, AliasClasses()) is apart


def test_an_index_gives_back_its_function_as_long_as_that_lives() -> None:
    function = random_program(0)
    facts, region = structure_of(function, TABLE), function.region
    assert facts.function is function
    del function
    assert facts.function.region is region


def test_what_is_forgotten_is_found_again() -> None:
    function = random_program(0)
    before = structure_of(function, TABLE)
    forget([function])
    assert structure_of(function, TABLE) is not before


def test_what_is_simple_is_not_looked_at_again() -> None:
    function = simplify(random_program(0), TABLE)
    assert simplify(function, TABLE) is function


def test_nobody_makes_an_analysis_by_hand() -> None:
    """It would be found out again, and again by the next."""
    made = re.compile(r"\b(Structure|Affine|Bounds|Conflicts|Dependence|Ranges)\((?!\w*:)")
    root = Path(__file__).parents[2] / "adcore"
    own = ("structure", "forms", "bounds", "conflicts", "dependence", "ranges")
    found = [str(p.relative_to(root)) for p in root.rglob("*.py") if p.stem not in own and made.search(p.read_text())]
    assert found == []
