"""Gradients as texts."""

from __future__ import annotations

from adcore.transform.diff import reverse
from tests.transform.derivative_texts import (
    check_docstring_of_gradient,
    check_gradient,
    gradient,
    gradient_that_keeps_nothing,
)


def test_a_value_that_is_read_again_is_not_kept() -> None:
    check_docstring_of_gradient(reverse, gradient)


def test_a_value_that_is_overwritten_is_kept() -> None:
    check_gradient(
        gradient,
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
        func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>) -> () {
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
          for 0, %n [reverse=True, step=1] {
          (%i.1: i64):
            %2: f64 = load %d_x, %i.1
            store 0.0, %d_x, %i.1
            %3: f64 = load %kept_v, %i.1
            %4: f64 = mul %3, %2 [flags='adjoint']
            %5: f64 = add %4, %4 [flags='adjoint']
            accumulate %5, %d_x, %i.1
            yield
          }
          return
        }
        """,
    )


def test_nothing_is_needed_for_that_under_a_limit_of_0() -> None:
    check_docstring_of_gradient(reverse, gradient_that_keeps_nothing)
