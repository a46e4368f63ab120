"""Where everything in a function stands: defining instructions, enclosing regions and loops, users."""

from __future__ import annotations

from dataclasses import dataclass, field

from adcore.ir.core import Function, Instr, Region, Value, walk

LOOPS = ("for", "while")


@dataclass(frozen=True, eq=False)
class Structure:
    """Lookup tables over one function (identity-keyed; they die with it).

    `definition` has no entry for region parameters; `owner` gives the instruction that holds a region (None: the
    function); `home` the region in which a value is defined or an instruction stands.
    """

    function: Function
    definition: dict[Value, Instr]
    home: dict[Value | Instr, Region]
    position: dict[Instr, int]
    owner: dict[Region, Instr | None]
    users: dict[Value, list[Instr]]
    _chains: dict[Region, list[Region]] = field(default_factory=dict, repr=False)
    _loops: dict[Region, list[Instr]] = field(default_factory=dict, repr=False)

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
        top = self.function.region
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

    def holder(self, instr: Instr) -> Instr:
        """The instruction of the function's own region that is or holds `instr`."""
        holder = self.ancestor(instr, self.function.region)
        assert holder is not None
        return holder

    def instructions(self) -> list[Instr]:
        """Every instruction, in program order."""
        return list(walk(self.function.region))


def structure(function: Function) -> Structure:
    """Index `function`."""
    s = Structure(function, {}, {}, {}, {function.region: None}, {})
    _index(s, function.region)
    return s


def _index(s: Structure, region: Region) -> None:
    for param in region.params:
        s.home[param] = region
    for position, instr in enumerate(region.body):
        s.home[instr] = region
        s.position[instr] = position
        for value in instr.results:
            s.definition[value] = instr
            s.home[value] = region
        for operand in dict.fromkeys(instr.operands):
            s.users.setdefault(operand, []).append(instr)
        for nested in instr.regions:
            s.owner[nested] = instr
            _index(s, nested)
    owner = s.owner[region]
    if owner is not None:
        for value in dict.fromkeys(region.yields):
            if owner not in s.users.setdefault(value, []):
                s.users[value].append(owner)
