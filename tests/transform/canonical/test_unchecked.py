"""Index checks are taken out."""

from __future__ import annotations

from adcore.ir import Function
from adcore.transform.canonical import unchecked
from adcore.transform.canonical.unchecked import without_index_checks
from tests.transform.texts import check_docstring, check_unchanged


def run(function: Function) -> Function:
    return without_index_checks(function)


def test_a_negative_subscript_counts_from_the_end() -> None:
    check_docstring(unchecked, run)


def test_checks_of_anything_else_stay() -> None:
    check_unchanged(
        run,
        """
        %ok: bool = ne %s, 0.0
        check %ok [error='ZeroDivisionError', message='division by zero']
        %v: f64 = div 1.0, %s
        return %v
        """,
    )
