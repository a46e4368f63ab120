"""A running minimum or maximum has the derivative of one element."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical import running_choices
from adcore.transform.canonical.running_choices import untie_running_choices
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return untie_running_choices(function, TABLE)


def test_a_running_maximum_by_its_text() -> None:
    check_docstring(running_choices, run)


def test_through_branches() -> None:
    program = """
        %m: f64 = for 0, %n, %s [step=1] {{
        (%i: i64, %u: f64):
          %r: f64 = if %p {{
          ():
            %v: f64 = load %x, %i
            %w: f64 = maximum %u, %v
            {tied}
          }} {{
          ():
            yield %u
          }}
          yield %r
        }}
        return %m
        """
    before = program.format(tied="%t: f64 = attach %w, %v\n            yield %t")
    check_pass(run, before, program.format(tied="yield %w"))


def test_an_element_that_stays_the_same() -> None:
    program = """
        for 0, %n [step=1] {{
        (%i: i64):
          %u: f64 = load %y, %k
          %v: f64 = load %x, %i
          %w: f64 = maximum %u, %v
          {tied}
          yield
        }}
        """
    before = program.format(tied="%t: f64 = attach %w, %v\n          store %t, %y, %k")
    check_pass(run, before, program.format(tied="store %w, %y, %k"))


def test_another_element_in_each_iteration() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          %w: f64 = maximum %v, 0.0
          %t: f64 = attach %w, %v
          store %t, %x, %i
          yield
        }
        """,
    )


def test_ties_of_what_an_iteration_computes_stay() -> None:
    check_unchanged(
        run,
        """
        %m: f64 = for 0, %n, %s [step=1] {
        (%i: i64, %u: f64):
          %v: f64 = load %x, %i
          %w: f64 = maximum %v, 0.0
          %t: f64 = attach %w, %v
          %r: f64 = maximum %u, %t
          yield %r
        }
        return %m
        """,
    )


def test_ties_with_a_carried_value_stay_where_the_choice_is_not_carried_on() -> None:
    check_unchanged(
        run,
        """
        %m: f64 = for 0, %n, %s [step=1] {
        (%i: i64, %u: f64):
          %w: f64 = maximum %u, 0.0
          %t: f64 = attach %w, %u
          %r: f64 = mul %t, 0.5
          yield %r
        }
        return %m
        """,
    )
