"""Lists of later stores that loads share, against a list for each load."""

from __future__ import annotations

import random
from math import inf

import pytest

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.choices import Choice, LaterStores, Node, StoresBackwards
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.plan import Planner
from adcore.analysis.planning.search import cheapest
from adcore.ir import F64, Instr, Value
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from benchmarks.large_programs import Large, nests, pairs
from tests.analysis.planning.test_large_programs import planner
from tests.samples import sample
from tests.transform.random_programs import random_program

KINDS = ("duplicated", "duplicated", "duplicated", "active", "const")


def planned(seed: int, aliases: AliasClasses) -> Planner:
    return analyse(simplify(random_program(seed), TABLE), KINDS, [True], aliases, TABLE)


def check_loads(planner: Planner) -> int:
    """Compare the stores to undo for each load with those that are found one by one; how many lists are shared."""
    kills = planner.kills
    lists: dict[StoresBackwards, int] = {}
    for load in kills.structure.instructions():
        if load.op != "load":
            continue
        between, after = kills.of(load)
        found = kills.to_undo(load)
        if between or not all(map(kills.can_be_undone, after)):
            assert found is None
        else:
            assert found is not None
            near, later = found
            assert (*near, *(later or ())) == after
            if later is not None:
                lists[later.all] = lists.get(later.all, 0) + 1
    return sum(users > 1 for users in lists.values())


@pytest.mark.parametrize("seed", sample(range(200), 40))
def test_every_load_of_a_random_program_has_the_stores_that_may_overwrite_it(seed: int) -> None:
    for aliases in (AliasClasses(), AliasClasses(((0, 1),))):
        check_loads(planned(seed, aliases))


@pytest.mark.parametrize("large", [pairs(12), nests(8)], ids=lambda large: large.name)
def test_so_do_those_of_loops_one_after_the_other(large: Large) -> None:
    assert check_loads(planner(large))


@pytest.mark.parametrize("seed", range(60))
def test_shared_lists_cost_what_lists_of_their_own_do(seed: int) -> None:
    draw = random.Random(seed)
    stores = [Instr("store") for _ in range(draw.randint(1, 20))]
    every = StoresBackwards(stores)
    values = [Value(F64, f"v{k}") for k in range(draw.randint(1, 12))]
    table: dict[Node, tuple[Choice, ...]] = {}
    for store in stores:
        table[store] = (Choice(inf, cost=draw.choice([0.0, 1.0, 2.5]), operands=()),)
    for value in values:
        needs = LaterStores(every, draw.randint(1, len(stores)))
        costs = draw.choice([1.0, 3.0, 8.0, 30.0]), draw.choice([0.0, 0.5])
        table[value] = (Choice(costs[0], costs[1], operands=(), later=needs),)
        if draw.random() < 0.3:
            table[value] += (Choice(costs[0], draw.choice([0.0, 4.0]), operands=(draw.choice(stores),)),)
    apart = {node: tuple(_written_out(choice) for choice in options) for node, options in table.items()}
    shared, single = cheapest(table, values, 1.0), cheapest(apart, values, 1.0)
    assert shared.cost == pytest.approx(single.cost)
    assert shared.kept == single.kept


def _written_out(choice: Choice) -> Choice:
    return Choice(choice.store, choice.cost, choice.scratch, choice.needs)


def test_those_that_were_seen_are_passed_over_once() -> None:
    stores = [Instr("store") for _ in range(6)]
    later, passed = LaterStores(StoresBackwards(stores), 4), dict[StoresBackwards, int]()
    assert list(later) == [stores[3], stores[2], stores[1], stores[0]]
    assert list(later.unseen({stores[0], stores[2]}, passed)) == [stores[3], stores[2], stores[1]]
    assert passed == {later.all: 1}
    assert list(later.unseen(set(stores[:4]), passed)) == []
    assert passed == {later.all: 4}
