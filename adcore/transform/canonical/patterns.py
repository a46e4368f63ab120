"""Patterns over instructions, as text: what the rules of `adcore.transform.canonical.rewrites` are written in.

    add x 0              an `add` of any value and the constant 0
    neg (neg x)          a `neg` of what a `neg` defines
    select c x x         a `select` both of whose choices are one value

A word stands for any value, the same word for the same value; a number, `true` or `false` for that constant (0 is not
-0.0). In brackets stands the instruction that defines an operand. A lone op, like `dim` in `dim (alloc)`, says nothing
about operands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from adcore.ir.core import Instr, Value


@dataclass(frozen=True)
class OpPattern:
    """An instruction in a pattern. `operands` is None where they do not matter."""

    op: str
    operands: tuple[str | int | bool | OpPattern, ...] | None


class Definitions(Protocol):
    """What matching asks about values."""

    @property
    def definition(self) -> Mapping[Value, Instr]:
        """What defines values."""

    def constant(self, value: Value) -> Any:
        """The number that `value` is known to be, or None."""


@dataclass
class Match:
    """What the words of a pattern stand for, and the instructions that it met, outermost first. `operands` are those
    of the first, as they are called now."""

    known: Definitions
    instr: Instr
    operands: Sequence[Value]
    values: dict[str, Value] = field(default_factory=dict)
    instrs: list[Instr] = field(default_factory=list)

    def __getitem__(self, word: str) -> Value:
        return self.values[word]


def parse_pattern(text: str) -> OpPattern:
    """The pattern that `text` writes."""
    tokens = re.findall(r"[()]|[^\s()]+", text)
    call, rest = _call(tokens)
    assert not rest, f"{text!r} goes on after its pattern"
    return call


def _call(tokens: Sequence[str]) -> tuple[OpPattern, Sequence[str]]:
    op, tokens = tokens[0], tokens[1:]
    operands: list[str | int | bool | OpPattern] = []
    while tokens and tokens[0] != ")":
        if tokens[0] == "(":
            nested, tokens = _call(tokens[1:])
            operands.append(nested)
        else:
            operands.append(_word(tokens[0]))
        tokens = tokens[1:]
    return OpPattern(op, tuple(operands) or None), tokens


def _word(token: str) -> str | int | bool:
    if token in ("true", "false"):
        return token == "true"
    return int(token) if token.lstrip("-").isdigit() else token


def matches(pattern: OpPattern, match: Match, instr: Instr, operands: Sequence[Value]) -> bool:
    """Whether `pattern` fits `instr` with these operands; what its words stand for is added to `match`."""
    if instr.op != pattern.op:
        return False
    match.instrs.append(instr)
    if pattern.operands is None:
        return True
    if len(pattern.operands) != len(operands):
        return False
    return all(_fits(wanted, match, value) for wanted, value in zip(pattern.operands, operands, strict=True))


def _fits(wanted: str | int | bool | OpPattern, match: Match, value: Value) -> bool:
    if isinstance(wanted, str):
        return match.values.setdefault(wanted, value) is value
    if isinstance(wanted, OpPattern):
        source = match.known.definition.get(value)
        return source is not None and matches(wanted, match, source, source.operands)
    number = match.known.constant(value)
    if number is None:
        return False
    if isinstance(wanted, bool):
        return bool(number) is wanted
    return bool(number == wanted) and not (wanted == 0 and str(number).startswith("-"))
