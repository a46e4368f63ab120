"""Marked nests that are products become one instruction."""

from __future__ import annotations

from adcore.ir import Function
from adcore.ops import TABLE
from adcore.transform.optimize import product_instructions
from adcore.transform.optimize.product_instructions import emit_products
from tests.transform.texts import check_docstring, check_unchanged


def run(function: Function) -> Function:
    return emit_products(function, TABLE)


def test_a_marked_product_is_one_instruction() -> None:
    check_docstring(product_instructions, run)


def test_a_nest_that_nobody_has_marked_stays() -> None:
    check_unchanged(
        run,
        """
        for 0, %n [step=1] {
        (%i: i64):
          for 0, %m [step=1] {
          (%j: i64):
            for 0, %k [step=1] {
            (%l: i64):
              %x: f64 = load %a, %i, %l
              %y: f64 = load %b, %l, %j
              %z: f64 = mul %x, %y
              accumulate %z, %c, %i, %j
              yield
            }
            yield
          }
          yield
        }
        """,
    )
