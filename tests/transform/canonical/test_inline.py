"""Calls disappear."""

from __future__ import annotations

import pytest

from adcore.ir import interpret, parse_function, parse_module
from adcore.ops import TABLE
from adcore.transform.canonical import inline as module
from adcore.transform.canonical.inline import expand, inline
from tests.transform.texts import check_text, docstring_texts, text


def test_two_calls_have_values_of_their_own() -> None:
    before, after = docstring_texts(module)
    program = parse_module(before)
    check_text(inline(program), after)
    assert interpret(inline(program), TABLE, [3.0]) == interpret(program, TABLE, [3.0]) == (81.0,)


def test_a_call_in_a_loop_is_inlined_there() -> None:
    program = parse_module(
        """
        func @fill(%x: array<f64,1,C>, %i: i64, %v: f64) -> () {
          store %v, %x, %i
          return
        }
        func @f(%x: array<f64,1,C>, %n: i64, %v: f64) -> () {
          for %n, %n [step=1] {
          (%i: i64):
            call %x, %i, %v [callee='fill']
            yield
          }
          return
        }
        """
    )
    check_text(
        inline(program),
        """
        func @f(%x: array<f64,1,C>, %n: i64, %v: f64) -> () {
          for %n, %n [step=1] {
          (%i: i64):
            store %v, %x, %i
            yield
          }
          return
        }
        """,
    )


@pytest.mark.parametrize("everything", [True, False])
def test_a_function_without_rules_stays_as_it_is(everything: bool) -> None:
    function = parse_function(docstring_texts(module)[1])
    assert text(expand(function, everything)) == text(function)
