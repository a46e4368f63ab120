"""Plans under a limit in bytes: the price of a byte rises until the plan fits.

A limit is a knapsack constraint, which one cut does not solve exactly; raising the price gives the plans on the lower
convex hull of bytes against work (Everett's method of Lagrange multipliers, 1963).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from adcore.analysis.choices import BYTE_PRICE
from adcore.analysis.explain import workspace
from adcore.analysis.plan import Impossible, Plan, Planner
from adcore.analysis.sizes import Unknown

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
    leanest: tuple[Plan, int] | None = None
    for price in PRICES:
        plan = planner.plan(price)
        try:
            needed = planner.sizes.evaluate(workspace(planner, plan), arguments or ())
        except Unknown:
            continue
        if needed <= limit:
            return plan
        if leanest is None or needed < leanest[1]:
            leanest = plan, needed
    try:
        return planner.plan(inf)
    except Impossible:
        if leanest is None:
            return planner.plan(PRICES[-1])
        raise TooLarge(planner, *leanest) from None
