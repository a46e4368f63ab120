"""The reverse images of regions."""

from __future__ import annotations

from adcore.transform.diff import reverse_sweep
from tests.transform.derivative_texts import check_docstring_of_gradient, check_gradient, gradient


def test_a_branch_is_reversed_by_its_condition() -> None:
    check_docstring_of_gradient(reverse_sweep, gradient)


def test_a_loop_is_reversed_by_a_loop_in_the_other_direction() -> None:
    check_gradient(
        gradient,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %p: f64 = for 0, %n, 0.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %d: f64 = add %u, %v
            %w: f64 = mul %d, 0.5
            yield %w
          }
          return %p
        }
        """,
        """
        func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_p: f64) -> (f64) {
          %p: f64 = for 0, %n, 0.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %d: f64 = add %u, %v
            %w: f64 = mul %d, 0.5
            yield %w
          }
          %0: f64 = for 0, %n, %seed_p [reverse=True, step=1] {
          (%i.1: i64, %d_seed_p: f64):
            %1: f64 = mul 0.5, %d_seed_p [flags='adjoint']
            accumulate %1, %d_x, %i.1
            yield %1
          }
          return %p
        }
        """,
    )


def test_integers_have_no_reverse_image() -> None:
    check_gradient(
        gradient,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %k: i64 = sub %n, 2 [exact=True]
          %v: f64 = load %x, %k
          return %v
        }
        """,
        """
        func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_v: f64) -> (f64) {
          %k: i64 = sub %n, 2 [exact=True]
          %v: f64 = load %x, %k
          accumulate %seed_v, %d_x, %k
          return %v
        }
        """,
    )
