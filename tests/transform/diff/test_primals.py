"""How values of the forward sweep come back."""

from __future__ import annotations

from adcore.transform.diff import primals
from tests.transform.derivative_texts import check_docstring_of_gradient, check_gradient, gradient


def test_what_is_in_memory_is_loaded() -> None:
    check_docstring_of_gradient(primals, gradient)


def test_what_was_pushed_is_popped() -> None:
    check_gradient(
        gradient,
        """
        func @f(%x: f64) -> (f64) {
          %p: f64, %trips: i64 = while %x {
          (%k: i64, %u: f64):
            %c: bool = lt %u, 9.0
            yield %c
          } {
          (%k: i64, %u: f64):
            %w: f64 = exp %u
            yield %w
          }
          return %p
        }
        """,
        """
        func @f_reverse(%x: f64, %seed_p: f64) -> (f64, f64) {
          %p: f64, %trips: i64 = while %x {
          (%k: i64, %u: f64):
            %c: bool = lt %u, 9.0
            yield %c
          } {
          (%k.1: i64, %u.1: f64):
            %w: f64 = exp %u.1
            push %w
            yield %w
          }
          %1: f64 = for 0, %trips, %seed_p [reverse=True, step=1] {
          (%k.2: i64, %d_seed_p: f64):
            %2: f64 = pop [types=('f64',)]
            %3: f64 = mulz %2, %d_seed_p [flags='adjoint']
            yield %3
          }
          return %p, %1
        }
        """,
    )


def test_what_becomes_the_next_carried_value_is_read_from_its_copy() -> None:
    check_gradient(
        gradient,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %t: f64 = for 0, %n, 1.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %s: f64 = mul %u, %v
            %e: f64 = exp %s
            yield %e
          }
          return %t
        }
        """,
        """
        func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_t: f64) -> (f64) {
          %0: i64 = maximum %n, 0
          %kept_u: array<f64,1,C> = alloc %0 [element='f64', role='stored', zero=False]
          %t: f64 = for 0, %n, 1.0 [step=1] {
          (%i: i64, %u: f64):
            store %u, %kept_u, %i
            %v: f64 = load %x, %i
            %s: f64 = mul %u, %v
            %e: f64 = exp %s
            yield %e
          }
          %2: i64 = sub %0, 1 [exact=True]
          %3: f64 = for 0, %n, %seed_t [reverse=True, step=1] {
          (%i.1: i64, %d_seed_t: f64):
            %4: i64 = add %i.1, 1 [exact=True]
            %5: i64 = minimum %4, %2
            %6: f64 = load %kept_u, %5
            %7: bool = lt %i.1, %2
            %8: f64 = select %7, %6, %t
            %9: f64 = mulz %8, %d_seed_t [flags='adjoint']
            %10: f64 = load %kept_u, %i.1
            %v.1: f64 = load %x, %i.1
            %11: f64 = mul %v.1, %9 [flags='adjoint']
            %12: f64 = mul %10, %9 [flags='adjoint']
            accumulate %12, %d_x, %i.1
            yield %11
          }
          return %t
        }
        """,
    )
