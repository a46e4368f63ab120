"""Work that must grow with a program, not with its square: counted, never timed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adcore.analysis.affine import ranges
from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.plan import Planner
from adcore.driver.pipeline import SIMPLIFIED, compile_request
from adcore.driver.request import Request
from adcore.ir import Function
from adcore.ir.core import walk
from adcore.ops import TABLE
from adcore.runtime.values.arguments import signature
from adcore.transform.canonical.simplify import Simplifier
from benchmarks.large_programs import Large, branches, nests, pairs, scattered


def simplified(large: Large) -> Function:
    function = large.function()
    given = signature(list(inspect.signature(function).parameters), large.args)
    found: Function = compile_request(Request(function, given), until=SIMPLIFIED).product(SIMPLIFIED)
    return found


def planner(large: Large) -> Planner:
    kinds = ["duplicated" if np.asarray(a).dtype == float else "const" for a in large.args]
    return analyse(simplified(large), kinds, [True], AliasClasses(), TABLE)


def sizes(made: Planner) -> tuple[int, int]:
    """How many loads and stores there are."""
    instrs = made.structure.instructions()
    return sum(i.op == "load" for i in instrs), len(made.stores)


@pytest.mark.slow
@pytest.mark.parametrize("time_loop", [False, True])
def test_forty_nests_take_few_tests(time_loop: bool) -> None:
    """Nests that look alike are tested once, and examples settle nearly all of what is left."""
    made = planner(nests(40, time_loop))
    loads, stores = sizes(made)
    assert loads * stores > 50_000
    assert made.dependence.conflicts.decisions < 600
    assert made.dependence.conflicts.tests < 60


def test_more_nests_of_the_same_kind_take_hardly_more_tests() -> None:
    few, many = planner(pairs(12)), planner(pairs(36))
    assert sizes(many)[0] > 2.5 * sizes(few)[0]
    assert many.dependence.conflicts.tests < 2.0 * few.dependence.conflicts.tests


def test_a_store_through_unknown_subscripts_is_no_more_work_for_the_checks_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows in all systems that proofs about subscripts solve."""
    rows = [0]
    feasible = ranges.feasible

    def counted(equalities: Any, inequalities: Any) -> bool:
        rows[0] += len(equalities) + len(inequalities)
        return feasible(equalities, inequalities)

    monkeypatch.setattr(ranges, "feasible", counted)
    found = []
    for count in (60, 120):
        rows[0] = 0
        simplified(scattered(count))
        found.append(rows[0])
    assert 0 < found[1] < 3 * found[0]


def test_values_in_deep_branches_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hashes taken of value-numbering keys, per instruction, for a chain of `elif`."""

    def hashes(count: int) -> float:
        function = simplified(branches(count))
        taken = [0]
        make: Callable[..., tuple[Any, ...]] = Simplifier.key

        class Key(tuple[Any, ...]):
            def __hash__(self) -> int:
                taken[0] += 1
                return super().__hash__()

        monkeypatch.setattr(Simplifier, "key", lambda *args: Key(make(*args)))
        Simplifier(TABLE).run(function)
        monkeypatch.setattr(Simplifier, "key", make)
        return taken[0] / sum(1 for _ in walk(function.region))

    assert hashes(60) < 1.5 * hashes(15) < 10


def test_branches_deep_inside_each_other_are_planned() -> None:
    made = planner(branches(60))
    assert made.dependence.conflicts.decisions < 60
    assert made.plan().cost > 0
