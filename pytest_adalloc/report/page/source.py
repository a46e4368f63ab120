"""The user's function, line by line: what is kept at a line, what allocates there, and which line destroys a value."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from html import escape
from pathlib import Path

from pytest_adalloc.report.reporting import Finding

MOST_LINES = 80
AROUND = 3  # lines on each side of one that matters, where a function is longer than that


def source_view(found: Finding) -> str:
    """The lines of the function, and of another one that allocates, with figures beside them; empty where the source
    can't be read or says nothing."""
    kept = _kept(found)
    views = [_view(found, found["file"], found["line"], kept)]
    seen = {number for number, _ in function_lines(found["file"], found["line"])}
    for site in found["sites"]:
        if site["file"] and site["line"] and (site["file"] != found["file"] or site["line"] not in seen):
            views.append(_view(found, site["file"], site["line"], []))
            break
    return "".join(views)


def _view(found: Finding, file: str, line: int, kept: list[Finding]) -> str:
    lines = function_lines(file, line)
    own = {number for number, _ in lines}
    notes, brackets, hits = _notes(found, file, kept), _brackets(file, kept), _hits(found, file, kept)
    if not own & {*notes, *hits}:
        return ""
    shown = _chosen(lines, {*notes, *hits, *(line for pair in brackets for line in pair)})
    rows, before = [], None
    for number, text in lines:
        if number not in shown:
            continue
        if before is not None and number != before + 1:
            rows.append('<div><span class="no">...</span></div>')
        before = number
        rows.append(_row(number, text, notes.get(number, []), _bracket(number, brackets), number in hits))
    name = escape(Path(file).name)
    return f'<h4>Your lines in <code>{name}</code></h4><div class="src code">{"".join(rows)}</div>'


def _kept(found: Finding) -> list[Finding]:
    """What is kept, as the plan says; where there is none, because it may not be kept, as the message says."""
    stored: list[Finding] = found["stored"]
    if stored or found["verdict"] != "workspace too large":
        return stored
    needs = re.search(r"needs (?:at least (\d+) bytes|`(.+?)`)", found["message"])
    place = re.search(r"--> (.+?):(\d+)", found["message"])
    destroyed = [int(line) for line in re.findall(r"overwritten by line (\d+)", found["message"])]
    if place is None or needs is None:
        return []
    text = f"{needs[1]} bytes" if needs[1] else "must be kept"
    value = re.search(r"= note: `(.+?)` is overwritten", found["message"])
    return [
        {
            "value": value[1] if value else needs[2] or "a value", "bytes": "", "formula": text, "file": place[1],
            "line": int(place[2]), "overwritten_by": destroyed, "needed_by": [],
        }
    ]  # fmt: skip


@functools.lru_cache(maxsize=512)
def function_lines(file: str, line: int) -> tuple[tuple[int, str], ...]:
    """The numbered lines of the function that begins at a line, decorators left out."""
    try:
        text = Path(file).read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError):
        return ()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    nodes = [node for node in ast.walk(tree) if isinstance(node, functions) and node.lineno <= line <= _end(node)]
    if not nodes:
        return ()
    node = min(nodes, key=lambda each: _end(each) - each.lineno)
    lines = text.splitlines()
    return tuple((k, lines[k - 1]) for k in range(node.lineno, min(_end(node), len(lines)) + 1))


def _end(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 0) or 0)


def _notes(found: Finding, file: str, kept: list[Finding]) -> dict[int, list[str]]:
    """What is said beside each line."""
    notes: dict[int, list[str]] = defaultdict(list)
    for each in kept:
        if each["file"] == file:
            size = f"{each['bytes']} bytes" if each["bytes"].isdigit() else each["formula"]
            notes[each["line"]].append(f"{each['value']}: {size}")
            for line in each["overwritten_by"]:
                notes[line].append(f"destroys {each['value']}")
    for site in found["sites"]:
        if site["file"] == file and site["line"]:
            notes[site["line"]].append(f"{site['function']} x {site['count']:,}, {site['bytes']:,} bytes")
    return dict(notes)


def _brackets(file: str, kept: list[Finding]) -> list[tuple[int, int]]:
    """From a kept value to the line that destroys it, or the other way round in a loop."""
    pairs = [
        (min(each["line"], line), max(each["line"], line))
        for each in kept
        if each["file"] == file
        for line in each["overwritten_by"]
        if line != each["line"]
    ]
    return list(dict.fromkeys(pairs))[:1]  # one bracket is read at a glance; the others stand in words


def _hits(found: Finding, file: str, kept: list[Finding]) -> set[int]:
    """The lines that matter, where a check is not met."""
    if found["verdict"] in ("passed", "not checked"):
        return set()
    lines = {each["line"] for each in kept if each["file"] == file}
    lines |= {site["line"] for site in found["sites"] if site["file"] == file}
    places = re.findall(r"--> (.+?):(\d+):\d+", found["message"])
    return lines | {int(line) for name, line in places if name == file}


def _bracket(number: int, brackets: list[tuple[int, int]]) -> str:
    for first, last in brackets:
        if first <= number <= last:
            ends = " first" if number == first else " last" if number == last else ""
            return f'<span class="k{ends}" aria-hidden="true"></span>'
    return "<span></span>"


def _chosen(lines: tuple[tuple[int, str], ...], matter: set[int]) -> set[int]:
    """All lines of a short function; of a long one those that matter and their neighbours."""
    numbers = [number for number, _ in lines]
    if len(numbers) <= MOST_LINES:
        return set(numbers)
    near = {k for line in matter for k in range(line - AROUND, line + AROUND + 1)}
    return {number for number in numbers if number in near or number == numbers[0]}


def _row(number: int, text: str, notes: list[str], bracket: str, hit: bool) -> str:
    said = "; ".join(dict.fromkeys(notes))
    return (
        f'<div{" class=hit" if hit else ""}><span class="no">{number}</span>{bracket}<pre>{escape(text) or " "}</pre>'
        f'<span class="what kept">{escape(said)}</span></div>'
    )
