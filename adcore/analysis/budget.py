"""Plans under a limit in bytes: the price of a byte rises until the plan fits.

A limit is a knapsack constraint, which one cut does not solve exactly; raising the price gives the plans on the lower
convex hull of bytes against work (Everett's method of Lagrange multipliers, 1963). What lies between two of them is
looked for by storing single values, or not, whatever the price says.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from adcore.analysis.choices import BYTE_PRICE, Node
from adcore.analysis.explain import workspace
from adcore.analysis.plan import Impossible, Plan, Planner, held
from adcore.analysis.sizes import Unknown

EPSILON = 1e-6

MOST_TRIALS, MOST_WORK = 300, 30_000
"""Plans tried beyond the convex hull, and how many nodes they may have in all: a large function is planned but once."""

PRICES = (BYTE_PRICE, 4.0, 16.0, 64.0, 256.0, 1e3, 1e4, 1e6)


class TooLarge(Exception):
    """No plan fits; `plan` is the smallest that was found and `bytes` what it takes for the arguments."""

    def __init__(self, planner: Planner, plan: Plan, needed: int) -> None:
        super().__init__(f"the smallest plan takes {needed} bytes")
        self.planner, self.plan, self.bytes = planner, plan, needed


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


class _Budget:
    """The search for one limit."""

    def __init__(self, planner: Planner, limit: int, arguments: Sequence[Any]) -> None:
        self.planner, self.limit, self.arguments = planner, limit, arguments

    def plan(self) -> Plan:
        large: Plan | None = None
        leanest: tuple[Plan, int] | None = None
        for price in PRICES:
            plan = self.planner.plan(price)
            needed = self.bytes(plan)
            if needed is None:
                continue
            if needed <= self.limit:
                return plan if large is None else self.refined(large, plan, price)
            large = plan
            if leanest is None or needed < leanest[1]:
                leanest = plan, needed
        try:
            plan = self.planner.plan(inf)
        except Impossible:
            if leanest is None:
                return self.planner.plan(PRICES[-1])
            raise TooLarge(self.planner, *leanest) from None
        return plan if large is None else self.refined(large, plan, PRICES[-1])

    def bytes(self, plan: Plan) -> int | None:
        """What `plan` keeps for the arguments; None where only a run can tell."""
        try:
            return self.planner.sizes.evaluate(workspace(self.planner, plan), self.arguments)
        except Unknown:
            return None

    def fits(self, plan: Plan) -> bool:
        needed = self.bytes(plan)
        return needed is not None and needed <= self.limit

    def refined(self, large: Plan, small: Plan, price: float) -> Plan:
        """The cheapest plan found between `large`, which does not fit, and `small`, which does, at `price`.

        First the plans on the convex hull, each at the price at which its neighbours cost the same; then single values
        are stored (or not) whatever the price says, as long as that makes the plan cheaper.
        """
        while units(large) > units(small):
            tie = (work(small) - work(large)) / (units(large) - units(small))
            plan = self.planner.plan(max(tie, BYTE_PRICE))
            if units(plan) >= units(large) or units(plan) <= units(small):
                break
            if self.fits(plan):
                small, price = plan, tie
            else:
                large = plan
        return self.forced(large, small, price)

    def forced(self, large: Plan, small: Plan, price: float) -> Plan:
        """`small` with values stored in room that it leaves, or `large` without some: what is cheaper and fits."""
        best, trials = small, min(MOST_TRIALS, MOST_WORK // len(self.planner.options))
        prices = dict.fromkeys((price, (price + BYTE_PRICE) / 2, BYTE_PRICE))
        fixed: dict[Node, bool] = {}
        improved = True
        while improved and trials > 0:
            improved = False
            extra: tuple[Node, bool] | None = None
            for node, stored in self.candidates(best, large):
                for each in prices:
                    if node in fixed or trials <= 0:
                        continue
                    trials -= 1
                    plan = self.trial(each, {**fixed, node: stored})
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

    def trial(self, price: float, fixed: dict[Node, bool]) -> Plan | None:
        found = self.planner.search(price, fixed)
        return None if found.cost == inf else self.planner.plan_keeping(found.kept, found.choices)


def units(plan: Plan) -> float:
    """The stored bytes of a plan, as its price weighs them."""
    return sum(held(plan, node) for node in plan.demanded)


def work(plan: Plan) -> float:
    """The operations of a plan."""
    return plan.cost - units(plan)
