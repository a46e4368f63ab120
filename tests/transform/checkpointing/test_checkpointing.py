"""Checkpointed loops: the same gradient with any number of snapshots, and as many steps as the theory says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from math import comb

import numpy as np
import pytest

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.budget import TooLarge
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.plan import Plan, Planner
from adcore.ir import F64, I64, ArrayType, Builder, Function, Instr, Value, interpret, verify
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.checkpointing.checkpoint import Checkpointing, Decision
from adcore.transform.checkpointing.rewind import rewinding
from adcore.transform.checkpointing.schedules import Reversal, Unbounded
from adcore.transform.checkpointing.snapshots import advanced_steps, emit_split, repetitions
from adcore.transform.diff.reverse import carried_out, emit_reverse, reverse
from adcore.transform.optimize.improve import improve
from tests.analysis.planning.ledger import Ledger
from tests.samples import sample
from tests.transform.test_random_programs import KINDS, Problem, close

PLENTY = 10**6


def reversal(problem: Problem) -> Reversal:
    program = simplify(problem.program, TABLE)
    return Reversal(program, KINDS, [True], AliasClasses(), TABLE, problem.arguments)


def test_the_sample_has_loops_of_every_kind() -> None:
    seen = set()
    for seed in range(40):
        ways = reversal(Problem(seed))
        top = ways.function.region.body
        for loop in ways.loops:
            seen |= {loop.instr.op, "at the top" if loop.instr in top else "in a branch"}
            seen |= {"with loops in its steps"} if loop.inner.loops else set()
    assert seen == {"for", "while", "at the top", "in a branch", "with loops in its steps"}


def with_slots(how: Checkpointing, slots: int) -> Checkpointing:
    """The same with another number of states beside the first, in the loops of its steps as well."""
    inner = replace(how.inner, apart=tuple(with_slots(loop, slots) for loop in how.inner.apart))
    return replace(how, slots=slots, inner=inner)


@pytest.mark.parametrize("slots", [0, 1, 3])
@pytest.mark.parametrize("seed", sample(range(40), quick=8))
def test_any_loop_of_a_random_program(seed: int, slots: int) -> None:
    """Every loop of the function's own region, of either kind, alone and all at once."""
    problem = Problem(seed)
    ways = reversal(problem)
    made = [with_slots(loop.within(PLENTY), slots) for loop in ways.loops]
    expected = problem.tangent()
    for chosen in (*((how,) for how in made), tuple(made)):
        planner = ways.around([how.loop for how in chosen])
        decision = Decision(planner, planner.plan(), KINDS, (True,), chosen)
        gradient = verify(carried_out(decision).function, TABLE)
        assert close(problem.adjoint(gradient), expected)
        assert close(problem.adjoint(verify(improve(gradient, TABLE), TABLE)), expected)


@pytest.mark.parametrize("seed", sample(range(40), quick=20))
def test_every_limit_gives_the_same_gradient(seed: int) -> None:
    """From the least on; what is below the least is refused."""
    problem = Problem(seed)
    ways = reversal(problem)
    least = ways.least
    if least is None:
        with pytest.raises(Unbounded):
            ways.within(PLENTY)
        return
    expected = problem.tangent()
    for limit in (least, least + 8, least + 40, 2 * least + 200, PLENTY):
        decision = ways.within(limit)
        assert decision.bytes is not None
        assert decision.bytes <= limit
        gradient = verify(carried_out(decision).function, TABLE)
        assert close(problem.adjoint(gradient), expected)
        assert most_kept(gradient, problem) <= limit
    if least:
        with pytest.raises(TooLarge) as refused:
            ways.within(least - 1)
        assert refused.value.bytes == least


def most_kept(gradient: Function, problem: Problem) -> int:
    """The bytes of all room for the reverse sweep that is open at the same time, in one run."""
    ledger = Ledger()
    shadows = [w.copy() for w in problem.weights]
    ledger.run(gradient, [*(a.copy() if isinstance(a, np.ndarray) else a for a in problem.arguments), *shadows, 0.7])
    return ledger.most


@pytest.mark.parametrize("seed", range(40))
def test_any_loop_by_running_its_steps_again(seed: int) -> None:
    problem = Problem(seed)
    program = simplify(problem.program, TABLE)
    loops = [i for i in program.region.body if i.op == "for"]
    expected = problem.tangent()
    for loop in loops:
        planner = analyse(program, KINDS, [True], AliasClasses(), TABLE, (loop,))
        how = rewinding(planner, loop, differentiate)
        if how is None:
            continue
        gradient = verify(emit_reverse(planner, planner.plan(), KINDS, [True], TABLE, (how,)).function, TABLE)
        assert close(problem.adjoint(gradient), expected)
        assert close(problem.adjoint(verify(improve(gradient, TABLE), TABLE)), expected)


def differentiate(
    step: Function, kinds: Sequence[str], seeds: Sequence[bool], aliases: AliasClasses, strong: frozenset[Instr]
) -> tuple[Function, Planner, Plan]:
    planner = analyse(step, kinds, seeds, aliases, TABLE, (), strong)
    plan = planner.plan()
    return emit_reverse(planner, plan, kinds, seeds, TABLE).function, planner, plan


def split_function() -> Function:
    b = Builder(TABLE)
    steps, states = Value(I64, "steps"), Value(I64, "states")
    result = emit_split(b, steps, states)
    return verify(Function("split", b.finish((steps, states), (result,))), TABLE)


def advances(steps: int, states: int, split: Function, known: dict[tuple[int, int], int]) -> int:
    """Steps advanced by the schedule that the emitted split makes."""
    if states == 1 or steps < 2:
        return steps * (steps - 1) // 2
    if (steps, states) not in known:
        (middle,) = interpret(split, TABLE, [steps, states])
        assert 1 <= middle < steps
        rest = advances(steps - middle, states - 1, split, known)
        known[steps, states] = middle + rest + advances(middle, states, split, known)
    return known[steps, states]


@cache
def fewest(steps: int, states: int) -> int:
    """The fewest steps that any schedule advances: all first stops are tried."""
    if states == 1 or steps < 2:
        return steps * (steps - 1) // 2
    return min(m + fewest(steps - m, states - 1) + fewest(m, states) for m in range(1, steps))


@pytest.mark.parametrize(("steps", "states"), [(2, 2), (10, 3), (35, 3), (56, 3), (57, 3), (60, 4), (70, 1), (80, 9)])
def test_the_schedule_is_optimal(steps: int, states: int) -> None:
    r = repetitions(steps, states)
    assert comb(states + r, states) >= steps > comb(states + r - 1, states)
    assert advances(steps, states, split_function(), {}) == advanced_steps(steps, states) == fewest(steps, states)


def test_a_thousand_steps_with_ten_states() -> None:
    assert repetitions(1000, 10) == 4
    assert advanced_steps(1000, 10) == 4 * 1000 - comb(14, 11)
    assert advances(1000, 10, split_function(), {}) == advanced_steps(1000, 10)


# The emitted code, step by step


def recurrence(kind: str) -> Function:
    """x[i] -> sin(x[i] * x[i]) for every element, n times, by a loop of this kind."""
    b = Builder(TABLE)
    x, n = Value(ArrayType(F64, 1, "C"), "x"), Value(I64, "n")

    def step() -> None:
        i = Value(I64, "i")
        with b.region((i,)) as body:
            value = b.emit("load", x, i)
            b.emit_many("store", (b.emit("sin", b.emit("mul", value, value)), x, i), {})
        b.emit_many("for", (b.const(0), b.emit("dim", x, axis=0)), {"step": 1}, (body.region,), ())

    if kind == "for":
        with b.region((Value(I64, "t"),)) as turn:
            step()
        b.emit_many("for", (b.const(0), n), {"step": 1}, (turn.region,), ())
    else:
        k = Value(I64, "k")
        with b.region((k,)) as condition:
            condition.yields = (b.emit("lt", k, n),)
        with b.region((Value(I64, "k"),)) as turn:
            step()
        b.emit_many("while", (), {}, (condition.region, turn.region), (I64,))
    return verify(Function("f", b.finish((x, n), (b.emit("load", x, b.const(0)),))), TABLE)


@pytest.mark.parametrize("kind", ["for", "while"])
@pytest.mark.parametrize("steps", [0, 1, 2, 5, 17, 40])
@pytest.mark.parametrize("states", [1, 2, 3, 7, 50])
def test_as_many_steps_run_again_as_the_theory_says(kind: str, steps: int, states: int) -> None:
    """Counted in a run: the primal, what is advanced, and every step once more for its own reverse."""
    size, kinds = 3, ("duplicated", "const")
    x = np.array([0.3, 0.9, -0.7])
    ways = Reversal(recurrence(kind), kinds, [True], AliasClasses(), TABLE, [x, steps])
    (loop,) = ways.loops
    record, state = 8 * size, 8 * size + 8
    how = loop.within(states * state + 8 * size + record)
    expected = advanced_steps(steps, states)
    assert how.slots + 1 == (states if kind == "while" else min(states, max(1, steps)))
    assert how.advanced == (None if kind == "while" else expected)
    planner = ways.around([how.loop])
    gradient = carried_out(Decision(planner, planner.plan(), kinds, (True,), (how,))).function
    ledger, given, shadow = Ledger(), x.copy(), np.zeros(size)
    ledger.run(gradient, [given, steps, shadow, 1.0])
    assert ledger.runs["sin"] == size * (steps + expected + steps)
    assert ledger.most <= how.bytes
    reference, plain = np.zeros(size), reverse(recurrence(kind), kinds, [True], TABLE).function
    interpret(plain, TABLE, [x.copy(), steps, reference, 1.0])
    np.testing.assert_array_equal(shadow, reference)
