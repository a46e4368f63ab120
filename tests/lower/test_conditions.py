"""Short-circuit conditions as logic: all four forms, and what must stay a branch."""

from __future__ import annotations

import itertools

import pytest

from adcore.ir import interpret, parse_function, print_function, verify, walk
from adcore.ops import TABLE
from adcore.transform.canonical.short_circuit import flatten_conditions

TEMPLATE = """
func @f(%c: bool, %i: i64, %n: i64) -> (bool) {{
  %false: bool = const [type='bool', value=False]
  %true: bool = const [type='bool', value=True]
  %r: bool = if %c {{
  ():
    {then}
  }} {{
  ():
    {otherwise}
  }}
  return %r
}}
"""
LESS = "%x: bool = lt %i, %n\n    yield %x"


@pytest.mark.parametrize(
    ("then", "otherwise"),
    [(LESS, "yield %false"), (LESS, "yield %true"), ("yield %false", LESS), ("yield %true", LESS)],
)
def test_four_forms(then: str, otherwise: str) -> None:
    original = parse_function(TEMPLATE.format(then=then, otherwise=otherwise))
    flat = verify(flatten_conditions(original, TABLE), TABLE)
    assert not any(i.op == "if" for i in walk(flat.region)), print_function(flat)
    for arguments in itertools.product((False, True), (1, 2), (1, 2)):
        assert interpret(flat, TABLE, arguments) == interpret(original, TABLE, arguments)


@pytest.mark.parametrize(
    "then", ["%q: i64 = floordiv %i, %n\n    %x: bool = lt %q, %n\n    yield %x", "%x: bool = lt %i, %n\n    yield %c"]
)
def test_what_may_raise_or_has_no_constant_stays(then: str) -> None:
    otherwise = "yield %false" if "floordiv" in then else LESS.replace("%x", "%y")
    original = parse_function(TEMPLATE.format(then=then, otherwise=otherwise))
    assert any(i.op == "if" for i in walk(flatten_conditions(original, TABLE).region))


def test_a_loop_that_may_stop_early_needs_no_subscript_check() -> None:
    from adcore.transform.canonical.checks import simplify_checks
    from adcore.transform.canonical.simplify import simplify

    function = parse_function("""
func @f(%x: array<f64,1,C>) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %false: bool = const [type='bool', value=False]
  %n: i64 = dim %x [axis=0]
  %s: f64, %stopped: bool, %trips: i64 = while %zero, %false {
  (%k: i64, %a: f64, %stop: bool):
    %on: bool = not %stop
    %go: bool = if %on {
    ():
      %more: bool = lt %k, %n
      yield %more
    } {
    ():
      yield %false
    }
    yield %go
  } {
  (%i: i64, %b: f64, %stop2: bool):
    %j: i64 = index %i, %n [axis=0]
    %v: f64 = load %x, %j
    %t: f64 = add %b, %v
    %big: bool = gt %t, %v
    yield %t, %big
  }
  return %s
}
""")
    changed = verify(simplify(simplify_checks(simplify(function, TABLE), TABLE), TABLE), TABLE)
    assert not any(i.op in ("index", "check") for i in walk(changed.region)), print_function(changed)
