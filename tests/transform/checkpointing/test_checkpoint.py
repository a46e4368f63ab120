"""A checkpointed loop as a text: states at a few iterations, and steps that run again from there."""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.checkpointing import checkpoint
from adcore.transform.checkpointing.schedules import Reversal
from adcore.transform.diff.reverse import carried_out
from tests.transform.derivative_texts import check_gradient, kinds_of
from tests.transform.texts import parse

STEPS = 50


def within(limit: int) -> checkpoint.Decision:
    """How the recurrence is reversed within so many bytes."""
    return decided(parse(RECURRENCE), limit)


def decided(function: Function, limit: int) -> checkpoint.Decision:
    arguments = [0.5, STEPS]
    return Reversal(function, kinds_of(function), [True], AliasClasses(), TABLE, arguments).within(limit)


RECURRENCE = """
func @f(%s: f64, %n: i64) -> (f64) {
  %r: f64 = for 0, %n, %s [step=1] {
  (%t: i64, %u: f64):
    %w: f64 = sin %u
    yield %w
  }
  return %r
}
"""


def test_with_one_state_every_step_starts_from_there() -> None:
    check_gradient(
        lambda function: simplify(carried_out(decided(function, 16)).function, TABLE),
        RECURRENCE,
        """
        func @f_reverse(%s: f64, %n: i64, %seed_r: f64) -> (f64, f64) {
          %state: array<f64,1,C> = alloc 1 [element='f64', role='stored', zero=False]
          %iteration: array<i64,1,C> = alloc 1 [element='i64', role='stored', zero=False]
          store %s, %state, 0
          store 0, %iteration, 0
          %r: f64 = for 0, %n, %s [step=1] {
          (%t: i64, %u: f64):
            %w: f64 = sin %u
            yield %w
          }
          %1: i64 = maximum %n, 0
          %2: i64, %3: f64 = for 0, %1, 0, %seed_r [reverse=True, step=1] {
          (%at: i64, %d_: i64, %d_seed_r: f64):
            %4: i64 = load %iteration, 0
            %5: f64 = load %state, 0
            %6: i64, %7: i64, %8: f64, %9: i64 = while %4, %d_, %5 {
            (%k: i64, %10: i64, %d_.1: i64, %11: f64):
              %12: bool = lt %10, %at
              yield %12
            } {
            (%k.1: i64, %13: i64, %d_.2: i64, %14: f64):
              %15: i64 = sub %at, %13 [exact=True]
              %16: i64 = add %15, 1 [exact=True]
              %17: i64 = sub 0, %d_.2 [exact=True]
              %18: bool = gt %17, 0
              %19: i64 = if %18 {
              ():
                %20: i64 = add %17, 1 [exact=True]
                %21: i64, %22: i64, %23: i64, %24: i64 = while 0, 0, 1 {
                (%k.2: i64, %25: i64, %26: i64, %27: i64):
                  %28: bool = lt %27, %16
                  yield %28
                } {
                (%k.3: i64, %29: i64, %30: i64, %31: i64):
                  %32: i64 = add %k.3, 1 [exact=True]
                  %33: i64 = add %20, %32 [exact=True]
                  %34: i64 = mul %31, %33 [exact=True]
                  %35: i64 = floordiv %34, %32 [exact=True]
                  yield %30, %31, %35
                }
                %36: i64 = sub %23, %22 [exact=True]
                %37: i64 = sub %16, %36 [exact=True]
                %38: i64 = maximum %21, %37
                %39: i64 = sub %22, %21 [exact=True]
                %40: i64 = sub %16, %39 [exact=True]
                %41: i64 = minimum %22, %40
                %42: i64 = minimum %38, %41
                %43: i64 = sub %16, 1 [exact=True]
                %44: i64 = minimum %42, %43
                %45: i64 = maximum 1, %44
                yield %45
              } {
              ():
                %46: i64 = sub %16, 1 [exact=True]
                yield %46
              }
              %47: f64 = for 0, %19, %14 [step=1] {
              (%at.1: i64, %48: f64):
                %w.1: f64 = sin %48
                yield %w.1
              }
              %49: i64 = add %13, %19 [exact=True]
              %50: i64 = if %18 {
              ():
                %51: i64 = add %d_.2, 1 [exact=True]
                yield %51
              } {
              ():
                yield %d_.2
              }
              yield %49, %50, %47
            }
            %52: f64 = cos %8
            %53: f64 = mul %52, %d_seed_r [flags='adjoint']
            yield %7, %53
          }
          return %r, %3
        }
        """,
    )


def test_a_state_takes_its_values_and_its_iteration() -> None:
    (loop,) = within(5 * 16).apart
    assert (loop.slots + 1, loop.snapshot_bytes, loop.steps) == (5, 16, STEPS)
    assert [v.hint for v in loop.step.function.params] == ["t", "u"]


def test_where_every_value_fits_nothing_runs_again() -> None:
    assert within(8 * STEPS).apart == ()
    assert within(8 * STEPS).bytes == 8 * STEPS


def test_no_more_runs_again_than_has_to() -> None:
    again = [within(16 * states).again for states in (1, 2, 4, 8)]
    assert again == sorted(again, reverse=True)
