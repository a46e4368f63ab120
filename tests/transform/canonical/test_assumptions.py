"""What a check has made sure holds from there on, for as long as that check has certainly run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from adcore.ir import Function, interpret, verify
from adcore.ir.core import walk
from adcore.ir.parser import parse_function
from adcore.ops import TABLE
from adcore.transform.canonical import assumptions
from adcore.transform.canonical.assumptions import assume_checks
from tests.transform.texts import check_docstring, check_pass, check_unchanged

HEAD = """func @f(%x: array<f64,1,C>, %y: array<f64,1,C>, %k: i64) -> () {
  %zero: i64 = const [type='i64', value=0]
  %one: f64 = const [type='f64', value=1.0]
  %n: i64 = dim %x [axis=0]
  %m: i64 = dim %y [axis=0]
  %same: bool = eq %n, %m
  %positive: bool = gt %k, %zero
"""


def both(body: str) -> tuple[Function, Function]:
    before = verify(parse_function(HEAD + body + "  return\n}\n"), TABLE)
    return before, verify(assume_checks(before, TABLE), TABLE)


def checks(function: Function) -> int:
    return sum(i.op == "check" for i in walk(function.region))


def outcome(function: Function, x: Sequence[float], y: Sequence[float], k: int) -> tuple[Any, bytes, bytes]:
    a, b = np.array(x), np.array(y)
    try:
        interpret(function, TABLE, [a, b, k])
        said = ""
    except ValueError as error:
        said = str(error)
    return said, a.tobytes(), b.tobytes()


def same(before: Function, after: Function) -> None:
    for x, y in (([2.0, 3.0], [4.0, 5.0]), ([2.0], [4.0, 5.0]), ([], [1.0]), ([], [])):
        for k in (-1, 0, 2):
            assert outcome(after, x, y, k) == outcome(before, x, y, k)


FILL = """  for %zero, %{size} [step=1] {{
  (%i: i64):
    store %one, %{array}, %i
    yield
  }}
"""
CHECK = "  check %same [error='ValueError', message='shapes']\n"


def test_sizes_found_equal_are_one() -> None:
    before, after = both(CHECK + FILL.format(size="n", array="x") + FILL.format(size="m", array="y"))
    same(before, after)
    bounds = {i.operands[1] for i in walk(after.region) if i.op == "for"}
    assert len(bounds) == 1


def test_what_was_checked_is_not_checked_again() -> None:
    before, after = both(CHECK + FILL.format(size="n", array="x") + CHECK + FILL.format(size="m", array="y"))
    same(before, after)
    assert (checks(before), checks(after)) == (2, 1)


def test_before_the_check_nothing_is_known() -> None:
    before, after = both(FILL.format(size="n", array="x") + CHECK + FILL.format(size="m", array="y"))
    same(before, after)
    assert len({i.operands[1] for i in walk(after.region) if i.op == "for"}) == 1  # the second takes the first's name
    before, after = both(FILL.format(size="m", array="y") + FILL.format(size="n", array="x") + CHECK)
    same(before, after)
    assert len({i.operands[1] for i in walk(after.region) if i.op == "for"}) == 2


def test_a_check_in_a_branch_says_nothing_outside() -> None:
    branch = "  if %positive {\n  ():\n" + CHECK + "  yield\n  } {\n  ():\n  yield\n  }\n"
    before, after = both(branch + CHECK)
    same(before, after)
    assert checks(after) == 2


IN_LOOP = """  for %zero, %n [step=1] {{
  (%i: i64):
    {first}
    check %positive [error='ValueError', message='in the loop']
    store %one, %x, %i
    yield
  }}
"""


@pytest.mark.parametrize("first", ["", "%j: f64 = load %x, %i"])
def test_a_check_that_comes_first_is_made_in_front(first: str) -> None:
    before, after = both(IN_LOOP.format(first=first))
    same(before, after)
    loop = next(i for i in after.region.body if i.op == "for")
    assert checks(after) == 1
    assert all(i.op != "check" for i in walk(loop.regions[0]))


@pytest.mark.parametrize("first", ["store %one, %y, %zero", "check %wrong [error='ValueError', message='before']"])
def test_a_check_behind_what_shows_stays(first: str) -> None:
    wrong = "  %wrong: bool = ne %n, %n\n"
    before, after = both(wrong + IN_LOOP.format(first=first))
    for x, y in (([2.0], [4.0, 5.0]), ([], [3.0])):
        for k in (-1, 2):
            assert outcome(after, x, y, k) == outcome(before, x, y, k)
    loop = next(i for i in after.region.body if i.op == "for")
    assert any(i.op == "check" and i.attrs["message"] == "in the loop" for i in walk(loop.regions[0]))


def test_sizes_of_numbers_that_change_are_not_taken_for_one_another() -> None:
    """A loop variable that was equal to a size in one turn is not that size."""
    body = """  for %zero, %n [step=1] {
  (%i: i64):
    %hit: bool = eq %i, %k
    check %hit [error='ValueError', message='not yet']
    store %one, %x, %i
    yield
  }
"""
    same(*both(body))


def run(function: Function) -> Function:
    return assume_checks(function, TABLE)


def test_equal_sizes_are_one_size() -> None:
    check_docstring(assumptions, run)


def test_a_check_in_each_iteration_is_made_once() -> None:
    check_pass(
        run,
        """
        %same: bool = eq %n, %m
        for 0, %k [step=1] {
        (%i: i64):
          check %same [error='ValueError', message='lengths']
          store %s, %x, %i
          yield
        }
        """,
        """
        %same: bool = eq %n, %m
        %0: bool = ge 0, %k
        %1: bool = or %same, %0
        check %1 [error='ValueError', message='lengths']
        for 0, %k [step=1] {
        (%i: i64):
          store %s, %x, %i
          yield
        }
        """,
    )


def test_a_check_of_floats_says_nothing_about_sizes() -> None:
    check_unchanged(
        run,
        """
        %v: f64 = load %x, 0
        %same: bool = eq %v, %s
        check %same [error='ValueError', message='numbers']
        %w: f64 = add %v, %s
        return %w
        """,
    )
