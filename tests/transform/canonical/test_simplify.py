"""Folding, value numbering, motion."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical import simplify as module
from adcore.transform.canonical.simplify import simplify
from tests.transform.texts import check_docstring, check_pass, check_unchanged


def run(function: Function) -> Function:
    return simplify(function, TABLE)


def test_what_is_the_same_is_computed_once_and_outside() -> None:
    check_docstring(module, run)


def test_constants_are_folded() -> None:
    check_pass(
        run,
        """
        %a: i64 = add 2, 3
        %b: i64 = mul %a, %n
        %c: f64 = sub 1.5, 0.5
        %d: f64 = mul %c, %s
        return %b, %d
        """,
        """
        %b.1: i64 = mul 5, %n
        return %b.1, %s
        """,
    )


def test_floats_are_not_reassociated_and_zeros_stay() -> None:
    check_unchanged(
        run,
        """
        %a: f64 = add %s, 1.0
        %b: f64 = add %a, 1.0
        %c: f64 = add %b, 0.0
        %d: f64 = mul %c, 0.0
        return %d
        """,
    )


def test_what_may_raise_stays_in_its_loop() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %q: i64 = floordiv %m, %k
          store %s, %x, %q
          yield
        }
        """,
    )


def test_a_load_after_a_store_is_made_again() -> None:
    check_unchanged(
        run,
        """
        %u: f64 = load %x, %k
        store %s, %x, %n
        %v: f64 = load %x, %k
        %w: f64 = add %u, %v
        return %w
        """,
    )
