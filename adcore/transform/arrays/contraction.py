"""Local arrays lose the dimensions that they don't need, after the loops that fill and read them were joined.

    %t: array<f64,1,C> = alloc %n [element='f64']
    for 0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      store %v, %t, %i
      yield
    }
    for 0, %n [step=1] {
    (%j: i64):
      %w: f64 = load %t, %j
      store %w, %y, %j
      yield
    }
->
    %1: bool = ge %n, 0
    check %1 [error='ValueError', message='negative dimensions are not allowed']
    for 0, %n [step=1] {
    (%i: i64):
      %t: array<f64,0,C> = alloc [element='f64']
      %v: f64 = load %x, %i
      store %v, %t
      %w: f64 = load %t
      store %w, %y, %i
      yield
    }

A dimension goes where its subscript is one value in each run of the region that holds all accesses, and no run reads
what another one stored: array contraction (V. Sarkar and G. Gao, "Optimization of array accesses by collective loop
transformations", ICS 1991). Loops are joined level by level, only as far as it takes that: a program without local
arrays, or with such as have to be whole, is left alone. `mem2reg` then takes those without dimensions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from adcore.analysis.affine.forms import Atom
from adcore.analysis.affine.ordering import is_size
from adcore.analysis.structure import Structure
from adcore.ir.builder import Builder
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import ArrayType
from adcore.ops import Table
from adcore.transform.arrays.local_arrays import LocalArray, without_views
from adcore.transform.arrays.loop_fusion import AnalysedFunction, join_all


def contract(program: AnalysedFunction) -> tuple[AnalysedFunction, frozenset[Value]]:
    """The program with its local arrays as small as they get, and those that are smaller now."""
    smaller: set[Value] = set()
    tried: set[Value] = set()
    while (local := _next(program, tried)) is not None:
        tried.add(local.root)
        found = _contracted(program, local)
        if found is not None:
            program, root = found
            smaller = {root, *smaller} - {local.root}
            tried = {local.root for local in program.local_arrays if not local.alloc.operands}
    return program, frozenset(smaller)


def _next(program: AnalysedFunction, tried: set[Value]) -> LocalArray | None:
    return next((o for o in program.local_arrays if o.root not in tried and o.alloc.operands), None)


def _contracted(program: AnalysedFunction, local: LocalArray) -> tuple[AnalysedFunction, Value] | None:
    """The program with a smaller array in the place of `local`, and that array; None if it has to stay as it is."""
    if local.views:
        if _stays_as_it_is(program, local):
            return None
        program = program.changed(without_views(program.facts, local, program.ops))
    while True:
        (local,) = (o for o in program.local_arrays if o.root is local.root)
        if not local.accesses:
            return None
        region = region_of_all(program.facts, local.accesses)
        found = contraction_of(program, local)
        if found is not None:
            contracted, (small,) = contracted_at_once(program, [found])
            return contracted, small
        holders = dict.fromkeys(program.facts.ancestor(i, region) for i in local.accesses)
        loops = [i for i in holders if i is not None and i.op == "for"]
        if len(loops) < len(holders) or not may_get_smaller(program, local, region):
            return None
        step = join_all(program, region, loops)
        if step is None:
            return None
        program = step


def _stays_as_it_is(program: AnalysedFunction, local: LocalArray) -> bool:
    """Whether that can be told through the views already: the program need not be rebuilt without them then."""
    if not local.accesses:
        return True
    region = region_of_all(program.facts, local.accesses)
    if any(None in program.dependence.access(i).subscripts for i in local.accesses):
        return False
    if _fixed_subscripts(program, local, region):
        return False
    holders = dict.fromkeys(program.facts.ancestor(i, region) for i in local.accesses)
    joinable = all(i is not None and i.op == "for" for i in holders)
    return not joinable or not may_get_smaller(program, local, region)


def region_of_all(facts: Structure, instrs: Iterable[Instr]) -> Region:
    """The innermost region that holds all of `instrs`."""
    first, *rest = (facts.chain(facts.home[i]) for i in instrs)
    shared = [region for region in first if all(region in chain for chain in rest)]
    return shared[0]


def _fixed_subscripts(program: AnalysedFunction, local: LocalArray, region: Region) -> list[int]:
    """The dimensions whose subscript is the same value wherever the array is touched in one run of `region`."""
    chain = program.facts.chain(region)
    accesses = [program.dependence.access(i) for i in local.accesses]

    def is_fixed(axis: int) -> bool:
        forms = [access.subscripts[axis] for access in accesses]
        atoms = [atom for atom in forms[0] or {} if isinstance(atom, Value)]
        return all(form == forms[0] for form in forms) and all(program.facts.home[a] in chain for a in atoms)

    return [axis for axis in range(len(local.alloc.operands)) if is_fixed(axis)]


def may_get_smaller(program: AnalysedFunction, local: LocalArray, region: Region) -> bool:
    """Whether some dimension would have one subscript if all loops were joined, which is cheaper than joining them."""
    depth = program.facts.depth(region)
    shapes: list[set[frozenset[tuple[Atom, int]] | None]] = [set() for _ in local.alloc.operands]
    for access in map(program.dependence.access, local.accesses):
        counters = [loop.regions[-1].params[0] for loop in access.loops[depth:]]
        level: dict[Atom, Atom] = {counter: k for k, counter in enumerate(counters, start=2)}  # 1 is the constant
        for seen, form in zip(shapes, access.subscripts, strict=True):
            seen.add(None if form is None else frozenset((level.get(a, a), c) for a, c in form.items()))
    return any(len(seen) == 1 and None not in seen for seen in shapes)


def _starts_afresh(program: AnalysedFunction, local: LocalArray, region: Region) -> bool:
    """Whether a run of `region` reads only what it stored itself, or what nothing stored."""
    facts, dependence = program.facts, program.dependence
    levels = range(facts.depth(facts.home[local.root]) + 1, facts.depth(region) + 1)

    def comes_from_elsewhere(load: Instr) -> bool:
        return any(dependence.carried(store, load, level) for store in local.writes for level in levels)

    reads = [i for i in local.accesses if i.op not in program.ops.stores]
    return not levels or all(stored_before(program, local, load) or not comes_from_elsewhere(load) for load in reads)


def stored_before(program: AnalysedFunction, local: LocalArray, load: Instr) -> bool:
    """Whether a store to the very element always runs before `load`, later than any loop that both stand in."""
    facts, dependence = program.facts, program.dependence
    around = facts.chain(facts.home[load])
    earlier = (i for i in local.writes if i.op in program.ops.stores and facts.number[i] < facts.number[load])
    return any(facts.home[i] in around and dependence.certainly_same(i, load) for i in earlier)


@dataclass(frozen=True, eq=False)
class Contraction:
    """An array that loses the dimensions `gone`, as it is made anew in each run of `region`."""

    local: LocalArray
    region: Region
    gone: tuple[int, ...]


def contraction_of(program: AnalysedFunction, local: LocalArray) -> Contraction | None:
    """How the array gets smaller where the loops stand that touch it, which they do without views; None if it can't."""
    region = region_of_all(program.facts, local.accesses)
    fixed = _fixed_subscripts(program, local, region)
    return Contraction(local, region, tuple(fixed)) if fixed and _starts_afresh(program, local, region) else None


def contracted_at_once(
    program: AnalysedFunction, found: Sequence[Contraction]
) -> tuple[AnalysedFunction, frozenset[Value]]:
    """The program with all these arrays smaller, and the new arrays."""
    changed: dict[Instr, list[Instr]] = {}
    begins: dict[Region, list[Instr]] = {}
    made: list[Value] = []
    for each in found:
        local, gone = each.local, each.gone
        type_ = local.root.type
        assert isinstance(type_, ArrayType)
        small = Value(ArrayType(type_.element, type_.rank - len(gone), "C"), local.root.hint)
        kept = [n for axis, n in enumerate(local.alloc.operands) if axis not in gone]
        alloc = replace(local.alloc, operands=tuple(kept), results=(small,))
        changed.update((i, _smaller(program.ops, i, small, gone)) for i in local.accesses)
        changed[local.alloc] = size_checks(program, local.alloc, gone)
        if each.region is program.facts.home[local.root]:
            changed[local.alloc].append(alloc)
        else:
            begins.setdefault(each.region, []).insert(0, alloc)
        made.append(small)

    def edit(region: Region) -> Region:
        body = list(begins.get(region, ()))
        for instr in region.body:
            body += changed.get(instr) or [instr.with_regions(tuple(map(edit, instr.regions)))]
        return region.with_body(body)

    return program.changed(program.function.with_region(edit(program.function.region))), frozenset(made)


def _smaller(ops: Table, access: Instr, array: Value, gone: Collection[int]) -> list[Instr]:
    kept = [v for axis, v in enumerate(ops.subscripts(access)) if axis not in gone]
    return [ops.redirected(access, array, kept)]


def size_checks(program: AnalysedFunction, alloc: Instr, axes: Iterable[int]) -> list[Instr]:
    """What an allocation says of sizes that may be negative, for dimensions that are allocated no more."""
    b = Builder(program.ops)
    b.span = alloc.span
    for axis in axes:
        size = alloc.operands[axis]
        if not is_size(size, program.facts.definition):
            error = {"error": "ValueError", "message": "negative dimensions are not allowed"}
            b.emit_many("check", (b.emit("ge", size, b.const(0)),), error)
    return list(b.finish((), ()).body)
