"""Reversed loops run upwards where nobody can tell."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.optimize import loop_reversal
from adcore.transform.optimize.loop_reversal import reverse_loops
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return reverse_loops(function, TABLE)


def test_a_loop_of_independent_iterations_runs_upwards() -> None:
    check_docstring(loop_reversal, run)


def test_a_sum_without_a_visible_order_runs_upwards() -> None:
    check_pass(
        run,
        """
        %t: f64 = for 0, %n, 0.0 [reverse=True, step=1] {
        (%i: i64, %u: f64):
          %v: f64 = load %x, %i
          %w: f64 = add %u, %v [flags='adjoint']
          yield %w
        }
        return %t
        """,
        """
        %t: f64 = for 0, %n, 0.0 [reverse=False, step=1] {
        (%i: i64, %u: f64):
          %v: f64 = load %x, %i
          %w: f64 = add %u, %v [flags='adjoint']
          yield %w
        }
        return %t
        """,
    )


def test_a_sum_in_the_programs_order_stays() -> None:
    check_unchanged(
        run,
        """
        %t: f64 = for 0, %n, 0.0 [reverse=True, step=1] {
        (%i: i64, %u: f64):
          %v: f64 = load %x, %i
          %w: f64 = add %u, %v
          yield %w
        }
        return %t
        """,
    )


def test_iterations_that_read_what_others_wrote_stay_in_order() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [reverse=True, step=1] {
        (%i: i64):
          %j: i64 = add %i, 1 [exact=True]
          %v: f64 = load %x, %j
          store %v, %x, %i
          yield
        }
        """,
    )
