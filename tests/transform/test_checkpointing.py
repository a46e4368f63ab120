"""Checkpointed loops: the same gradient with any number of snapshots, and as many steps as the theory says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import comb

import pytest

from adcore.analysis.dependence import AliasClasses
from adcore.analysis.facts import analyse
from adcore.analysis.plan import Plan, Planner
from adcore.analysis.sizes import Unknown
from adcore.ir import I64, Builder, Function, Value, interpret, verify
from adcore.ops import TABLE
from adcore.transform.checkpoint import candidates, checkpointing
from adcore.transform.improve import improve
from adcore.transform.reverse import emit_reverse, reverse
from adcore.transform.rewind import rewinding
from adcore.transform.simplify import simplify
from adcore.transform.snapshots import advanced_steps, emit_split, repetitions
from tests.transform.test_random_programs import KINDS, Problem, close


def differentiate(
    step: Function, kinds: Sequence[str], seeds: Sequence[bool], aliases: AliasClasses
) -> tuple[Function, Planner, Plan]:
    made = reverse(step, kinds, seeds, TABLE, aliases)
    assert made.planner is not None
    assert made.plan is not None
    return made.function, made.planner, made.plan


@pytest.mark.parametrize("slots", [0, 1, 3])
@pytest.mark.parametrize("seed", range(30))
def test_any_loop_of_a_random_program(seed: int, slots: int) -> None:
    problem = Problem(seed)
    program = simplify(problem.program, TABLE)
    loops = candidates(analyse(program, KINDS, [True], AliasClasses(), TABLE).structure)
    expected = problem.tangent()
    for loop in loops:
        planner = analyse(program, KINDS, [True], AliasClasses(), TABLE, loop)
        try:
            how = checkpointing(planner, loop, 10**9, problem.arguments, differentiate)
        except Unknown:
            continue  # a `while` in the step: how much it keeps is known only after it ran
        assert how is not None
        how = replace(how, slots=slots)
        gradient = verify(emit_reverse(planner, planner.plan(), KINDS, [True], TABLE, how).function, TABLE)
        assert close(problem.adjoint(gradient), expected)
        assert close(problem.adjoint(verify(improve(gradient, TABLE), TABLE)), expected)


@pytest.mark.parametrize("seed", range(40))
def test_any_loop_by_running_its_steps_again(seed: int) -> None:
    problem = Problem(seed)
    program = simplify(problem.program, TABLE)
    loops = candidates(analyse(program, KINDS, [True], AliasClasses(), TABLE).structure)
    expected = problem.tangent()
    for loop in loops:
        planner = analyse(program, KINDS, [True], AliasClasses(), TABLE, loop)
        how = rewinding(planner, loop, differentiate)
        if how is None:
            continue
        gradient = verify(emit_reverse(planner, planner.plan(), KINDS, [True], TABLE, how).function, TABLE)
        assert close(problem.adjoint(gradient), expected)
        assert close(problem.adjoint(verify(improve(gradient, TABLE), TABLE)), expected)


def split_function() -> Function:
    b = Builder(TABLE)
    steps, slots = Value(I64, "steps"), Value(I64, "slots")
    result = emit_split(b, steps, slots)
    return verify(Function("split", b.finish((steps, slots), (result,))), TABLE)


def advances(steps: int, slots: int, split: Function, known: dict[tuple[int, int], int]) -> int:
    """Steps advanced by the schedule that the emitted split makes."""
    if steps < 2:
        return 0
    if slots == 0:
        return steps * (steps - 1) // 2
    if (steps, slots) not in known:
        (middle,) = interpret(split, TABLE, [steps, slots])
        assert 1 <= middle < steps
        rest = advances(steps - middle, slots - 1, split, known)
        known[steps, slots] = middle + rest + advances(middle, slots, split, known)
    return known[steps, slots]


@pytest.mark.parametrize(("steps", "slots"), [(2, 1), (10, 3), (35, 3), (56, 3), (57, 3), (100, 4), (300, 5), (200, 9)])
def test_the_schedule_is_optimal(steps: int, slots: int) -> None:
    r = repetitions(steps, slots)
    assert comb(slots + r, slots) >= steps > comb(slots + r - 1, slots)
    assert advances(steps, slots, split_function(), {}) == advanced_steps(steps, slots)


def test_a_thousand_steps_with_ten_snapshots() -> None:
    assert repetitions(1000, 10) == 4
    assert advanced_steps(1000, 10) == 4 * 1000 - comb(14, 11)
