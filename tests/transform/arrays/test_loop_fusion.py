"""Two loops become one."""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.arrays import loop_fusion
from adcore.transform.arrays.loop_fusion import AnalysedFunction, join_all
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    """With all loops of the function's own region joined, if that is allowed."""
    region = function.region
    joined = join_all(
        AnalysedFunction(function, TABLE, AliasClasses()), region, [i for i in region.body if i.op == "for"]
    )
    return function if joined is None else joined.function


def test_what_one_loop_stores_the_other_reads_in_step() -> None:
    check_docstring(loop_fusion, run)


def test_what_stands_between_goes_to_one_side() -> None:
    check_pass(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          store %s, %x, %i
          yield
        }
        %u: f64 = mul %s, 2.0
        %v: f64 = load %x, %k
        for 0, %n [step=1] {
        (%j: i64):
          store %u, %y, %j
          yield
        }
        return %v
        """,
        """
        %u: f64 = mul %s, 2.0
        for 0, %n [step=1] {
        (%i: i64):
          store %s, %x, %i
          store %u, %y, %i
          yield
        }
        %v: f64 = load %x, %k
        return %v
        """,
    )


def test_the_other_direction_may_do() -> None:
    check_pass(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %d, %i
          yield
        }
        for 0, %n [step=1] {
        (%j: i64):
          %h: i64 = add %j, 1 [exact=True]
          %w: f64 = load %d, %h
          store %w, %y, %j
          yield
        }
        """,
        """
        for 0, %n [reverse=True, step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %d, %i
          %h: i64 = add %i, 1 [exact=True]
          %w: f64 = load %d, %h
          store %w, %y, %i
          yield
        }
        """,
    )


def test_an_element_that_is_not_stored_yet_forbids_it() -> None:
    check_unchanged(
        run,
        """
        %last: i64 = sub %n, 1 [exact=True]
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %d, %i
          yield
        }
        for 0, %n [step=1] {
        (%j: i64):
          %back: i64 = sub %last, %j [exact=True]
          %w: f64 = load %d, %back
          store %w, %y, %j
          yield
        }
        """,
    )


def test_other_iterations_forbid_it() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          store %s, %x, %i
          yield
        }
        for 0, %m [step=1] {
        (%j: i64):
          store %s, %y, %j
          yield
        }
        """,
    )
