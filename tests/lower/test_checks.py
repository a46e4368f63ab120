"""Checks that always hold vanish, others leave their loops, and nothing changes for the user."""

from __future__ import annotations

import numpy as np
import pytest

from adcore.ir import Function, parse_function, print_function, verify, walk
from adcore.ops import TABLE
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.simplify import simplify
from tests.lower.native import Native, agree

HEAD = """
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %one: i64 = const [type='i64', value=1]
  %two: i64 = const [type='i64', value=2]
  %n: i64 = dim %x [axis=0]
"""


DERIVED = {
    "%up": "%up: i64 = add %i, %one",
    "%down": "%down: i64 = sub %i, %one",
    "%odd": "%twice: i64 = mul %i, %two\n    %odd: i64 = add %twice, %one",
}


def loop(lo: str, hi: str, subscript: str, size: str = "%n", step: int = 1, more: str = "") -> str:
    """Sum of x[subscript] over a loop."""
    needed = DERIVED.get(subscript, "")
    return f"""
func @f(%x: array<f64,1,C>, %y: array<f64,1,C>, %p: i64) -> (f64) {{{HEAD}
  %m: i64 = dim %y [axis=0]
  %n1: i64 = sub %n, %one
  %s: f64 = for {lo}, {hi}, %zero [step={step}] {{
  (%i: i64, %acc: f64):
    {needed}
    {more}
    %k: i64 = index {subscript}, {size} [axis=0]
    %v: f64 = load {"%x" if size == "%n" else "%y"}, %k
    %t: f64 = add %acc, %v
    yield %t
  }}
  return %s
}}
"""


def checked(text: str) -> Function:
    function = simplify(parse_function(text), TABLE)
    return verify(simplify(simplify_checks(function, TABLE), TABLE), TABLE)


def count(function: Function, op: str, inside: bool = False) -> int:
    instrs = [i for r in walk(function.region) for q in r.regions for i in walk(q)] if inside else walk(function.region)
    return sum(i.op == op for i in instrs)


@pytest.mark.parametrize(
    ("lo", "hi", "subscript"),
    [("%i0", "%n", "%i"), ("%one", "%n", "%i"), ("%one", "%n", "%down"), ("%i0", "%n1", "%up"), ("%one", "%n1", "%up"),
     ("%i0", "%n", "%n1")],
)  # fmt: skip
def test_affine_subscripts_of_loops_over_the_array_need_no_check(lo: str, hi: str, subscript: str) -> None:
    function = checked(loop(lo, hi, subscript))
    assert count(function, "index") == count(function, "check") == 0, print_function(function)
    assert all(
        i.attrs.get("exact") for i in walk(function.region) if i.op in ("add", "sub") and str(i.result.type) == "i64"
    )


@pytest.mark.parametrize(
    ("lo", "hi", "subscript", "size"),
    [("%i0", "%n", "%i", "%m"), ("%i0", "%p", "%i", "%n"), ("%i0", "%p", "%up", "%n"), ("%i0", "%n", "%odd", "%m"),
     ("%i0", "%n", "%two", "%m"), ("%i0", "%n", "%n1", "%m")],
)  # fmt: skip
def test_other_affine_checks_leave_the_loop(lo: str, hi: str, subscript: str, size: str) -> None:
    text = loop(lo, hi, subscript, size)
    function = checked(text)
    assert count(function, "check") == 1, print_function(function)
    assert count(function, "check", inside=True) == count(function, "index") == 0, print_function(function)
    original, native = Native(text), Native(function)
    for sizes in ((5, 5, 5), (5, 4, 4), (4, 5, 6), (0, 0, 0), (3, 0, -4), (1, 1, 1), (4, 7, 9), (3, 2, 2**63 - 1)):
        x, y = np.arange(float(sizes[0])), np.arange(float(sizes[1])) + 10
        agree(function, x, y, sizes[2])
        same_outcome(original, native, x, y, sizes[2])


def same_outcome(first: Native, second: Native, *arguments: object) -> None:
    outcomes = []
    for native in (first, second):
        try:
            outcomes.append(native(*arguments))
        except IndexError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("step", [-1, 2, -3])
def test_other_steps(step: int) -> None:
    lo, hi = ("%i0", "%p") if step > 0 else ("%p", "%i0")
    text = loop(lo, hi, "%i", step=step)
    function = checked(text)
    original, native = Native(text), Native(function)
    for p in (0, 1, 3, 4, 5, 6, 7, 8, -2):
        same_outcome(original, native, np.arange(6.0), np.arange(1.0), p)


def test_negative_subscripts_keep_wrapping() -> None:
    text = loop("%i0", "%n", "%down")
    function = checked(text)
    assert count(function, "index") == 1
    agree(function, np.arange(5.0), np.zeros(1), 0)


def test_a_check_stays_behind_another_error() -> None:
    """The division may raise first."""
    text = loop("%i0", "%p", "%i", more="%q: i64 = floordiv %two, %i")
    function = parse_function(text)
    function = verify(simplify_checks(function, TABLE), TABLE)
    assert count(function, "check", inside=True) == 1
    with pytest.raises(ZeroDivisionError):
        Native(function)(np.zeros(1), np.zeros(1), 5)


def test_division_by_a_positive_number_holds_nothing_back() -> None:
    function = checked(loop("%i0", "%p", "%i", more="%q: i64 = mod %i, %two\n    %h: i64 = floordiv %q, %two"))
    assert count(function, "check", inside=True) == 0, print_function(function)
    agree(function, np.arange(5.0), np.zeros(1), 5)
    agree(function, np.arange(5.0), np.zeros(1), 6)


def test_checks_of_nests_leave_all_loops() -> None:
    text = """
func @f(%a: array<f64,2,C>, %p: i64, %q: i64) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %n: i64 = dim %a [axis=0]
  %m: i64 = dim %a [axis=1]
  %s: f64 = for %i0, %p, %zero [step=1] {
  (%i: i64, %acc: f64):
    %t: f64 = for %i0, %q, %acc [step=1] {
    (%j: i64, %acc2: f64):
      %k: i64 = index %i, %n [axis=0]
      %l: i64 = index %j, %m [axis=1]
      %v: f64 = load %a, %k, %l
      %u: f64 = add %acc2, %v
      yield %u
    }
    yield %t
  }
  return %s
}
"""
    function = checked(text)
    assert count(function, "index") == count(function, "check", inside=True) == 0, print_function(function)
    original, native = Native(text), Native(function)
    for p, q in ((3, 4), (4, 4), (3, 5), (0, 9), (9, 0), (0, 0), (-1, 7), (2, 1)):
        same_outcome(original, native, np.arange(12.0).reshape(3, 4), p, q)


def test_conditions_and_earlier_checks_count() -> None:
    text = f"""
func @f(%x: array<f64,1,C>, %k: i64) -> (f64, f64) {{{HEAD}
  %positive: bool = ge %k, %one
  %less: bool = le %k, %n
  %both: bool = and %positive, %less
  %r: f64 = if %both {{
  ():
    %down: i64 = sub %k, %one
    %j: i64 = index %down, %n [axis=0]
    %v: f64 = load %x, %j
    yield %v
  }} {{
  ():
    yield %zero
  }}
  %fits: bool = gt %n, %two
  check %fits, %n [error='ValueError', message='too short: {{}}']
  %l: i64 = index %two, %n [axis=0]
  %w: f64 = load %x, %l
  return %r, %w
}}
"""
    function = checked(text)
    assert count(function, "index") == 0, print_function(function)
    agree(function, np.arange(5.0), 3)
    agree(function, np.arange(2.0), 3)
    agree(function, np.arange(3.0), -7)


def test_conditional_checks_stay_conditional() -> None:
    text = f"""
func @f(%x: array<f64,1,C>, %p: i64) -> (f64) {{{HEAD}
  %s: f64 = for %i0, %p, %zero [step=1] {{
  (%i: i64, %acc: f64):
    %inside: bool = lt %i, %two
    %v: f64 = if %inside {{
    ():
      %k: i64 = index %i, %n [axis=0]
      %w: f64 = load %x, %k
      yield %w
    }} {{
    ():
      yield %zero
    }}
    %t: f64 = add %acc, %v
    yield %t
  }}
  return %s
}}
"""
    function = checked(text)
    agree(function, np.arange(2.0), 100)
    agree(function, np.arange(1.0), 100)


def test_checks_of_floats_do_not_hold_back_those_of_subscripts() -> None:
    more = "%fine: bool = ge %acc, %zero\n    check %fine [error='ValueError', message='math domain error']"
    function = checked(loop("%i0", "%p", "%i", more=more))
    assert count(function, "check", inside=True) == 1
    agree(function, np.arange(5.0), np.zeros(1), 5)
    agree(function, np.arange(5.0), np.zeros(1), 6)
