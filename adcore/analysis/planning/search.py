"""The cheapest way to have all needed values: minimum cuts over a table of choices.

A rule implies its prerequisites, and all constraints are implications: with one rule per node the cheapest plan is a
minimum cut (a maximum-weight closure, Picard 1976). Where nodes have several rules the problem is NP-hard. Then the
search starts from the preferred rules and takes any other rule that makes the cut cheaper, one at a time. A cut with
the cheapest parts of all rules bounds what can be gained, so where nothing can be, nothing is tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from adcore.analysis.planning.choices import Choice, Node
from adcore.analysis.planning.mincut import FlowNetwork

ChoiceTable = Mapping[Node, tuple[Choice, ...]]
"""All ways to have each node, the preferred one first. Nodes that are not in it are at hand."""

EPSILON = 1e-6


@dataclass(frozen=True, eq=False)
class Solution:
    """The nodes that are stored, the rule that each node follows otherwise, and the cost of it all at the price that
    was asked for: infinite if no plan is allowed."""

    cost: float
    kept: frozenset[Node]
    choices: dict[Node, Choice]


def cheapest(
    table: ChoiceTable,
    demanded: Iterable[Node],
    price: float,
    fixed: Mapping[Node, bool] | None = None,
    flips: bool = True,
) -> Solution:
    """The cheapest plan for the nodes `demanded` when a stored byte costs `price` (infinite: none may be stored).

    `fixed` says of some nodes whether they are stored, if they are needed at all. Without `flips` every node keeps its
    preferred rule.
    """
    wanted = [node for node in demanded if node in table]
    cost, kept, choices = 0.0, set[Node](), {node: options[0] for node, options in table.items()}
    for part in _parts(table, wanted):
        goals = [node for node in wanted if node in part]
        found = _PartSearch(part, goals, price, fixed or {}).run(flips)
        cost += found.cost
        kept |= found.kept
        choices.update(found.choices)
    return Solution(cost, frozenset(kept), choices)


def _parts(table: ChoiceTable, wanted: Iterable[Node]) -> list[dict[Node, tuple[Choice, ...]]]:
    """The table taken apart where no rule leads from one part to another, if that makes it quicker: parts are for
    trying rules, and those without a node of several rules stay together."""
    if all(len(options) == 1 for options in table.values()):
        return [dict(table)]
    near: dict[Node, list[Node]] = {node: [] for node in table}
    for node, options in table.items():
        for operand in (o for choice in options for o in choice.operands or ()):
            if operand in table:
                near[node].append(operand)
                near[operand].append(node)
    seen: set[Node] = set()
    single: dict[Node, tuple[Choice, ...]] = {}
    parts = [single]
    for start in wanted:
        part: dict[Node, tuple[Choice, ...]] = {}
        todo = [start]
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                part[node] = table[node]
                todo += near[node]
        if all(len(options) == 1 for options in part.values()):
            single.update(part)
        else:
            parts.append(part)
    return parts


class _PartSearch:
    """One part of a table at one price."""

    def __init__(self, table: ChoiceTable, goals: list[Node], price: float, fixed: Mapping[Node, bool]) -> None:
        self.table, self.goals, self.price, self.fixed = table, goals, price, fixed
        # Dearer than any plan that is allowed, and finite: flips may then remove forbidden stores one by one.
        self.barrier = 1.0 + sum(max(self.most(c) for c in options) for options in table.values())

    def run(self, flips: bool) -> Solution:
        choices = {node: options[0] for node, options in self.table.items()}
        cost, kept = self.cut(choices)
        several = [node for node, options in self.table.items() if len(options) > 1]
        if flips and several:
            cost, kept = self.flipped(choices, cost, kept, several)
        if cost >= self.barrier - EPSILON:
            cost = inf
        return Solution(cost, kept, choices)

    def flipped(
        self, choices: dict[Node, Choice], cost: float, kept: frozenset[Node], several: list[Node]
    ) -> tuple[float, frozenset[Node]]:
        """Change `choices` while another rule for one node makes the cut cheaper."""
        least, _ = self.cut({node: _relaxed(options) for node, options in self.table.items()})
        improved = True
        while improved and cost > least + EPSILON:
            improved = False
            for node in several:
                for choice in self.table[node]:
                    before, choices[node] = choices[node], choice
                    other, stored = (cost, kept) if choice is before else self.cut(choices)
                    if other < cost - EPSILON:
                        cost, kept, improved = other, stored, True
                    else:
                        choices[node] = before
        return cost, kept

    def cut(self, choices: Mapping[Node, Choice]) -> tuple[float, frozenset[Node]]:
        """(cost, stored nodes) of the cheapest plan in which every node that is not stored follows its choice."""
        network = FlowNetwork()
        for node in self.goals:
            network.arc("source", node, inf)
        for node, choice in choices.items():
            stored = self.fixed.get(node)
            store = self.barrier if stored is False and choice.store else self.charged(choice.store)
            if choice.operands is None or stored:
                network.arc(node, "sink", store)
                continue
            network.arc(node, (node, "rule"), inf if choice.store == inf else store)
            network.arc((node, "rule"), "sink", choice.cost + self.charged(choice.scratch))
            for operand in choice.operands:
                if operand in self.table:
                    network.arc((node, "rule"), operand, inf)
        cost, reached = network.cut("source", "sink")
        return cost, frozenset(n for n in choices if n in reached and (n, "rule") not in reached)

    def charged(self, stored: float) -> float:
        """What storing costs at the price; where that is infinite, nothing but what takes no bytes is allowed."""
        if stored == 0:
            return 0.0
        return self.barrier if self.price == inf else stored * self.price

    def most(self, choice: Choice) -> float:
        """What a node can add to the cost of an allowed plan."""
        charges = [v * self.price for v in (choice.store, choice.scratch) if v and inf not in (v, self.price)]
        return choice.cost + sum(charges)


def _relaxed(options: tuple[Choice, ...]) -> Choice:
    """A rule that costs as little as the cheapest and needs only what all need: no plan is cheaper than with it."""
    if len(options) == 1:
        return options[0]
    shared = set(options[0].operands or ()).intersection(*(c.operands or () for c in options[1:]))
    cost, scratch = min(c.cost for c in options), min(c.scratch for c in options)
    return replace(options[0], cost=cost, scratch=scratch, operands=tuple(shared))
