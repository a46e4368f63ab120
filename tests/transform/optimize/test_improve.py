"""What comes after differentiation, all of it."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.optimize import improve as module
from adcore.transform.optimize.improve import improve
from tests.transform.texts import check_docstring, check_unchanged


def run(function: Function) -> Function:
    return improve(function, TABLE)


def test_sweeps_are_fused_and_sums_promoted() -> None:
    check_docstring(module, run)


def test_a_program_with_nothing_to_gain() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          %w: f64 = mul %v, %v
          store %w, %y, %i
          yield
        }
        """,
    )
