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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from adcore.analysis.activity import ActivityFacts, activity_of, depending_on
from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, free_values, substitute, walk
from adcore.ir.types import BOOL, I64, Scalar, Type, is_float
from adcore.ops import Table

CHOICES = {"minimum": "le", "maximum": "ge"}
"""The comparison by which the first operand is chosen: that of the derivative's rule, ties and NaN included."""

MOST_PATHS = 64
"""Ways through the choices of one iteration: beyond that, it is not a running maximum, and code would explode."""

MOST_SAVED = 8
"""Integers that may be remembered beside the iteration."""


def next_selection(dependence: Dependence, active: ActivityFacts, ops: Table) -> Function | None:
    """The function with the selections of one more loop tracked; None if no loop with active ones is left.

    Inner loops come first: what they choose is a value of one iteration of the loops around them.
    """
    for loop in reversed(dependence.structure.instructions()):
        if loop.op in ("for", "while"):
            families = _SelectionSearch(dependence, active, ops, loop).families()
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


def lower_attach(function: Function) -> Function:
    """The function with every `attach` replaced by its value: for code that is not differentiated any further."""
    return function.with_region(_without_attach(function.region, {}))


def _without_attach(region: Region, names: dict[Value, Value]) -> Region:
    body = []
    for instr in region.body:
        operands = tuple(names.get(v, v) for v in instr.operands)
        if instr.op == "attach":
            names[instr.result] = operands[0]
            continue
        regions = tuple(_without_attach(nested, names) for nested in instr.regions)
        body.append(instr.with_operands(operands).with_regions(regions))
    return region.with_body(body, tuple(names.get(v, v) for v in region.yields))


@dataclass(frozen=True, eq=False)
class _Candidate:
    """What may be chosen in a iteration, one value per member; `instrs` compute them from the loop's counter, from what
    is known outside of the loop, and from the integers `saved`."""

    values: tuple[Value, ...]
    instrs: tuple[Instr, ...] = ()
    saved: tuple[Value, ...] = ()


@dataclass(frozen=True, eq=False)
class _Family:
    """Carried positions whose choices are numbered together: either `members` that are always chosen together (one
    record for all), or such that pass to each other (one record each). `sources[j]` is choice number j; the first
    ones are the initial values: one for all, or one each."""

    members: tuple[int, ...]
    together: bool
    sources: tuple[_Candidate, ...]

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


class _Choices:
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
        return [v for v, count in paths.items() if count and v not in ends] if paths[value] <= MOST_PATHS else []

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


class _SelectionSearch:
    """Finds the families of one loop."""

    def __init__(self, dependence: Dependence, active: ActivityFacts, ops: Table, loop: Instr) -> None:
        self.dependence, self.structure, self.ops, self.loop = dependence, dependence.structure, ops, loop
        self.active = active
        self.choices = _Choices(dependence, loop)
        self.body = self.choices.body
        self.inits = loop.operands[len(loop.operands) - len(self.body.yields) :]
        self._plain: dict[Value, bool] = {}
        self.stores = [i for r in loop.regions for i in walk(r) if i.op in ops.writers]

    def families(self) -> list[_Family]:
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

    def source(self, values: tuple[Value, ...]) -> _Candidate | None:
        """`values` as something that can be computed after the loop; None if they cannot."""
        instrs: dict[Instr, None] = {}
        saved: dict[Value, None] = {}
        if all(self.collect(v, instrs, saved) for v in values) and len(saved) <= MOST_SAVED:
            return _Candidate(values, tuple(map(_unchecked, instrs)), tuple(saved))
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

    def family(self, members: tuple[int, ...], ends: frozenset[Value]) -> _Family:
        own = frozenset(self.body.params[k + 1] for k in members)
        leaves = []
        for k in members:
            value = self.body.yields[k]
            leaves.append([v for v in self.choices.leaves(value, self.choices.tree(value, own)) if v not in own])
        together = len({self.shape(k) for k in members}) == 1
        if together:
            choices = list(dict.fromkeys(zip(*leaves, strict=True)))
            first = [_Candidate(tuple(self.inits[k] for k in members))]
        else:
            choices = list(dict.fromkeys((v,) for found in leaves for v in found))
            first = [_Candidate((self.inits[k],)) for k in members]
        sources = [self.source(values) for values in choices]
        return _Family(members, together, (*first, *(s for s in sources if s is not None)))


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


class _Rewriting:
    """Builds the function in which one loop remembers its choices."""

    def __init__(self, dependence: Dependence, ops: Table, loop: Instr, families: Sequence[_Family]) -> None:
        self.structure, self.loop, self.families = dependence.structure, loop, families
        self.choices = _Choices(dependence, loop)
        self.body = loop.regions[-1]
        self.fixed = len(loop.operands) - len(self.body.yields)
        self.b = Builder(ops)
        self.family: dict[Value, _Family] = {}
        self.record: dict[Value, tuple[Value, ...]] = {}
        self.records: list[tuple[_Family, tuple[int, ...]]] = [(f, r) for f in families for r in f.records()]
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

    def start(self, family: _Family, members: tuple[int, ...]) -> list[Value]:
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

    def recorded(self, family: _Family, value: Value) -> tuple[Value, ...]:
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

    def chosen(self, family: _Family, record: Sequence[Value]) -> tuple[Value, ...]:
        """What was chosen last, computed again."""
        b, bits = self.b, family.bits()
        names = dict(zip(family.saved(), record[1:], strict=True))
        names[self.body.params[0]] = b.emit("shr", record[0], b.const(bits), exact=True)
        number = b.emit("bitand", record[0], b.const(2**bits - 1))
        return self.switch(number, names, list(enumerate(family.sources))[::-1])

    def switch(
        self, number: Value, names: Mapping[Value, Value], left: list[tuple[int, _Candidate]]
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

    def again(self, source: _Candidate, names: Mapping[Value, Value]) -> tuple[Value, ...]:
        copy = substitute(Region((), source.instrs, source.values), dict(names))
        for instr in copy.body:
            self.b.append(instr)
        return copy.yields


def zero(b: Builder, type_: Type) -> Value:
    assert isinstance(type_, Scalar)
    return b.const(False if type_ == BOOL else 0, type_)
