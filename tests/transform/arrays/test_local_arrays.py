"""Which arrays are the program's own, and how they are seen through views."""

from __future__ import annotations

from adcore.analysis.structure import structure_of
from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.arrays.local_arrays import local_arrays, without_views
from tests.transform.texts import check_pass, check_unchanged


def run(function: Function) -> Function:
    """With every access to a local array as one of the array itself."""
    for own in local_arrays(function, TABLE):
        function = without_views(structure_of(function, TABLE), own, TABLE)
    return function


def test_an_access_through_views_is_one_of_the_array_itself() -> None:
    check_pass(
        run,
        """
        %t: array<f64,2,C> = alloc 12, 12 [element='f64', zero=True]
        %u: array<f64,2,S> = transpose %t [permutation=(1, 0)]
        %row: array<f64,1,S> = view %u, %k, 1, 3, 2 [axes='is']
        %v: f64 = load %row, 2
        return %v
        """,
        """
        %t: array<f64,2,C> = alloc 12, 12 [element='f64', zero=True]
        %0: i64 = mul 2, 2 [exact=True]
        %1: i64 = add 1, %0 [exact=True]
        %v: f64 = load %t, %1, %k
        return %v
        """,
    )


def test_an_array_that_is_returned_is_nobodys_own() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,2,C> = alloc 12, 12 [element='f64', zero=True]
        %u: array<f64,2,S> = transpose %t [permutation=(1, 0)]
        %v: f64 = load %u, %k, %m
        return %v, %t
        """,
    )
