"""Minimum cut by Dinic's algorithm (Dinitz 1970) on a graph whose nodes are any hashable keys."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from math import inf

EPSILON = 1e-9


class FlowNetwork:
    """Arcs with capacities; `cut` gives the value of the minimum cut and the smallest source side."""

    def __init__(self) -> None:
        self._number: dict[Hashable, int] = {}
        self._arcs: list[list[list[float]]] = []  # per node: [target, capacity left, index of the opposite arc]

    def _node(self, key: Hashable) -> int:
        if key not in self._number:
            self._number[key] = len(self._arcs)
            self._arcs.append([])
        return self._number[key]

    def arc(self, tail: Hashable, head: Hashable, capacity: float) -> None:
        """Add an arc; parallel arcs add up."""
        u, v = self._node(tail), self._node(head)
        self._arcs[u].append([v, capacity, len(self._arcs[v])])
        self._arcs[v].append([u, 0.0, len(self._arcs[u]) - 1])

    def cut(self, source: Hashable, sink: Hashable) -> tuple[float, frozenset[Hashable]]:
        """(value, source side); the value is infinite if no finite cut exists."""
        s, t = self._node(source), self._node(sink)
        total = 0.0
        while (level := self._levels(s)).get(t) is not None:
            pushed = self._blocking_flow(s, t, level)
            if pushed == inf:
                total = inf
                break
            total += pushed
        reached = self._levels(s)
        return total, frozenset(key for key, n in self._number.items() if n in reached)

    def _levels(self, s: int) -> dict[int, int]:
        level, queue = {s: 0}, deque([s])
        while queue:
            u = queue.popleft()
            for target, capacity, _ in self._arcs[u]:
                v = int(target)
                if capacity > EPSILON and v not in level:
                    level[v] = level[u] + 1
                    queue.append(v)
        return level

    def _blocking_flow(self, s: int, t: int, level: dict[int, int]) -> float:
        position = [0] * len(self._arcs)
        total = 0.0
        while path := self._augmenting_path(s, t, level, position):
            flow = min(arc[1] for arc in path)
            if flow == inf:
                return inf
            for arc in path:
                arc[1] -= flow
                self._arcs[int(arc[0])][int(arc[2])][1] += flow
            total += flow
        return total

    def _augmenting_path(self, s: int, t: int, level: dict[int, int], position: list[int]) -> list[list[float]]:
        path: list[list[float]] = []
        trail = [s]
        while trail[-1] != t:
            u = trail[-1]
            while position[u] < len(self._arcs[u]):
                arc = self._arcs[u][position[u]]
                if arc[1] > EPSILON and level.get(int(arc[0]), -1) == level[u] + 1:
                    break
                position[u] += 1
            if position[u] < len(self._arcs[u]):
                path.append(arc)
                trail.append(int(arc[0]))
                continue
            if not path:
                return []
            path.pop()
            trail.pop()
            position[trail[-1]] += 1
        return path
