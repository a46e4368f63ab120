"""Conditions in two parts."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical import short_circuit
from adcore.transform.canonical.short_circuit import flatten_conditions
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return flatten_conditions(function, TABLE)


def test_a_constant_false_makes_an_and() -> None:
    check_docstring(short_circuit, run)


def test_a_constant_true_makes_an_or() -> None:
    check_pass(
        run,
        """
        %either: bool = if %p {
        ():
          yield true
        } {
        ():
          %c: bool = lt %k, %n
          yield %c
        }
        return %either
        """,
        """
        %c.1: bool = lt %k, %n
        %0: bool = or %p, %c.1
        return %0
        """,
    )


def test_a_part_that_may_raise_is_not_asked_in_vain() -> None:
    check_unchanged(
        run,
        """
        %both: bool = if %p {
        ():
          %q: i64 = floordiv %k, %n
          %c: bool = lt %q, %m
          yield %c
        } {
        ():
          yield false
        }
        return %both
        """,
    )
