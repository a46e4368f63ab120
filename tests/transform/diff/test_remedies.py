"""The changed programs that are tried before a remedy is suggested, as texts."""

from __future__ import annotations

import numpy as np

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.plan import Planner
from adcore.ir import Function, walk
from adcore.ops import TABLE
from adcore.transform.diff.remedies import Remedies, closed_form, separate
from tests.transform.derivative_texts import kinds_of
from tests.transform.texts import check_pass, check_text, parse


def planned(function: Function) -> Planner:
    return analyse(function, kinds_of(function), [True] * len(function.results), AliasClasses(), TABLE)


SQUARED = """
func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
  %t: f64 = for 0, %n, 0.0 [step=1] {
  (%i: i64, %u: f64):
    %v: f64 = load %x, %i
    %w: f64 = mul %v, %v
    store %w, %x, %i
    READ
    %r: f64 = add %u, %w
    yield %r
  }
  return %t
}
"""


def separated(program: str) -> Function | None:
    """With the stores of a program to another array."""
    planner = planned(parse(program))
    stores = [i for i in walk(planner.structure.function.region) if i.op == "store"]
    found = separate(planner, stores)
    return None if found is None else found[0]


def test_stores_to_another_array() -> None:
    found = separated(SQUARED.replace("READ", ""))
    assert found is not None
    check_text(
        found,
        """
        func @f(%x: array<f64,1,C>, %n: i64, %other: array<f64,1,C>) -> (f64) {
          %t: f64 = for 0, %n, 0.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %w: f64 = mul %v, %v
            store %w, %other, %i
            %r: f64 = add %u, %w
            yield %r
          }
          return %t
        }
        """,
    )


def test_a_load_that_sees_what_was_stored_moves_with_it() -> None:
    found = separated(SQUARED.replace("READ", "%z: f64 = load %x, %i"))
    assert found is not None
    check_text(
        found,
        SQUARED.replace("store %w, %x", "store %w, %other")
        .replace("READ", "%z: f64 = load %other, %i")
        .replace("%n: i64)", "%n: i64, %other: array<f64,1,C>)"),
    )


def test_where_every_load_sees_a_store_nothing_is_separated() -> None:
    time_step = """
        func @f(%x: array<f64,1,C>, %n: i64) -> () {
          for 1, %n [step=1] {
          (%i: i64):
            %j: i64 = sub %i, 1 [exact=True]
            %v: f64 = load %x, %j
            %w: f64 = mul %v, %v
            store %w, %x, %i
            yield
          }
          return
        }
        """
    assert separated(time_step) is None


POWERS = """
func @f(%s: f64, %n: i64, %x: array<f64,1,C>) -> (f64) {
  %p: f64, %t: f64 = for 0, %n, 1.0, 0.0 [step=1] {
  (%i: i64, %q: f64, %u: f64):
    %v: f64 = load %x, %i
    %w: f64 = mul %v, %q
    %r: f64 = add %u, %w
    %q1: f64 = OP
    yield %q1, %r
  }
  return %t
}
"""


def in_closed_form(function: Function) -> Function:
    """With the first carried value of its loop computed from the loop variable."""
    loop = next(i for i in function.region.body if i.op == "for")
    found = closed_form(planned(function), loop.regions[0].params[1])
    return function if found is None else found[1]


def test_a_product_of_one_factor_is_a_power() -> None:
    exact = [[2.0, n, np.arange(1.0, 6.0)] for n in (0, 1, 5)]
    check_pass(
        in_closed_form,
        POWERS.replace("OP", "mul %q, %s"),
        """
        func @f(%s: f64, %n: i64, %x: array<f64,1,C>) -> (f64) {
          %p: f64, %t: f64 = for 0, %n, 1.0, 0.0 [step=1] {
          (%i: i64, %q: f64, %u: f64):
            %0: i64 = sub %i, 0 [exact=True]
            %1: f64 = cast %0 [type='f64']
            %2: f64 = pow %s, %1
            %3: f64 = mul 1.0, %2
            %v: f64 = load %x, %i
            %w: f64 = mul %v, %3
            %r: f64 = add %u, %w
            %q1: f64 = mul %3, %s
            yield %q1, %r
          }
          return %t
        }
        """,
        arguments=exact,
    )


def test_a_recurrence_has_none() -> None:
    check_pass(in_closed_form, POWERS.replace("OP", "mul %q, %v"), POWERS.replace("OP", "mul %q, %v"))


def test_a_remedy_is_told_only_if_its_plan_keeps_less() -> None:
    planner = planned(parse(SQUARED.replace("READ", "")))
    (node,) = planner.plan().stored
    remedies = Remedies(planner, kinds_of(planner.structure.function), [True])
    assert remedies.to_keep_less(node, planner.plan()).startswith("on line")
