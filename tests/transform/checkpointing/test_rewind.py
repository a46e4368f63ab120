"""Each step of a loop runs again from what it overwrites: as a text."""

from __future__ import annotations

from collections.abc import Sequence

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.plan import Plan, Planner
from adcore.ir import Function, Instr
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.checkpointing.rewind import Rewinding, rewinding
from adcore.transform.diff.reverse import emit_reverse
from tests.transform.derivative_texts import check_gradient, kinds_of
from tests.transform.texts import parse


def differentiate(
    step: Function, kinds: Sequence[str], seeds: Sequence[bool], aliases: AliasClasses, strong: frozenset[Instr]
) -> tuple[Function, Planner, Plan]:
    planner = analyse(step, kinds, seeds, aliases, TABLE, (), strong)
    plan = planner.plan()
    return emit_reverse(planner, plan, kinds, seeds, TABLE).function, planner, plan


def considered(function: Function) -> tuple[Planner, Rewinding | None]:
    """The first loop, reversed by running its steps again, and the plan for what is around it."""
    loop = next(i for i in function.region.body if i.op == "for")
    planner = analyse(function, kinds_of(function), [True] * len(function.results), AliasClasses(), TABLE, (loop,))
    return planner, rewinding(planner, loop, differentiate)


def rewound(function: Function) -> Function:
    planner, how = considered(function)
    assert how is not None
    seeds = [True] * len(function.results)
    made = emit_reverse(planner, planner.plan(), kinds_of(function), seeds, TABLE, (how,))
    return simplify(made.function, TABLE)


def test_a_column_is_kept_before_it_is_overwritten() -> None:
    check_gradient(
        rewound,
        """
        func @f(%a: array<f64,2,C>) -> () {
          for 0, 4 [step=1] {
          (%j: i64):
            for 0, 4 [step=1] {
            (%i: i64):
              %v: f64 = load %a, %i, %j
              %w: f64 = sin %v
              store %w, %a, %i, %j
              yield
            }
            yield
          }
          return
        }
        """,
        """
        func @f_reverse(%a: array<f64,2,C>, %d_a: array<f64,2,C>) -> () {
          %0: i64 = dim %a [axis=0]
          %log_a: array<f64,2,C> = alloc 4, %0 [element='f64', role='stored', zero=False]
          for 0, 4 [step=1] {
          (%j: i64):
            for 0, %0 [step=1] {
            (%1: i64):
              %2: f64 = load %a, %1, %j
              store %2, %log_a, %j, %1
              yield
            }
            for 0, 4 [step=1] {
            (%i: i64):
              %v: f64 = load %a, %i, %j
              %w: f64 = sin %v
              store %w, %a, %i, %j
              yield
            }
            yield
          }
          for 0, 4 [reverse=True, step=1] {
          (%j.1: i64):
            for 0, %0 [step=1] {
            (%4: i64):
              %5: f64 = load %log_a, %j.1, %4
              store %5, %a, %4, %j.1
              yield
            }
            %kept_v: array<f64,1,C> = alloc 4 [element='f64', late=True, role='stored', zero=False]
            for 0, 4 [step=1] {
            (%i.1: i64):
              %v.1: f64 = load %a, %i.1, %j.1
              store %v.1, %kept_v, %i.1
              %w.1: f64 = sin %v.1
              store %w.1, %a, %i.1, %j.1
              yield
            }
            for 0, 4 [reverse=True, step=1] {
            (%i.2: i64):
              %6: f64 = load %d_a, %i.2, %j.1
              store 0.0, %d_a, %i.2, %j.1
              %7: f64 = load %kept_v, %i.2
              %8: f64 = cos %7
              %9: f64 = mul %8, %6 [flags='adjoint']
              accumulate %9, %d_a, %i.2, %j.1
              yield
            }
            for 0, %0 [step=1] {
            (%10: i64):
              %11: f64 = load %a, %10, %j.1
              %12: f64 = load %log_a, %j.1, %10
              store %12, %a, %10, %j.1
              store %11, %log_a, %j.1, %10
              yield
            }
            yield
          }
          for 0, 4 [step=1] {
          (%j.2: i64):
            for 0, %0 [step=1] {
            (%13: i64):
              %14: f64 = load %log_a, %j.2, %13
              store %14, %a, %13, %j.2
              yield
            }
            yield
          }
          return
        }
        """,
    )


def test_what_a_step_overwrites_has_to_be_known_beforehand() -> None:
    program = """
        func @f(%x: array<f64,1,C>, %places: array<i64,1,C>) -> () {
          for 0, 4 [step=1] {
          (%j: i64):
            %k: i64 = load %places, %j
            %v: f64 = load %x, %k
            %w: f64 = sin %v
            store %w, %x, %k
            yield
          }
          return
        }
        """
    _, how = considered(parse(program))
    assert how is None or not how.sections[0].fixed
