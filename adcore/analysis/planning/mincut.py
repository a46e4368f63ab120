"""Minimum cut by Dinic's algorithm (E. A. Dinic, "Algorithm for solution of a problem of maximum flow in networks with
power estimation", Soviet Math. Doklady 11, 1970) on a graph whose nodes are any hashable keys."""

from __future__ import annotations

from collections.abc import Hashable
from math import inf

EPSILON = 1e-9


class FlowNetwork:
    """Arcs with capacities; `cut` gives the value of the minimum cut and the smallest source side.

    Arc k goes to `_head[k]` and has `_left[k]` of its capacity left; arc k ^ 1 is its opposite. `_arcs` lists the arcs
    that leave a node.
    """

    def __init__(self) -> None:
        self._number: dict[Hashable, int] = {}
        self._arcs: list[list[int]] = []
        self._head: list[int] = []
        self._left: list[float] = []

    def _node(self, key: Hashable) -> int:
        number = self._number.get(key)
        if number is None:
            number = self._number[key] = len(self._arcs)
            self._arcs.append([])
        return number

    def arc(self, tail: Hashable, head: Hashable, capacity: float) -> None:
        """Add an arc; parallel arcs add up."""
        u, v, k = self._node(tail), self._node(head), len(self._head)
        self._head += (v, u)
        self._left += (capacity, 0.0)
        self._arcs[u].append(k)
        self._arcs[v].append(k + 1)

    def cut(self, source: Hashable, sink: Hashable) -> tuple[float, frozenset[Hashable]]:
        """(value, source side); the value is infinite if no finite cut exists."""
        s, t = self._node(source), self._node(sink)
        total = 0.0
        while (level := self._levels(s))[t] >= 0:
            pushed = self._blocking_flow(s, t, level)
            if pushed == inf:
                total = inf
                break
            total += pushed
        reached = self._levels(s)
        return total, frozenset(key for key, n in self._number.items() if reached[n] >= 0)

    def _levels(self, s: int) -> list[int]:
        """The number of arcs on a shortest way from `s` to each node; -1 where there is none."""
        level, head, left = [-1] * len(self._arcs), self._head, self._left
        level[s] = 0
        queue = [s]
        for u in queue:
            for k in self._arcs[u]:
                v = head[k]
                if level[v] < 0 and left[k] > EPSILON:
                    level[v] = level[u] + 1
                    queue.append(v)
        return level

    def _blocking_flow(self, s: int, t: int, level: list[int]) -> float:
        """Push along shortest ways until none is left."""
        head, left = self._head, self._left
        position = [0] * len(self._arcs)
        total = 0.0
        path: list[int] = []
        u = s
        while True:
            if u == t:
                flow = min([left[k] for k in path])
                if flow == inf:
                    return inf
                total += flow
                u = self._push(path, flow)
            arcs, below = self._arcs[u], level[u] + 1
            for p in range(position[u], len(arcs)):
                k = arcs[p]
                if level[head[k]] == below and left[k] > EPSILON:
                    position[u] = p  # it may take more than one way
                    path.append(k)
                    u = head[k]
                    break
            else:
                if not path:
                    return total
                level[u] = -1  # no way on from here
                u = head[path.pop() ^ 1]

    def _push(self, path: list[int], flow: float) -> int:
        """Use up `flow` on all arcs of `path` and go back to the first that is full; the node to go on from."""
        head, left = self._head, self._left
        full = len(path) - 1
        for position in range(len(path) - 1, -1, -1):
            k = path[position]
            left[k] -= flow
            left[k ^ 1] += flow
            if left[k] <= EPSILON:
                full = position
        tail = head[path[full] ^ 1]
        del path[full:]
        return tail
