"""Many local arrays get smaller at once."""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.arrays import joint_fusion
from adcore.transform.arrays.joint_fusion import contract_together
from adcore.transform.arrays.loop_fusion import AnalysedFunction
from tests.transform.texts import check_docstring, check_unchanged


def run(function: Function) -> Function:
    return contract_together(AnalysedFunction(function, TABLE, AliasClasses()))[0].function


def test_loops_that_share_an_array_become_one() -> None:
    check_docstring(joint_fusion, run)


def test_a_store_that_a_later_iteration_needs_unchanged_forbids_it() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,1,C> = alloc %n [element='f64']
        %last: i64 = sub %n, 1 [exact=True]
        for 0, %n [step=1] {
        (%i: i64):
          %back: i64 = sub %last, %i [exact=True]
          %v: f64 = load %x, %back
          store %v, %t, %i
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


def test_what_must_stay_between_forbids_it() -> None:
    check_unchanged(
        run,
        """
        %t: array<f64,1,C> = alloc %n [element='f64']
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          store %v, %y, %i
          store %v, %t, %i
          yield
        }
        %u: f64 = load %y, %k
        for 0, %n [step=1] {
        (%j: i64):
          %w: f64 = load %t, %j
          %p: f64 = mul %w, %u
          store %p, %x, %j
          yield
        }
        """,
    )
