"""What is known about integers at a place of a program: bounds of the loops around it, conditions of the branches
around it, and what the definitions of dimensions, checked subscripts, minima and quotients say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adcore.analysis.affine.forms import Affine, Atom, Form, affine_of, constant, known, plus, scaled
from adcore.analysis.affine.systems import Constraint
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.facts import kept
from adcore.ops import Table


@kept
def bounds_of(function: Function, ops: Table) -> Bounds:
    """What is known about integers at the places of `function`."""
    return Bounds(structure_of(function, ops), affine_of(function, ops))


class Bounds:
    """Rows that hold at the places of one function, memoised by region."""

    def __init__(self, structure: Structure, affine: Affine) -> None:
        self.structure, self.affine = structure, affine
        self._regional: dict[Region, list[Constraint]] = {}
        self._atoms: dict[Region, frozenset[Atom]] = {}

    def at(self, region: Region, mentioned: Iterable[Form]) -> list[Constraint]:
        """Rows that hold in `region`: loop bounds, conditions, and facts of all atoms in them and in `mentioned`."""
        rows, known_atoms = self.around(region), self._atoms[region]
        new = [a for form in mentioned for a in form if a not in known_atoms]
        return rows + self._of(new) if new else rows

    def around(self, region: Region) -> list[Constraint]:
        """The same without `mentioned`. Regions about which nothing more is known share one list."""
        if region not in self._regional:
            owner, outer = self.structure.owner[region], self.structure.parent(region)
            inherited = self.around(outer) if outer is not None else []
            atoms = self._atoms[outer] if outer is not None else frozenset({1})
            own = self._own(owner, region) if owner is not None else []
            if own:
                new = [a for form, _ in own for a in form if a not in atoms]
                own = own + self._of(new)
                inherited, atoms = inherited + own, atoms.union(*(form for form, _ in own))
            self._regional[region], self._atoms[region] = inherited, atoms
        return self._regional[region]

    def _own(self, owner: Instr, region: Region) -> list[Constraint]:
        """What `owner` makes hold in its `region`."""
        if owner.op == "for":
            return self._bounds(owner)
        if owner.op == "while":
            counted: list[Constraint] = [({region.params[0]: 1}, False)]
            return counted + (self._while_condition(owner) if region is owner.regions[1] else [])
        return self.condition(owner.operands[0], region is owner.regions[0])

    def _while_condition(self, loop: Instr) -> list[Constraint]:
        """The condition holds in the body, for carried values under the names of the body's parameters."""
        condition, body = loop.regions
        names: dict[Atom, Atom] = dict(zip(condition.params, body.params, strict=True))
        rows = self.condition(condition.yields[0], True)
        return [({names.get(a, a): c for a, c in form.items()}, eq) for form, eq in rows]

    def _bounds(self, loop: Instr) -> list[Constraint]:
        i: Form = {loop.regions[0].params[0]: 1}
        step = loop.attrs["step"]
        nearest, farthest = ("max", "min") if step > 0 else ("min", "max")
        lower, upper = self.limits(loop.operands[0], nearest), self.limits(loop.operands[1], farthest)
        direction = 1 if step > 0 else -1
        upper = upper + [bound for form in upper for bound in self._reached(form, lower, direction)]
        rows = [(scaled(plus(i, low, -1), direction), False) for low in lower]
        rows += [(plus(scaled(plus(high, i, -1), direction), {1: -1}), False) for high in upper]
        if abs(step) > 1:
            iteration = ("iteration", loop.regions[0].params[0])
            start = self.affine.form(loop.operands[0])
            rows += [({iteration: 1}, False), (plus(plus(i, start, -1), {iteration: 1}, -step), True)]
        return rows

    def _reached(self, end: Form, starts: Sequence[Form], direction: int) -> Iterator[Form]:
        """Ends that follow from `end` where a loop runs at all: from 0 to max(n - 2, 0) is from 0 to n - 2."""
        for atom, coefficient in end.items():
            instr = self.structure.definition.get(atom) if isinstance(atom, Value) else None
            if instr is None or coefficient != 1 or instr.op != ("maximum" if direction > 0 else "minimum"):
                continue
            rest = {a: c for a, c in end.items() if a is not atom}
            ends = [plus(rest, self.affine.form(v)) for v in instr.operands]
            for one, other in (ends, ends[::-1]):
                distances = [known(scaled(plus(start, other, -1), direction)) for start in starts]
                if any(distance is not None and distance >= 0 for distance in distances):
                    yield one
                    yield from self._reached(one, starts, direction)

    def limits(self, value: Value, extremum: str) -> list[Form]:
        """Forms whose maximum (or minimum) `value` is: i >= max(a, b) means i >= a and i >= b."""
        instr = self.structure.definition.get(value)
        if instr is not None and instr.op == f"{extremum}imum":
            return [f for v in instr.operands for f in self.limits(v, extremum)]
        return [self.affine.form(value)]

    def condition(self, value: Value, holds: bool) -> list[Constraint]:
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
        rows: dict[str, list[Constraint]] = {
            "lt": [(plus(plus(b, a, -1), {1: -1}), False)],
            "le": [(plus(b, a, -1), False)],
            "gt": [(plus(plus(a, b, -1), {1: -1}), False)],
            "ge": [(plus(a, b, -1), False)],
            "eq": [(plus(a, b, -1), True)],
            "ne": [],
        }
        return rows[instr.op if holds else opposite[instr.op]]

    def _of(self, atoms: Iterable[Atom]) -> list[Constraint]:
        """What the definitions of `atoms` say, and of the atoms in those."""
        rows: list[Constraint] = []
        todo = [atom for atom in atoms if isinstance(atom, Value)]
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

    def _fact(self, value: Value) -> list[Constraint]:
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

    def _division(self, instr: Instr, one: Form) -> list[Constraint]:
        divisor = known(self.affine.form(instr.operands[1]))
        if divisor is None or divisor <= 0 or str(instr.operands[0].type) != "i64":
            return []
        if instr.op == "mod":
            return [(one, False), (plus(constant(divisor - 1), one, -1), False)]
        rest = plus(self.affine.form(instr.operands[0]), one, -divisor)
        return [(rest, False), (plus(constant(divisor - 1), rest, -1), False)]
