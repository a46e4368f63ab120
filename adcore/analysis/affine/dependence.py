"""May a later store overwrite what a load read? One system of integer constraints per (load, store, loop level).

    for k in range(n):
        a[k, k] = sqrt(a[k, k])            # kills the load of the same line
        for i in range(k + 1, n):
            a[i, k] = a[i, k] / a[k, k]    # this load of a[k, k] is never killed: later stores have row or column > k

Arrays are seen through their root: the subscripts of a view are mapped to subscripts of the parameter, list or
allocation that it is a view of. Levels are those of R. Allen and K. Kennedy (1987): the loop that carries a dependence,
or none. Asking which iterations of a store meet those of a load is U. Banerjee's test ("Dependence Analysis for
Supercomputing", 1988) made exact with the bounds of the loops, as in P. Feautrier, "Dataflow analysis of array and
scalar references", IJPP 20, 1991; which store is the last one is not asked: one that may come later is enough.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from adcore.analysis.affine.conflicts import AccessShape, Conflicts, IterationOrder, Subscripts, conflicts_of
from adcore.analysis.affine.forms import Form, known, plus
from adcore.analysis.structure import contains
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.facts import kept
from adcore.ir.types import ArrayType, ListType
from adcore.machine_model import MODEL
from adcore.ops import Table
from adcore.ops.effects import Access, Axis


@dataclass(frozen=True, eq=False)
class ArrayAccess:
    """One way in which an instruction touches memory, with subscripts of the root (None: not affine, or any); `key`
    stands for them in tables."""

    instr: Instr
    writes: bool
    root: Value
    subscripts: Subscripts
    key: Hashable
    loops: tuple[Instr, ...]


@dataclass(frozen=True, eq=False)
class AccessSide:
    """One side of a test: an access seen from inside the `depth` loops that it shares with the other. It stands for
    all accesses that look like it from there; `meets` are the answers found, by the other side and the level."""

    access: ArrayAccess
    depth: int
    levels: range
    meets: dict[tuple[AccessSide, int], bool] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class AliasClasses:
    """Which parameters may overlap in memory: groups of parameter positions. What is alone in a group, or stands in it
    twice, overlaps itself, and so may the items of a list in any group."""

    groups: tuple[tuple[int, ...], ...] = ()

    def classes(self, params: Sequence[Value]) -> dict[Value, int]:
        """The class number of each parameter that is in a group."""
        return {params[p]: k for k, group in enumerate(self.groups) for p in group}

    def self_overlapping(self, params: Sequence[Value]) -> frozenset[Value]:
        lists = (p for group in self.groups for p in group if isinstance(params[p].type, ListType))
        folded = (p for group in self.groups for p in group if len(group) == 1 or group.count(p) > 1)
        return frozenset(params[p] for p in (*folded, *lists))


def dependence_of(function: Function, ops: Table, aliases: AliasClasses | None = None) -> Dependence:
    """Which accesses of `function` may meet in memory; its parameters overlap as `aliases` says (None: nowhere)."""
    return _dependence(function, ops, aliases or AliasClasses())


@kept
def _dependence(function: Function, ops: Table, aliases: AliasClasses) -> Dependence:
    return Dependence(conflicts_of(function, ops), aliases)


class Dependence:
    """Memoised dependence tests over one function. What does not hang on `aliases`, it shares with others."""

    def __init__(self, conflicts: Conflicts, aliases: AliasClasses) -> None:
        self.conflicts, self.bounds, self.affine = conflicts, conflicts.bounds, conflicts.affine
        self.structure, self.ops = conflicts.structure, conflicts.structure.ops
        params = self.structure.region.params
        self.aliases = aliases
        self.classes = aliases.classes(params)
        self.self_overlapping = aliases.self_overlapping(params)
        self._accesses: dict[Instr, tuple[ArrayAccess, ...]] = {}
        self._memory: dict[Instr, frozenset[Hashable]] = {}
        self._sides: dict[tuple[ArrayAccess, int], AccessSide] = {}
        self._alike: dict[Hashable, AccessSide] = {}
        self._places: dict[Hashable, list[Instr]] = {}

    def root(self, array: Value) -> Value:
        """The parameter, list or allocation that `array` is a view of."""
        return self.ops.root(array, self.structure.definition)

    def roots(self, instr: Instr) -> list[Value]:
        """The roots that `instr` touches."""
        return [self.root(instr.operands[access.array]) for access in self.ops.effects[instr.op].accesses]

    def memory(self, instr: Instr) -> frozenset[Hashable]:
        """What stands for the memory that `instr` touches: two instructions have some of it in common where roots of
        theirs can share memory. Quicker to compare than pairs of roots."""
        found = self._memory.get(instr)
        if found is None:
            found = self._memory[instr] = frozenset(self.classes.get(root, root) for root in self.roots(instr))
        return found

    def may_overlap(self, a: Value, b: Value) -> bool:
        """Whether two roots can share memory."""
        return a is b or (a in self.classes and self.classes[a] == self.classes.get(b))

    def access(self, instr: Instr) -> ArrayAccess:
        """`instr`, a plain load, store or sum, by root and subscripts."""
        (access,) = self.accesses(instr)
        return access

    def accesses(self, instr: Instr) -> tuple[ArrayAccess, ...]:
        """All ways in which `instr` touches memory."""
        found = self._accesses.get(instr)
        if found is None:
            declared = self.ops.effects[instr.op].accesses
            found = self._accesses[instr] = tuple(self._access(instr, access) for access in declared)
        return found

    def _access(self, instr: Instr, declared: Access) -> ArrayAccess:
        array = instr.operands[declared.array]
        if declared.at is None:
            subscripts: Subscripts = (None,) * _rank(array)
        else:
            subscripts = tuple(self.affine.form(v) for v in instr.operands[declared.at :])
        root, subscripts = self._through_views(array, subscripts)
        loops = tuple(self.structure.loops(self.structure.home[instr]))
        key = tuple(None if form is None else frozenset(form.items()) for form in subscripts)
        return ArrayAccess(instr, declared.kind != "read", root, subscripts, key, loops)

    def _through_views(self, array: Value, subscripts: Subscripts) -> tuple[Value, Subscripts]:
        views, definition = self.ops.views, self.structure.definition
        while (instr := definition.get(array)) is not None and (view := views.get(instr.op)) is not None:
            subscripts = tuple(self._through(axis, subscripts) for axis in view.axes(instr))
            array = instr.operands[view.source]
        return array, subscripts

    def _through(self, axis: Axis, subscripts: Subscripts) -> Form | None:
        """The subscript of the source that `subscripts` of a view amount to along `axis`."""
        if axis.given is not None and axis.start is None and axis.step is None:
            return subscripts[axis.given]
        start = {} if axis.start is None else self.affine.form(axis.start)
        if axis.given is None:
            return start
        inner = subscripts[axis.given]
        step = 1 if axis.step is None else known(self.affine.form(axis.step))
        return None if step is None or inner is None else plus(start, inner, step)

    def certainly_same(self, a: Instr, b: Instr) -> bool:
        """Whether two accesses of one iteration touch the same element, and nothing else, for sure."""
        if not (a.op in self.ops.elements and b.op in self.ops.elements):
            return False
        x, y = self.access(a), self.access(b)
        return x.root is y.root and None not in x.subscripts and x.key == y.key

    def same_place(self, access: Instr, region: Region) -> Sequence[Instr]:
        """The accesses of `region` that touch the same element as `access` for sure in each iteration, in program
        order; none if the subscripts of `access` are not affine."""
        if not self._places:
            accesses = (i for i in self.structure.instructions() if i.op in self.ops.elements)
            for instr in accesses:
                self._places.setdefault(self._place(instr, self.structure.home[instr]), []).append(instr)
        return () if None in self.access(access).subscripts else self._places.get(self._place(access, region), ())

    def _place(self, instr: Instr, region: Region) -> Hashable:
        access = self.access(instr)
        return region, access.root, access.key

    def levels(self, load: Instr, store: Instr) -> tuple[int, ...]:
        """The levels at which `store` may later overwrite what `load` read: l > 0, carried by the l-th common loop
        (counted from outside); 0, in the same iteration of all common loops, further down."""
        found, follows = [], self.follows(load, store)
        pairs = self.sides(load, store)
        for x, y in pairs:
            found += [level for level in x.levels if self.meet(x, y, level)]
            if follows and self.meet(x, y, 0):
                found.append(0)
        return tuple(found) if len(pairs) == 1 else tuple(dict.fromkeys(found))

    def overwrites(self, load: Instr, store: Instr) -> bool:
        """Whether `store` may later overwrite what `load` read."""
        follows = self.follows(load, store)
        pairs = self.sides(load, store)
        return any(self.carries(x, y, 0, x.depth) or (follows and self.meet(x, y, 0)) for x, y in pairs)

    def here(self, load: Instr, store: Instr) -> bool:
        """Whether `store` may overwrite what `load` read later in the same iteration of all their common loops."""
        return self.follows(load, store) and any(self.meet(x, y, 0) for x, y in self.sides(load, store))

    def common_loops(self, a: Instr, b: Instr) -> tuple[Instr, ...]:
        """The loops around both accesses, outermost first."""
        x, y = self.accesses(a)[0].loops, self.accesses(b)[0].loops
        common = 0
        while common < min(len(x), len(y)) and x[common] is y[common]:
            common += 1
        return x[:common]

    def carried(self, first: Instr, second: Instr, level: int) -> bool:
        """Whether `second` may touch what `first` did, in a later iteration of the `level`-th of their common loops."""
        return any(self.meet(x, y, level) for x, y in self.sides(first, second))

    def in_next_iteration(self, load: Instr, store: Instr, level: int) -> bool:
        """Whether `store` may overwrite what `load` read as soon as in the next iteration of their `level`-th loop."""
        stride = abs(self.access(load).loops[level - 1].attrs.get("step", 1))
        return any(self._meet(x, y, level, stride) for x, y in self.sides(load, store))

    def sides(self, first: Instr, second: Instr) -> list[tuple[AccessSide, AccessSide]]:
        """Both, seen from inside their common loops: a pair for each two of their accesses of which one writes (for
        all of them, where both only read)."""
        common = len(self.common_loops(first, second))
        mine, theirs = self.accesses(first), self.accesses(second)
        if len(mine) == len(theirs) == 1:
            return [(self._side(mine[0], common), self._side(theirs[0], common))]
        some = any(a.writes for a in (*mine, *theirs))
        pairs = ((a, b) for a in mine for b in theirs if a.writes or b.writes or not some)
        return [(self._side(a, common), self._side(b, common)) for a, b in pairs]

    def side(self, instr: Instr, depth: int) -> AccessSide:
        """`instr`, a plain load, store or sum, as seen from inside the `depth` outermost loops around it."""
        return self._side(self.access(instr), depth)

    def _side(self, access: ArrayAccess, depth: int) -> AccessSide:
        found = self._sides.get((access, depth))
        if found is None:
            scope = self.structure.depth(self.structure.home[access.root])
            side = AccessSide(access, depth, range(scope + 1, depth + 1))
            found = self._sides[access, depth] = self._alike.setdefault(self._looks(side), side)
        return found

    def _looks(self, side: AccessSide) -> Hashable:
        """What two accesses have in common if no test from inside the loops of `side` can tell them apart."""
        access = side.access
        if side.depth > MODEL.most_compared_loops:
            around = self.bounds.around(self.structure.home[access.instr])  # the list is kept, so its id stays its own
            return access.root, side.depth, id(around), access.key
        levels = (0, *side.levels)
        return access.root, access.loops[: side.depth], *(self._shape(side, level) for level in levels)

    def carries(self, x: AccessSide, y: AccessSide, above: int, depth: int) -> bool:
        """Whether a later iteration of one of the loops number `above` + 1 to `depth` may touch the element again."""
        return any(self.meet(x, y, level) for level in x.levels if above < level <= depth)

    def meet(self, x: AccessSide, y: AccessSide, level: int) -> bool:
        """Whether `y` may touch an element that `x` touches, in a later iteration of loop number `level`, or in the
        same iteration of all loops around both (0)."""
        key = (y, level)
        found = x.meets.get(key)
        if found is None:
            found = x.meets[key] = self._meet(x, y, level)
        return found

    def _meet(self, x: AccessSide, y: AccessSide, level: int, distance: int | None = None) -> bool:
        a, b = x.access.root, y.access.root
        if a is not b or a in self.self_overlapping:
            return self.may_overlap(a, b)
        order = _direction(x.access.loops[level - 1]) if level else 0
        return self.conflicts.meet(self._shape(x, level), self._shape(y, level), order, distance)

    def _shape(self, side: AccessSide, level: int) -> AccessShape:
        access = side.access
        home, (subscripts, key) = self.structure.home[access.instr], (access.subscripts, access.key)
        if level == 0:
            return self.conflicts.shape(home, subscripts, key, side.depth, None)
        counter = access.loops[level - 1].regions[-1].params[0]
        return self.conflicts.shape(home, subscripts, key, level - 1, counter)

    def follows(self, first: Instr, second: Instr) -> bool:
        """Whether `second` comes after `first` in one iteration of all their common loops."""
        return contains(self.structure.following(first), self.structure.number[second])


def _rank(array: Value) -> int:
    """How many subscripts an element has."""
    assert isinstance(array.type, (ArrayType, ListType))
    return array.type.rank + isinstance(array.type, ListType)


def _direction(loop: Instr) -> IterationOrder:
    """Whether the counter grows from one iteration to the next."""
    return 1 if loop.op == "while" or (loop.attrs["step"] > 0) != bool(loop.attrs.get("reverse")) else -1
