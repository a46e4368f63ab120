"""A forward loop and its reverse in one."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.optimize import sweep_fusion
from adcore.transform.optimize.sweep_fusion import fuse
from tests.transform.texts import check_docstring, check_pass


def run(function: Function) -> Function:
    return fuse(function, TABLE)


def test_a_loop_and_its_reverse_become_one() -> None:
    check_docstring(sweep_fusion, run)


def test_a_buffer_that_both_run_along_is_filled_and_read_in_step() -> None:
    check_pass(
        run,
        """
        %kept: array<f64,1,C> = alloc %n [element='f64', role='stored']
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %kept, %i
          yield
        }
        for 0, %n [reverse=True, step=1] {
        (%j: i64):
          %z: f64 = load %kept, %j
          accumulate %z, %d, %j
          yield
        }
        """,
        """
        %kept: array<f64,1,C> = alloc %n [element='f64', role='stored']
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %kept, %i
          %z: f64 = load %kept, %i
          accumulate %z, %d, %i
          yield
        }
        """,
    )


def test_a_loop_that_needs_what_the_first_adds_up_stays_behind_it_and_runs_upwards() -> None:
    check_pass(
        run,
        """
        %t: f64 = for 0, %n, 0.0 [step=1] {
        (%i: i64, %u: f64):
          %v: f64 = load %x, %i
          %w: f64 = add %u, %v
          yield %w
        }
        for 0, %n [reverse=True, step=1] {
        (%j: i64):
          accumulate %t, %d, %j
          yield
        }
        """,
        """
        %t: f64 = for 0, %n, 0.0 [step=1] {
        (%i: i64, %u: f64):
          %v: f64 = load %x, %i
          %w: f64 = add %u, %v
          yield %w
        }
        for 0, %n [reverse=False, step=1] {
        (%j: i64):
          accumulate %t, %d, %j
          yield
        }
        """,
    )


def test_a_loop_that_reads_what_the_first_writes_stays_behind_it() -> None:
    check_pass(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          store %s, %x, %i
          yield
        }
        for 0, %n [reverse=True, step=1] {
        (%j: i64):
          %z: f64 = load %x, %j
          accumulate %z, %d, %j
          yield
        }
        """,
        """
        for 0, %n [step=1] {
        (%i: i64):
          store %s, %x, %i
          yield
        }
        for 0, %n [reverse=False, step=1] {
        (%j: i64):
          %z: f64 = load %x, %j
          accumulate %z, %d, %j
          yield
        }
        """,
    )
