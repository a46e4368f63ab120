"""Where everything in a function stands: defining instructions, enclosing regions and loops, users."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from weakref import ReferenceType, ref

from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ir.facts import kept
from adcore.ops import Table
from adcore.source import Span

LOOPS = ("for", "while")

Intervals = tuple[tuple[int, int], ...]
"""Numbers of instructions: ascending, disjoint ranges [start, stop)."""


@dataclass(frozen=True, eq=False)
class Structure:
    """Lookup tables over one function (identity-keyed; they die with it).

    `definition` has no entry for region parameters; `owner` gives the instruction that holds a region (None: the
    function); `home` the region in which a value is defined or an instruction stands. `number` counts instructions in
    program order, nested ones after their holder; `end` is the number that follows the last one inside.
    """

    name: str
    region: Region
    span: Span | None
    ops: Table
    definition: dict[Value, Instr]
    home: dict[Value | Instr, Region]
    position: dict[Instr, int]
    owner: dict[Region, Instr | None]
    users: dict[Value, list[Instr]]
    number: dict[Instr, int]
    end: dict[Instr | Region, int]
    _function: ReferenceType[Function] = field(repr=False)
    _chains: dict[Region, list[Region]] = field(default_factory=dict, repr=False)
    _loops: dict[Region, list[Instr]] = field(default_factory=dict, repr=False)
    _rest: dict[Region, Intervals] = field(default_factory=dict, repr=False)

    @property
    def function(self) -> Function:
        """The function: not held on to, as this is kept for as long as that lives. An equal one, if it does not."""
        return self._function() or Function(self.name, self.region, self.span)

    def parent(self, region: Region) -> Region | None:
        """The region around `region`."""
        owner = self.owner[region]
        return None if owner is None else self.home[owner]

    def chain(self, region: Region) -> list[Region]:
        """`region` and all regions around it, innermost first."""
        if region not in self._chains:
            outer = self.parent(region)
            self._chains[region] = [region, *(self.chain(outer) if outer is not None else ())]
        return self._chains[region]

    def loops(self, region: Region) -> list[Instr]:
        """The loops around `region`, outermost first (the region of a loop is inside that loop)."""
        if region not in self._loops:
            owners = [self.owner[r] for r in reversed(self.chain(region))]
            self._loops[region] = [o for o in owners if o is not None and o.op in LOOPS]
        return self._loops[region]

    def depth(self, region: Region) -> int:
        """Number of loops around `region`."""
        return len(self.loops(region))

    def rectangular(self, region: Region) -> bool:
        """Whether all loops around `region` are `for` loops whose bounds are known before the whole nest."""
        top = self.region
        loops = self.loops(region)
        return all(loop.op == "for" and all(self.home[v] is top for v in loop.operands[:2]) for loop in loops)

    def inside(self, region: Region, outer: Region) -> bool:
        """Whether `region` is `outer` or nested in it."""
        return outer in self.chain(region)

    def ancestor(self, instr: Instr, region: Region) -> Instr | None:
        """The instruction of `region` that is or holds `instr`; None if `instr` stands elsewhere."""
        current: Instr | None = instr
        while current is not None and self.home[current] is not region:
            current = self.owner[self.home[current]]
        return current

    def start(self, region: Region) -> int:
        """The number of the first instruction of `region` (of what comes after it, if it is empty)."""
        return self.number[region.body[0]] if region.body else self.end[region]

    def holds(self, region: Region, instr: Instr) -> bool:
        """Whether `instr` stands in `region` or in a region nested in it."""
        return self.start(region) <= self.number[instr] < self.end[region]

    def position_in(self, region: Region, instr: Instr) -> int:
        """The position in `region` of the instruction that is or holds `instr`, which stands somewhere inside."""
        return bisect_right(region.body, self.number[instr], key=self.number.__getitem__) - 1

    def following(self, instr: Instr) -> Intervals:
        """The instructions that come after `instr` in the same iteration of all loops that they share with it: what
        the other branch of an `if` holds is none of them, the body of a `while` comes after its test."""
        home = self.home[instr]
        return _joined(((self.end[instr], self.end[home]), *self._after(home)))

    def _after(self, region: Region) -> Intervals:
        """What comes after all of `region`."""
        if region not in self._rest:
            owner = self.owner[region]
            rest: Intervals = ()
            if owner is not None:
                rest = ((self.end[owner], self.end[self.home[owner]]), *self._after(self.home[owner]))
                if owner.op == "while" and region is owner.regions[0]:
                    rest = ((self.start(owner.regions[1]), self.end[owner.regions[1]]), *rest)
            self._rest[region] = _joined(rest)
        return self._rest[region]

    def holder(self, instr: Instr) -> Instr:
        """The instruction of the function's own region that is or holds `instr`."""
        holder = self.ancestor(instr, self.region)
        assert holder is not None
        return holder

    def instructions(self) -> list[Instr]:
        """Every instruction, in program order."""
        return list(walk(self.region))


@kept
def structure_of(function: Function, ops: Table) -> Structure:
    """Where everything in `function` stands, whose instructions are those of `ops`."""
    owner: dict[Region, Instr | None] = {function.region: None}
    s = Structure(function.name, function.region, function.span, ops, {}, {}, {}, owner, {}, {}, {}, ref(function))
    _index(s, function.region)
    return s


def _index(s: Structure, region: Region) -> None:
    for param in region.params:
        s.home[param] = region
    for position, instr in enumerate(region.body):
        s.home[instr] = region
        s.number[instr] = len(s.number)
        s.position[instr] = position
        for value in instr.results:
            s.definition[value] = instr
            s.home[value] = region
        for operand in dict.fromkeys(instr.operands):
            s.users.setdefault(operand, []).append(instr)
        for nested in instr.regions:
            s.owner[nested] = instr
            _index(s, nested)
        s.end[instr] = len(s.number)
    s.end[region] = len(s.number)
    owner = s.owner[region]
    if owner is not None:
        known = {*owner.operands, *(v for r in owner.regions[: owner.regions.index(region)] for v in r.yields)}
        for value in dict.fromkeys(region.yields):
            if value not in known:
                s.users.setdefault(value, []).append(owner)


def operands_first(value: Value, operands: Callable[[Value], Iterable[Value]]) -> Iterator[Value]:
    """What `value` is computed from, as `operands` says, each after its own operands; `value` is the last.

    Chains of values are as long as the program, so what follows them must not recurse: Python's stack is not as deep.
    """
    path = [(value, iter(operands(value)))]
    begun = {value}
    while path:
        current, left = path[-1]
        for operand in left:
            if operand not in begun:
                begun.add(operand)
                path.append((operand, iter(operands(operand))))
                break
        else:
            path.pop()
            yield current


def contains(intervals: Intervals, number: int) -> bool:
    """Whether one of `intervals` holds `number`."""
    return any(start <= number < stop for start, stop in intervals)


def _joined(intervals: Intervals) -> Intervals:
    """Without empty ones, neighbours made one."""
    joined: list[tuple[int, int]] = []
    for start, stop in intervals:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        elif start < stop:
            joined.append((start, stop))
    return tuple(joined)
