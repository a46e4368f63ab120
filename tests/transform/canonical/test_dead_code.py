"""What nothing needs is removed."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical import dead_code
from adcore.transform.canonical.dead_code import eliminate_dead_code
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return eliminate_dead_code(function, TABLE)


def test_a_carried_value_that_nothing_needs() -> None:
    check_docstring(dead_code, run)


def test_a_loop_that_does_nothing() -> None:
    check_pass(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          %w: f64 = sin %v
          yield
        }
        """,
        """

        """,
    )


def test_what_may_raise_stays() -> None:
    check_unchanged(
        run,
        """
        %v: i64 = index %k, %n [axis=0]
        %w: i64 = floordiv %k, %n
        """,
    )


def test_a_loop_that_may_not_end_stays() -> None:
    check_unchanged(
        run,
        """
        %trips: i64 = while {
        (%i: i64):
          %c: bool = lt %i, %n
          yield %c
        } {
        (%i: i64):
          yield
        }
        """,
    )
