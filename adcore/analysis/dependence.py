"""May a later store overwrite what a load read? One system of integer constraints per (load, store, loop level).

    for k in range(n):
        a[k, k] = sqrt(a[k, k])            # kills the load of the same line
        for i in range(k + 1, n):
            a[i, k] = a[i, k] / a[k, k]    # this load of a[k, k] is never killed: later stores have row or column > k

Arrays are seen through their root: the subscripts of a view are mapped to subscripts of the parameter, list or
allocation that it is a view of.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from adcore.analysis.affine import Affine, Atom, Form, constant, feasible, known, plus, scaled
from adcore.analysis.structure import Structure
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import ListType

Subscripts = tuple["Form | None", ...]

ACCESSES = {"load": 0, "store": 1, "accumulate": 1}
"""Position of the array among the operands; subscripts follow it."""


@dataclass(frozen=True, eq=False)
class Access:
    """One load or store, with subscripts of its root (None: not affine)."""

    instr: Instr
    root: Value
    subscripts: Subscripts
    loops: tuple[Instr, ...]


@dataclass(frozen=True)
class AliasClasses:
    """Which parameters may overlap in memory: groups of parameter positions; a group of one overlaps itself, and so may
    the items of a list in any group."""

    groups: tuple[tuple[int, ...], ...] = ()

    def classes(self, params: Sequence[Value]) -> dict[Value, int]:
        """The class number of each parameter that is in a group."""
        return {params[p]: k for k, group in enumerate(self.groups) for p in group}

    def self_overlapping(self, params: Sequence[Value]) -> frozenset[Value]:
        lists = (p for group in self.groups for p in group if isinstance(params[p].type, ListType))
        return frozenset(params[p] for p in (*(group[0] for group in self.groups if len(group) == 1), *lists))


class Dependence:
    """Memoised dependence tests over one function."""

    def __init__(self, structure: Structure, aliases: AliasClasses | None = None) -> None:
        self.structure = structure
        self.affine = Affine(structure)
        aliases = aliases or AliasClasses()
        params = structure.function.params
        self.aliases = aliases
        self.classes = aliases.classes(params)
        self.self_overlapping = aliases.self_overlapping(params)
        self._accesses: dict[Instr, Access] = {}
        self._levels: dict[tuple[Instr, Instr], tuple[int, ...]] = {}
        self._conflicts: dict[Hashable, bool] = {}
        self._regional: dict[Region, list[tuple[Form, bool]]] = {}

    def root(self, array: Value) -> Value:
        """The parameter, list or allocation that `array` is a view of."""
        while (instr := self.structure.definition.get(array)) is not None and instr.op in ("view", "transpose", "item"):
            array = instr.operands[0]
        return array

    def may_overlap(self, a: Value, b: Value) -> bool:
        """Whether two roots can share memory."""
        return a is b or (a in self.classes and self.classes[a] == self.classes.get(b))

    def access(self, instr: Instr) -> Access:
        """`instr` (load, store or accumulate) by root and subscripts."""
        if instr not in self._accesses:
            at = ACCESSES[instr.op]
            subscripts: Subscripts = tuple(self.affine.form(v) for v in instr.operands[at + 1 :])
            root, subscripts = self._through_views(instr.operands[at], subscripts)
            loops = tuple(self.structure.loops(self.structure.home[instr]))
            self._accesses[instr] = Access(instr, root, subscripts, loops)
        return self._accesses[instr]

    def _through_views(self, array: Value, subscripts: Subscripts) -> tuple[Value, Subscripts]:
        instr = self.structure.definition.get(array)
        if instr is None or instr.op not in ("view", "transpose", "item"):
            return array, subscripts
        if instr.op == "item":
            subscripts = (self.affine.form(instr.operands[1]), *subscripts)
        elif instr.op == "transpose":
            permuted: list[Form | None] = [None] * len(subscripts)
            for new, old in enumerate(instr.attrs["permutation"]):
                permuted[old] = subscripts[new]
            subscripts = tuple(permuted)
        else:
            subscripts = self._through_slices(instr, subscripts)
        return self._through_views(instr.operands[0], subscripts)

    def _through_slices(self, instr: Instr, subscripts: Subscripts) -> Subscripts:
        given, operands = iter(subscripts), iter(instr.operands[1:])
        mapped: list[Form | None] = []
        for axis in instr.attrs["axes"]:
            start = self.affine.form(next(operands))
            if axis == "i":
                mapped.append(start)
                continue
            next(operands)
            step, inner = known(self.affine.form(next(operands))), next(given)
            mapped.append(None if step is None or inner is None else plus(start, inner, step))
        return tuple(mapped)

    def certainly_same(self, a: Instr, b: Instr) -> bool:
        """Whether two accesses of one iteration touch the same element for sure."""
        x, y = self.access(a), self.access(b)
        return x.root is y.root and None not in x.subscripts and x.subscripts == y.subscripts

    def levels(self, load: Instr, store: Instr) -> tuple[int, ...]:
        """The levels at which `store` may later overwrite what `load` read: l > 0, carried by the l-th common loop
        (counted from outside); 0, in the same iteration of all common loops, further down."""
        key = (load, store)
        if key not in self._levels:
            self._levels[key] = tuple(self._test(self.access(load), self.access(store)))
        return self._levels[key]

    def common_loops(self, a: Instr, b: Instr) -> tuple[Instr, ...]:
        """The loops around both accesses, outermost first."""
        x, y = self.access(a).loops, self.access(b).loops
        common = 0
        while common < min(len(x), len(y)) and x[common] is y[common]:
            common += 1
        return x[:common]

    def in_next_iteration(self, load: Instr, store: Instr, level: int) -> bool:
        """Whether `store` may overwrite what `load` read as soon as in the next iteration of their `level`-th loop."""
        common = len(self.common_loops(load, store))
        return self._may_conflict(self.access(load), self.access(store), common, level, adjacent=True)

    def carried(self, first: Instr, second: Instr, level: int) -> bool:
        """Whether `second`, in a later iteration of the `level`-th of their common loops, may touch what `first` did."""
        x, y = self.access(first), self.access(second)
        return self.may_overlap(x.root, y.root) and self._conflict(x, y, level, level)

    def _test(self, x: Access, y: Access) -> list[int]:
        if not self.may_overlap(x.root, y.root):
            return []
        common = len(self.common_loops(x.instr, y.instr))
        scope = self.structure.depth(self.structure.home[x.root])
        found = [level for level in range(scope + 1, common + 1) if self._conflict(x, y, common, level)]
        if self.follows(x.instr, y.instr) and self._conflict(x, y, common, 0):
            found.append(0)
        return found

    def follows(self, first: Instr, second: Instr) -> bool:
        """Whether `second` comes after `first` in one iteration of all their common loops."""
        s = self.structure
        for region in s.chain(s.home[first]):
            a, b = s.ancestor(first, region), s.ancestor(second, region)
            if b is None:
                continue
            assert a is not None
            if a is b:  # different regions of one instruction: branches exclude each other, a test precedes its body
                return a.op == "while" and s.inside(s.home[first], a.regions[0]) and not s.inside(
                    s.home[second], a.regions[0])  # fmt: skip
            return s.position[b] > s.position[a]
        return False

    def _conflict(self, x: Access, y: Access, common: int, level: int) -> bool:
        """`_may_conflict`, decided once for all accesses that look the same from there."""
        homes = self.structure.home[x.instr], self.structure.home[y.instr]
        key = (x.root, y.root, *homes, level, _key(x.subscripts), _key(y.subscripts))
        if key not in self._conflicts:
            self._conflicts[key] = self._may_conflict(x, y, common, level)
        return self._conflicts[key]

    def _may_conflict(self, x: Access, y: Access, common: int, level: int, adjacent: bool = False) -> bool:
        same = common if level == 0 else level - 1
        equalities: list[Form] = []
        comparable = x.root is y.root and x.root not in self.self_overlapping
        pairs = zip(x.subscripts, y.subscripts, strict=True) if comparable else []
        rename_x, rename_y = self._renaming("x", same), self._renaming("y", same)
        for a, b in pairs:
            if a is not None and b is not None:
                equalities.append(plus(rename_x(a), rename_y(b), -1))
        if not feasible(equalities, ()):
            return False
        subscripts = len(equalities)
        inequalities: list[Form] = []
        for access, rename in ((x, rename_x), (y, rename_y)):
            mentioned = [form for form in access.subscripts if form is not None]
            for row, is_equality in self.constraints(self.structure.home[access.instr], mentioned):
                (equalities if is_equality else inequalities).append(rename(row))
        if not subscripts:
            return True
        later = [self._later(x.loops[level - 1], rename_x, rename_y)] if level else []
        if adjacent:
            stride = abs(x.loops[level - 1].attrs.get("step", 1))
            equalities += [plus(row, {1: 1 - stride}) for row in later]
        return feasible(equalities, _connected([*inequalities, *later], [*equalities, *later]))

    def _later(self, loop: Instr, rename_x: Callable[[Form], Form], rename_y: Callable[[Form], Form]) -> Form:
        """The second instance runs in a later iteration of `loop`."""
        counter: Form = {loop.regions[-1].params[0]: 1}
        forward = loop.op == "while" or (loop.attrs["step"] > 0) != bool(loop.attrs.get("reverse"))
        difference = plus(rename_y(counter), rename_x(counter), -1)
        return plus(scaled(difference, 1 if forward else -1), {1: -1})

    def _renaming(self, instance: str, same: int) -> Callable[[Form], Form]:
        """Atoms that may differ between the two instances get the instance's name."""

        def rename(form: Form) -> Form:
            return {a if a == 1 or self._depth(a) <= same else (a, instance): c for a, c in form.items()}

        return rename

    def _depth(self, atom: Atom) -> int:
        value = atom[1] if isinstance(atom, tuple) else atom
        assert isinstance(value, Value)
        return self.structure.depth(self.structure.home[value])

    # What is known at a point of the program

    def constraints(self, region: Region, mentioned: Sequence[Form]) -> list[tuple[Form, bool]]:
        """(form, is equality) rows that hold in `region`: loop bounds, conditions, and facts of all atoms in them."""
        if region not in self._regional:
            rows = self._rows(region)
            self._regional[region] = rows + self._facts([form for form, _ in rows])
        known_atoms = {a for form, _ in self._regional[region] for a in form}
        new = [{a: c for a, c in form.items() if a not in known_atoms} for form in mentioned]
        return self._regional[region] + (self._facts(new) if any(new) else [])

    def _rows(self, region: Region) -> list[tuple[Form, bool]]:
        """Bounds of the loops and conditions of the branches around `region`."""
        rows: list[tuple[Form, bool]] = []
        for inner in self.structure.chain(region):
            owner = self.structure.owner[inner]
            if owner is None:
                continue
            if owner.op == "for":
                rows += self._bounds(owner)
            elif owner.op == "while":
                rows.append(({inner.params[0]: 1}, False))
                if inner is owner.regions[1]:
                    rows += self._while_condition(owner)
            else:
                rows += self.condition(owner.operands[0], inner is owner.regions[0])
        return rows

    def _while_condition(self, loop: Instr) -> list[tuple[Form, bool]]:
        """The condition holds in the body, for carried values under the names of the body's parameters."""
        condition, body = loop.regions
        names: dict[Atom, Atom] = dict(zip(condition.params, body.params, strict=True))
        rows = self.condition(condition.yields[0], True)
        return [({names.get(a, a): c for a, c in form.items()}, eq) for form, eq in rows]

    def _bounds(self, loop: Instr) -> list[tuple[Form, bool]]:
        i: Form = {loop.regions[0].params[0]: 1}
        step = loop.attrs["step"]
        nearest, farthest = ("max", "min") if step > 0 else ("min", "max")
        lower, upper = self.limits(loop.operands[0], nearest), self.limits(loop.operands[1], farthest)
        direction = 1 if step > 0 else -1
        rows = [(scaled(plus(i, low, -1), direction), False) for low in lower]
        rows += [(plus(scaled(plus(high, i, -1), direction), {1: -1}), False) for high in upper]
        if abs(step) > 1:
            turn = ("turn", loop.regions[0].params[0])
            start = self.affine.form(loop.operands[0])
            rows += [({turn: 1}, False), (plus(plus(i, start, -1), {turn: 1}, -step), True)]
        return rows

    def limits(self, value: Value, extremum: str) -> list[Form]:
        """Forms whose maximum (or minimum) `value` is: i >= max(a, b) means i >= a and i >= b."""
        instr = self.structure.definition.get(value)
        if instr is not None and instr.op == f"{extremum}imum":
            return [f for v in instr.operands for f in self.limits(v, extremum)]
        return [self.affine.form(value)]

    def condition(self, value: Value, holds: bool) -> list[tuple[Form, bool]]:
        """Rows that follow from an integer condition being true (or false)."""
        instr = self.structure.definition.get(value)
        if instr is None:
            return []
        if instr.op == "not":
            return self.condition(instr.operands[0], not holds)
        if instr.op == ("and" if holds else "or"):
            return [row for v in instr.operands for row in self.condition(v, holds)]
        opposite = {"lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "eq": "ne", "ne": "eq"}
        if instr.op not in opposite or str(instr.operands[0].type) != "i64":
            return []
        a, b = (self.affine.form(v) for v in instr.operands)
        rows: dict[str, list[tuple[Form, bool]]] = {
            "lt": [(plus(plus(b, a, -1), {1: -1}), False)],
            "le": [(plus(b, a, -1), False)],
            "gt": [(plus(plus(a, b, -1), {1: -1}), False)],
            "ge": [(plus(a, b, -1), False)],
            "eq": [(plus(a, b, -1), True)],
            "ne": [],
        }
        return rows[instr.op if holds else opposite[instr.op]]

    def _facts(self, forms: Sequence[Form]) -> list[tuple[Form, bool]]:
        """What the definitions of all atoms in `forms` say, and of the atoms in those."""
        rows: list[tuple[Form, bool]] = []
        todo = [atom for form in forms for atom in form if isinstance(atom, Value)]
        seen: set[Value] = set()
        while todo:
            atom = todo.pop()
            if atom in seen:
                continue
            seen.add(atom)
            new = self._fact(atom)
            rows += new
            todo += [a for form, _ in new for a in form if isinstance(a, Value)]
        return rows

    def _fact(self, value: Value) -> list[tuple[Form, bool]]:
        instr = self.structure.definition.get(value)
        one: Form = {value: 1}
        if instr is None:
            return []
        if instr.op in ("dim", "count"):
            return [(one, False)]
        if instr.op == "index":
            return [(one, False), (plus(plus(self.affine.form(instr.operands[1]), one, -1), {1: -1}), False)]
        if instr.op in ("minimum", "maximum"):
            sign = 1 if instr.op == "maximum" else -1
            return [(scaled(plus(one, self.affine.form(v), -1), sign), False) for v in instr.operands]
        if instr.op in ("floordiv", "mod"):
            return self._division(instr, one)
        return []

    def _division(self, instr: Instr, one: Form) -> list[tuple[Form, bool]]:
        divisor = known(self.affine.form(instr.operands[1]))
        if divisor is None or divisor <= 0 or str(instr.operands[0].type) != "i64":
            return []
        if instr.op == "mod":
            return [(one, False), (plus(constant(divisor - 1), one, -1), False)]
        rest = plus(self.affine.form(instr.operands[0]), one, -divisor)
        return [(rest, False), (plus(constant(divisor - 1), rest, -1), False)]


def _key(subscripts: Subscripts) -> Hashable:
    return tuple(None if form is None else frozenset(form.items()) for form in subscripts)


def _connected(rows: list[Form], start: Sequence[Form]) -> list[Form]:
    """The rows that say something, directly or through others, about the atoms of `start`; the rest (bounds of loops
    that the subscripts do not mention) cannot be violated by them."""
    atoms = {a for form in start for a in form if a != 1}
    left, kept = rows, list[Form]()
    while True:
        touching = [row for row in left if any(a in atoms for a in row)]
        if not touching:
            return kept
        kept += touching
        left = [row for row in left if not any(a in atoms for a in row)]
        atoms.update(a for row in touching for a in row if a != 1)
