"""Every number that decides between correct forms stands in one table, with its reason, and is used."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from adcore.machine_model import MODEL

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "adcore").rglob("*.py"))

ELSEWHERE = {
    "EPSILON": "rounding of the arithmetic of plans",
    "SIZE_LIMIT": "addresses have 48 bits: a fact, on which proofs rest",
    "LIMITS": "what 64 bits hold: a fact, on which proofs rest",
    "COUNTER": "the name of an atom",
    "NEVER": "the key of a loop in which nothing failed",
    "RECYCLED": "the name of an alias class",
    "ALIGNMENT": "a promise to the code that others rely on",
    "LONGEST_TEXT": "the length of a sentence",
}
"""Numbers of passes and analyses that are no choice between forms."""


def test_every_number_has_a_reason() -> None:
    for name, reason in MODEL.reasons().items():
        assert len(reason) > 20, f"{name} does not say why"


def test_every_number_is_used() -> None:
    text = "".join(path.read_text() for path in MODULES)
    unused = [number.name for number in fields(MODEL) if not re.search(rf"MODEL\.{number.name}\b", text)]
    assert unused == []


def test_passes_and_analyses_have_no_numbers_of_their_own() -> None:
    own = re.compile(r"^([A-Z][A-Z_]+)(?:: [^=]+)? = [-\d(]*\d[\d_.]*", re.MULTILINE)
    rooms = [p for p in MODULES if p.relative_to(ROOT / "adcore").parts[0] in ("analysis", "transform")]
    found = {f"{p.stem}.{name}" for p in rooms for name in own.findall(p.read_text()) if name not in ELSEWHERE}
    assert not found, "numbers that decide between forms belong to adcore/machine_model.py"
