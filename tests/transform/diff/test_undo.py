"""Stores rolled back anywhere: in branches, in any loop, at subscripts that are data; memory ends as it should."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.choices import Choice, Node
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.plan import Plan, Planner
from adcore.ir import Instr, verify
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.reverse import emit_reverse
from tests.analysis.planning.goldens import annotated, load, names
from tests.samples import sample
from tests.transform.test_random_programs import KINDS, Problem, close, demands


def rolling_back(planner: Planner, choose: random.Random) -> Plan:
    """Some plan that rolls back stores where it can."""
    kept: set[Node] = set()
    rules: dict[Node, Choice] = {}
    todo = list(demands(planner))
    while todo:
        node = todo.pop()
        if node in kept or node in rules or node not in planner.options:
            continue
        followed = [c for c in planner.options[node] if c.operands is not None]
        undoing = [c for c in followed if any(isinstance(o, Instr) for o in c.needs)]
        if undoing and choose.random() < 0.85:
            rules[node] = choose.choice(undoing)
        elif followed and (planner.options[node][0].store == inf or choose.random() < 0.6):
            rules[node] = choose.choice(followed)
        else:
            kept.add(node)
            continue
        todo += rules[node].needs
    return planner.plan_keeping(frozenset(kept), {**planner.choices, **rules})


def kinds_of_stores(planner: Planner, plan: Plan) -> Counter[str]:
    """How many stores of which kind a plan rolls back."""
    found: Counter[str] = Counter()
    for store in plan.undone:
        found["logged" if store in plan.logged else "from a kept value"] += 1
        if planner.kills.can_be_done_again(store):
            continue
        found["from a copy"] += bool(plan.copied)
        owners = [planner.structure.owner[r] for r in planner.structure.chain(planner.structure.home[store])]
        found.update(f"in {o.op}" for o in owners if o is not None)
    return found


@pytest.mark.slow
def test_plans_that_roll_back_give_the_right_gradient_and_memory() -> None:
    found: Counter[str] = Counter()
    for seed in range(260):
        problem = Problem(seed)
        planner = analyse(simplify(problem.program, TABLE), KINDS, [True], AliasClasses(), TABLE)
        plans = [rolling_back(planner, random.Random(f"{seed} {k}")) for k in range(4)]
        plans = sorted((p for p in plans if p.undone), key=lambda p: not p.copied)[:2]
        for plan in plans:
            found += kinds_of_stores(planner, plan)
            gradient = verify(emit_reverse(planner, plan, KINDS, [True], TABLE).function, TABLE)
            assert close(problem.adjoint(gradient), problem.tangent())
    for kind in ("logged", "from a kept value", "from a copy", "in if", "in while", "in for"):
        assert found[kind] >= 10, f"too few stores {kind} were rolled back: {found}"


@pytest.mark.parametrize("name", sample(names(), quick=15))
def test_memory_ends_as_the_primal_leaves_it(name: str) -> None:
    """To the bit, whatever the workspace."""
    module = load(name)
    alone = [np.array(a, copy=True) if isinstance(a, np.ndarray) else a for a in module.ARGS]
    alone = shared_alike(module.ARGS, alone)
    plain = ad.compile(module.program, *map(as_constant, alone), mode=ad.Primal)
    plain(*map(as_constant, alone))
    needed = ad.compile(module.program, *annotated(module.ARGS)).workspace_bytes
    for workspace in ("auto", "heap", *((needed // 2,) if needed else ())):
        arguments = load(name).ARGS
        given = annotated(arguments)
        try:
            handle = ad.compile(module.program, *given, workspace=workspace)
        except ad.WorkspaceError:
            continue
        handle(*given)
        for after, expected in zip(arguments, alone, strict=True):
            np.testing.assert_array_equal(after, expected)


def shared_alike(arguments: tuple[Any, ...], copies: list[Any]) -> list[Any]:
    """The copies, with one for all arguments that are one array."""
    first: dict[int, Any] = {}
    return [
        first.setdefault(id(a), c) if isinstance(a, np.ndarray) else c for a, c in zip(arguments, copies, strict=True)
    ]


def as_constant(value: Any) -> Any:
    return ad.Const(value)


def relaxed(u):
    change = 1.0
    while change > 1e-3:
        change = 0.0
        for i in range(1, len(u) - 1):
            new = 0.25 * u[i] * (u[i - 1] + u[i + 1]) + 0.1
            change = max(change, abs(new - u[i]))
            u[i] = new
    return u[2]


def thinned(x, steps):
    for _ in range(steps):
        for i in range(1, len(x)):
            if x[i] > x[i - 1]:
                x[i] = 0.9 * x[i] * x[i - 1]
    return x[0] * x[1]


def scattered(x, where):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    for i in range(len(where)):
        x[where[i]] = x[where[i]] ** 3
    return total + x[0]


@pytest.mark.parametrize(
    ("program", "others"), [(relaxed, ()), (thinned, (7,)), (scattered, (np.array([3, 1, 1, 4]),))]
)
def test_one_log_serves_the_neighbours(program: Callable[..., Any], others: tuple[Any, ...]) -> None:
    """Each of these reads more values than it overwrites: the stores are rolled back, and memory is whole again."""
    x, dx = np.linspace(0.4, 0.9, 9), np.zeros(9)
    expected = x.copy()
    program(expected, *others)
    given = [ad.Duplicated(x, dx), *map(ad.Const, others)]
    handle = ad.compile(program, *given)
    assert {"copy"} <= {record.kept_as for record in handle.explain().stored}
    gradient = ad.grad(program)(x, *others)
    handle(*given)
    np.testing.assert_allclose(x, expected, rtol=1e-14)
    np.testing.assert_allclose(dx, gradient, rtol=1e-13)
    eps, direction = 1e-6, np.cos(np.arange(9.0))
    start = np.linspace(0.4, 0.9, 9)
    difference = program(start + eps * direction, *others) - program(start - eps * direction, *others)
    assert float(dx @ direction) == pytest.approx(difference / (2 * eps), rel=1e-6)


def coupled(mats, steps):
    for _ in range(steps):
        for k in range(len(mats)):
            m = mats[k]
            for i in range(1, m.shape[0]):
                m[i, 0] = 0.5 * m[i, 0] * (m[i - 1, 0] + 1.0) * m[i, 1]
    return mats[0][1, 0] * mats[2][3, 0] + mats[1][1, 0]


def test_arrays_of_a_list_are_rolled_back() -> None:
    """Each has a size of its own; together they are copied and brought back."""
    given = [np.linspace(0.5, 1.5, 2 * n).reshape(n, 2) for n in (3, 2, 5)]
    mats, shadows = [m.copy() for m in given], [np.zeros_like(m) for m in given]
    expected = [m.copy() for m in given]
    coupled(expected, 4)
    handle = ad.compile(coupled, ad.Duplicated(mats, shadows), ad.Const(4))
    (copy,) = (record for record in handle.explain().stored if record.kept_as == "copy")
    assert (copy.value, copy.bytes, copy.formula) == ("mats", 160, "8*size(mats)")
    handle(ad.Duplicated(mats, shadows), ad.Const(4))
    for after, want in zip(mats, expected, strict=True):
        np.testing.assert_allclose(after, want, rtol=1e-14)
    assert handle.high_water == 160 + 8 * 4 * (2 + 1 + 4)
    moved = [m + 1e-6 for m in given], [m - 1e-6 for m in given]
    difference = (coupled(moved[0], 4) - coupled(moved[1], 4)) / 2e-6
    assert sum(float(s.sum()) for s in shadows) == pytest.approx(difference, rel=1e-7)


def moved(x, y):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    for i in range(len(x)):
        v = x[i]
        total += v * v * v
        y[i] = v
        x[i] = 0.0
    return total


def test_an_old_value_that_is_found_elsewhere() -> None:
    """What the second loop destroys stands in y: nothing has to be kept for it but the zeros of the result."""
    x, y = np.linspace(1.0, 2.0, 5), np.zeros(5)
    dx, dy = np.zeros(5), np.zeros(5)
    ad.autodiff(ad.Reverse, moved, ad.Duplicated(x, dx), ad.Duplicated(y, dy))
    start = np.linspace(1.0, 2.0, 5)
    np.testing.assert_allclose(dx, 2 * start + 3 * start**2, rtol=1e-14)
    np.testing.assert_array_equal(x, 0.0)
    np.testing.assert_array_equal(y, start)
