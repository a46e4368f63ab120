"""Where stored values live: in a buffer, on the stack, or in the values that a branch hands out."""

from __future__ import annotations

from adcore.transform.diff import record_storage as module
from tests.transform.derivative_texts import forward_sweep
from tests.transform.texts import check_docstring, check_pass


def test_where_nobody_knows_the_trip_count_values_are_pushed() -> None:
    check_docstring(module, forward_sweep)


def test_outside_all_loops_a_branch_hands_them_out() -> None:
    check_pass(
        forward_sweep,
        """
        func @f(%x: f64) -> (f64) {
          %c: bool = lt %x, 1.0
          %p: f64 = if %c {
          ():
            %y: f64 = exp %x
            %z: f64 = mul %y, %y
            yield %z
          } {
          ():
            yield %x
          }
          return %p
        }
        """,
        """
        func @f(%x: f64) -> (f64) {
          %c: bool = lt %x, 1.0
          %p: f64 = if %c {
          ():
            %y: f64 = exp %x
            %z: f64 = mul %y, %y
            yield %z
          } {
          ():
            yield %x
          }
          return %p
        }
        """,
    )


def test_in_a_plain_nest_they_have_a_buffer() -> None:
    check_pass(
        forward_sweep,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %p: f64 = for 0, %n, 1.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %w: f64 = mul %u, %v
            yield %w
          }
          return %p
        }
        """,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %0: i64 = maximum %n, 0
          %kept_u: array<f64,1,C> = alloc %0 [element='f64', role='stored', zero=False]
          %p: f64 = for 0, %n, 1.0 [step=1] {
          (%i: i64, %u: f64):
            store %u, %kept_u, %i
            %v: f64 = load %x, %i
            %w: f64 = mul %u, %v
            yield %w
          }
          return %p
        }
        """,
    )
