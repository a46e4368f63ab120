"""A shadow that is taken, cleared and given back is left where it is.

    %v: f64 = load %d, %k
    store 0.0, %d, %k
    store %v, %x, %m
    accumulate %v, %d, %k
->
    %v: f64 = load %d, %k
    store %v, %x, %m

The adjoint of `a[i] -= ...` does that: what was written hands its derivative on to what it was computed from, which is
the same element. In general, clearing and adding is storing; and storing what is there already is nothing. It is the
elimination of dead stores, with the dependence test in the place of names.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ops import Table


def remove_dead_zeroing(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """An equivalent function without such zeroing; `groups` are the positions of parameters that may share memory."""
    classes = AliasClasses(tuple(tuple(group) for group in groups))
    pass_ = _DeadZeroing(structure_of(function, ops), dependence_of(function, ops, classes), ops)
    return function.with_region(pass_.region(function.region))


class _DeadZeroing:
    def __init__(self, facts: Structure, dependence: Dependence, ops: Table) -> None:
        self.structure, self.dependence, self.ops = facts, dependence, ops
        self._accesses: dict[Instr, list[Instr]] = {}
        self._roots: dict[Instr, frozenset[Value]] = {}
        self.origin: dict[Instr, Instr] = {}
        """The accumulation that a new store stands for: what is known, is known of that."""

    def region(self, region: Region) -> Region:
        body = list(region.body)
        for clear in region.body:
            if clear.op in self.ops.stores and self.is_zero(clear):
                body = self.joined(body, clear)
        nested = [i.with_regions(tuple(map(self.region, i.regions))) for i in body]
        return region.with_body(nested)

    def is_zero(self, store: Instr) -> bool:
        source = self.structure.definition.get(self.ops.stored(store))
        return source is not None and source.op == "const" and source.attrs["value"] == 0.0

    def joined(self, body: list[Instr], clear: Instr) -> list[Instr]:
        """`body` with a store where the first access after `clear` to its element is an accumulation."""
        at = body.index(clear)
        for position in range(at + 1, len(body)):
            instr = body[position]
            if not self.may_touch(clear, instr):
                continue
            if instr.op not in self.ops.sums or not self.dependence.certainly_same(clear, instr):
                return body
            between = body[at + 1 : position]
            if self.holds(body[:at], clear, instr):
                return [*body[:at], *between, *body[position + 1 :]]
            place = (self.ops.array(instr), *self.ops.subscripts(instr))
            store = Instr("store", (self.ops.stored(instr), *place), attrs=instr.attrs, span=instr.span)
            self.origin[store] = instr
            return [*body[:at], *between, store, *body[position + 1 :]]
        return body

    def holds(self, before: list[Instr], clear: Instr, given: Instr) -> bool:
        """Whether the element holds, where it is cleared, the very value that is `given` back."""
        for instr in reversed(before):
            if instr.op in self.ops.loads and self.ops.stored(given) in instr.results:
                return self.dependence.certainly_same(instr, clear)
            if self.may_write(instr, clear):
                return False
        return False

    def may_touch(self, clear: Instr, instr: Instr) -> bool:
        """Whether `instr`, or something in it, may reach the element that `clear` has just cleared."""
        return self.near(clear, instr) and any(self.dependence.here(clear, i) for i in self.accesses(instr))

    def may_write(self, instr: Instr, clear: Instr) -> bool:
        """Whether `instr`, or something in it, may write the element that `clear` clears later on."""
        writing = (i for i in self.accesses(instr) if i.op in self.ops.writers)
        return self.near(clear, instr) and any(self.dependence.here(i, clear) for i in writing)

    def near(self, clear: Instr, instr: Instr) -> bool:
        """Whether `instr` uses an array that may be that of `clear`: most do not, and subscripts need no look then."""
        root, used = self.dependence.access(clear).root, self.roots(instr)
        return root in used or any(self.dependence.may_overlap(root, other) for other in used)

    def roots(self, instr: Instr) -> frozenset[Value]:
        found = self._roots.get(instr)
        if found is None:
            found = self._roots[instr] = frozenset(r for i in self.accesses(instr) for r in self.dependence.roots(i))
        return found

    def accesses(self, instr: Instr) -> list[Instr]:
        found = self._accesses.get(instr)
        if found is None:
            nested = [i for region in instr.regions for i in walk(region)]
            touching = (i for i in (instr, *nested) if i.op in self.ops.touching)
            found = self._accesses[instr] = [self.origin.get(i, i) for i in touching]
        return found
