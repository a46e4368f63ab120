"""What an array holds is computed where it is read."""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.arrays import rematerialisation
from adcore.transform.arrays.loop_fusion import AnalysedFunction
from adcore.transform.arrays.rematerialisation import rematerialise
from adcore.transform.canonical.simplify import simplify
from tests.transform.texts import check_docstring, check_unchanged


def run(function: Function) -> Function:
    return simplify(rematerialise(AnalysedFunction(function, TABLE, AliasClasses()), frozenset()).function, TABLE)


def test_a_cheap_element_is_computed_for_each_subscript() -> None:
    check_docstring(rematerialisation, run)


def test_a_division_is_not_computed_twice() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,1,C> = alloc %n [element='f64']
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          %u: f64 = div 1.0, %v
          store %u, %t, %i
          yield
        }
        for 1, %n [step=1] {
        (%j: i64):
          %h: i64 = sub %j, 1 [exact=True]
          %w: f64 = load %t, %j
          %z: f64 = load %t, %h
          %r: f64 = mul %w, %z
          store %r, %y, %j
          yield
        }
        """,
    )


def test_elements_made_of_what_is_overwritten_stay() -> None:
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


def test_an_element_that_may_not_have_been_stored_stays() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,1,C> = alloc %n [element='f64', zero=True]
        for 0, %m [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %t, %i
          yield
        }
        for 0, %n [step=1] {
        (%j: i64):
          %w: f64 = load %t, %j
          store %w, %y, %j
          yield
        }
        """,
    )
