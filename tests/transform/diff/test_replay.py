"""Loops that run again in the reverse sweep."""

from __future__ import annotations

from adcore.transform.diff import replay
from tests.transform.derivative_texts import check_docstring_of_gradient, check_gradient, gradient


def test_a_loop_runs_again_for_its_result() -> None:
    check_docstring_of_gradient(replay, gradient)


def test_it_puts_carried_values_down_in_a_row() -> None:
    check_gradient(
        gradient,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %t: f64 = for 0, %n, 0.0 [step=1] {
          (%i: i64, %u: f64):
            %a: f64 = load %x, %i
            %p: f64 = for 0, 3, 1.0 [step=1] {
            (%j: i64, %q: f64):
              %r: f64 = mul %q, %a
              yield %r
            }
            %s: f64 = mul %p, %p
            %w: f64 = add %u, %s
            yield %w
          }
          return %t
        }
        """,
        """
        func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_t: f64) -> (f64) {
          %row_q: array<f64,1,C> = alloc 3 [element='f64', role='stored', zero=False]
          %t: f64 = for 0, %n, 0.0 [step=1] {
          (%i: i64, %u: f64):
            %a: f64 = load %x, %i
            %p: f64 = for 0, 3, 1.0 [step=1] {
            (%j: i64, %q: f64):
              %r: f64 = mul %q, %a
              yield %r
            }
            %s: f64 = mul %p, %p
            %w: f64 = add %u, %s
            yield %w
          }
          for 0, %n [reverse=True, step=1] {
          (%i.1: i64):
            %a.1: f64 = load %x, %i.1
            %0: f64 = for 0, 3, 1.0 [step=1] {
            (%j.1: i64, %q.1: f64):
              %r.1: f64 = mul %q.1, %a.1
              yield %r.1
            }
            %1: f64 = mul %0, %seed_t [flags='adjoint']
            %2: f64 = add %1, %1 [flags='adjoint']
            %3: f64 = for 0, 3, 1.0 [step=1] {
            (%j.2: i64, %q.2: f64):
              store %q.2, %row_q, %j.2
              %r.2: f64 = mul %q.2, %a.1
              yield %r.2
            }
            %4: f64, %5: f64 = for 0, 3, %2, 0.0 [reverse=True, step=1] {
            (%j.3: i64, %d_: f64, %d_.1: f64):
              %6: f64 = load %row_q, %j.3
              %7: f64 = mul %a.1, %d_ [flags='adjoint']
              %8: f64 = mul %6, %d_ [flags='adjoint']
              %9: f64 = add %d_.1, %8 [flags='adjoint']
              yield %7, %9
            }
            accumulate %5, %d_x, %i.1
            yield
          }
          return %t
        }
        """,
    )


def test_what_is_cheap_to_keep_is_not_run_again() -> None:
    check_gradient(
        gradient,
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
        func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_p: f64) -> (f64) {
          %0: i64 = maximum %n, 0
          %kept_u: array<f64,1,C> = alloc %0 [element='f64', role='stored', zero=False]
          %p: f64 = for 0, %n, 1.0 [step=1] {
          (%i: i64, %u: f64):
            store %u, %kept_u, %i
            %v: f64 = load %x, %i
            %w: f64 = mul %u, %v
            yield %w
          }
          %1: f64 = for 0, %n, %seed_p [reverse=True, step=1] {
          (%i.1: i64, %d_seed_p: f64):
            %2: f64 = load %kept_u, %i.1
            %v.1: f64 = load %x, %i.1
            %3: f64 = mul %v.1, %d_seed_p [flags='adjoint']
            %4: f64 = mul %2, %d_seed_p [flags='adjoint']
            accumulate %4, %d_x, %i.1
            yield %3
          }
          return %p
        }
        """,
    )
