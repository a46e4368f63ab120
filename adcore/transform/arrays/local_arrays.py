"""The program's local arrays: made by it, returned to nobody, touched by plain loads and stores only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adcore.analysis.structure import Structure, structure_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.facts import kept
from adcore.ir.types import ArrayType
from adcore.ops import Axis, Table


@dataclass(frozen=True, eq=False)
class LocalArray:
    """An array with everything that touches it, through views or not, in program order."""

    root: Value
    alloc: Instr
    accesses: tuple[Instr, ...]
    views: tuple[Instr, ...]
    ops: Table

    @property
    def loads(self) -> list[Instr]:
        return [i for i in self.accesses if i.op in self.ops.loads]

    @property
    def writes(self) -> list[Instr]:
        return [i for i in self.accesses if i.op in self.ops.puts]


@kept
def local_arrays(function: Function, ops: Table) -> list[LocalArray]:
    """In the order in which they are made."""
    facts = structure_of(function, ops)
    allocs = (i for i in facts.instructions() if i.op in ops.allocs and not i.attrs.get("role"))
    found = (_seen_through(facts, alloc) for alloc in allocs)
    return [local for local in found if local is not None]


def _seen_through(facts: Structure, alloc: Instr) -> LocalArray | None:
    """The array of `alloc`; None if it is used in another way."""
    names, accesses, views = [alloc.result], list[Instr](), list[Instr]()
    for name in names:
        if any(name is result for result in facts.function.results):
            return None
        for user in facts.users.get(name, ()):
            if user.op in facts.ops.views:
                views.append(user)
                names.append(user.result)
            elif user.op in facts.ops.elements and facts.ops.array(user) is name:
                accesses.append(user)
            else:
                return None
    accesses.sort(key=facts.number.__getitem__)
    return LocalArray(alloc.result, alloc, tuple(accesses), tuple(views), facts.ops)


def rebuilt(facts: Structure, region: Region, body: Sequence[Instr]) -> tuple[Function, Region]:
    """The function with another body in one of its regions, and that region in it."""
    new = region.with_body(body)
    inner, changed = region, new
    while (owner := facts.owner[inner]) is not None:
        holder = owner.with_regions(tuple(changed if r is inner else r for r in owner.regions))
        inner = facts.home[owner]
        changed = inner.with_body(tuple(holder if i is owner else i for i in inner.body))
    return facts.function.with_region(changed), new


def without_views(facts: Structure, local: LocalArray, ops: Table) -> Function:
    """The function with every access to a local array as one of the array itself, with subscripts of its own."""
    if not local.views:
        return facts.function
    return facts.function.with_region(_Direct(facts, local, ops).region(facts.function.region))


class _Direct:
    def __init__(self, facts: Structure, local: LocalArray, ops: Table) -> None:
        self.facts, self.ops = facts, ops
        self.accesses, self.views = frozenset(local.accesses), frozenset(local.views)

    def region(self, region: Region) -> Region:
        b = Builder(self.ops)
        for instr in region.body:
            if instr in self.views:
                continue
            b.span = instr.span
            if instr in self.accesses:
                array, subscripts = self.of_root(b, self.ops.array(instr), self.ops.subscripts(instr))
                instr = self.ops.redirected(instr, array, subscripts)
            elif instr.regions:
                instr = instr.with_regions(tuple(map(self.region, instr.regions)))
            b.append(instr)
        return b.finish(region.params, region.yields)

    def of_root(self, b: Builder, array: Value, subscripts: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        view = self.facts.definition[array]
        if view.op not in self.ops.views:
            return array, subscripts
        made = self.ops.views[view.op]
        subscripts = [_through(b, axis, subscripts) for axis in made.axes(view)]
        return self.of_root(b, view.operands[made.source], subscripts)


def _through(b: Builder, axis: Axis, subscripts: Sequence[Value]) -> Value:
    """The subscript of the source that `subscripts` of a view amount to along `axis`."""
    if axis.given is None:
        return axis.start or b.const(0)
    moved = subscripts[axis.given]
    if axis.step is not None:
        moved = b.emit("mul", moved, axis.step, exact=True)
    return moved if axis.start is None else b.emit("add", axis.start, moved, exact=True)


def element(local: LocalArray) -> str:
    """The name of the type of its elements."""
    assert isinstance(local.root.type, ArrayType)
    return local.root.type.element.name
