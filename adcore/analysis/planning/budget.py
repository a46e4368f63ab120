"""Plans under a limit in bytes: the price of a byte rises until the plan fits.

A limit is a knapsack constraint, which one cut does not solve exactly; raising the price gives the plans on the lower
convex hull of bytes against work (Everett's method of Lagrange multipliers, 1963). What lies between two of them is
looked for by storing single values, or not, whatever the price says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from adcore.analysis.planning.choices import Choice, Node
from adcore.analysis.planning.explain import room, workspace
from adcore.analysis.planning.findings import Checkpoints
from adcore.analysis.planning.plan import Impossible, Plan, Planner
from adcore.analysis.planning.search import cheapest
from adcore.analysis.planning.sizes import Unknown
from adcore.ir.core import Value
from adcore.machine_model import MODEL

EPSILON = 1e-6

TINY, DEAR = 2.0**-20, 2.0**20
"""Weights by which bytes decide, and work only between plans of as many bytes."""


class TooLarge(Exception):
    """No plan fits; `plan` is the smallest that was found and `bytes` what it takes for the arguments, that of the
    checkpointed loops `states` included."""

    def __init__(self, planner: Planner, plan: Plan, needed: int, states: Sequence[Checkpoints] = ()) -> None:
        super().__init__(f"the smallest plan takes {needed} bytes")
        self.planner, self.plan, self.bytes, self.states = planner, plan, needed, tuple(states)


def plan_within(planner: Planner, limit: int | None, arguments: Sequence[Any] | None = None) -> Plan:
    """The cheapest plan found that keeps at most `limit` bytes for `arguments` (one per parameter of the function).

    None: no limit. 0: nothing may be kept, whatever the shapes. Where only a run can tell the size (a `while`), the
    leanest plan is taken. Raises Impossible (limit 0) or TooLarge.
    """
    if limit is None:
        return planner.plan()
    if limit == 0:
        return planner.plan(inf)
    return _Budget(planner, limit, arguments or ()).plan()


def leaner_and_leaner(planner: Planner, arguments: Sequence[Any]) -> list[tuple[Plan, int]]:
    """Plans, from the cheapest to the one that keeps fewest bytes for `arguments`, with their bytes; those that only a
    run can measure are left out."""
    budget = _Budget(planner, 0, arguments)
    budget.measure()
    found: dict[int, Plan] = {}
    for price, weight in ((0.0, 1.0), (16.0, 1.0), (256.0, 1.0), (1.0, TINY)):
        plan = planner.plan() if price == 0.0 else budget.priced(price, weight)
        size = None if plan is None else budget.bytes(plan)
        if plan is not None and size is not None:
            found.setdefault(size, plan)
        if size == 0:
            break
    return [(plan, size) for size, plan in found.items()]


class _Budget:
    """The search for one limit."""

    def __init__(self, planner: Planner, limit: int, arguments: Sequence[Any]) -> None:
        self.planner, self.limit, self.arguments = planner, limit, arguments
        self.room: dict[Choice, tuple[float, float]] = {}

    def plan(self) -> Plan:
        large = self.planner.plan()
        if self.fits(large):
            return large
        self.measure()
        small = self.priced(1.0, TINY)
        if small is None:
            return self.leanest_unmeasured()
        if not self.fits(small):
            raise TooLarge(self.planner, small, self.measured(small))
        return self.forced(large, small, 0.0) if self.bytes(large) is None else self.refined(large, small)

    def measure(self) -> None:
        """Find out what storing each node, and following each rule, takes in bytes."""
        self.room = {c: self.bytes_of(n, c) for n, options in self.planner.options.items() for c in options}

    def leanest_unmeasured(self) -> Plan:
        """What keeps least where only a run can tell how much that is."""
        try:
            return self.planner.plan(inf)
        except Impossible:
            return self.planner.plan(DEAR)

    def bytes_of(self, node: Node, choice: Choice) -> tuple[float, float]:
        """What it takes to store the node, and to follow the rule; infinite where only a run can tell."""
        row = self.evaluated(node, reused=isinstance(node, Value)) if choice.scratch else 0.0
        return self.evaluated(node) if choice.store < inf else 0.0, row

    def evaluated(self, node: Node, reused: bool = False) -> float:
        try:
            return float(self.planner.sizes.evaluate(room(self.planner, node, reused), self.arguments))
        except Unknown:
            return inf

    def priced(self, price: float, weight: float = 1.0, fixed: Mapping[Node, bool] | None = None) -> Plan | None:
        """The cheapest plan where a byte costs `price` on top of what it costs anyway, and that counts by `weight`."""
        original: dict[Choice, Choice] = {}
        options = {}
        for node, choices in self.planner.options.items():
            changed = []
            for choice in choices:
                stored, row = self.room[choice]
                charged = replace(
                    choice,
                    store=weight * choice.store + (price * stored if stored < inf else inf),
                    scratch=weight * choice.scratch + (price * row if row < inf else inf),
                    cost=weight * choice.cost,
                )
                original[charged] = choice
                changed.append(charged)
            options[node] = tuple(changed)
        found = cheapest(options, self.planner.needs.values, 1.0, fixed)
        if found.cost == inf:
            return None
        return self.planner.plan_keeping(found.kept, {n: original[c] for n, c in found.choices.items()})

    def bytes(self, plan: Plan) -> int | None:
        """What `plan` keeps for the arguments; None where only a run can tell."""
        try:
            return self.planner.sizes.evaluate(workspace(self.planner, plan), self.arguments)
        except Unknown:
            return None

    def fits(self, plan: Plan) -> bool:
        needed = self.bytes(plan)
        return needed is not None and needed <= self.limit

    def refined(self, large: Plan, small: Plan) -> Plan:
        """The cheapest plan found between `large`, which does not fit, and `small`, which does.

        First the plans on the convex hull, each at the price at which its neighbours cost the same; then single values
        are stored (or not) whatever the price says, as long as that makes the plan cheaper.
        """
        price = 0.0
        while (span := self.measured(large) - self.measured(small)) > 0:
            price = (small.cost - large.cost) / span
            plan = self.priced(price)
            assert plan is not None
            if not self.measured(small) < self.measured(plan) < self.measured(large):
                break
            small, large = (plan, large) if self.fits(plan) else (small, plan)
        return self.forced(large, small, price)

    def measured(self, plan: Plan) -> int:
        known = self.bytes(plan)
        assert known is not None, "some plan of this function can be measured and another one not"
        return known

    def forced(self, large: Plan, small: Plan, price: float) -> Plan:
        """`small` with values stored in room that it leaves, or `large` without some: what is cheaper and fits."""
        best, trials = small, min(MODEL.most_plans, MODEL.most_plan_nodes // len(self.planner.options))
        fixed: dict[Node, bool] = {}
        improved = True
        while improved and trials > 0:
            improved = False
            extra: tuple[Node, bool] | None = None
            for node, stored in self.candidates(best, large):
                for each in (price, price / 2, 0.0):
                    if node in fixed or trials <= 0:
                        continue
                    trials -= 1
                    plan = self.priced(each, fixed={**fixed, node: stored})
                    if plan is not None and plan.cost < best.cost - EPSILON and self.fits(plan):
                        best, extra, improved = plan, (node, stored), True
            if extra is not None:
                fixed[extra[0]] = extra[1]
        return best

    def candidates(self, best: Plan, large: Plan) -> list[tuple[Node, bool]]:
        """Single decisions that might pay: values that the plan does not keep, and those that the large one keeps."""
        kept: set[Node] = {*best.stored, *best.copied}
        choices = self.planner.choices
        more = [(n, True) for n in choices if n not in kept and 0.0 < choices[n].store < inf]
        return [*more, *((n, False) for n in (*large.stored, *large.copied) if choices[n].store > 0.0)]
