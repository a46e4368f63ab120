"""The rules of `simplify`: one rule, one place, one test (`tests/transform/canonical/test_rewrites.py`).

    RewriteRule("times one", "mul x 1", "x")
    RewriteRule("minus one times", "mul x -1", "neg x", floats)

They hold for every value of the type, whatever its bits: no rule may change a result. What a rule gives is looked at by
the rules again, so that each says one thing only.

Rules as a list of patterns, conditions and replacements are those of LLVM's InstCombine and of MLIR's canonicalization
patterns; here they are few, as LLVM runs its own later. A rule is worth its place if differentiation would otherwise
see more: a value to record, a subscript that is not affine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from adcore.ir.core import Instr, Value
from adcore.ir.types import I64, ArrayType, is_float
from adcore.transform.canonical.patterns import Definitions, Match, OpPattern, matches, parse_pattern


@dataclass(frozen=True)
class Made:
    """An instruction that a rule puts in the place of another."""

    op: str
    operands: tuple[Value, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


Condition = Callable[[Match], bool]


@dataclass(frozen=True)
class RewriteRule:
    """Where `pattern` fits and `where` holds, `replacement` is the same: a word of the pattern, an op over words, or
    what a function finds (None: nothing). `either`: operands may stand the other way round. `named`: a new instruction
    keeps the user's name for the result."""

    name: str
    pattern: str
    replacement: str | Callable[[Match], Value | Made | None]
    where: Condition = lambda match: True
    either: bool = False
    named: bool = False
    call: OpPattern = field(init=False, repr=False, compare=False)
    sources: frozenset[str] = field(init=False, repr=False, compare=False)
    """Ops one of which has to define an operand: most instructions need no closer look."""

    def __post_init__(self) -> None:
        call = parse_pattern(self.pattern)
        nested = {word.op for word in call.operands or () if isinstance(word, OpPattern)}
        constant = {"const" for word in call.operands or () if isinstance(word, int)}
        object.__setattr__(self, "call", call)
        object.__setattr__(self, "sources", frozenset(nested | constant))

    def apply(self, match: Match) -> Value | Made | None:
        """What takes the place of the instruction that `match` starts at; None if the rule does not apply."""
        orders = (match.operands, match.operands[::-1]) if self.either else (match.operands,)
        for operands in orders:
            match.values.clear()
            match.instrs.clear()
            if matches(self.call, match, match.instr, operands) and self.where(match):
                return self.replaced(match)
        return None

    def replaced(self, match: Match) -> Value | Made | None:
        if not isinstance(self.replacement, str):
            return self.replacement(match)
        op, *words = self.replacement.split()
        return Made(op, tuple(match[word] for word in words)) if words else match[op]


# Conditions


def integers(match: Match) -> bool:
    return not floats(match)


def floats(match: Match) -> bool:
    return is_float(match.instr.result.type)


def of_i64(match: Match) -> bool:
    return match.instr.result.type == I64


def is_a_size(match: Match) -> bool:
    """Of `n`: sizes are not negative."""
    source = match.known.definition.get(match["n"])
    return source is not None and source.op in ("dim", "count")


def type_stays(match: Match) -> bool:
    return match["x"].type == match.instr.result.type


def finite_partial(match: Match) -> bool:
    number = match.known.constant(match["p"])
    return number is not None and isfinite(number)


def known_factor(match: Match) -> bool:
    return match.known.constant(match["c"]) is not None


# Replacements that attributes decide


def plain_product(match: Match) -> Made:
    """With the freedom in rounding that the strong one had."""
    return Made("mul", (match["p"], match["c"]), match.instr.attrs)


def strong_product(match: Match) -> Value | Made:
    return plain_product(match) if match.known.constant(match["c"]) else match["c"]


def size_of_allocation(match: Match) -> Value:
    dim, alloc = match.instrs
    return alloc.operands[dim.attrs["axis"]]


def size_of_transposed(match: Match) -> Made:
    dim, transpose = match.instrs
    return Made("dim", transpose.operands, {"axis": transpose.attrs["permutation"][dim.attrs["axis"]]})


def size_of_view(match: Match) -> Value | None:
    """The count of the axis: an index drops its axis, a slice has start, count and step."""
    dim, view = match.instrs
    axis, position = dim.attrs["axis"], 1
    for kind in view.attrs["axes"]:
        if kind == "s" and axis == 0:
            return view.operands[position + 1]
        axis -= kind == "s"
        position += 3 if kind == "s" else 1
    return None


def not_permuted(match: Match) -> Value | None:
    permutation = tuple(match.instr.attrs["permutation"])
    return match["x"] if permutation == tuple(range(len(permutation))) else None


def permuted_back(match: Match) -> Value | None:
    outer, inner = (instr.attrs["permutation"] for instr in match.instrs)
    composed = tuple(inner[k] for k in outer)
    assert isinstance(match["x"].type, ArrayType)
    return match["x"] if composed == tuple(range(len(composed))) else None


RULES: tuple[RewriteRule, ...] = (
    # x + 0.0 is not x for x = -0.0; x - 0.0 is.
    RewriteRule("plus zero", "add x 0", "x", integers, either=True),
    RewriteRule("minus zero", "sub x 0", "x"),
    RewriteRule("times one", "mul x 1", "x", either=True),
    RewriteRule("times minus one", "mul x -1", "neg x", floats, either=True, named=True),
    RewriteRule("strong product of a finite number", "mulz p c", plain_product, finite_partial),
    RewriteRule("strong product with a number", "mulz p c", strong_product, known_factor),
    RewriteRule("divided by one", "div x 1", "x"),
    # Of floats it rounds.
    RewriteRule("floor of a division by one", "floordiv x 1", "x", of_i64),
    # The negative of the smallest integer does not fit, and is an error.
    RewriteRule("minus minus", "neg (neg x)", "x", floats),
    RewriteRule("first power", "pow x 1", "x", floats),
    # x ** 0.5 is left to libm: sqrt differs from it at -0 and -inf.
    RewriteRule("square", "pow x 2", "mul x x", floats),
    RewriteRule("not not", "not (not x)", "x"),
    RewriteRule("and true", "and x true", "x", either=True),
    RewriteRule("and false", "and x false", lambda match: constant_operand(match), either=True),
    RewriteRule("or false", "or x false", "x", either=True),
    RewriteRule("or true", "or x true", lambda match: constant_operand(match), either=True),
    RewriteRule("choice by true", "select true x y", "x"),
    RewriteRule("choice by false", "select false x y", "y"),
    RewriteRule("choice of one", "select c x x", "x"),
    RewriteRule("cast to its own type", "cast x", "x", type_stays),
    RewriteRule("a size and zero", "maximum n 0", "n", is_a_size, either=True),
    RewriteRule("size of an allocation", "dim (alloc)", size_of_allocation),
    RewriteRule("size of a transposed array", "dim (transpose)", size_of_transposed),
    RewriteRule("size of a view", "dim (view)", size_of_view),
    RewriteRule("transposed by nothing", "transpose x", not_permuted),
    RewriteRule("transposed back", "transpose (transpose x)", permuted_back),
)


def constant_operand(match: Match) -> Value:
    """The operand that decides a truth value by itself."""
    return next(v for v in match.operands if match.known.constant(v) is not None)


def by_op(rules: tuple[RewriteRule, ...]) -> dict[str, tuple[RewriteRule, ...]]:
    """The rules by the op that they start at, in their order."""
    ops = dict.fromkeys(rule.call.op for rule in rules)
    return {op: tuple(rule for rule in rules if rule.call.op == op) for op in ops}


RULES_OF = by_op(RULES)

SOURCES_OF = {
    op: frozenset().union(*(rule.sources for rule in rules)) if all(rule.sources for rule in rules) else None
    for op, rules in RULES_OF.items()
}
"""By op, the ops one of which has to define an operand for any rule to apply; None where there is a rule that looks at
nothing but the instruction."""


def rewritten(
    known: Definitions, instr: Instr, operands: Sequence[Value], rules: tuple[RewriteRule, ...]
) -> Value | Instr | None:
    """What the first of `rules` that applies makes of `instr`; a new instruction has its operands in place."""
    definition = known.definition
    sources = {definition[v].op for v in operands if v in definition}
    wanted = SOURCES_OF[instr.op]
    if wanted is not None and wanted.isdisjoint(sources):
        return None
    for rule in rules:
        if rule.sources and rule.sources.isdisjoint(sources):
            continue
        found = rule.apply(Match(known, instr, operands))
        if isinstance(found, Made):
            result = instr.result if rule.named else Value(instr.result.type)
            return Instr(found.op, found.operands, (result,), found.attrs, (), instr.span)
        if found is not None:
            return found
    return None
