"""Memory that need not be cleared is not."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.optimize import dead_zeroing
from adcore.transform.optimize.dead_zeroing import remove_dead_zeroing
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return remove_dead_zeroing(function, TABLE)


def test_what_is_given_back_stays_where_it_is() -> None:
    check_docstring(dead_zeroing, run)


def test_clearing_and_adding_something_else_is_storing() -> None:
    check_pass(
        run,
        """
        store 0.0, %d, %k
        %v: f64 = load %x, %m
        accumulate %v, %d, %k
        """,
        """
        %v: f64 = load %x, %m
        store %v, %d, %k
        """,
    )


def test_an_element_that_is_read_in_between_is_cleared() -> None:
    check_unchanged(
        run,
        """
        store 0.0, %d, %k
        %v: f64 = load %d, %m
        accumulate %v, %d, %k
        """,
    )


def test_an_element_that_another_path_leaves_alone_is_cleared() -> None:
    check_unchanged(
        run,
        """
        store 0.0, %d, %k
        if %p {
        ():
          accumulate %s, %d, %k
          yield
        } {
        ():
          yield
        }
        """,
    )
