"""Local arrays without dimensions become values."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.arrays import mem2reg as module
from adcore.transform.arrays.mem2reg import mem2reg
from adcore.transform.canonical.simplify import simplify
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return simplify(mem2reg(function, TABLE), TABLE)


def test_a_loop_carries_what_it_stores() -> None:
    check_docstring(module, run)


def test_a_branch_yields_what_it_stores() -> None:
    check_pass(
        run,
        """
        %t: array<f64,0,C> = alloc [element='f64']
        store %s, %t
        if %p {
        ():
          store 2.0, %t
          yield
        } {
        ():
          yield
        }
        %w: f64 = load %t
        return %w
        """,
        """
        %t: f64 = if %p {
        ():
          yield 2.0
        } {
        ():
          yield %s
        }
        return %t
        """,
    )


def test_an_array_with_dimensions_stays() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,1,C> = alloc %n [element='f64']
        for 0, %n [step=1] {
        (%i: i64):
          store %s, %t, %i
          yield
        }
        for 0, %n [step=1] {
        (%j: i64):
          %w: f64 = load %t, %j
          store %w, %x, %j
          yield
        }
        """,
    )


def test_an_array_that_is_returned_stays() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,0,C> = alloc [element='f64']
        store %s, %t
        return %t
        """,
    )
