"""Patterns over instructions: what they fit, and what their words stand for."""

from __future__ import annotations

from typing import Any

import pytest

from adcore.ir import Instr, Value, walk
from adcore.transform.canonical.patterns import Match, matches, parse_pattern
from tests.transform.texts import parse


class Definitions:
    """What defines the values of a program."""

    def __init__(self, instrs: list[Instr]) -> None:
        self.definition = {result: instr for instr in instrs for result in instr.results}

    def constant(self, value: Value) -> Any:
        instr = self.definition.get(value)
        return instr.attrs["value"] if instr is not None and instr.op == "const" else None


def words(pattern: str, program: str) -> dict[str, str] | None:
    """What the words of `pattern` stand for, by name, at the last instruction of `program`; None if it does not fit."""
    instrs = list(walk(parse(program).region))
    match = Match(Definitions(instrs), instrs[-1], instrs[-1].operands)
    fits = matches(parse_pattern(pattern), match, instrs[-1], instrs[-1].operands)
    return {word: value.hint for word, value in match.values.items()} if fits else None


@pytest.mark.parametrize(
    ("pattern", "program", "stands_for"),
    [
        ("add x 0", "%r: i64 = add %n, 0", {"x": "n"}),
        ("add x 0", "%r: i64 = add 0, %n", None),
        ("add x 0", "%r: f64 = sub %s, 0.0", None),
        ("sub x 0", "%r: f64 = sub %s, 0.0", {"x": "s"}),
        ("sub x 0", "%r: f64 = sub %s, -0.0", None),
        ("neg (neg x)", "%q: f64 = neg %s\n%r: f64 = neg %q", {"x": "s"}),
        ("neg (neg x)", "%q: f64 = sin %s\n%r: f64 = neg %q", None),
        ("select c x x", "%r: i64 = select %p, %n, %n", {"c": "p", "x": "n"}),
        ("select c x x", "%r: i64 = select %p, %n, %m", None),
        ("select true x y", "%r: i64 = select true, %n, %m", {"x": "n", "y": "m"}),
        ("dim (alloc)", "%t: array<f64,1,C> = alloc %n [element='f64']\n%r: i64 = dim %t [axis=0]", {}),
        ("dim (alloc)", "%r: i64 = dim %x [axis=0]", None),
    ],
)
def test_a_pattern_fits(pattern: str, program: str, stands_for: dict[str, str] | None) -> None:
    assert words(pattern, program) == stands_for


def test_a_pattern_ends_where_its_text_does() -> None:
    with pytest.raises(AssertionError, match="goes on after its pattern"):
        parse_pattern("neg x) y")
