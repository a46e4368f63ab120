"""What goes from one part of a nest to another goes through memory."""

from __future__ import annotations

from dataclasses import replace

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.optimize import scalar_expansion
from adcore.transform.optimize.scalar_expansion import ScalarExpansion
from tests.transform.texts import check_docstring, check_unchanged


def run(function: Function) -> Function:
    return replace(function, region=ScalarExpansion(function, TABLE).region(function.region))


def test_a_factor_that_is_not_in_memory_gets_an_array_for_all_iterations() -> None:
    check_docstring(scalar_expansion, run)


def test_a_factor_that_is_in_memory_needs_none() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          for 0, %n [step=1] {
          (%j: i64):
            %e: f64 = load %c, %i, %j
            for 0, %n [step=1] {
            (%h: i64):
              %v: f64 = load %a, %i, %h
              %w: f64 = mul %v, %e
              accumulate %w, %b, %h, %j
              yield
            }
            yield
          }
          yield
        }
        """,
    )
