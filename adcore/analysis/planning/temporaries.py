"""Arrays that live in one iteration of a loop (or in a branch): how the reverse sweep gets at them.

    for i in range(n):
        t = np.zeros(m)                        backwards, iteration i has no t: either all n of them were kept,
        for j in range(m): t[j] = f(x[i, j])   or t is filled once more before its iteration is reversed
        for j in range(m): s += g(t[j])

What fills an array is a slice of its region through memory: all stores to it and what they rest on. Other arrays of the
region that it reads are had by rules of their own if they are complete before the first store to this one. If not, all
that is stored to them is part of the slice: it runs on arrays of its own, so the order of the program is all that fills
that read each other need. From outside the region it reads memory, which must be as it was, and values of outer regions
and carried values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from adcore.analysis.affine.dependence import Dependence
from adcore.analysis.affine.forms import known
from adcore.analysis.planning.choices import Choice, Node
from adcore.analysis.planning.kills import Kills
from adcore.analysis.planning.polynomial import Polynomial
from adcore.analysis.planning.record import address
from adcore.analysis.planning.replay import carried_sources, controls, sources
from adcore.analysis.planning.sizes import Sizes
from adcore.ir.core import Instr, Region, Value, walk
from adcore.ir.types import ArrayType, Scalar, is_float
from adcore.machine_model import MODEL
from adcore.ops import Table


@dataclass(frozen=True, eq=False)
class Fill:
    """What fills an array once more: the instructions (loops and branches around others included), the values that they
    compute, the scalars from outside the region, the loads from other arrays, and the conditions, bounds and
    subscripts. `given` are arrays of the region that it finds filled."""

    region: Region
    instrs: frozenset[Instr]
    values: frozenset[Value]
    outside: tuple[Value, ...]
    loads: tuple[Instr, ...]
    decisions: tuple[Value, ...]
    given: frozenset[Value]


def fill_of(dependence: Dependence, root: Value, given: frozenset[Value] = frozenset()) -> Fill | None:
    """What fills the array `root`, an allocation inside a loop or branch, where the arrays `given` are filled; None if
    it cannot be repeated: it takes a `while`, whose end may depend on rounding."""
    return _FillSlice(dependence, root, given).run()


class _FillSlice:
    def __init__(self, dependence: Dependence, root: Value, given: frozenset[Value]) -> None:
        self.dependence, self.structure, self.given = dependence, dependence.structure, given
        self.ops = dependence.ops
        self.region = dependence.structure.home[root]
        self.within = frozenset(walk(self.region))
        self.inside = {v: i for i in walk(self.region) for v in i.results}
        self.params = {p: (i, k) for i in walk(self.region) for r in i.regions for k, p in enumerate(r.params)}
        self.stores: dict[Value, list[Instr]] = {}
        for instr in walk(self.region):
            if instr.op in self.ops.puts:
                self.stores.setdefault(dependence.root(self.ops.array(instr)), []).append(instr)
        self.instrs: dict[Instr, None] = {}
        self.values: dict[Value, None] = {}
        self.outside: dict[Value, None] = {}
        self.decisions: dict[Value, None] = {}
        self.todo: list[Value] = [root]

    def run(self) -> Fill | None:
        seen: set[Value] = set()
        while self.todo:
            value = self.todo.pop()
            if value in seen:
                continue
            seen.add(value)
            if not self.visit(value):
                return None
        read = {i: self.dependence.root(self.ops.array(i)) for i in self.instrs if i.op in self.ops.loads}
        loads = tuple(i for i, root in read.items() if root not in self.inside or root in self.given)
        given = self.given.intersection(read.values())
        owners = (self.structure.owner[r] for i in self.instrs for r in self.structure.chain(self.structure.home[i]))
        around = {o for o in owners if o in self.within}
        scalars = tuple(v for v in self.outside if isinstance(v.type, Scalar))
        instrs, values = frozenset(self.instrs) | around, frozenset(self.values)
        return Fill(self.region, instrs, values, scalars, loads, tuple(self.decisions), given)

    def visit(self, value: Value) -> bool:
        """Add what `value` rests on; False if that cannot be repeated."""
        if value in self.params:
            if not isinstance(value.type, Scalar):
                return False
            self.values[value] = None
            self.todo += carried_sources(*self.params[value])
            return True
        if value not in self.inside or value in self.given:
            self.outside[value] = None
            if not isinstance(value.type, Scalar):
                self.todo += address(self.dependence, value)
            return True
        instr = self.inside[value]
        effects = self.ops.effects[instr.op]
        repeats = effects.terminates and not effects.ordered
        if not repeats or (instr.regions and not isinstance(value.type, Scalar)):
            return False
        self.values[value] = None
        if effects.allocates:
            for store in self.stores.get(value, ()):
                self.add(store)
                self.todo += store.operands
        self.add(instr)
        self.todo += sources(instr, value)
        return True

    def add(self, instr: Instr) -> None:
        """Add `instr`, and what decides whether it runs and where it reads or writes."""
        self.instrs[instr] = None
        around = controls(self.dependence, instr, self.structure.owner[self.region])
        self.todo += around
        own: Sequence[Value] = ()
        if instr.op in self.ops.elements:
            own = self.ops.subscripts(instr)
        elif instr.op in ("for", "if"):
            own = instr.operands[: 2 if instr.op == "for" else 1]
        elif instr.op in self.ops.views or instr.op in self.ops.allocs:
            own = [v for v in instr.operands if isinstance(v.type, Scalar)]
        self.decisions.update(dict.fromkeys((*around, *own)))


class Temporaries:
    """The choices for arrays that live in a loop or branch, memoised."""

    def __init__(
        self, dependence: Dependence, kills: Kills, sizes: Sizes, ops: Table, is_exact: Callable[[Value], bool]
    ) -> None:
        self.dependence, self.structure, self.kills = dependence, dependence.structure, kills
        self.sizes, self.ops, self.is_exact = sizes, ops, is_exact
        self.fills: dict[Value, Fill] = {}
        self.stores: dict[Value, list[Instr]] = {}
        for store in kills.stores:
            self.stores.setdefault(dependence.root(ops.array(store)), []).append(store)
        self._choices: dict[Value, Choice | None] = {}
        self._wandering = self._that_control_flow_carries()

    def _that_control_flow_carries(self) -> frozenset[Value]:
        found: set[Value] = set()
        for instr in self.structure.instructions():
            carried = instr.operands if instr.regions else ()
            for value in (*carried, *(y for region in instr.regions for y in region.yields)):
                if not isinstance(value.type, Scalar):
                    found.add(self.dependence.root(value))
        return frozenset(found)

    def is_temporary(self, root: Value) -> bool:
        """Whether `root` does not live to the end of the function."""
        return self.structure.home[root] is not self.structure.function.region

    def choice(self, root: Value) -> Choice | None:
        """How the reverse sweep may have the array `root`, as it was when its region ended; None: it cannot."""
        if root not in self._choices:
            self._choices[root] = None  # while it is found out
            self._choices[root] = self._choice(root)
        return self._choices[root]

    def _choice(self, root: Value) -> Choice | None:
        instr = self.structure.definition.get(root)
        if instr is None or not self._is_followed(root):
            return None
        keep = self._keeping(instr)
        for given in dict.fromkeys((self._complete_before(root), frozenset[Value]())):
            fill = fill_of(self.dependence, root, given)
            memory = None if fill is None else self._repeatable(fill)
            if fill is not None and memory is not None:
                self.fills[root] = fill
                cost = sum(self.ops[i.op].cost * self.sizes.estimate(self.structure.home[i]) for i in fill.instrs)
                return Choice(keep, cost, operands=(*fill.outside, *memory), why="temporary")
        return None if keep == inf else Choice(keep, why="temporary")

    def _complete_before(self, root: Value) -> frozenset[Value]:
        """Arrays of the same region to which nothing is stored once the first store to `root` may run."""
        home = self.structure.home[root]
        first = min(self._positions(root, home), default=-1)
        others = (i.result for i in home.body if i.op in self.ops.allocs and i.result is not root)
        complete = (a for a in others if max(self._positions(a, home), default=first) < first)
        return frozenset(a for a in complete if self.choice(a) is not None)

    def _positions(self, root: Value, home: Region) -> list[int]:
        holders = (self.structure.ancestor(s, home) for s in self.stores.get(root, ()))
        return [self.structure.position[h] for h in holders if h is not None]

    def _is_followed(self, root: Value) -> bool:
        """Whether all accesses to `root` are known as such, in a region that the reverse sweep has an image of."""
        instr, home = self.structure.definition.get(root), self.structure.home[root]
        owner = self.structure.owner[home]
        tested = owner is not None and owner.op == "while" and home is owner.regions[0]
        return instr is not None and instr.op in self.ops.allocs and root not in self._wandering and not tested

    def is_exact_load(self, load: Instr) -> bool:
        """Whether `load` gives the identical bits if what it reads was filled again."""
        root = self.dependence.root(self.ops.array(load))
        if not self.is_temporary(root) or not self._is_followed(root):
            return True  # the very memory, or a value that is kept
        stored = (self.ops.stored(store) for store in self.stores.get(root, ()))
        return not is_float(load.result.type) and all(map(self.is_exact, stored))

    def _keeping(self, alloc: Instr) -> float:
        """The cost of keeping the arrays of all iterations; infinite where their number or size is not known before."""
        home = self.structure.home[alloc]
        if not self.structure.rectangular(home) or not all(self._is_known(n) for n in alloc.operands):
            return inf
        assert isinstance(alloc.result.type, ArrayType)
        size = float(alloc.result.type.element.bytes)
        for n in alloc.operands:
            count = known(self.dependence.affine.form(n))
            size *= MODEL.guessed_trips if count is None else max(1, count)
        return MODEL.byte_cost * size * self.sizes.estimate(home)

    def _is_known(self, size: Value) -> bool:
        instr = self.structure.definition.get(size)
        constant = instr is not None and instr.op == "const"
        return constant or self.structure.home[size] is self.structure.function.region

    def _repeatable(self, fill: Fill) -> tuple[Node, ...] | None:
        """What must be had for `fill` to find memory as it was: stores to roll back, and outer arrays. None if that
        does not help."""
        if not all(self._decides_alike(v, fill) for v in fill.decisions):
            return None
        needed: dict[Node, None] = {}
        for load in fill.loads:
            between, after = self.kills.of_fill(load, fill.region)
            root = self.dependence.root(self.ops.array(load))
            if between or not all(self.kills.can_be_undone(s) for s in after):
                return None
            needed.update(dict.fromkeys(after))
            if self.is_temporary(root):
                if self.choice(root) is None:
                    return None
                needed[root] = None
        return tuple(needed)

    def instances(self, root: Value) -> Polynomial:
        """Bytes of the arrays of all iterations."""
        instr, home = self.structure.definition[root], self.structure.home[root]
        assert isinstance(root.type, ArrayType)
        amount = self.sizes.total(root.type.element.bytes, home)
        for n in instr.operands:
            amount = amount * self.sizes.polynomial(self.dependence.affine.form(n))
        return amount

    def _decides_alike(self, value: Value, fill: Fill) -> bool:
        """Whether a condition, bound or subscript of `fill` is the same to the bit when it is computed again."""
        todo, seen = [value], set()
        while todo:
            current = todo.pop()
            if current in seen or current not in fill.values:
                continue
            seen.add(current)
            instr = self.structure.definition.get(current)
            if not self.is_exact(current) or (is_float(current.type) and (instr is None or instr.regions)):
                return False
            if instr is None or instr.regions:
                owner = instr or self.structure.owner[self.structure.home[current]]
                assert owner is not None
                todo += (v for v in owner.operands if isinstance(v.type, Scalar))
                todo += (y for region in owner.regions for y in region.yields)
            elif instr.op in self.ops.loads:
                root = self.dependence.root(self.ops.array(instr))
                todo += (self.ops.stored(s) for s in self.stores.get(root, ()))
            else:
                todo += (v for v in instr.operands if isinstance(v.type, Scalar))
        return True
