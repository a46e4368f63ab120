"""Bulk ops as the loops that they stand for."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform import expansion
from adcore.transform.expansion import expand_bulk
from tests.transform.texts import check_docstring, check_unchanged


def run(function: Function) -> Function:
    return expand_bulk(function, TABLE)


def test_what_has_an_expansion_is_replaced() -> None:
    check_docstring(expansion, run)


def test_what_the_next_stage_knows_stays() -> None:
    known = sorted(TABLE.expandable)
    check_unchanged(lambda function: expand_bulk(function, TABLE, known), "copy %x, %y")


def test_a_program_of_single_elements_stays() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          store %s, %x, %i
          yield
        }
        """,
    )
