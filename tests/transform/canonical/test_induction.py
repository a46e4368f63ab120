"""Carried integers in closed form."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical import induction
from adcore.transform.canonical.induction import close_inductions
from adcore.transform.canonical.simplify import simplify
from tests.transform.texts import check_docstring, check_unchanged


def run(function: Function) -> Function:
    return simplify(close_inductions(function, TABLE), TABLE)


def test_a_counter_that_goes_down() -> None:
    check_docstring(induction, run)


def test_an_integer_that_grows_by_a_value_stays() -> None:
    check_unchanged(
        run,
        """
        %j: i64 = for 0, %n, %k [step=1] {
        (%i: i64, %j: i64):
          %next: i64 = add %j, %m
          yield %next
        }
        return %j
        """,
    )


def test_an_integer_that_grows_on_one_path_only_stays() -> None:
    check_unchanged(
        run,
        """
        %j: i64 = for 0, %n, %k [step=1] {
        (%i: i64, %j: i64):
          %c: bool = lt %i, %m
          %more: i64 = add %j, 1
          %next: i64 = select %c, %more, %j
          yield %next
        }
        return %j
        """,
    )
