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
        while (left := self._steps_to(t, s))[s] >= 0:
            pushed = self._blocking_flow(s, t, left)
            if pushed == inf:
                total = inf
                break
            total += pushed
        reached = self._reached(s)
        return total, frozenset(key for key, n in self._number.items() if reached[n])

    def _steps_to(self, t: int, s: int) -> list[int]:
        """The number of arcs on a shortest way from each node to `t`; -1 where there is none, or it is no shorter than
        that from `s`: so a way that gets nearer with every arc is no dead end, until arcs on it are full."""
        steps, head, left = [-1] * len(self._arcs), self._head, self._left
        steps[t] = 0
        queue = [t]
        for v in queue:
            if steps[s] >= 0:
                break
            next_ = steps[v] + 1
            for k in self._arcs[v]:
                u = head[k]
                if steps[u] < 0 and left[k ^ 1] > EPSILON:
                    steps[u] = next_
                    queue.append(u)
        return steps

    def _reached(self, s: int) -> list[bool]:
        """Which nodes can be reached from `s`."""
        reached, head, left = [False] * len(self._arcs), self._head, self._left
        reached[s] = True
        queue = [s]
        for u in queue:
            for k in self._arcs[u]:
                v = head[k]
                if not reached[v] and left[k] > EPSILON:
                    reached[v] = True
                    queue.append(v)
        return reached

    def _blocking_flow(self, s: int, t: int, steps: list[int]) -> float:
        """Push along shortest ways until none is left; `steps` says how far it is from each node to `t`."""
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
            arcs, nearer = self._arcs[u], steps[u] - 1
            for p in range(position[u], len(arcs)):
                k = arcs[p]
                if steps[head[k]] == nearer and left[k] > EPSILON:
                    position[u] = p  # it may take more than one way
                    path.append(k)
                    u = head[k]
                    break
            else:
                if not path:
                    return total
                steps[u] = -1  # no way on from here
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
