"""The first half of a gradient."""

from __future__ import annotations

from adcore.transform.diff import forward_sweep as module
from tests.transform.derivative_texts import forward_sweep
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def test_a_carried_value_is_kept_in_a_buffer() -> None:
    check_docstring(module, forward_sweep)


def test_a_value_that_can_be_read_again_is_not_kept() -> None:
    check_unchanged(
        forward_sweep,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %t: f64 = for 0, %n, 0.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %w: f64 = mul %v, %v
            %r: f64 = add %u, %w
            yield %r
          }
          return %t
        }
        """,
    )


def test_what_a_store_overwrites_is_kept_before_it() -> None:
    check_pass(
        forward_sweep,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> () {
          for 0, %n [step=1] {
          (%i: i64):
            %v: f64 = load %x, %i
            %w: f64 = mul %v, %v
            store %w, %x, %i
            yield
          }
          return
        }
        """,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> () {
          %0: i64 = maximum %n, 0
          %kept_v: array<f64,1,C> = alloc %0 [element='f64', role='stored', zero=False]
          for 0, %n [step=1] {
          (%i: i64):
            %v: f64 = load %x, %i
            store %v, %kept_v, %i
            %w: f64 = mul %v, %v
            store %w, %x, %i
            yield
          }
          return
        }
        """,
    )
