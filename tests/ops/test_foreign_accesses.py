"""Loads, stores, sums, views and allocations by other names, with operands in another order: passes do to them what
they do to ours.

store %v, %a, %i       ->   put %a, %v, %i
load %a, %i            ->   take %a, %i
accumulate %v, %a, %i  ->   grow %a, %v, %i
view %a, ...           ->   window %a, ...
alloc %n               ->   room %n
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.ir import Function, Instr, print_function, verify
from adcore.ir.core import edited, walk
from adcore.ops import TABLE, Effects, Op, Table
from adcore.ops.effects import adds, writes
from adcore.transform.arrays.producer_fusion import fuse_producers
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.forward import forward
from adcore.transform.diff.reverse import emit_reverse
from adcore.transform.optimize.improve import improve
from tests.samples import sample
from tests.transform.random_programs import random_program
from tests.transform.test_random_programs import KINDS, Problem, close


def swapped(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A type rule of (value, array, subscripts) for (array, value, subscripts)."""
    return lambda types, attrs: rule((types[1], types[0], *types[2:]), attrs)


def evaluate_put(array: Any, value: Any, *index: int) -> None:
    array[index] = value


def evaluate_grow(array: Any, value: Any, *index: int) -> None:
    array[index] += value


LOAD, STORE, SUM, VIEW, ALLOC = (TABLE[name] for name in ("load", "store", "accumulate", "view", "alloc"))

OPS = (
    Op("take", LOAD.type_rule, LOAD.evaluate, cost=LOAD.cost, effects=LOAD.effects),
    Op("put", swapped(STORE.type_rule), evaluate_put, cost=STORE.cost, effects=Effects((writes(0, value=1, at=2),))),
    Op("window", VIEW.type_rule, VIEW.evaluate, cost=VIEW.cost, effects=VIEW.effects),
    Op("room", ALLOC.type_rule, ALLOC.evaluate, cost=ALLOC.cost, effects=ALLOC.effects),
    Op("grow", swapped(SUM.type_rule), evaluate_grow, cost=SUM.cost, effects=Effects((adds(0, value=1, at=2),))),
)

FOREIGN = Table({**TABLE, **{op.name: op for op in OPS}})
NAMES = {"load": "take", "store": "put", "accumulate": "grow", "view": "window", "alloc": "room"}


def in_foreign_words(function: Function) -> Function:
    """The same program with our three ops by their foreign names."""

    def edit(instr: Instr) -> tuple[Instr, ...]:
        if instr.op not in NAMES:
            return (instr,)
        operands = instr.operands
        if instr.op in TABLE.puts:
            operands = (operands[1], operands[0], *operands[2:])
        return (Instr(NAMES[instr.op], operands, instr.results, instr.attrs, (), instr.span),)

    return function.with_region(edited(function.region, edit))


@pytest.mark.parametrize("temporaries", [False, True])
def test_they_are_simplified_and_fused_alike(temporaries: bool) -> None:
    for seed in range(60):
        ours = random_program(seed, temporaries)
        theirs = verify(in_foreign_words(ours), FOREIGN)
        for run in (simplify, fuse_producers):
            mine, other = run(ours, TABLE), verify(run(theirs, FOREIGN), FOREIGN)
            found = [sum(1 for _ in walk(f.region)) for f in (mine, other)]
            assert found[0] == found[1], print_function(other)


@pytest.mark.parametrize("price", sample([1.0, 0.02, 20.0], quick=1))
def test_plans_are_the_same_and_gradients_right(price: float) -> None:
    """As many values stored, logged and undone, at the same cost."""
    undone = 0
    for seed in range(40):
        problem = Problem(seed, temporaries=bool(seed % 2))
        ours = simplify(problem.program, TABLE)
        plans = []
        for program, ops in ((ours, TABLE), (in_foreign_words(ours), FOREIGN)):
            planner = analyse(program, KINDS, [True], AliasClasses(), ops)
            plan = planner.plan(price)
            plans.append((plan.cost, len(plan.stored), len(plan.logged), len(plan.undone), len(plan.copied)))
        assert plans[0] == plans[1]
        undone += plans[0][3]
        gradient = verify(emit_reverse(planner, plan, KINDS, [True], FOREIGN).function, FOREIGN)
        problem.ops, expected = FOREIGN, problem.tangent()
        assert close(problem.adjoint(gradient), expected)
        assert close(problem.adjoint(verify(improve(gradient, FOREIGN), FOREIGN)), expected)
    assert undone or price < 1


def test_forward_mode_knows_them() -> None:
    for seed in range(40):
        problem = Problem(seed)
        expected = problem.tangent()
        problem.program, problem.ops = verify(in_foreign_words(problem.program), FOREIGN), FOREIGN
        assert problem.tangent() == expected
        verify(forward(problem.program, KINDS, FOREIGN), FOREIGN)
