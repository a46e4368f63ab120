"""Every rule of `simplify` has one test here: the program before it and the program after it."""

from __future__ import annotations

import pytest

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical import simplify as simplifying
from adcore.transform.canonical.patterns import OpPattern, parse_pattern
from adcore.transform.canonical.rewrites import RULES, RewriteRule, by_op
from adcore.transform.canonical.simplify import Simplifier, simplify
from tests.transform.random_programs import random_program
from tests.transform.texts import check_pass, parse, text

TEXTS = {
    "plus zero": ("%r: i64 = add 0, %n\nreturn %r", "return %n"),
    "minus zero": ("%r: f64 = sub %s, 0.0\nreturn %r", "return %s"),
    "times one": ("%r: f64 = mul 1.0, %s\nreturn %r", "return %s"),
    "times minus one": ("%r: f64 = mul %s, -1.0\nreturn %r", "%r: f64 = neg %s\nreturn %r"),
    "strong product of a finite number": ("%r: f64 = mulz 2.5, %s\nreturn %r", "%r: f64 = mul 2.5, %s\nreturn %r"),
    "strong product with a number": ("%r: f64 = mulz %s, 2.5\nreturn %r", "%r: f64 = mul %s, 2.5\nreturn %r"),
    "divided by one": ("%r: f64 = div %s, 1.0\nreturn %r", "return %s"),
    "floor of a division by one": ("%r: i64 = floordiv %n, 1\nreturn %r", "return %n"),
    "minus minus": ("%q: f64 = neg %s\n%r: f64 = neg %q\nreturn %r", "return %s"),
    "first power": ("%r: f64 = pow %s, 1.0\nreturn %r", "return %s"),
    "square": ("%r: f64 = pow %s, 2.0\nreturn %r", "%r: f64 = mul %s, %s\nreturn %r"),
    "not not": ("%q: bool = not %p\n%r: bool = not %q\nreturn %r", "return %p"),
    "and true": ("%r: bool = and true, %p\nreturn %r", "return %p"),
    "and false": ("%r: bool = and %p, false\nreturn %r", "return false"),
    "or false": ("%r: bool = or %p, false\nreturn %r", "return %p"),
    "or true": ("%r: bool = or true, %p\nreturn %r", "return true"),
    "choice by true": ("%r: f64 = select true, %s, 2.0\nreturn %r", "return %s"),
    "choice by false": ("%r: f64 = select false, 2.0, %s\nreturn %r", "return %s"),
    "choice of one": ("%r: f64 = select %p, %s, %s\nreturn %r", "return %s"),
    "cast to its own type": ("%r: f64 = cast %s [type='f64']\nreturn %r", "return %s"),
    "a size and zero": (
        "%q: i64 = dim %x [axis=0]\n%r: i64 = maximum 0, %q\nreturn %r",
        "%q: i64 = dim %x [axis=0]\nreturn %q",
    ),
    "size of an allocation": (
        "%t: array<f64,2,C> = alloc %n, %m [element='f64']\n%r: i64 = dim %t [axis=1]\nreturn %r",
        "%t: array<f64,2,C> = alloc %n, %m [element='f64']\nreturn %m",
    ),
    "size of a transposed array": (
        "%t: array<f64,2,S> = transpose %a [permutation=(1, 0)]\n%r: i64 = dim %t [axis=0]\nreturn %r",
        "%r: i64 = dim %a [axis=1]\nreturn %r",
    ),
    "size of a view": (
        "%t: array<f64,1,S> = view %a, 0, 0, %n, 2 [axes='is']\n%r: i64 = dim %t [axis=0]\nreturn %r",
        "return %n",
    ),
    "transposed by nothing": (
        "%t: array<f64,2,C> = transpose %a [permutation=(0, 1)]\n%r: f64 = load %t, 0, 1\nreturn %r",
        "%r: f64 = load %a, 0, 1\nreturn %r",
    ),
    "transposed back": (
        "%t: array<f64,2,S> = transpose %a [permutation=(1, 0)]\n"
        "%u: array<f64,2,S> = transpose %t [permutation=(1, 0)]\n%r: f64 = load %u, 0, 1\nreturn %r",
        "%r: f64 = load %a, 0, 1\nreturn %r",
    ),
}

UNTOUCHED = {
    "plus zero": "%r: f64 = add %s, 0.0\nreturn %r",
    "minus zero": "%r: f64 = sub %s, -0.0\nreturn %r",
    "times minus one": "%r: i64 = mul %n, -1\nreturn %r",
    "strong product of a finite number": "%r: f64 = mulz inf, %s\nreturn %r",
    "strong product with a number": "%r: f64 = mulz %s, %s\nreturn %r",
    "floor of a division by one": "%r: f64 = floordiv %s, 1.0\nreturn %r",
    "minus minus": "%q: i64 = neg %n\n%r: i64 = neg %q\nreturn %r",
    "a size and zero": "%r: i64 = maximum %n, 0\nreturn %r",
    "size of a view": "%t: array<f64,1,S> = view %a, 0, 0, %n, 2 [axes='is']\n%r: f64 = load %t, 0\nreturn %r",
}
"""Where a rule's pattern fits, or nearly, and the rule does not hold."""


def run(function: Function) -> Function:
    return simplify(function, TABLE)


def test_every_rule_has_a_test() -> None:
    assert [rule.name for rule in RULES] == list(TEXTS), "one text for each rule, in the order of the rules"


@pytest.mark.parametrize("name", TEXTS)
def test_a_rule_does_what_its_text_says(name: str) -> None:
    check_pass(run, *TEXTS[name])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_text_needs_its_rule(rule: RewriteRule, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that others, folding or value numbering make needless is not worth its place."""
    before, _ = TEXTS[rule.name]
    after = text(run(parse(before)))
    monkeypatch.setattr(simplifying, "RULES_OF", by_op(tuple(other for other in RULES if other is not rule)))
    assert text(run(parse(before))) != after


@pytest.mark.parametrize("name", UNTOUCHED)
def test_where_a_rule_does_not_hold(name: str) -> None:
    check_pass(run, UNTOUCHED[name], UNTOUCHED[name])


def test_a_strong_product_with_zero_is_that_zero() -> None:
    """With its sign."""
    check_pass(run, "%r: f64 = mulz %s, -0.0\nreturn %r", "return -0.0")


def test_what_a_rule_makes_is_looked_at_again() -> None:
    check_pass(run, "%q: f64 = neg %s\n%r: f64 = mul %q, -1.0\nreturn %r", "return %s")


def test_patterns_are_read() -> None:
    assert parse_pattern("select c (neg x) -1") == OpPattern("select", ("c", OpPattern("neg", ("x",)), -1))
    assert parse_pattern("dim (alloc)") == OpPattern("dim", (OpPattern("alloc", None),))
    assert parse_pattern("and x true") == OpPattern("and", ("x", True))


@pytest.mark.parametrize("seed", range(12))
def test_a_settled_function_has_nothing_left(seed: int) -> None:
    """One more way through what the first says is settled finds nothing."""
    function, unsettled = random_program(seed), True
    while unsettled:
        pass_ = Simplifier(TABLE)
        function, unsettled = simplifying.eliminate_dead_code(pass_.run(function), TABLE), pass_.unsettled
        unsettled = unsettled and text(Simplifier(TABLE).run(function)) != text(function)
    assert simplifying.eliminate_dead_code(Simplifier(TABLE).run(function), TABLE) is function
