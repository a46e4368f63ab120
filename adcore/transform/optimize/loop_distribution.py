"""What a nest of loops does, distributed over copies of the nest: stores, accumulations and sums, each by itself where
dependence allows (R. Allen and K. Kennedy, "Automatic translation of Fortran programs to vector form", TOPLAS 9, 1987).

    for 0, %n [step=1] {                      two groups, in this order: the store to x, as y is stored from what x
    (%i: i64):                                was given in an earlier iteration; then the store to y
      %next: i64 = add %i, 1 [exact=True]
      store %s, %x, %next                     (if x were stored from y as well, both would be one group)
      %v: f64 = load %x, %i
      store %v, %y, %i
      yield
    }

Groups are the strongly connected parts of the graph of dependences; `product_separation` makes the copies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcore.analysis.affine.dependence import AliasClasses, dependence_of
from adcore.analysis.structure import structure_of
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.machine_model import MODEL
from adcore.ops import Table

LoopBounds = tuple[tuple[Value, Value], ...]


@dataclass(frozen=True, eq=False)
class StatementGroup:
    """What one copy of a nest does: stores, accumulations and branches that hold some, and results of the loop."""

    effects: frozenset[Instr]
    results: frozenset[int]

    def __or__(self, other: StatementGroup) -> StatementGroup:
        return StatementGroup(self.effects | other.effects, self.results | other.results)


@dataclass(frozen=True, eq=False)
class DistributionPlan:
    """Groups in an order in which they may run one after the other; `products` has the bounds of the loops that each
    product depends on, as far as it is not known how long they are (None: no product)."""

    groups: tuple[StatementGroup, ...]
    products: tuple[LoopBounds | None, ...] = ()

    @property
    def conditions(self) -> tuple[LoopBounds, ...]:
        """What has to be long enough, for one product or another."""
        return tuple(dict.fromkeys(bounds for bounds in self.products if bounds is not None))


@dataclass(eq=False)
class Statement:
    """A group in the making: with it, the loads and stores that it takes, and the sums that loops carry for it."""

    group: StatementGroup
    accesses: list[Instr] = field(default_factory=list)
    sums: set[tuple[Instr, int]] = field(default_factory=set)


class Distribution:
    def __init__(self, function: Function, ops: Table, aliases: AliasClasses) -> None:
        self.structure, self.ops = structure_of(function, ops), ops
        self.dependence = dependence_of(function, ops, aliases)

    def plan(self, loop: Instr) -> DistributionPlan | None:
        """The groups of a nest, as small as they can be; None if it does what cannot be distributed."""
        (body,) = loop.regions
        if not all(self.is_plain(i) for i in walk(body)):
            return None
        if sum(i.op in self.ops.elements for i in walk(body)) > MODEL.most_distributed_accesses:
            return None
        self.loop, self.level = loop, self.structure.depth(body)
        self.bounds = [v for i in walk(body) if i.op == "for" for v in i.operands[:2]]
        statements = self.sharing(self.statements(body))
        before = [[a is not b and self.precedes(a, b) for b in statements] for a in statements]
        groups = tuple(_ordered([s.group for s in statements], before))
        return DistributionPlan(groups) if any(len(g.effects) == 1 and not g.results for g in groups) else None

    def is_plain(self, instr: Instr) -> bool:
        if instr.op == "if":
            return not (instr.results and acts(instr, self.ops))
        if instr.op == "for" or instr.op in self.ops.elements:
            return True
        effects = self.ops.effects[instr.op]
        return effects.pure and not effects.may_raise(instr) and instr.op not in self.ops.bulk

    def statements(self, body: Region) -> list[Statement]:
        """Everything that the nest does, in program order."""
        found = [self.statement(StatementGroup(frozenset({i}), frozenset()), self.needs(i)) for i in self.effects(body)]
        for k, value in enumerate(body.yields):
            found.append(self.statement(StatementGroup(frozenset(), frozenset({k})), [value, body.params[k + 1]]))
        return found

    def effects(self, region: Region) -> list[Instr]:
        found = []
        for instr in region.body:
            if instr.op == "for":
                found += self.effects(instr.regions[0])
            elif instr.op in self.ops.puts or (instr.op == "if" and acts(instr, self.ops)):
                found.append(instr)
        return found

    def needs(self, effect: Instr) -> list[Value]:
        inside = (i for region in effect.regions for i in walk(region))
        return [v for i in (effect, *inside) for v in i.operands]

    def statement(self, group: StatementGroup, needed: list[Value]) -> Statement:
        """The slice of the nest that computes what is `needed`."""
        found, seen, left = Statement(group), set[Value](), [*needed, *self.bounds]
        for effect in group.effects:
            inner = [j for r in effect.regions for j in walk(r)]
            found.accesses += [i for i in (effect, *inner) if i.op in self.ops.elements]
        while left:
            value = left.pop()
            if value in seen or not self.structure.inside(self.structure.home[value], self.loop.regions[0]):
                continue
            seen.add(value)
            instr = self.structure.definition.get(value)
            if instr is None:
                left += self.carried(value, found)
            elif instr.op == "for":
                left += self.total(instr, instr.results.index(value), found)
            else:
                inner = [i for r in instr.regions for i in walk(r)]
                found.accesses += [i for i in (instr, *inner) if i.op in self.ops.elements]
                left += [v for i in (instr, *inner) for v in i.operands]
                left += [v for i in (instr, *inner) for r in i.regions for v in r.yields]
        return found

    def carried(self, param: Value, found: Statement) -> list[Value]:
        """What a parameter of a loop's region needs."""
        region = self.structure.home[param]
        owner, k = self.structure.owner[region], region.params.index(param)
        if owner is None or owner.op != "for" or k == 0:
            return []
        return self.total(owner, k - 1, found)

    def total(self, loop: Instr, k: int, found: Statement) -> list[Value]:
        found.sums.add((loop, k))
        return [loop.operands[2 + k], loop.regions[0].yields[k], loop.regions[0].params[k + 1]]

    def sharing(self, statements: list[Statement]) -> list[Statement]:
        """Statements that take the same sum stay together: it is not computed twice."""
        joined: list[Statement] = []
        for statement in statements:
            apart = []
            for other in joined:
                if statement.sums & other.sums:
                    accesses = list(dict.fromkeys((*other.accesses, *statement.accesses)))
                    sums = other.sums | statement.sums
                    statement = Statement(other.group | statement.group, accesses, sums)
                else:
                    apart.append(other)
            joined = [*apart, statement]
        return joined

    def precedes(self, first: Statement, second: Statement) -> bool:
        """Whether something of `first` has to run before something of `second`."""
        return any(
            self.keeps_order(a, b) for a in dict.fromkeys(first.accesses) for b in dict.fromkeys(second.accesses)
        )

    def keeps_order(self, a: Instr, b: Instr) -> bool:
        """Whether `b` may touch what `a` touched before, and the order shows."""
        kinds = {self.ops.elements[i.op].kind for i in (a, b)}
        if a is b or kinds == {"read"} or kinds == {"add"}:
            return False
        first, second = (self.dependence.access(i).root for i in (a, b))
        if not self.dependence.may_overlap(first, second):
            return False
        return any(level == 0 or level >= self.level for level in self.dependence.levels(a, b))


def _ordered(groups: list[StatementGroup], before: list[list[bool]]) -> list[StatementGroup]:
    """Groups of what must stay together, in an order that `before` allows, near the program's."""
    n = range(len(groups))
    reaches = [row[:] for row in before]
    for k in n:
        for i in n:
            if reaches[i][k]:
                reaches[i] = [x or y for x, y in zip(reaches[i], reaches[k], strict=True)]
    left, ordered = list(n), []
    while left:
        start = next(i for i in left if all(reaches[i][j] or not reaches[j][i] for j in left))
        together = [j for j in left if j == start or (reaches[start][j] and reaches[j][start])]
        group = groups[together[0]]
        for j in together[1:]:
            group = group | groups[j]
        ordered.append(group)
        left = [j for j in left if j not in together]
    return ordered


def acts(branch: Instr, ops: Table) -> bool:
    """Whether a branch writes."""
    return any(True for region in branch.regions for _ in ops.writes_in(region))
