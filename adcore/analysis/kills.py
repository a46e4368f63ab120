"""Which stores stand between a load and its repetition in the reverse sweep, and which of them can be rolled back.

Seen from the moment at which the reverse sweep asks for the value again, a later store is either *after* (the sweep
has already passed it backwards: if it was undone there, it does no harm) or *between* (not passed yet: nothing helps).
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.analysis.dependence import Dependence
from adcore.analysis.record import address
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import I64, Scalar


class Kills:
    """Facts about loads and stores of one function, memoised.

    `old` maps a store to the value that an earlier load of its own region read from the very element that it
    overwrites: keeping that value is logging the store. `overwriting` is the inverse, for loads. `shifts` maps a value
    to the (loop, position) of the carried value that it becomes in the next iteration.
    """

    def __init__(self, dependence: Dependence, stores: Sequence[Instr], apart: Instr | None = None) -> None:
        self.apart = apart
        self.dependence, self.structure, self.stores = dependence, dependence.structure, stores
        self.old: dict[Instr, Value] = {}
        for store in stores:
            if store.op == "store" and (load := self._overwritten_load(store)) is not None:
                self.old[store] = load.result
        self.overwriting = {self.structure.definition[v] for v in self.old.values()}
        self.shifts: dict[Value, tuple[Instr, int]] = {}
        for instr in self.structure.instructions():
            if instr.op == "for" and self.structure.rectangular(instr.regions[0]):
                self._find_shifts(instr)
        self._need: dict[Value, int] = {}
        self._undoable: dict[Instr, bool] = {}

    def _overwritten_load(self, store: Instr) -> Instr | None:
        """The last load of the store's own region from the same element, if nothing in between can write it."""
        home = self.structure.home[store]
        for instr in reversed(home.body[: self.structure.position[store]]):
            if instr.op == "load" and self.dependence.certainly_same(instr, store):
                others = (s for s in self.stores if s is not store)
                between = (s for s in others if self._stands_between(instr, s, store))
                return None if any(0 in self.dependence.levels(instr, s) for s in between) else instr
        return None

    def _stands_between(self, first: Instr, middle: Instr, last: Instr) -> bool:
        home = self.structure.home[first]
        holder = self.structure.ancestor(middle, home)
        position = self.structure.position
        return holder is not None and position[first] < position[holder] < position[last]

    def _find_shifts(self, loop: Instr) -> None:
        body = loop.regions[0]
        for k, value in enumerate(body.yields):
            instr = self.structure.definition.get(value)
            if instr is None or value in self.shifts or self.structure.home[value] is not body:
                continue
            if instr.op not in ("load", "const", "for", "while", "if") and self._rests_on(value, body.params[k + 1]):
                self.shifts[value] = (loop, k)

    def _rests_on(self, value: Value, param: Value) -> bool:
        """Whether `value` is computed from `param` by instructions of the same region."""
        todo, seen = [value], set()
        home = self.structure.home[value]
        while todo:
            current = todo.pop()
            if current is param:
                return True
            instr = self.structure.definition.get(current)
            if current in seen or instr is None or self.structure.home[current] is not home or instr.op == "load":
                continue
            seen.add(current)
            todo += instr.operands
        return False

    def need_position(self, value: Value) -> int:
        """The position, in the value's own region, of the first moment of the reverse sweep that may ask for it."""
        if value not in self._need:
            home = self.structure.home[value]
            # Backwards, so that those of the values computed from a value are known before its own.
            for own in [*(r for instr in reversed(home.body) for r in instr.results), *home.params]:
                self._need[own] = self._own_need(own, home)
        return self._need[value]

    def _own_need(self, value: Value, home: Region) -> int:
        instr = self.structure.definition.get(value)
        position = self.structure.position[instr] if instr is not None else -1
        for user in self.structure.users.get(value, ()):
            holder = self.structure.ancestor(user, home)
            if holder is None:
                continue  # yielded by the region itself
            position = max(position, self.structure.position[holder])
            for result in holder.results:
                if isinstance(result.type, Scalar):
                    position = max(position, self._need[result])
                else:
                    position = len(home.body)  # a view may be used anywhere after
        return position

    def of(self, load: Instr) -> tuple[tuple[Instr, ...], tuple[Instr, ...]]:
        """(between, after): the later stores that may have overwritten what `load` read."""
        home = self.structure.home[load]
        when = self.need_position(load.result)
        cover = self._certain_overwrite(load)
        between: dict[Instr, None] = {}
        after: dict[Instr, None] = {}
        for store in self.stores:
            levels = self.dependence.levels(load, store)
            if cover is not None and store is not cover:
                # The first certain overwrite hides every store after it: undoing that one brings the element back.
                if not self._stands_between(load, store, cover):
                    continue
                levels = tuple(lev for lev in levels if lev == 0 or lev > self.structure.depth(home))
            for level in levels:
                if 0 < level <= self.structure.depth(home):
                    after[store] = None
                    continue
                holder = self.structure.ancestor(store, home)
                passed = holder is None or self.structure.position[holder] > when
                (after if passed else between)[store] = None
        return tuple(between), tuple(s for s in after if s not in between)

    def of_replay(self, load: Instr, owner: Instr, when: int) -> tuple[tuple[Instr, ...], tuple[Instr, ...]]:
        """(between, after) for a load that is repeated as part of running `owner` again, asked for when the reverse
        sweep stands at position `when` of the region of `owner`."""
        return self._later(load, self.structure.home[owner], when)

    def of_fill(self, load: Instr, region: Region) -> tuple[tuple[Instr, ...], tuple[Instr, ...]]:
        """(between, after) for a load that is repeated before anything in its turn of `region` is reversed."""
        return self._later(load, region, len(region.body))

    def _later(self, load: Instr, home: Region, when: int) -> tuple[tuple[Instr, ...], tuple[Instr, ...]]:
        between: dict[Instr, None] = {}
        after: dict[Instr, None] = {}
        for store in self.stores:
            for level in self.dependence.levels(load, store):
                holder = self.structure.ancestor(store, home)
                later_round = 0 < level <= self.structure.depth(home)
                passed = later_round or holder is None or self.structure.position[holder] > when
                (after if passed else between)[store] = None
        return tuple(between), tuple(s for s in after if s not in between)

    def _certain_overwrite(self, load: Instr) -> Instr | None:
        home = self.structure.home[load]
        if self.dependence.root(load.operands[0]) in self.dependence.self_overlapping:
            return None
        for instr in home.body[self.structure.position[load] + 1 :]:
            if instr.op == "store" and instr in self.stores and self.dependence.certainly_same(load, instr):
                return instr
        return None

    def can_be_undone(self, store: Instr) -> bool:
        """Whether `store` may be rolled back and, after the sweep, done again: it stands in plain `for` nests whose
        bounds are known before them, its subscripts follow from the loop variables, its array lives to the end."""
        if store not in self._undoable:
            self._undoable[store] = self._check_undoable(store)
        return self._undoable[store]

    def _check_undoable(self, store: Instr) -> bool:
        top = self.structure.function.region
        if self.apart is not None and self.structure.holder(store) is self.apart:
            return False
        if store.op != "store" or self.structure.home[self.dependence.root(store.operands[1])] is not top:
            return False
        owners = [self.structure.owner[r] for r in self.structure.chain(self.structure.home[store])]
        if not self.structure.rectangular(self.structure.home[store]) or any(o and o.op == "if" for o in owners):
            return False
        subscripts = (*store.operands[2:], *address(self.dependence, store.operands[1]))
        return all(self.follows_from_counters(v) for v in subscripts)

    def follows_from_counters(self, value: Value) -> bool:
        """Whether `value` is integer arithmetic over loop variables and what is known outside all loops."""
        if self.structure.home[value] is self.structure.function.region:
            return True
        instr = self.structure.definition.get(value)
        if instr is None:
            owner = self.structure.owner[self.structure.home[value]]
            return owner is not None and owner.op == "for" and value is owner.regions[0].params[0]
        plain = instr.op in ("const", "add", "sub", "mul", "neg", "minimum", "maximum", "floordiv", "mod", "index")
        return plain and value.type == I64 and all(self.follows_from_counters(v) for v in instr.operands)
