"""Which stores stand between a load and its repetition in the reverse sweep, and which of them can be rolled back.

Seen from the moment at which the reverse sweep asks for the value again, a later store is either *after* (the sweep
has already passed it backwards: if it was undone there, it does no harm) or *between* (not passed yet: nothing helps).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence

from adcore.analysis.affine.dependence import AccessSide, Dependence
from adcore.analysis.planning.choices import LaterStores, StoresBackwards
from adcore.analysis.planning.record import address, runs_in
from adcore.analysis.structure import contains
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import I64, ArrayType, Scalar


class Kills:
    """Facts about loads and stores of one function, memoised.

    `old` maps a store to the value that an earlier load of its own region (or of one that holds it in a branch) read
    from the very element that it overwrites: keeping that value is logging the store. `overwriting` is the inverse, for
    loads. `shifts` maps a value to the (loop, position) of the carried value that it becomes in the next iteration.
    """

    def __init__(self, dependence: Dependence, stores: Sequence[Instr], apart: Collection[Instr] = ()) -> None:
        self.apart, self.ops = apart, dependence.ops
        self.dependence, self.structure, self.stores = dependence, dependence.structure, frozenset(stores)
        self._of_root: dict[Value, list[Instr]] = {}
        for store in stores:
            self._of_root.setdefault(dependence.access(store).root, []).append(store)
        self._reaching: dict[Value, list[Instr]] = {}
        self._need: dict[Value, int] = {}
        self._backwards: dict[AccessSide, StoresBackwards] = {}
        self._looked_at: dict[StoresBackwards, int] = {}
        """The position, in the stores that reach a load, down to which they were looked at."""
        self._undoable_up_to: dict[StoresBackwards, int] = {}
        """How many of them can be undone before the first one that cannot."""
        self._undoable: dict[Instr, bool] = {}
        self.old: dict[Instr, Value] = {}
        for store in stores:
            copied = store.op in self.ops.stores and self._can_be_copied(store)
            if copied and (load := self._overwritten_load(store)) is not None:
                self.old[store] = load.result
        self.overwriting = {self.structure.definition[v] for v in self.old.values()}
        self.shifts: dict[Value, tuple[Instr, int]] = {}
        for instr in self.structure.instructions():
            if instr.op == "for" and self.structure.rectangular(instr.regions[0]):
                self._find_shifts(instr)

    def reaching(self, access: Instr) -> list[Instr]:
        """The stores to memory that `access` may touch, in program order."""
        root = self.dependence.access(access).root
        if root not in self._reaching:
            roots = [r for r in self._of_root if self.dependence.may_overlap(root, r)]
            found = [store for r in roots for store in self._of_root[r]]
            self._reaching[root] = found if len(roots) < 2 else sorted(found, key=self.structure.number.__getitem__)
        return self._reaching[root]

    def _between(self, first: Instr, last: Instr) -> list[Instr]:
        """Stores that may touch what `first` touches and stand after it and before `last`, in the program's order."""
        number, found = self.structure.number, self.reaching(first)
        start = bisect_right(found, number[first], key=number.__getitem__)
        return found[start : bisect_left(found, number[last], key=number.__getitem__)]

    def _overwritten_load(self, store: Instr) -> Instr | None:
        """The last load from the same element, if nothing in between can write it: of the store's own region, or of one
        that holds it in a branch, where that load must be kept anyway as the store stands before its last use."""
        structure = self.structure
        for region in structure.chain(structure.home[store]):
            loads = [i for i in self.dependence.same_place(store, region) if i.op in self.ops.loads]
            before = bisect_left(loads, structure.number[store], key=structure.number.__getitem__)
            if before:
                load = loads[before - 1]
                if any(self.dependence.here(load, s) for s in self._between(load, store)):
                    return None
                return load if region is structure.home[store] or store in self.of(load)[0] else None
            owner = structure.owner[region]
            if owner is None or owner.op != "if":
                return None
        return None

    def _find_shifts(self, loop: Instr) -> None:
        body = loop.regions[0]
        for k, value in enumerate(body.yields):
            instr = self.structure.definition.get(value)
            if instr is None or value in self.shifts or self.structure.home[value] is not body:
                continue
            computed = not instr.regions and instr.op != "const" and instr.op not in self.ops.readers
            if computed and self._rests_on(value, body.params[k + 1]):
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
            if current in seen or instr is None or self.structure.home[current] is not home:
                continue
            if instr.op in self.ops.readers:
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
        when = self.need_position(load.result)
        return self._split(self._kills(load, self.structure.home[load], when, self._certain_overwrite(load)))

    def of_replay(self, load: Instr, owner: Instr, when: int) -> tuple[tuple[Instr, ...], tuple[Instr, ...]]:
        """(between, after) for a load that is repeated as part of running `owner` again, asked for when the reverse
        sweep stands at position `when` of the region of `owner`."""
        return self._split(self._kills(load, self.structure.home[owner], when, None))

    def of_fill(self, load: Instr, region: Region) -> tuple[tuple[Instr, ...], tuple[Instr, ...]]:
        """(between, after) for a load that is repeated before anything in its iteration of `region` is reversed."""
        return self._split(self._kills(load, region, len(region.body), None))

    def to_undo(self, load: Instr) -> tuple[tuple[Instr, ...], LaterStores | None] | None:
        """The later stores that have to be rolled back before `load` can be repeated; None if that is not possible.
        What `of` says, but it stops at the first store that stands in the way. Those that come after the instruction of
        the function's own region that holds `load` are found once for all loads that are alike."""
        home, when, cover = self.structure.home[load], self.need_position(load.result), self._certain_overwrite(load)
        near = []
        for store, passed in self._kills(load, home, when, cover, apart=cover is None):
            if not passed or not self.can_be_undone(store):
                return None
            near.append(store)
        later = self._later(load, self._far(load, home, when)) if cover is None else None
        if later is not None and later.count > self._undoable_up_to[later.all]:
            return None
        return tuple(sorted(near, key=self.structure.number.__getitem__)), later

    def _far(self, load: Instr, home: Region, when: int) -> int:
        """The number of the first instruction that comes after all that `load` shares a loop or a branch with, and that
        the reverse sweep has passed when it stands at position `when` of `home`."""
        return max(self.structure.end[self.structure.holder(load)], self._ahead(home, when).stop)

    def _later(self, load: Instr, start: int) -> LaterStores | None:
        """The stores from number `start` on, all of them passed, that may overwrite what `load` read."""
        dependence, number = self.dependence, self.structure.number
        x, reaching = dependence.side(load, 0), self.reaching(load)
        found = self._backwards.get(x)
        if found is None:
            found = self._backwards[x] = StoresBackwards()
            self._looked_at[found], self._undoable_up_to[found] = len(reaching), len(reaching)
        position, stores = self._looked_at[found], found.stores
        while position and number[reaching[position - 1]] >= start and len(stores) <= self._undoable_up_to[found]:
            position -= 1
            store = reaching[position]
            if dependence.meet(x, dependence.side(store, 0), 0):
                if not self.can_be_undone(store):
                    self._undoable_up_to[found] = len(stores)
                stores.append(store)
        self._looked_at[found] = position
        count = bisect_right(stores, -start, key=lambda store: -number[store])
        return LaterStores(found, count) if count else None

    def _split(self, kills: Iterable[tuple[Instr, bool]]) -> tuple[tuple[Instr, ...], tuple[Instr, ...]]:
        found = sorted(kills, key=lambda kill: self.structure.number[kill[0]])
        return tuple(s for s, passed in found if not passed), tuple(s for s, passed in found if passed)

    def _kills(
        self, load: Instr, home: Region, when: int, cover: Instr | None, apart: bool = False
    ) -> Iterator[tuple[Instr, bool]]:
        """Later stores that may overwrite what `load` read, and whether the reverse sweep has passed them when it
        stands at position `when` of `home`. `cover` certainly overwrites what `load` read. `apart`: without those that
        `_later` finds."""
        dependence, number = self.dependence, self.structure.number
        depth, ahead, later = self.structure.depth(home), self._ahead(home, when), self.structure.following(load)
        end = self._far(load, home, when) if apart else None
        for x, store, y in self._met(load, end) if cover is None else self._met_until(load, cover):
            place = number[store]
            within = x.depth > depth and dependence.carries(x, y, depth, x.depth)
            if within or (contains(later, place) and dependence.meet(x, y, 0)):
                yield store, place not in ahead
            elif (cover is None or store is cover) and dependence.carries(x, y, 0, depth):
                yield store, True

    def _met(self, load: Instr, end: int | None = None) -> Iterator[tuple[AccessSide, Instr, AccessSide]]:
        """The stores to memory that `load` may read, and both as seen from inside their common loops; only those before
        the instruction number `end`, if it is given."""
        stores = self.reaching(load)
        if end is not None:
            stores = stores[: bisect_left(stores, end, key=self.structure.number.__getitem__)]
        loops, side = self.dependence.access(load).loops, self.dependence.side
        inner = range(0)
        for depth in range(len(loops), -1, -1):
            outer = self._inside(loops[depth - 1], stores) if depth else range(len(stores))
            inner = inner or range(outer.start, outer.start)
            x = side(load, depth)
            before = (
                range(outer.start, inner.start) if depth else ()
            )  # what shares no loop with it never comes after it
            for k in (*before, *range(inner.stop, outer.stop)):
                yield x, stores[k], side(stores[k], depth)
            inner = outer

    def _met_until(self, load: Instr, cover: Instr) -> Iterator[tuple[AccessSide, Instr, AccessSide]]:
        """The same up to the first certain overwrite, which hides every store after it: undoing that one brings the
        element back."""
        side, depth = self.dependence.side, len(self.dependence.access(load).loops)
        for store in (*self._between(load, cover), cover):
            yield side(load, depth), store, side(store, depth)

    def _inside(self, loop: Instr, stores: Sequence[Instr]) -> range:
        """The positions in `stores`, which are in program order, of those inside `loop`."""
        number, end = self.structure.number, self.structure.end
        start = bisect_left(stores, number[loop], key=number.__getitem__)
        return range(start, bisect_left(stores, end[loop], start, key=number.__getitem__))

    def _ahead(self, home: Region, when: int) -> range:
        """The instructions of `home` that the reverse sweep has not passed when it stands at position `when`."""
        start = self.structure.start(home)
        if when >= len(home.body):
            return range(start, self.structure.end[home])
        return range(start, self.structure.end[home.body[when]] if when >= 0 else start)

    def _certain_overwrite(self, load: Instr) -> Instr | None:
        if self.dependence.access(load).root in self.dependence.self_overlapping:
            return None
        number = self.structure.number
        places = self.dependence.same_place(load, self.structure.home[load])
        later = places[bisect_right(places, number[load], key=number.__getitem__) :]
        return next((i for i in later if i.op in self.ops.stores and i in self.stores), None)

    def can_be_undone(self, store: Instr) -> bool:
        """Whether `store` may be rolled back: it writes an array that lives to the end, and a run of the reverse sweep
        comes past it."""
        if store not in self._undoable:
            self._undoable[store] = self._check_undoable(store)
        return self._undoable[store]

    def _check_undoable(self, store: Instr) -> bool:
        top, structure = self.structure.function.region, self.structure
        if runs_in(structure, store, self.apart):
            return False
        root = self.dependence.root(self.ops.array(store)) if store.op in self.ops.stores else None
        if root is None or structure.home[root] is not top:
            return False
        pairs = [(structure.owner[r], r) for r in structure.chain(structure.home[store])]
        tested = any(o is not None and o.op == "while" and r is o.regions[0] for o, r in pairs)
        return self.can_be_done_again(store) or (self._can_be_copied(store) and not tested)

    def _can_be_copied(self, store: Instr) -> bool:
        """Whether what `store` may write to can be kept as it is between the sweeps. Lists are tables of the caller."""
        params = self.structure.function.params
        return all(isinstance(root.type, ArrayType) or root in params for root in self.seen_afterwards(store))

    def can_be_done_again(self, store: Instr) -> bool:
        """Whether what `store` wrote can be put back after the sweep by running through its loops once more: they are
        plain `for` nests whose bounds are known before them, and its subscripts follow from the loop variables."""
        home = self.structure.home[store]
        owners = [self.structure.owner[r] for r in self.structure.chain(home)]
        if not self.structure.rectangular(home) or any(o is not None and o.op == "if" for o in owners):
            return False
        subscripts = (*self.ops.subscripts(store), *address(self.dependence, self.ops.array(store)))
        return all(self.follows_from_counters(v) for v in subscripts)

    def controls(self, store: Instr) -> tuple[Value, ...]:
        """What the reverse sweep must know to come past `store`: conditions, bounds and numbers of iterations."""
        found: list[Value] = []
        for region in self.structure.chain(self.structure.home[store]):
            owner = self.structure.owner[region]
            if owner is not None:
                found += owner.results[-1:] if owner.op == "while" else owner.operands[: 2 if owner.op == "for" else 1]
        return tuple(found)

    def seen_afterwards(self, store: Instr) -> tuple[Value, ...]:
        """The arrays that `store` may write to and that the caller still has after the call."""
        function, dependence = self.structure.function, self.dependence
        returned = (dependence.root(r) for r in function.results if not isinstance(r.type, Scalar))
        arrays = (p for p in function.params if not isinstance(p.type, Scalar))
        root = dependence.root(self.ops.array(store))
        return tuple(r for r in dict.fromkeys((*arrays, *returned)) if dependence.may_overlap(r, root))

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
