"""The two sweeps as two functions: each as a text."""

from __future__ import annotations

import pytest

from adcore.ir import Function, verify
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff import split_sweeps
from adcore.transform.diff.split_sweeps import NotSplit, split
from adcore.transform.expansion import expand_bulk
from tests.transform.derivative_texts import derivative
from tests.transform.texts import check_text, docstring_texts, parse


def halves(program: str) -> tuple[Function, Function]:
    function = parse(program)
    made = derivative(function)
    assert made.cut is not None
    found = split(made.function, made.cut, function, TABLE)
    forward, reverse = (expand_bulk(verify(half, TABLE), TABLE) for half in (found.forward, found.reverse))
    return simplify(forward, TABLE), simplify(reverse, TABLE)


def test_a_scalar_that_the_second_needs_is_a_result_of_the_first() -> None:
    before, after = docstring_texts(split_sweeps)
    first, second = after.split("\nfunc")
    forward, reverse = halves(before)
    check_text(forward, first)
    check_text(reverse, f"func{second}")


def test_memory_of_the_caller_is_copied_at_the_cut() -> None:
    forward, reverse = halves(
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
        """
    )
    check_text(
        forward,
        """
        func @f_forward(%x: array<f64,1,C>, %n: i64) -> (f64, array<f64,1,C>, i64) {
          %t: f64 = for 0, %n, 0.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %w: f64 = mul %v, %v
            %r: f64 = add %u, %w
            yield %r
          }
          %0: i64 = dim %x [axis=0]
          %copy_x: array<f64,1,C> = alloc %0 [element='f64', role='stored', zero=False]
          for 0, %0 [step=1] {
          (%1: i64):
            %2: f64 = load %x, %1
            store %2, %copy_x, %1
            yield
          }
          return %t, %copy_x, %n
        }
        """,
    )
    check_text(
        reverse,
        """
        func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_t: f64) -> () {
          for 0, %n [reverse=True, step=1] {
          (%i: i64):
            %v: f64 = load %x, %i
            %1: f64 = mul %v, %seed_t [flags='adjoint']
            %2: f64 = add %1, %1 [flags='adjoint']
            accumulate %2, %d_x, %i
            yield
          }
          return
        }
        """,
    )


def test_an_array_that_the_first_makes_is_handed_on_as_it_is() -> None:
    forward, reverse = halves(
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
        """
    )
    check_text(
        forward,
        """
        func @f_forward(%x: array<f64,1,C>, %n: i64) -> (i64, array<f64,1,C>) {
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
          return %n, %kept_v
        }
        """,
    )
    check_text(
        reverse,
        """
        func @f_reverse(%n: i64, %kept_v: array<f64,1,C>, %d_x: array<f64,1,C>) -> () {
          for 0, %n [reverse=True, step=1] {
          (%i: i64):
            %1: f64 = load %d_x, %i
            store 0.0, %d_x, %i
            %2: f64 = load %kept_v, %i
            %3: f64 = mul %2, %1 [flags='adjoint']
            %4: f64 = add %3, %3 [flags='adjoint']
            accumulate %4, %d_x, %i
            yield
          }
          return
        }
        """,
    )


def test_what_needs_nothing_of_the_first_hands_nothing_on() -> None:
    forward, reverse = halves(
        """
        func @f(%x: f64) -> (f64) {
          %y: f64 = add %x, %x
          return %y
        }
        """
    )
    check_text(
        forward,
        """
        func @f_forward(%x: f64) -> (f64) {
          %y: f64 = add %x, %x
          return %y
        }
        """,
    )
    check_text(
        reverse,
        """
        func @f_reverse(%seed: f64) -> (f64) {
          %0: f64 = add %seed, %seed [flags='adjoint']
          return %0
        }
        """,
    )


def test_a_list_of_arrays_cannot_be_handed_on() -> None:
    with pytest.raises(NotSplit, match="the list xs"):
        halves(
            """
            func @f(%xs: list<f64,1,C>, %k: i64) -> (f64) {
              %x: array<f64,1,C> = item %xs, %k
              %t: f64 = for 0, %k, 0.0 [step=1] {
              (%i: i64, %u: f64):
                %v: f64 = load %x, %i
                %w: f64 = mul %v, %v
                %r: f64 = add %u, %w
                yield %r
              }
              return %t
            }
            """
        )
