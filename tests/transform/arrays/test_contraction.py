"""Local arrays lose dimensions."""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.arrays import contraction
from adcore.transform.arrays.contraction import contract
from adcore.transform.arrays.loop_fusion import AnalysedFunction
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return contract(AnalysedFunction(function, TABLE, AliasClasses()))[0].function


def test_an_element_at_a_time_needs_no_array() -> None:
    check_docstring(contraction, run)


def test_a_row_at_a_time_keeps_one_dimension() -> None:
    check_pass(
        run,
        """
        %t: array<f64,2,C> = alloc %n, %m [element='f64']
        for 0, %n [step=1] {
        (%i: i64):
          for 0, %m [step=1] {
          (%j: i64):
            %v: f64 = load %a, %i, %j
            store %v, %t, %i, %j
            yield
          }
          %last: i64 = sub %m, 1 [exact=True]
          for 0, %m [step=1] {
          (%h: i64):
            %back: i64 = sub %last, %h [exact=True]
            %w: f64 = load %t, %i, %back
            store %w, %b, %i, %h
            yield
          }
          yield
        }
        """,
        """
        %1: bool = ge %n, 0
        check %1 [error='ValueError', message='negative dimensions are not allowed']
        for 0, %n [step=1] {
        (%i: i64):
          %t: array<f64,1,C> = alloc %m [element='f64']
          for 0, %m [step=1] {
          (%j: i64):
            %v: f64 = load %a, %i, %j
            store %v, %t, %j
            yield
          }
          %last: i64 = sub %m, 1 [exact=True]
          for 0, %m [step=1] {
          (%h: i64):
            %back: i64 = sub %last, %h [exact=True]
            %w: f64 = load %t, %back
            store %w, %b, %i, %h
            yield
          }
          yield
        }
        """,
    )


def test_what_is_read_in_another_order_has_to_be_whole() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,1,C> = alloc %n [element='f64']
        %last: i64 = sub %n, 1 [exact=True]
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %t, %i
          yield
        }
        for 0, %n [step=1] {
        (%j: i64):
          %back: i64 = sub %last, %j [exact=True]
          %w: f64 = load %t, %back
          store %w, %x, %j
          yield
        }
        """,
    )
