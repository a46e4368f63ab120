"""Sums to neighbouring elements are carried to the next iteration."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.optimize import predictive_commoning
from adcore.transform.optimize.predictive_commoning import common_accumulations
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return simplify(common_accumulations(function, TABLE), TABLE)


def test_two_neighbours() -> None:
    check_docstring(predictive_commoning, run)


def test_elements_of_a_reversed_loop() -> None:
    check_pass(
        run,
        """
        for 0, %n [reverse=True, step=1] {
        (%i: i64):
          %j: i64 = add %i, 1 [exact=True]
          accumulate %s, %d, %i
          accumulate %s, %d, %j
          yield
        }
        """,
        """
        %d_next: f64 = for 0, %n, 0.0 [reverse=True, step=1] {
        (%i: i64, %d_next.1: f64):
          %j: i64 = add %i, 1 [exact=True]
          %1: f64 = add %s, %d_next.1 [flags='adjoint']
          accumulate %1, %d, %j
          yield %s
        }
        %2: bool = lt 0, %n
        if %2 {
        ():
          accumulate %d_next, %d, 0
          yield
        } {
        ():
          yield
        }
        """,
    )


def test_elements_that_are_no_neighbours_stay() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=2] {
        (%i: i64):
          %j: i64 = add %i, 1 [exact=True]
          accumulate %s, %d, %i
          accumulate %s, %d, %j
          yield
        }
        """,
    )


def test_an_array_that_the_loop_reads_stays() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %j: i64 = add %i, 1 [exact=True]
          %v: f64 = load %d, %j
          accumulate %v, %d, %i
          accumulate %v, %d, %j
          yield
        }
        """,
    )
