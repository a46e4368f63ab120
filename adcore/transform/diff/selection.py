"""A carried value that is chosen from values of single iterations: remembering which replaces reversing the loop.

    func @f(%x: array<f64,1,C>, %n: i64, %s: f64) -> (f64) {
      %m: f64 = for 0, %n, %s [step=1] {
      (%i: i64, %u: f64):
        %v: f64 = load %x, %i
        %c: bool = gt %v, %u
        %w: f64 = select %c, %v, %u
        yield %w
      }
      return %m
    }
->
    func @f(%x: array<f64,1,C>, %n: i64, %s: f64) -> (f64) {
      %m: f64, %turn_of_u: i64 = for 0, %n, %s, 0 [step=1] {
      (%i: i64, %u: f64, %turn_of_u.1: i64):
        %v: f64 = load %x, %i
        %c: bool = gt %v, %u
        %w: f64 = select %c, %v, %u
        %2: i64 = mul %i, 2 [exact=True]
        %3: i64 = add %2, 1 [exact=True]
        %4: i64 = select %c, %3, %turn_of_u.1
        yield %w, %4
      }
      %5: i64 = shr %turn_of_u, 1 [exact=True]
      %6: i64 = bitand %turn_of_u, 1
      %7: bool = eq %6, 1
      %8: f64 = if %7 {
      ():
        %v.1: f64 = load %x, %5
        yield %v.1
      } {
      ():
        yield %s
      }
      %m.1: f64 = attach %m, %8
      return %m.1
    }

A running maximum ends as the element at which it was last replaced, so its derivative is that of this one element. The
iteration is an integer and has no derivative; the carried value itself passes none on any more (`attach` takes the
value of its first operand and the derivative of its second), so the reverse sweep does not enter the loop at all. Which
iteration it is follows the same conditions as the value: ties, NaN and empty loops are treated as the program does.

This holds for every choice (`if`, `select`, `minimum`, `maximum`, in any combination) between carried values of the
loop and values that one iteration computes from memory which the loop leaves alone; several values may be chosen
together, and one may pass to another (the two largest elements). What an iteration computes with integers that only its
own past can tell is remembered with it. Only derivatives run through this pass: it serves the plan, not the primal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adcore.analysis.activity import ActivityFacts, activity_of
from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, substitute
from adcore.ir.types import BOOL, Scalar, Type
from adcore.ops import Table
from adcore.transform.diff.selection_search import CHOICES, Candidate, Choices, Family, SelectionSearch


def next_selection(dependence: Dependence, active: ActivityFacts, ops: Table) -> Function | None:
    """The function with the selections of one more loop tracked; None if no loop with active ones is left.

    Inner loops come first: what they choose is a value of one iteration of the loops around them.
    """
    for loop in reversed(dependence.structure.instructions()):
        if loop.op in ("for", "while"):
            families = SelectionSearch(dependence, active, ops, loop).families()
            if families:
                return _Rewriting(dependence, ops, loop, families).function()
    return None


def track_selections(
    function: Function, kinds: Sequence[str], seeds: Sequence[bool], ops: Table, aliases: AliasClasses | None = None
) -> Function:
    """An equivalent function whose selections the reverse sweep need not enter; see `reverse` for `kinds` and
    `seeds`. `function` itself if there are none."""
    while True:
        active = activity_of(function, ops, aliases or AliasClasses(), tuple(kinds), tuple(seeds))
        found = next_selection(dependence_of(function, ops, aliases), active, ops)
        if found is None:
            return function
        function = found


def lower_attach(function: Function, ops: Table) -> Function:
    """The function with every `attach` (and what else is there for derivatives only) replaced by its value: for code
    that is not differentiated any further."""
    return function.with_region(_values_only(function.region, ops, {}))


def _values_only(region: Region, ops: Table, names: dict[Value, Value]) -> Region:
    body = []
    for instr in region.body:
        operands = tuple(names.get(v, v) for v in instr.operands)
        value = ops[instr.op].value_of
        if value is not None:
            names[instr.result] = operands[value]
            continue
        regions = tuple(_values_only(nested, ops, names) for nested in instr.regions)
        body.append(instr.with_operands(operands).with_regions(regions))
    return region.with_body(body, tuple(names.get(v, v) for v in region.yields))


class _Rewriting:
    """Builds the function in which one loop remembers its choices."""

    def __init__(self, dependence: Dependence, ops: Table, loop: Instr, families: Sequence[Family]) -> None:
        self.structure, self.loop, self.families = dependence.structure, loop, families
        self.choices = Choices(dependence, loop)
        self.body = loop.regions[-1]
        self.fixed = len(loop.operands) - len(self.body.yields)
        self.b = Builder(ops)
        self.family: dict[Value, Family] = {}
        self.record: dict[Value, tuple[Value, ...]] = {}
        self.records: list[tuple[Family, tuple[int, ...]]] = [(f, r) for f in families for r in f.records()]
        self.extra: list[Value] = []  # parameters of the body that carry the records
        for family, members in self.records:
            name = self.body.params[members[0] + 1].hint
            fresh = tuple(Value(t, f"turn of {name}" if name else "") for t in family.types())
            self.extra += fresh
            ends = frozenset(self.body.params[k + 1] for k in family.members)
            lead = members[0]
            for value in self.choices.tree(self.body.yields[lead], ends):
                self.family[value] = family
            self.record[self.body.params[lead + 1]] = fresh
            self.family[self.body.params[lead + 1]] = family

    def function(self) -> Function:
        function = self.structure.function
        return function.with_region(self.around(function.region))

    def around(self, region: Region) -> Region:
        """`region` with the loop replaced, which it holds somewhere."""
        body: list[Instr] = []
        for instr in region.body:
            if instr is self.loop:
                body += self.replacement()
            elif any(self.structure.inside(self.structure.home[self.loop], r) for r in instr.regions):
                body.append(instr.with_regions(tuple(self.around(r) if self.holds(r) else r for r in instr.regions)))
            else:
                body.append(instr)
        return Region(region.params, tuple(body), region.yields)

    def holds(self, region: Region) -> bool:
        return self.structure.inside(self.structure.home[self.loop], region)

    def replacement(self) -> tuple[Instr, ...]:
        b, loop = self.b, self.loop
        b.span = loop.span
        starts = [v for family, members in self.records for v in self.start(family, members)]
        with b.region((*self.body.params, *self.extra)) as opened:
            self.block(self.body)
            ends = [w for f, members in self.records for w in self.recorded(f, self.body.yields[members[0]])]
            opened.yields = (*self.body.yields, *ends)
        regions = [opened.region]
        if loop.op == "while":
            test = loop.regions[0]
            unused = tuple(Value(v.type, v.hint) for v in self.extra)
            regions.insert(0, Region((*test.params, *unused), test.body, test.yields))
        count = len(self.body.yields)
        replaced = {k for f in self.families for k in f.members}
        carried = tuple(Value(r.type, r.hint) if k in replaced else r for k, r in enumerate(loop.results[:count]))
        finals = tuple(Value(v.type, v.hint) for v in self.extra)
        results = (*carried, *finals, *loop.results[count:])
        b.append(Instr(loop.op, (*loop.operands, *starts), results, loop.attrs, tuple(regions), loop.span))
        left = list(finals)
        for family, members in self.records:
            size = len(family.types())
            chosen = self.chosen(family, left[:size])
            left = left[size:]
            for k, source in zip(members, chosen, strict=True):
                b.append(Instr("attach", (carried[k], source), (loop.results[k],), {}, (), loop.span))
        return b.finish((), ()).body

    # In the loop

    def start(self, family: Family, members: tuple[int, ...]) -> list[Value]:
        """The record of an initial value."""
        number = 0 if family.together else family.members.index(members[0])
        return [self.b.const(number), *(zero(self.b, t) for t in family.types()[1:])]

    def block(self, region: Region) -> None:
        for instr in region.body:
            self.b.span = instr.span
            found = [v for v in instr.results if v in self.family]
            if found and instr.op == "if":
                self.branch(instr, found)
                continue
            self.b.append(instr)
            for value in found:
                self.record[value] = self.decided(instr, value)

    def branch(self, instr: Instr, found: Sequence[Value]) -> None:
        regions = []
        for region in instr.regions:
            with self.b.region() as opened:
                self.block(region)
                yields = [region.yields[instr.results.index(v)] for v in found]
                records = [w for v, y in zip(found, yields, strict=True) for w in self.recorded(self.family[v], y)]
                opened.yields = (*region.yields, *records)
            regions.append(opened.region)
        more: list[Value] = []
        for value in found:
            self.record[value] = tuple(Value(t) for t in self.family[value].types())
            more += self.record[value]
        self.b.append(replace(instr, results=(*instr.results, *more), regions=tuple(regions)))

    def decided(self, instr: Instr, value: Value) -> tuple[Value, ...]:
        """The record of a choice that is one instruction."""
        b, family = self.b, self.family[value]
        first, *rest = (self.recorded(family, v) for v in self.choices.options(value))
        if not rest:
            return first
        taken = b.emit(CHOICES[instr.op], *instr.operands) if instr.op in CHOICES else instr.operands[0]
        return tuple(x if x is y else b.emit("select", taken, x, y) for x, y in zip(first, rest[0], strict=True))

    def recorded(self, family: Family, value: Value) -> tuple[Value, ...]:
        """The record of a value: that of a choice or of what is carried, or a new one of a value of this iteration."""
        if value in self.record and self.family[value] is family:
            return self.record[value]
        b, numbers = self.b, {s.values[0]: j for j, s in enumerate(family.sources) if j >= len(family.records())}
        number = numbers[value]
        source = family.sources[number]
        iterations = b.emit("mul", self.body.params[0], b.const(2 ** family.bits()), exact=True)
        saved = (v if v in source.saved else zero(b, v.type) for v in family.saved())
        return (b.emit("add", iterations, b.const(number), exact=True), *saved)

    # After the loop

    def chosen(self, family: Family, record: Sequence[Value]) -> tuple[Value, ...]:
        """What was chosen last, computed again."""
        b, bits = self.b, family.bits()
        names = dict(zip(family.saved(), record[1:], strict=True))
        names[self.body.params[0]] = b.emit("shr", record[0], b.const(bits), exact=True)
        number = b.emit("bitand", record[0], b.const(2**bits - 1))
        return self.switch(number, names, list(enumerate(family.sources))[::-1])

    def switch(
        self, number: Value, names: Mapping[Value, Value], left: list[tuple[int, Candidate]]
    ) -> tuple[Value, ...]:
        """The source with this number, among those that are left; `names` are those of the iteration that chose it."""
        b, ((here, source), *others) = self.b, left
        if not others:
            return self.again(source, names)
        with b.region() as same:
            same.yields = self.again(source, names)
        with b.region() as other:
            other.yields = self.switch(number, names, others)
        types = [v.type for v in source.values]
        return b.emit_many("if", (b.emit("eq", number, b.const(here)),), {}, (same.region, other.region), types)

    def again(self, source: Candidate, names: Mapping[Value, Value]) -> tuple[Value, ...]:
        copy = substitute(Region((), source.instrs, source.values), dict(names))
        for instr in copy.body:
            self.b.append(instr)
        return copy.yields


def zero(b: Builder, type_: Type) -> Value:
    assert isinstance(type_, Scalar)
    return b.const(False if type_ == BOOL else 0, type_)
