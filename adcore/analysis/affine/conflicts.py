"""Can two accesses touch one element? Decided once for all pairs that look alike.

    for i in range(1, n - 1):  y[i] = x[i - 1]         A *shape* is an access as a test sees it: subscripts, and what
    for k in range(1, n - 1):  x[k] = z[k]             bounds them. The names of loops don't matter: y[i] and x[k] have
                                                       one shape.

A pair of shapes is tried on small sizes first: where both touch an element, they do so for sure. Where the sample has
none, Fourier-Motzkin decides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from adcore.analysis.affine.bounds import Bounds, bounds_of
from adcore.analysis.affine.forms import Atom, Form, plus
from adcore.analysis.affine.systems import Constraint, connected, feasible, project, some_solutions
from adcore.ir.core import Function, Region, Value
from adcore.ir.facts import kept
from adcore.machine_model import MODEL
from adcore.ops import Table

Subscripts = tuple["Form | None", ...]
"""Of a root; None: not affine."""

IterationOrder = Literal[-1, 0, 1]
"""Of two instances: in one iteration, or the counter of the second is greater (1) or less (-1)."""

TouchedElements = dict[tuple[int, ...], tuple[int, int]]
"""Elements (behind the iteration that both sides share), each with the first and last iteration that touches it."""

COUNTER = 2
"""The counter of the loop that carries the dependence, in a shape that is seen from there."""


@dataclass(frozen=True, eq=False)
class AccessShape:
    """What bounds an access, seen from inside the loops that both sides of a test share.

    Atoms from outside those loops, and of the iteration that is shared, stay values; the others are even numbers.
    `rows` is None if the access never runs.
    """

    subscripts: Subscripts
    rows: tuple[Constraint, ...] | None
    shared: tuple[Atom, ...]
    own: tuple[Atom, ...]
    columns: dict[int, dict[Atom, tuple[int, ...]]] = field(default_factory=dict, repr=False)
    touched: dict[Hashable, TouchedElements] = field(default_factory=dict, repr=False)
    _mirrored: list[AccessShape] = field(default_factory=list, repr=False)

    def mirrored(self) -> AccessShape:
        """The same with odd numbers: the other side of a test."""
        if not self._mirrored:
            subscripts = tuple(None if form is None else _mirror(form) for form in self.subscripts)
            rows = None if self.rows is None else tuple((_mirror(form), eq) for form, eq in self.rows)
            self._mirrored.append(AccessShape(subscripts, rows, self.shared, tuple(_other(a) for a in self.own)))
        return self._mirrored[0]


def _other(atom: Atom) -> Atom:
    return atom + 1 if isinstance(atom, int) and atom != 1 else atom


def _mirror(form: Form) -> Form:
    return {_other(atom): c for atom, c in form.items()}


@kept
def conflicts_of(function: Function, ops: Table) -> Conflicts:
    """Which accesses of `function` to one root may touch one element."""
    return Conflicts(bounds_of(function, ops))


class Conflicts:
    """Shapes and decisions of one function, memoised."""

    def __init__(self, bounds: Bounds) -> None:
        self.structure, self.affine, self.bounds = bounds.structure, bounds.affine, bounds
        self.tests = 0
        """How many pairs of shapes it took Fourier-Motzkin to decide."""
        self._depths: dict[Atom, int] = {}
        self._shapes: dict[Hashable, AccessShape] = {}
        self._alike: dict[Hashable, AccessShape] = {}
        self._projected: dict[Hashable, list[Constraint] | None] = {}
        self._decided: dict[tuple[AccessShape, AccessShape, IterationOrder, int | None], bool] = {}
        self._samples: dict[tuple[Atom, int], int] = {}

    def meet(self, x: AccessShape, y: AccessShape, order: IterationOrder, distance: int | None = None) -> bool:
        """Whether an instance of `x` and one of `y`, in this order, may touch one element; `distance`: only where so
        much lies between their counters."""
        key = (x, y, order, distance)
        if key not in self._decided:
            self._decided[key] = self._decide(x, y, order, distance)
        return self._decided[key]

    @property
    def decisions(self) -> int:
        """How many pairs of shapes were decided."""
        return len(self._decided)

    # Shapes

    def shape(
        self, region: Region, subscripts: Subscripts, key: Hashable, same: int, counter: Value | None
    ) -> AccessShape:
        """The shape of an access in `region`, for instances that share the iteration of `same` loops; `counter` is
        that of the next loop, if their order in it matters. `key` stands for `subscripts`."""
        rows = self.bounds.around(region)
        name = (id(rows), key, same, counter)  # the list is kept, so its id stays its own
        if name not in self._shapes:
            self._shapes[name] = self._shape(rows, region, subscripts, same, counter)
        return self._shapes[name]

    def _shape(
        self, around: list[Constraint], region: Region, subscripts: Subscripts, same: int, counter: Value | None
    ) -> AccessShape:
        mentioned = [form for form in subscripts if form is not None]
        rows = self.bounds.at(region, mentioned)
        kept: dict[Atom, None] = {} if counter is None else {counter: None}
        kept.update((a, None) for form in mentioned for a in form if self.is_own(a, same))
        reduced = self._reduced(around, rows, same, frozenset(kept))
        return self._named(subscripts, reduced, same, list(kept), counter is not None)

    def is_own(self, atom: Atom, same: int) -> bool:
        """Whether two instances that share the iteration of `same` loops may have different values of `atom`."""
        return atom != 1 and self._depth(atom) > same

    def _depth(self, atom: Atom) -> int:
        if atom not in self._depths:
            value = atom[1] if isinstance(atom, tuple) else atom
            assert isinstance(value, Value)
            self._depths[atom] = self.structure.depth(self.structure.home[value])
        return self._depths[atom]

    def _reduced(
        self, around: list[Constraint], rows: list[Constraint], same: int, kept: frozenset[Atom]
    ) -> list[Constraint] | None:
        """`rows` without the unknowns of the instance that its subscripts don't mention."""

        def removable(atom: Atom) -> bool:
            return atom not in kept and self.is_own(atom, same)

        if rows is not around:
            return project(rows, removable)
        key = (id(around), same, kept)
        if key not in self._projected:
            self._projected[key] = project(rows, removable)
        return self._projected[key]

    def _named(
        self, subscripts: Subscripts, rows: list[Constraint] | None, same: int, own: list[Atom], carried: bool
    ) -> AccessShape:
        """The shape under numbers for what is the instance's own; one object for all that are alike."""
        first = 0 if carried else 1  # the number of the counter is taken or left out
        numbers: dict[Atom, Atom] = {atom: COUNTER + 2 * (first + k) for k, atom in enumerate(own)}
        shared: dict[Atom, None] = {}
        for form in [*(f for f in subscripts if f is not None), *(f for f, _ in rows or ())]:
            for atom in form:
                if atom != 1 and atom not in numbers:
                    if self.is_own(atom, same):
                        numbers[atom] = COUNTER + 2 * (first + len(numbers))
                    elif self._depth(atom) > 0:
                        shared[atom] = None

        def renamed(form: Form) -> Form:
            return {numbers.get(atom, atom): c for atom, c in form.items()}

        named = tuple(None if form is None else renamed(form) for form in subscripts)
        system = None if rows is None else tuple((renamed(form), eq) for form, eq in rows)
        items = None if system is None else frozenset((frozenset(form.items()), eq) for form, eq in system)
        key = (tuple(None if form is None else frozenset(form.items()) for form in named), items, carried)
        if key not in self._alike:
            order = sorted(shared, key=lambda atom: (self._depth(atom), id(atom)))
            self._alike[key] = AccessShape(named, system, tuple(order), tuple(numbers.values()))
        return self._alike[key]

    # Decisions

    def _decide(self, x: AccessShape, y: AccessShape, order: IterationOrder, distance: int | None) -> bool:
        if x.rows is None or y.rows is None:
            return False
        subscripts = enumerate(zip(x.subscripts, y.subscripts, strict=True))
        dims = [k for k, (a, b) in subscripts if a is not None and b is not None]
        if not dims or (distance is None and self._meet_in_sample(x, y, order, dims)):
            return True
        return self._may_meet(x, y.mirrored(), order, dims, distance)

    def _may_meet(
        self, x: AccessShape, y: AccessShape, order: IterationOrder, dims: Sequence[int], distance: int | None
    ) -> bool:
        assert x.rows is not None
        assert y.rows is not None
        equalities = [plus(x.subscripts[k] or {}, y.subscripts[k] or {}, -1) for k in dims]
        later: list[Form] = [{COUNTER + 1: order, COUNTER: -order, 1: -1}] if order else []
        if distance is not None:
            equalities += [plus(row, {1: 1 - distance}) for row in later]
        if not feasible(equalities, later):
            return False
        self.tests += 1
        rows = [*x.rows, *y.rows]
        equalities += [form for form, is_equality in rows if is_equality]
        inequalities = [form for form, is_equality in rows if not is_equality] + later
        return feasible(equalities, connected(inequalities, [*equalities, *later]))

    # Examples

    def _meet_in_sample(self, x: AccessShape, y: AccessShape, order: IterationOrder, dims: Sequence[int]) -> bool:
        shared = x.shared if x.shared == y.shared else tuple(a for a in x.shared if a in y.shared)
        for size in MODEL.sample_sizes:
            first, second = (self._touched(shape, size, shared, tuple(dims), order != 0) for shape in (x, y))
            if not first or not second:
                continue  # loops that run for larger sizes only
            if order == 0:
                return not first.keys().isdisjoint(second)
            for place in first.keys() & second.keys():
                (low, high), (other_low, other_high) = first[place], second[place]
                if other_high > low if order > 0 else other_low < high:
                    return True
            return False
        return False

    def _touched(
        self, shape: AccessShape, size: int, shared: tuple[Atom, ...], dims: tuple[int, ...], carried: bool
    ) -> TouchedElements:
        """The elements that instances of `shape` touch, each behind the values of the `shared` atoms; where a loop
        carries the dependence, with the least and the greatest value of its counter."""
        key = (size, shared, dims)
        found = shape.touched.get(key)
        if found is None:
            forms: list[Form] = [{atom: 1} for atom in shared] + [shape.subscripts[k] or {} for k in dims]
            columns = self._columns(shape, size)
            places = list(zip(*(self._evaluated(form, columns, size) for form in forms), strict=True))
            found = shape.touched[key] = (
                _iterations(places, columns[COUNTER]) if carried else dict.fromkeys(places, (0, 0))
            )
        return found

    def _columns(self, shape: AccessShape, size: int) -> dict[Atom, tuple[int, ...]]:
        """Some iterations: the values of each atom that is not the same in all of them."""
        if size not in shape.columns:
            atoms = (*shape.shared, *shape.own)
            points = some_solutions(shape.rows or (), atoms, self._sample(size))
            values = zip(*points, strict=True) if points and atoms else [()] * len(atoms)
            shape.columns[size] = {**dict(zip(atoms, values, strict=True)), 1: (1,) * len(points)}
        return shape.columns[size]

    def _evaluated(self, form: Form, columns: Mapping[Atom, tuple[int, ...]], size: int) -> Sequence[int]:
        sample = self._sample(size)
        rest = sum(c * (1 if a == 1 else sample(a)) for a, c in form.items() if a == 1 or a not in columns)
        terms = [(columns[a], c) for a, c in form.items() if a != 1 and a in columns]
        if not terms:
            return [rest] * len(columns[1])
        (first, a), *others = terms
        values: Sequence[int] = first if a == 1 and not rest else [a * v + rest for v in first]
        for column, c in others:
            values = [v + c * w for v, w in zip(values, column, strict=True)]
        return values

    def _sample(self, size: int) -> Callable[[Atom], int]:
        """What values outside of loops are taken to be; what is computed from others is computed from them."""

        def known(atom: Atom) -> int:
            key = (atom, size)
            if key not in self._samples:
                assert isinstance(atom, Value)
                self._samples[key] = self._sampled(atom, size)
            return self._samples[key]

        return known

    def _sampled(self, value: Value, size: int) -> int:
        instr = self.structure.definition.get(value)
        if instr is None or instr.op in ("dim", "count"):
            return size
        known = self._sample(size)
        if instr.op not in _COMPUTED:
            return 2
        forms = (self.affine.form(v) for v in instr.operands)
        return _COMPUTED[instr.op](*(sum(c * (1 if a == 1 else known(a)) for a, c in form.items()) for form in forms))


def _iterations(places: Sequence[tuple[int, ...]], counter: Sequence[int]) -> TouchedElements:
    found: TouchedElements = {}
    for place, iteration in zip(places, counter, strict=True):
        low, high = found.get(place, (iteration, iteration))
        found[place] = (min(low, iteration), max(high, iteration))
    return found


def _index(i: int, n: int) -> int:
    return i + n if i < 0 else i


_COMPUTED: dict[str, Callable[..., int]] = {
    "minimum": min, "maximum": max, "index": _index,
    "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b if b else 0, "mod": lambda a, b: a % b if b else 0,
}  # fmt: skip
