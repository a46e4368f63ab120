"""What a full array of the program's own holds is computed where it is read, if that is cheap.

    %t: array<f64,1,C> = alloc %n [element='f64']
    for 0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      %u: f64 = mul %v, 2.0
      store %u, %t, %i
      yield
    }
    for 1, %n [step=1] {
    (%j: i64):
      %h: i64 = sub %j, 1 [exact=True]
      %w: f64 = load %t, %j
      %z: f64 = load %t, %h
      %r: f64 = mul %w, %z
      store %r, %y, %j
      yield
    }
->
    %0: bool = ge %n, 0
    check %0 [error='ValueError', message='negative dimensions are not allowed']
    for 1, %n [step=1] {
    (%j: i64):
      %h: i64 = sub %j, 1 [exact=True]
      %v: f64 = load %x, %j
      %u: f64 = mul %v, 2.0
      %v.1: f64 = load %x, %h
      %u.1: f64 = mul %v.1, 2.0
      %r: f64 = mul %u, %u.1
      store %r, %y, %j
      yield
    }

Each element is then computed once for each different subscript that reads it, never more often than that: the loops
around a load count no more elements than the array has. Nothing between may store to what the elements are made of,
and every element that is read must have been stored. (P. Briggs, K. D. Cooper and L. Torczon, "Rematerialization", PLDI
1992, for registers; here the array goes whole or not at all.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adcore.analysis.affine.forms import Atom, Form, plus, scaled
from adcore.analysis.affine.ordering import may_stop
from adcore.analysis.affine.ranges import Ranges, ranges_of
from adcore.analysis.structure import Structure
from adcore.ir.builder import Builder
from adcore.ir.core import Instr, Region, Value, edited, renamed
from adcore.ir.types import I64
from adcore.machine_model import MODEL
from adcore.transform.arrays.contraction import region_of_all, size_checks
from adcore.transform.arrays.local_arrays import LocalArray, without_views
from adcore.transform.arrays.loop_fusion import AnalysedFunction
from adcore.transform.loop_building import emit_form


def rematerialise(program: AnalysedFunction, small: frozenset[Value]) -> AnalysedFunction:
    """The program without the full arrays that are cheap to compute where they are read. Those in `small` take no room
    worth speaking of: they go only if that costs nothing."""
    tried: set[Value] = set()
    while (local := next((o for o in program.local_arrays if o.root not in tried), None)) is not None:
        tried.add(local.root)
        changed = _without(program, local, 0.0 if local.root in small else MODEL.most_recomputed)
        program = program if changed is None else changed
    return program


@dataclass(frozen=True, eq=False)
class Definition:
    """The only store to an array, in a plain nest that runs before all loads in each run of `region`.

    It gives the element (counter + offset, ...) its value, which `instrs` compute; `counters` and `offsets` stand in
    the order of the dimensions, `loops` from the outermost to the innermost.
    """

    store: Instr
    region: Region
    loops: tuple[Instr, ...]
    counters: tuple[Value, ...]
    offsets: tuple[int, ...]
    instrs: tuple[Instr, ...]


def _without(program: AnalysedFunction, local: LocalArray, most_work: float) -> AnalysedFunction | None:
    """The program without the array `local`; None if that is not allowed or too dear."""
    program = program.changed(without_views(program.facts, local, program.ops)) if local.views else program
    (local,) = (o for o in program.local_arrays if o.root is local.root)
    found = _definition(program, local)
    if found is None or not _is_cheap(program, local, found, most_work):
        return None
    ranges = ranges_of(program.function, program.ops)
    if not all(_is_stored(program, ranges, found, load) for load in local.loads):
        return None
    if not _reads_the_same(program, local, found):
        return None
    writer = _Rematerialiser(program, found)
    changed: dict[Instr, list[Instr]] = {found.store: []}
    names: dict[Value, Value] = {}
    for load in local.loads:
        changed[load], names[load.result] = writer.again(load)
    changed[local.alloc] = size_checks(program, local.alloc, range(len(local.alloc.operands)))
    region = renamed(edited(program.function.region, lambda i: changed.get(i, [i])), names)
    return program.changed(program.function.with_region(region))


# What the array holds


def _definition(program: AnalysedFunction, local: LocalArray) -> Definition | None:
    """How the elements are computed; None if there is more to it than one expression of loads and counters."""
    facts = program.facts
    if (
        len(local.writes) != 1
        or local.writes[0].op not in program.ops.stores
        or not local.loads
        or not local.alloc.operands
    ):
        return None
    (store,) = local.writes
    region = region_of_all(facts, local.accesses)
    loops = _plain_loops(facts, store, region)
    instrs = _expression(program, store, region)
    if not loops or instrs is None or not all(_comes_later(facts, region, store, load) for load in local.loads):
        return None
    places = _places(program, store, loops)
    return None if places is None else Definition(store, region, loops, *places, instrs)


def _plain_loops(facts: Structure, instr: Instr, region: Region) -> tuple[Instr, ...]:
    """The loops between `region` and `instr`, outermost first; none if there is anything else between."""
    owners = [facts.owner[r] for r in reversed(facts.chain(facts.home[instr])) if facts.inside(r, region)][1:]
    plain = all(o is not None and o.op == "for" and o.attrs["step"] == 1 for o in owners)
    return tuple(o for o in owners if o is not None) if plain else ()


def _comes_later(facts: Structure, region: Region, store: Instr, load: Instr) -> bool:
    return facts.position_in(region, store) < facts.position_in(region, load)


def _places(
    program: AnalysedFunction, store: Instr, loops: Sequence[Instr]
) -> tuple[tuple[Value, ...], tuple[int, ...]] | None:
    """For each dimension the loop variable that runs along it, and what is added to it."""
    counters = {loop.regions[0].params[0] for loop in loops}
    found: list[Value] = []
    offsets: list[int] = []
    for form in program.dependence.access(store).subscripts:
        variables = [a for a in form or {} if isinstance(a, Value)]
        if form is None or len(variables) != 1 or variables[0] not in counters or form[variables[0]] != 1:
            return None
        found.append(variables[0])
        offsets.append(form.get(1, 0))
    return (tuple(found), tuple(offsets)) if len(found) == len(set(found)) == len(loops) else None


def _expression(program: AnalysedFunction, store: Instr, region: Region) -> tuple[Instr, ...] | None:
    """What computes the stored value inside `region`, in order; None if it takes more than loads and loop variables."""
    facts, around, ops = program.facts, program.facts.chain(region), program.ops
    needed, found = [ops.stored(store)], dict[Instr, None]()
    for value in needed:
        if facts.home[value] in around:
            continue
        instr = facts.definition.get(value)
        if instr is None:
            owner = facts.owner[facts.home[value]]
            if owner is None or owner.op != "for" or value is not owner.regions[0].params[0]:
                return None
        elif instr not in found:
            if not ops[instr.op].pure or instr.op in ops.bulk or may_stop(instr, ops, facts.definition):
                return None
            if instr.op in ops.loads and program.dependence.root(ops.array(instr)) is ops.array(store):
                return None
            found[instr] = None
            needed += instr.operands
    return tuple(sorted(found, key=facts.number.__getitem__))


# What it costs


def _is_cheap(program: AnalysedFunction, local: LocalArray, found: Definition, most_work: float) -> bool:
    """Whether no load runs more often than the array has elements, and computing them again costs at most so much."""
    if not all(_counts_elements(program, found, load) for load in local.loads):
        return False
    access = program.dependence.access
    again = len({(access(load).loops, access(load).key) for load in local.loads}) - 1
    costs = {i: program.ops[i.op].cost for i in found.instrs if i.result.type != I64}
    stays = _needed_anyway(program.facts, found)
    repeated = [cost * (again + (i in stays)) for i, cost in costs.items()]
    return sum(repeated) <= most_work and all(costs[i] < MODEL.dear for i in costs if again or i in stays)


def _needed_anyway(facts: Structure, found: Definition) -> set[Instr]:
    """What of the expression is computed where it stood in any case, for other uses."""
    stays: set[Instr] = set()
    gone = {found.store, *found.instrs}
    for instr in reversed(found.instrs):
        if any(user not in gone or user in stays for user in facts.users.get(instr.result, ())):
            stays.add(instr)
    return stays


def _counts_elements(program: AnalysedFunction, found: Definition, load: Instr) -> bool:
    """Whether each of the loops around `load` runs along a dimension of its own."""
    subscripts = program.dependence.access(load).subscripts
    loops = program.dependence.access(load).loops[program.facts.depth(found.region) :]
    axes = [[axis for axis, form in enumerate(subscripts) if loop.regions[-1].params[0] in (form or {})]
            for loop in loops]  # fmt: skip
    return None not in subscripts and all(axes) and len({a for along in axes for a in along}) == sum(map(len, axes))


# Whether it is the same


def _is_stored(program: AnalysedFunction, ranges: Ranges, found: Definition, load: Instr) -> bool:
    """Whether what `load` reads was stored for sure: its subscripts lie between the bounds of the loops that store."""
    facts, at = program.facts, _counters_at(program, found, load)
    outside, checked = facts.chain(found.region), _checked_before(program, ranges, load)
    for loop in found.loops:
        counter = at[loop.regions[0].params[0]]
        lows, highs = (ranges.bounds.limits(v, end) for v, end in zip(loop.operands, ("max", "min"), strict=False))
        atoms = (a for form in (*lows, *highs) for a in form if a != 1 and a not in at)
        if any(not isinstance(a, Value) or facts.home[a] not in outside for a in atoms):
            return False
        distances = [plus(counter, _moved(form, at), -1) for form in lows]
        distances += [plus(plus(_moved(form, at), counter, -1), {1: -1}) for form in highs]
        if not all(ranges.nonnegative(form, facts.home[load], checked) for form in distances):
            return False
    return True


def _checked_before(program: AnalysedFunction, ranges: Ranges, load: Instr) -> list[Form]:
    """What the checks say that run before `load`, as forms that are not negative."""
    facts = program.facts
    around = facts.chain(facts.home[load])
    checks = (i for i in facts.instructions() if i.op == "check" and facts.home[i] in around)
    rows = [row for i in checks if facts.number[i] < facts.number[load]
            for row in ranges.bounds.condition(i.operands[0], True)]  # fmt: skip
    return [form for form, _ in rows] + [scaled(form, -1) for form, is_equality in rows if is_equality]


def _counters_at(program: AnalysedFunction, found: Definition, load: Instr) -> dict[Atom, Form]:
    """What the loop variables were when the element that `load` reads was stored."""
    forms = program.dependence.access(load).subscripts
    return {counter: plus(form or {}, {1: -offset})
            for counter, offset, form in zip(found.counters, found.offsets, forms, strict=True)}  # fmt: skip


def _moved(form: Form, at: Mapping[Atom, Form]) -> Form:
    """`form` with forms in the place of loop variables."""
    total: Form = {atom: c for atom, c in form.items() if atom not in at}
    for atom, c in form.items():
        if atom in at:
            total = plus(total, at[atom], c)
    return total


def _reads_the_same(program: AnalysedFunction, local: LocalArray, found: Definition) -> bool:
    """Whether nothing that runs between the store and the loads writes what the stored values are made of."""
    facts, dependence = program.facts, program.dependence
    first = facts.position_in(found.region, found.store)
    last = max(facts.position_in(found.region, load) for load in local.loads)
    between = [program.ordering.effects(i) for i in found.region.body[first : last + 1]]
    if any(effects.opaque for effects in between):
        return False
    outside = facts.depth(found.region)
    writes = [i for effects in between for i in effects.accesses if i.op in program.ops.writers]
    pairs = program.ordering.conflicting([i for i in found.instrs if i.op in program.ops.loads], writes)
    return not any(level == 0 or level > outside for a, b in pairs for level in dependence.levels(a, b))


# Computing it again


class _Rematerialiser:
    """Emits a definition once more, for the place of a load. Subscripts are affine forms; one that the program has at
    that place already is taken as it is, so that equal elements are seen to be equal."""

    def __init__(self, program: AnalysedFunction, found: Definition) -> None:
        self.program, self.found = program, found
        self.around = program.facts.chain(found.region)
        self.known: dict[frozenset[tuple[Atom, int]], list[Value]] = {}
        for value in program.facts.home:
            if isinstance(value, Value) and value.type == I64:
                key = frozenset(program.dependence.affine.form(value).items())
                self.known.setdefault(key, []).append(value)

    def again(self, load: Instr) -> tuple[list[Instr], Value]:
        """The instructions that stand for `load`, and their result."""
        b, at = Builder(self.program.ops), _counters_at(self.program, self.found, load)
        names: dict[Value, Value] = {}

        def named(value: Value) -> Value:
            if self.program.facts.home[value] in self.around:
                return value
            if value not in names:
                form = self.program.dependence.affine.form(value)
                names[value] = self.of_form(b, _moved(form, at), load)
            return names[value]

        for instr in self.found.instrs:
            if self.is_affine(instr, at):
                continue
            b.span = instr.span
            operands = tuple(map(named, instr.operands))
            result = names[instr.result] = Value(instr.result.type, instr.result.hint)
            b.append(replace(instr, operands=operands, results=(result,)))
        b.span = load.span
        result = named(self.program.ops.stored(self.found.store))
        return list(b.finish((), ()).body), result

    def is_affine(self, instr: Instr, at: Mapping[Atom, Form]) -> bool:
        """Whether the result is an affine form of loop variables and of what is known outside."""
        if instr.result.type != I64:
            return False
        form, home = self.program.dependence.affine.form(instr.result), self.program.facts.home
        return all(a == 1 or a in at or (isinstance(a, Value) and home[a] in self.around) for a in form)

    def of_form(self, b: Builder, form: Form, load: Instr) -> Value:
        facts = self.program.facts
        here = facts.chain(facts.home[load])
        for value in self.known.get(frozenset(form.items()), ()):
            instr = facts.definition.get(value)
            if facts.home[value] in here and (instr is None or facts.number[instr] < facts.number[load]):
                return value
        return emit_form(b, form, lambda atom: atom)
