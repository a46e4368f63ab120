"""Which values that a loop carries are selections: chosen, iteration by iteration, from what single iterations compute.

    (%i: i64, %u: f64, %w: f64):              one family, {u, w}, whose members pass to each other; it is chosen from
      %c: bool = gt %x, %u                    their initial values, and from %x
      %first: f64 = select %c, %x, %u
      %second: f64 = select %c, %u, %w
      yield %first, %second

A value is one if every way through its choices ends in a carried value of its family, or in what an iteration computes
from memory that the loop leaves alone, from its counter, and from integers that may be remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adcore.analysis.activity import ActivityFacts, depending_on
from adcore.analysis.affine.dependence import Dependence
from adcore.ir.core import Instr, Value, free_values, walk
from adcore.ir.types import I64, Scalar, Type, is_float
from adcore.machine_model import MODEL
from adcore.ops import Table

CHOICES = {"minimum": "le", "maximum": "ge"}
"""The comparison by which the first operand is chosen: that of the derivative's rule, ties and NaN included."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """What may be chosen in a iteration, one value per member; `instrs` compute them from the loop's counter, from what
    is known outside of the loop, and from the integers `saved`."""

    values: tuple[Value, ...]
    instrs: tuple[Instr, ...] = ()
    saved: tuple[Value, ...] = ()


@dataclass(frozen=True, eq=False)
class Family:
    """Carried positions whose choices are numbered together: either `members` that are always chosen together (one
    record for all), or such that pass to each other (one record each). `sources[j]` is choice number j; the first
    ones are the initial values: one for all, or one each."""

    members: tuple[int, ...]
    together: bool
    sources: tuple[Candidate, ...]

    def records(self) -> tuple[tuple[int, ...], ...]:
        """Members by the record that they share."""
        return (self.members,) if self.together else tuple((k,) for k in self.members)

    def bits(self) -> int:
        """How many the number of a choice takes: it is kept below the iteration, in one integer."""
        return (len(self.sources) - 1).bit_length()

    def saved(self) -> tuple[Value, ...]:
        """What a record holds beside the integer that tells choice and iteration."""
        return tuple(dict.fromkeys(v for source in self.sources for v in source.saved))

    def types(self) -> tuple[Type, ...]:
        """Types of a record."""
        return (I64, *(v.type for v in self.saved()))


class Choices:
    """How the values of a loop's body are chosen from each other."""

    def __init__(self, dependence: Dependence, loop: Instr) -> None:
        self.structure, self.loop, self.body = dependence.structure, loop, loop.regions[-1]

    def inside(self, value: Value) -> bool:
        return any(self.structure.inside(self.structure.home[value], r) for r in self.loop.regions)

    def options(self, value: Value) -> tuple[Value, ...]:
        """The values one of which `value` is, if it is a choice of this loop's own body."""
        instr = self.structure.definition.get(value)
        if (
            instr is None
            or not self.inside(value)
            or self.structure.loops(self.structure.home[instr])[-1] is not self.loop
        ):
            return ()
        if instr.op == "if":
            k = instr.results.index(value)
            return tuple(region.yields[k] for region in instr.regions)
        if instr.op in ("select", "attach"):
            return instr.operands[1:]
        return instr.operands if instr.op in CHOICES else ()

    def tree(self, value: Value, ends: frozenset[Value]) -> list[Value]:
        """The choices between `value` and the carried values `ends`, operands first; empty if it is none of them."""
        paths: dict[Value, int] = {}
        self._count(value, ends, paths)
        return (
            [v for v, count in paths.items() if count and v not in ends]
            if paths[value] <= MODEL.most_selection_paths
            else []
        )

    def _count(self, value: Value, ends: frozenset[Value], paths: dict[Value, int]) -> int:
        """In how many ways `value` may lead to its leaves; 0 if none of these is a carried value."""
        if value not in paths:
            counts = [] if value in ends else [self._count(v, ends, paths) for v in self.options(value)]
            paths[value] = sum(max(1, c) for c in counts) if any(counts) else int(value in ends)
        return paths[value]

    def leaves(self, value: Value, tree: Sequence[Value]) -> Iterator[Value]:
        """What the choices `tree` end in, each in the order of the program text, repeated if it occurs again."""
        if value not in tree:
            yield value
            return
        for option in self.options(value):
            yield from self.leaves(option, tree)


class SelectionSearch:
    """Finds the families of one loop."""

    def __init__(self, dependence: Dependence, active: ActivityFacts, ops: Table, loop: Instr) -> None:
        self.dependence, self.structure, self.ops, self.loop = dependence, dependence.structure, ops, loop
        self.active = active
        self.choices = Choices(dependence, loop)
        self.body = self.choices.body
        self.inits = loop.operands[len(loop.operands) - len(self.body.yields) :]
        self._plain: dict[Value, bool] = {}
        self.stores = [i for r in loop.regions for i in walk(r) if i.op in ops.writers]

    def families(self) -> list[Family]:
        params = self.body.params[1:]
        members = {k for k, p in enumerate(params) if is_float(p.type) and self.worth_it(k)}
        while True:
            ends = frozenset(params[k] for k in members)
            refused = {k for k in members if not self.is_selection(k, ends) or self.escapes(k, members)}
            if not refused:
                return [self.family(group, ends) for group in self.connected(sorted(members), ends)]
            members -= refused

    def worth_it(self, k: int) -> bool:
        """Whether the reverse sweep would have to deal with it."""
        param, result = self.body.params[k + 1], self.loop.results[k]
        return self.body.yields[k] is not param and (param in self.active.values or result in self.active.values)

    def is_selection(self, k: int, ends: frozenset[Value]) -> bool:
        """Whether it ends as one of the carried values `ends`, or as a value that can be had again after the loop."""
        value = self.body.yields[k]
        tree = self.choices.tree(value, ends)
        if not tree and value not in ends:
            return False
        sources = [v for v in self.choices.leaves(value, tree) if v not in ends]
        return all(self.source((v,)) is not None for v in sources)

    def escapes(self, k: int, members: set[int]) -> bool:
        """Whether a derivative of the carried value leaves the loop other than through `members`."""
        inside = [i for region in self.loop.regions for i in walk(region)]
        marked = depending_on(self.dependence, self.ops, inside, [r.params[k + 1] for r in self.loop.regions])
        passed = {y for j, y in enumerate(self.body.yields) if j not in members}
        pushed = {v for i in inside if self.ops.effects[i.op].ordered for v in i.operands}
        arrays = {v for v in marked if not isinstance(v.type, Scalar)}
        return bool(arrays or marked & passed or marked & pushed)

    # What one iteration computes

    def source(self, values: tuple[Value, ...]) -> Candidate | None:
        """`values` as something that can be computed after the loop; None if they cannot."""
        instrs: dict[Instr, None] = {}
        saved: dict[Value, None] = {}
        if all(self.collect(v, instrs, saved) for v in values) and len(saved) <= MODEL.most_selection_saved:
            return Candidate(values, tuple(map(_unchecked, instrs)), tuple(saved))
        return None

    def collect(self, value: Value, instrs: dict[Instr, None], saved: dict[Value, None]) -> bool:
        """Add what it takes to compute `value`; numbers without a derivative may be saved instead."""
        if not self.choices.inside(value) or value is self.body.params[0]:
            return True
        if not self.plain(value) and isinstance(value.type, Scalar) and not is_float(value.type):
            saved[value] = None
            return True
        instr = self.structure.definition.get(value)
        if instr is None or not self.repeatable(instr):
            return False
        if instr not in instrs:
            if not all(self.collect(v, instrs, saved) for v in _reads(instr)):
                return False
            instrs[instr] = None
        return True

    def plain(self, value: Value) -> bool:
        """Whether `value` follows from the counter and from what is known outside of the loop."""
        if value not in self._plain:
            instr = self.structure.definition.get(value)
            known = not self.choices.inside(value) or value is self.body.params[0]
            again = instr is not None and self.repeatable(instr) and all(self.plain(v) for v in _reads(instr))
            self._plain[value] = known or again
        return self._plain[value]

    def repeatable(self, instr: Instr) -> bool:
        """Whether `instr` gives the same after the loop, from the same operands."""
        return all(self._is_pure(i) for i in (instr, *(i for r in instr.regions for i in walk(r))))

    def _is_pure(self, instr: Instr) -> bool:
        effects = self.ops.effects[instr.op]
        if effects.terminates and (effects.recursive or effects.asserts):
            return True  # what is in them is looked at one by one; a check has passed before
        if not effects.read:
            return effects.pure
        if not effects.pure:
            return False
        depth = self.structure.depth(self.body)
        later = (level for s in self.stores for level in self.dependence.levels(instr, s))
        made_inside = any(map(self.choices.inside, self.dependence.roots(instr)))
        return not made_inside and not any(level == 0 or level >= depth for level in later)

    # Families

    def connected(self, members: list[int], ends: frozenset[Value]) -> list[tuple[int, ...]]:
        """Members that pass to each other; members that are chosen together."""
        groups = [{k} for k in members]
        position = {self.body.params[k + 1]: k for k in members}
        for k in members:
            tree = self.choices.tree(self.body.yields[k], ends)
            passed = {position[v] for v in self.choices.leaves(self.body.yields[k], tree) if v in ends} | {k}
            joined = [g for g in groups if g & passed]
            groups = [g for g in groups if not g & passed] + [set[int]().union(*joined)]
        alone = [min(g) for g in groups if len(g) == 1]
        alike: dict[object, list[int]] = {}
        for k in sorted(alone):
            alike.setdefault(self.shape(k), []).append(k)
        return [*(tuple(sorted(g)) for g in groups if len(g) > 1), *map(tuple, alike.values())]

    def shape(self, k: int) -> object:
        """Equal for members that are chosen by the same decisions, and save nothing."""
        carried, value = self.body.params[k + 1], self.body.yields[k]
        tree = self.choices.tree(value, frozenset({carried}))
        return self._shape(value, carried, tree, list(self.choices.leaves(value, tree)))

    def _shape(self, value: Value, carried: Value, tree: list[Value], leaves: list[Value]) -> object:
        if value is carried:
            return "carried"
        if value not in tree:
            source = self.source((value,))
            return value if source is None or source.saved else leaves.index(value)
        instr = self.structure.definition[value]
        parts = tuple(self._shape(v, carried, tree, leaves) for v in self.choices.options(value))
        if instr.op in CHOICES:
            return (instr, *parts)
        return parts if instr.op == "attach" else (instr if instr.op == "if" else instr.operands[0], *parts)

    def family(self, members: tuple[int, ...], ends: frozenset[Value]) -> Family:
        own = frozenset(self.body.params[k + 1] for k in members)
        leaves = []
        for k in members:
            value = self.body.yields[k]
            leaves.append([v for v in self.choices.leaves(value, self.choices.tree(value, own)) if v not in own])
        together = len({self.shape(k) for k in members}) == 1
        if together:
            choices = list(dict.fromkeys(zip(*leaves, strict=True)))
            first = [Candidate(tuple(self.inits[k] for k in members))]
        else:
            choices = list(dict.fromkeys((v,) for found in leaves for v in found))
            first = [Candidate((self.inits[k],)) for k in members]
        sources = [self.source(values) for values in choices]
        return Family(members, together, (*first, *(s for s in sources if s is not None)))


def _unchecked(instr: Instr) -> Instr:
    """`instr` without the checks in its regions."""
    regions = []
    for region in instr.regions:
        body = tuple(_unchecked(i) for i in region.body if i.op != "check")
        regions.append(region.with_body(body))
    return instr.with_regions(tuple(regions))


def _reads(instr: Instr) -> tuple[Value, ...]:
    free = (v for region in instr.regions for v in free_values(region))
    return tuple(dict.fromkeys([*instr.operands, *free]))
