"""Checks are proved, or made once."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical import checks
from adcore.transform.canonical.checks import simplify_checks
from tests.transform.texts import check_docstring, check_pass


def run(function: Function) -> Function:
    return simplify_checks(function, TABLE)


def test_a_subscript_of_a_loop_is_checked_in_front_of_it() -> None:
    check_docstring(checks, run)


def test_a_subscript_that_the_bounds_prove_needs_no_check() -> None:
    check_pass(
        run,
        """
        %size: i64 = dim %x [axis=0]
        for 0, %size [step=1] {
        (%i: i64):
          %j: i64 = index %i, %size [axis=0]
          store %s, %x, %j
          yield
        }
        """,
        """
        %size: i64 = dim %x [axis=0]
        for 0, %size [step=1] {
        (%i: i64):
          store %s, %x, %i
          yield
        }
        """,
    )


def test_beside_something_else_that_raises_it_stays() -> None:
    check_pass(
        run,
        """
        %size: i64 = dim %x [axis=0]
        for 0, %n [step=1] {
        (%i: i64):
          %j: i64 = index %i, %size [axis=0]
          %q: i64 = floordiv %k, %m
          store %s, %x, %j
          yield
        }
        """,
        """
        %size: i64 = dim %x [axis=0]
        for 0, %n [step=1] {
        (%i: i64):
          %0: bool = lt %i, %size
          check %0, %i, %size [error='IndexError', message='index {0} is out of bounds for axis 0 with size {1}']
          %q: i64 = floordiv %k, %m
          store %s, %x, %i
          yield
        }
        """,
    )


def test_a_subscript_that_is_data_is_checked_where_it_stands() -> None:
    check_pass(
        run,
        """
        %size: i64 = dim %x [axis=0]
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %y, %i
          %w: i64 = cast %v [type='i64']
          %j: i64 = index %w, %size [axis=0]
          store %s, %x, %j
          yield
        }
        """,
        """
        %size: i64 = dim %x [axis=0]
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %y, %i
          %w: i64 = cast %v [type='i64']
          %j: i64 = index %w, %size [axis=0]
          store %s, %x, %j
          yield
        }
        """,
    )
