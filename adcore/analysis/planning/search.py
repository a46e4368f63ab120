"""The cheapest way to have all needed values: minimum cuts over a table of choices.

A rule implies its prerequisites, and all constraints are implications: with one rule per node the cheapest plan is a
minimum cut (a maximum-weight closure, Picard 1976). Where nodes have several rules the problem is NP-hard. Then the
search starts from the preferred rules and takes any other rule that makes the cut cheaper, one at a time. A cut with
the cheapest parts of all rules bounds what can be gained, so where nothing can be, nothing is tried.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from adcore.analysis.planning.choices import Choice, LaterStores, Node, StoresBackwards
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
    near = _neighbours(table)
    part_of: dict[Node, int] = {}
    count = 0
    for start in wanted:
        todo = [start]
        while todo:
            node = todo.pop()
            if node not in part_of:
                part_of[node] = count
                todo += near[node]
        count += part_of[start] == count
    parts: list[dict[Node, tuple[Choice, ...]]] = [{} for _ in range(count)]
    for node, options in table.items():
        if node in part_of:
            parts[part_of[node]][node] = options
    simple = {k for k, part in enumerate(parts) if all(len(options) == 1 for options in part.values())}
    rest = {node: options for node, options in table.items() if part_of.get(node) in simple}
    return [rest, *(part for k, part in enumerate(parts) if k not in simple)]


def _neighbours(table: ChoiceTable) -> dict[Node, list[Node]]:
    """From each node of the table to those that its rules need, and back."""
    near: dict[Node, list[Node]] = {node: [] for node in table}
    most: dict[StoresBackwards, int] = {}
    for node, options in table.items():
        for choice in options:
            linked = list(choice.operands or ())
            if choice.later is not None:
                every = choice.later.all
                linked.append(every.stores[0])  # with which all the others are linked
                most[every] = max(choice.later.count, most.get(every, 0))
            for operand in linked:
                if operand in table:
                    near[node].append(operand)
                    near[operand].append(node)
    for every, count in most.items():
        last = every.stores[0]
        for store in every.stores[1:count]:
            near[last].append(store)
            near[store].append(last)
    return near


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
        alone = len(several) == 1  # then trying all its rules takes no longer than finding a bound
        least = -inf if alone else self.cut({node: _relaxed(options) for node, options in self.table.items()})[0]
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
            improved = improved and not alone
        return cost, kept

    def cut(self, choices: Mapping[Node, Choice]) -> tuple[float, frozenset[Node]]:
        """(cost, stored nodes) of the cheapest plan in which every node that is not stored follows its choice."""
        network, lists = FlowNetwork(), dict[StoresBackwards, int]()
        rules: dict[Node, Hashable] = {}
        for node in self.goals:
            network.arc("source", node, inf)
        for node, choice in choices.items():
            stored = self.fixed.get(node)
            store = self.barrier if stored is False and choice.store else self.charged(choice.store)
            if choice.operands is None or stored:
                network.arc(node, "sink", store)
                continue
            rule = rules[node] = node if choice.store == inf else (node, "rule")
            if rule is not node:
                network.arc(node, rule, store)
            network.arc(rule, "sink", choice.cost + self.charged(choice.scratch))
            for operand in choice.operands:
                if operand in self.table:
                    network.arc(rule, operand, inf)
            if choice.later is not None:
                _lead_to_later(network, rule, choice.later)
                lists[choice.later.all] = max(choice.later.count, lists.get(choice.later.all, 0))
        for every, count in lists.items():
            _lead_to_stores(network, every, count)
        cost, reached = network.cut("source", "sink")
        return cost, frozenset(n for n in choices if n in reached and rules.get(n) not in reached)

    def charged(self, stored: float) -> float:
        """What storing costs at the price; where that is infinite, nothing but what takes no bytes is allowed."""
        if stored == 0:
            return 0.0
        return self.barrier if self.price == inf else stored * self.price

    def most(self, choice: Choice) -> float:
        """What a node can add to the cost of an allowed plan."""
        charges = [v * self.price for v in (choice.store, choice.scratch) if v and inf not in (v, self.price)]
        return choice.cost + sum(charges)


def _lead_to_later(network: FlowNetwork, rule: Hashable, later: LaterStores) -> None:
    """Arcs from a rule to the stores that it needs, through nodes that lists share: as in P. Fenwick, "A new data
    structure for cumulative frequency tables" (1994), node k stands for as many stores up to the k-th as the lowest bit
    of k says. So there are few arcs, and no way gets longer than the logarithm of the number of stores."""
    k = later.count
    while k:
        network.arc(rule, _up_to(later.all, k), inf)
        k &= k - 1


def _lead_to_stores(network: FlowNetwork, every: StoresBackwards, count: int) -> None:
    """Arcs from those nodes to the first `count` stores of the list."""
    for k in range(2, count + 1, 2):
        network.arc((every, k), every.stores[k - 1], inf)
        bit = 1
        while not k & bit:
            network.arc((every, k), _up_to(every, k - bit), inf)
            bit *= 2


def _up_to(every: StoresBackwards, k: int) -> Hashable:
    """The node that stands for stores up to the k-th: a store itself, where it is only one."""
    return every.stores[k - 1] if k & 1 else (every, k)


def _relaxed(options: tuple[Choice, ...]) -> Choice:
    """A rule that costs as little as the cheapest and needs only what all need: no plan is cheaper than with it."""
    if len(options) == 1:
        return options[0]
    shared = set(options[0].operands or ()).intersection(*(c.operands or () for c in options[1:]))
    cost, scratch = min(c.cost for c in options), min(c.scratch for c in options)
    later = options[0].later if all(c.later == options[0].later for c in options) else None
    return replace(options[0], cost=cost, scratch=scratch, operands=tuple(shared), later=later)
