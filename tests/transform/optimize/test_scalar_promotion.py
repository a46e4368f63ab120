"""Sums to one element go through a register."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.optimize import scalar_promotion
from adcore.transform.optimize.scalar_promotion import promote_sums
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return promote_sums(function, TABLE)


def test_the_element_is_touched_after_the_loop_if_it_ran() -> None:
    check_docstring(scalar_promotion, run)


def test_an_element_that_is_touched_anyway_needs_no_condition() -> None:
    check_pass(
        run,
        """
        %old: f64 = load %d, %k
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          accumulate %v, %d, %k
          yield
        }
        return %old
        """,
        """
        %old: f64 = load %d, %k
        %d_sum: f64 = for 0, %n, 0.0 [step=1] {
        (%i: i64, %d_sum.1: f64):
          %v: f64 = load %x, %i
          %1: f64 = add %d_sum.1, %v [flags='adjoint']
          yield %1
        }
        accumulate %d_sum, %d, %k
        return %old
        """,
    )


def test_an_element_that_the_loop_reads_stays_in_memory() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %d, %i
          accumulate %v, %d, %k
          yield
        }
        """,
    )


def test_an_element_of_each_iteration_stays_in_memory() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          accumulate %v, %d, %i
          yield
        }
        """,
    )


def test_what_may_be_the_same_memory_is_not_told_apart() -> None:
    check_unchanged(
        lambda function: promote_sums(function, TABLE, groups=[(0, 2)]),
        """
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          accumulate %v, %d, %k
          yield
        }
        """,
    )
