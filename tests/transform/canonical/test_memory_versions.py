"""Which loads are one: those of the same version of an array (`adcore.transform.canonical.memory_versions`)."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from tests.transform.texts import check_pass, check_unchanged


def run(function: Function) -> Function:
    return simplify(function, TABLE)


def test_nothing_was_stored_in_between() -> None:
    check_pass(
        run,
        """
        %a: f64 = load %x, %k
        %b: f64 = load %x, %k
        %c: f64 = mul %a, %b
        return %c
        """,
        """
        %a: f64 = load %x, %k
        %c: f64 = mul %a, %a
        return %c
        """,
    )


def test_parameters_may_overlap() -> None:
    check_unchanged(
        run,
        """
        %a: f64 = load %x, %k
        store %s, %y, %k
        %b: f64 = load %x, %k
        %c: f64 = mul %a, %b
        return %c
        """,
    )


def test_a_local_array_does_not_overlap_a_parameter() -> None:
    check_pass(
        run,
        """
        %t: array<f64,1,C> = alloc 12 [element='f64', zero=True]
        %a: f64 = load %x, %k
        store %s, %t, %k
        %b: f64 = load %x, %k
        %c: f64 = mul %a, %b
        %d: f64 = load %t, %k
        return %c, %d
        """,
        """
        %t: array<f64,1,C> = alloc 12 [element='f64', zero=True]
        %a: f64 = load %x, %k
        store %s, %t, %k
        %c: f64 = mul %a, %a
        %d: f64 = load %t, %k
        return %c, %d
        """,
    )


def test_a_loop_begins_with_what_its_iterations_before_have_stored() -> None:
    check_unchanged(
        run,
        """
        %a: f64 = load %x, %k
        for 0, %n [step=1] {
        (%i: i64):
          %b: f64 = load %x, %k
          %c: f64 = mul %a, %b
          store %c, %x, %i
          yield
        }
        """,
    )


def test_a_loop_that_stores_nothing_sees_what_was_there_before_it() -> None:
    check_pass(
        run,
        """
        %a: f64 = load %x, %k
        %t: f64 = for 0, %n, %a [step=1] {
        (%i: i64, %u: f64):
          %b: f64 = load %x, %k
          %c: f64 = mul %u, %b
          yield %c
        }
        return %t
        """,
        """
        %a: f64 = load %x, %k
        %t: f64 = for 0, %n, %a [step=1] {
        (%i: i64, %u: f64):
          %c: f64 = mul %u, %a
          yield %c
        }
        return %t
        """,
    )


def test_a_view_is_its_array() -> None:
    check_unchanged(
        run,
        """
        %row: array<f64,1,C> = view %a, %k, 0, 12, 1 [axes='is', whole=True]
        %u: f64 = load %row, %n
        store %s, %a, %k, %n
        %v: f64 = load %row, %n
        %w: f64 = mul %u, %v
        return %w
        """,
    )
