"""Checks of floats at the end of their loop: the same errors, and loops that run in vectors."""

from __future__ import annotations

import re

import numpy as np
import pytest

from adcore.ir import Function, interpret, parse_function, print_function, verify, walk
from adcore.ops import TABLE
from adcore.transform.optimize import check_sinking
from adcore.transform.optimize.check_sinking import sink_checks
from tests.lower.native import Native, agree
from tests.transform.texts import check_docstring, check_unchanged

ONE_KIND = """
func @f(%x: array<f64,1,C>) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %n: i64 = dim %x [axis=0]
  %s: f64 = for %i0, %n, %zero [step=1] {
  (%i: i64, %acc: f64):
    %v: f64 = load %x, %i
    %ok: bool = ne %v, %zero
    check %ok [error='ZeroDivisionError', message='float division by zero']
    %q: f64 = exp %v
    %t: f64 = add %acc, %q [flags='sum']
    yield %t
  }
  return %s
}
"""

SEVERAL_KINDS = """
func @f(%x: array<f64,2,C>, %y: array<f64,2,C>) -> (f64) {{
  %zero: f64 = const [type='f64', value=0.0]
  %one: f64 = const [type='f64', value=1.0]
  %i0: i64 = const [type='i64', value=0]
  %n: i64 = dim %x [axis=0]
  %m: i64 = dim %x [axis=1]
  %s: f64 = for {outer}, %zero [step={step}] {{
  (%i: i64, %acc: f64):
    %first: f64 = load %x, %i, %i0
    %small: bool = lt %first, %one
    check %small [error='ValueError', message='first']
    %s2: f64 = for %i0, %m, %acc [step=1] {{
    (%j: i64, %acc2: f64):
      %v: f64 = load %x, %i, %j
      %ok: bool = ne %v, %zero
      check %ok [error='ZeroDivisionError', message='second']
      %w: f64 = load %y, %i, %j
      %positive: bool = gt %w, %zero
      %t: f64 = if %positive {{
      ():
        %fine: bool = lt %w, %one
        check %fine [error='OverflowError', message='third']
        %p: f64 = div %w, %v
        yield %p
      }} {{
      ():
        yield %v
      }}
      %u: f64 = add %acc2, %t
      yield %u
    }}
    yield %s2
  }}
  return %s
}}
"""


def deferred(text: str) -> Function:
    return verify(sink_checks(parse_function(text), TABLE), TABLE)


def checks_inside(function: Function) -> int:
    return sum(i.op == "check" for instr in walk(function.region) for r in instr.regions for i in walk(r))


def test_one_kind() -> None:
    function = deferred(ONE_KIND)
    assert checks_inside(function) == 0, print_function(function)
    native = agree(function, np.linspace(0.1, 1, 37))
    assert re.search(r"call .*@_ZGV[de]N[48]v_exp", native.artifact.llvm_ir)
    for k in (0, 5, 36):
        x = np.linspace(0.1, 1, 37)
        x[k] = 0.0
        agree(function, x)
    agree(function, np.empty(0))


@pytest.mark.parametrize(("outer", "step"), [("%i0, %n", 1), ("%n1, %m1", -1)])
def test_the_first_of_several_kinds_is_reported(outer: str, step: int) -> None:
    text = SEVERAL_KINDS.format(outer=outer, step=step)
    ends = "  %n1: i64 = sub %n, %o1\n  %m1: i64 = sub %i0, %o1\n" if step < 0 else ""
    one = "  %o1: i64 = const [type='i64', value=1]\n"
    text = text.replace("  %s: f64 = for", one + ends + "  %s: f64 = for")
    original, function = parse_function(text), deferred(text)
    assert checks_inside(function) == 0, print_function(function)
    native, rng = Native(function), np.random.default_rng(3)
    seen = set()
    for _ in range(150):
        x, y = rng.uniform(0.1, 0.9, (4, 5)), rng.uniform(-1, 0.9, (4, 5))
        for array, value in ((x, 0.0), (y, 3.0), (x, 2.0)):
            for _ in range(rng.integers(0, 2)):
                array[rng.integers(4), rng.integers(5)] = value
        outcomes = []
        for run in (lambda: interpret(original, TABLE, (x, y)), lambda: native(x, y)):  # noqa: B023
            try:
                outcomes.append(run()[0])
            except (ArithmeticError, ValueError) as error:
                outcomes.append(repr(error))
        assert outcomes[0] == pytest.approx(outcomes[1], rel=1e-14) if isinstance(outcomes[0], float) else (
            outcomes[0] == outcomes[1])  # fmt: skip
        seen.add(str(outcomes[0])[:8])
    assert {"ZeroDivi", "Overflow", "ValueErr"} <= seen


def test_loops_in_which_something_else_can_raise_stay_as_they_are() -> None:
    text = ONE_KIND.replace("%q: f64 = exp %v", "%k: i64 = index %i, %n [axis=0]\n    %q: f64 = exp %v")
    assert checks_inside(deferred(text)) == 1
    cast = ONE_KIND.replace("%q: f64 = exp %v", "%k: i64 = cast %v [type='i64']\n    %q: f64 = exp %v")
    assert checks_inside(deferred(cast)) == 1


def test_checks_of_integers_stay_where_they_protect() -> None:
    text = ONE_KIND.replace("%ok: bool = ne %v, %zero", "%ok: bool = lt %i, %n")
    assert checks_inside(deferred(text)) == 1


def run(function: Function) -> Function:
    return sink_checks(function, TABLE)


def test_one_kind_of_error_is_a_bool_that_the_loop_carries() -> None:
    check_docstring(check_sinking, run)


def test_a_check_of_integers_stays_where_it_is() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %ok: bool = lt %i, %k
          check %ok [error='ValueError', message='too many']
          store %s, %x, %i
          yield
        }
        """,
    )
