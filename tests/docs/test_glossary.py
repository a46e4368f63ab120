"""Names follow the glossary: what it lists as "not" to be used is no part of an identifier."""

from __future__ import annotations

import io
import re
import tokenize
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "dev" / "glossary.md"

COMMON = {
    "chunks", "clears", "decided", "found", "group", "guard", "kind", "masks", "outside", "positions", "quick",
    "registers", "round", "second", "version",
}  # fmt: skip
"""Words that mean something else as well: the glossary holds where they would mean this."""

LEFT: dict[str, set[str]] = {"stream": {"pytest_adalloc/report"}}
"""Words that are used in some folders all the same."""


def words(text: str) -> list[str]:
    """`own_array`, `OwnArrays` and `own array` as the same words."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)
    return [part.lower().removesuffix("s") for part in parts]


def avoided() -> dict[str, list[str]]:
    rows = re.findall(r"^\| .* \| .* \| (.*) \|$", GLOSSARY.read_text(), re.MULTILINE)
    entries = (entry.strip() for row in rows for entry in re.sub(r"\(.*?\)", "", row).split(","))
    found = {entry.lower(): words(entry) for entry in entries if entry and entry != "not"}
    return {entry: parts for entry, parts in found.items() if entry not in COMMON}


def identifiers(path: Path) -> set[str]:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def everywhere() -> dict[str, set[str]]:
    """The files of each identifier."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (p for package in ("adcore", "pytest_adalloc") for p in (ROOT / package).rglob("*.py")):
        for identifier in identifiers(path):
            found[identifier].add(str(path.relative_to(ROOT)))
    return found


def contains(parts: list[str], wanted: list[str]) -> bool:
    return any(parts[k : k + len(wanted)] == wanted for k in range(len(parts) - len(wanted) + 1))


def test_the_glossary_says_what_to_avoid() -> None:
    assert {"obituary", "turn", "own array", "to_values"} <= avoided().keys()


def test_no_identifier_has_a_word_to_avoid() -> None:
    entries, used = avoided(), defaultdict[str, set[str]](set)
    for identifier, folders in everywhere().items():
        parts = words(identifier)
        for entry, wanted in entries.items():
            if contains(parts, wanted):
                used[entry] |= {f"{f}: {identifier}" for f in folders if not f.startswith(tuple(LEFT.get(entry, ())))}
    assert {entry: places for entry, places in used.items() if places} == {}, "the glossary has other words for these"


def test_a_class_has_a_name_of_its_own() -> None:
    """A name that means two things makes a reader look up each time which one is meant."""
    places: dict[str, set[str]] = defaultdict(set)
    for path in (p for package in ("adcore", "pytest_adalloc") for p in (ROOT / package).rglob("*.py")):
        for name in re.findall(r"^class (\w+)", path.read_text(), re.MULTILINE):
            places[name].add(str(path.relative_to(ROOT)))
    assert {name: sorted(files) for name, files in places.items() if len(files) > 1} == {}
