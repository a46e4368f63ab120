"""Which loops run again under a limit in bytes, and what each of them may keep."""

from __future__ import annotations

import pytest

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.budget import TooLarge
from adcore.ops import TABLE
from adcore.transform.checkpointing.checkpoint import Decision
from adcore.transform.checkpointing.schedules import Reversal
from tests.transform.derivative_texts import kinds_of
from tests.transform.texts import parse

TWO_LOOPS = """
func @f(%s: f64, %n: i64, %m: i64) -> (f64) {
  %r: f64 = for 0, %n, %s [step=1] {
  (%t: i64, %u: f64):
    %w: f64 = sin %u
    yield %w
  }
  %q: f64 = for 0, %m, %r [step=1] {
  (%t: i64, %u: f64):
    %w: f64 = cos %u
    yield %w
  }
  return %q
}
"""
LONG, SHORT, STATE = 100, 20, 16


def reversal(program: str, *arguments: object) -> Reversal:
    function = parse(program)
    return Reversal(function, kinds_of(function), [True], AliasClasses(), TABLE, arguments)


def within(limit: int) -> Decision:
    return reversal(TWO_LOOPS, 0.5, SHORT, LONG).within(limit)


def test_the_largest_record_goes_first() -> None:
    decision = within(8 * SHORT + 4 * STATE)
    assert [loop.steps for loop in decision.apart] == [LONG]
    assert decision.bytes is not None
    assert decision.bytes <= 8 * SHORT + 4 * STATE


def test_all_loops_run_again_where_it_takes_that() -> None:
    assert [loop.steps for loop in within(4 * STATE).apart] == [LONG, SHORT]


def test_what_is_left_goes_where_there_is_most_to_run_again() -> None:
    first, second = within(10 * STATE).apart
    assert first.slots > second.slots


def test_below_the_least_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge) as refused:
        within(2 * STATE - 1)
    assert refused.value.bytes == 2 * STATE


def test_the_step_of_a_loop_with_loops_has_a_limit_of_its_own() -> None:
    nested = """
        func @f(%s: f64, %n: i64) -> (f64) {
          %r: f64 = for 0, %n, %s [step=1] {
          (%t: i64, %u: f64):
            %w: f64 = for 0, %n, %u [step=1] {
            (%k: i64, %v: f64):
              %x: f64 = sin %v
              yield %x
            }
            yield %w
          }
          return %r
        }
        """
    (outer,) = reversal(nested, 0.5, LONG).within(8 * STATE).apart
    (inner,) = outer.inner.apart
    assert outer.bytes == (outer.slots + 1) * STATE + inner.bytes
