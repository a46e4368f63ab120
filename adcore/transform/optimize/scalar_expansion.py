"""Nests that may hold products of matrices, and how their parts come to hand each other everything through memory.

    for 0, %n [step=1] {
    (%i: i64):
      for 0, %n [step=1] {
      (%j: i64):
        %z: f64 = load %c, %i, %j
        %e: f64 = exp %z
        for 0, %n [step=1] {
        (%h: i64):
          %v: f64 = load %a, %i, %h
          %w: f64 = mul %v, %e
          accumulate %w, %b, %h, %j
          yield
        }
        yield
      }
      yield
    }
->
    %0: i64 = sub %n, 0 [exact=True]
    %2: i64 = maximum %0, 0
    %3: i64 = sub %n, 0 [exact=True]
    %4: i64 = maximum %3, 0
    %each_e: array<f64,2,C> = alloc %2, %4 [element='f64', role='scratch', zero=False]
    for 0, %n [step=1] {
    (%i: i64):
      for 0, %n [step=1] {
      (%j: i64):
        %z: f64 = load %c, %i, %j
        %e: f64 = exp %z
        %5: i64 = sub %i, 0 [exact=True]
        %6: i64 = sub %j, 0 [exact=True]
        store %e, %each_e, %5, %6
        %e.1: f64 = load %each_e, %5, %6
        for 0, %n [step=1] {
        (%h: i64):
          %v: f64 = load %a, %i, %h
          %w: f64 = mul %v, %e.1
          accumulate %w, %b, %h, %j
          yield
        }
        yield
      }
      yield
    }

Each part then stands on its own and can have a nest of its own. It is scalar expansion (D. Padua and M. Wolfe,
"Advanced compiler optimizations for supercomputers", CACM 29, 1986) of those scalars that one part computes and another
one takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.analysis.affine.ordering import is_size
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, renamed, walk
from adcore.ir.loops import emit_loop_nest
from adcore.ir.types import ArrayType, Scalar, is_float
from adcore.ops import Table
from adcore.transform.loop_building import iteration_number, trip_count


def may_hold_products(loop: Instr) -> bool:
    """Whether three loops stand directly in each other, with bounds from outside and a multiplication innermost."""
    chains = [
        (middle, inner)
        for middle in loop.regions[0].body
        if _steps_by_one(middle)
        for inner in middle.regions[0].body
        if _steps_by_one(inner) and _multiplies(inner)
    ]
    if not chains or not _steps_by_one(loop):
        return False
    inside = {v for i in walk(loop.regions[0]) for v in i.results}
    inside.update(p for i in walk(loop.regions[0]) for r in i.regions for p in r.params)
    inside.update(loop.regions[0].params)
    return any(inside.isdisjoint((*middle.operands[:2], *inner.operands[:2])) for middle, inner in chains)


def _steps_by_one(instr: Instr) -> bool:
    return instr.op == "for" and bool(instr.attrs["step"] == 1)


def _multiplies(loop: Instr) -> bool:
    body = loop.regions[0].body
    return not any(i.op in ("for", "while") for i in body) and any(
        i.op == "mul" and is_float(i.result.type) for i in body
    )


class ScalarExpansion:
    """What goes from one part of a nest to another goes through memory: then each part stands on its own.

    s = for k: ...; store s, c[i, j]; f(s)     ->     s = for k: ...; store s, c[i, j]; t = load c[i, j]; f(t)
    s = for k: ...; f(s)                       ->     s = for k: ...; store s, new[i, j]; t = load new[i, j]; f(t)
    x = exp(y); for k: f(x)                    ->     x = exp(y); store x, new[i, j]; t = load new[i, j]; for k: f(t)
    for i: row = zeros m; ...                  ->     for i: row = new[i]; for j: store 0, row[j]; ...

    An operand of a product that is computed from one other by multiplication alone need not be stored.
    """

    def __init__(self, function: Function, ops: Table) -> None:
        self.function, self.ops = function, ops
        self.nests: dict[Instr, Instr] = {}  # the changed nest -> the nest as it was
        self.made: dict[Instr, tuple[Instr, ...]] = {}  # the changed nest -> what makes its new arrays

    def region(self, region: Region) -> Region:
        """The region with its innermost candidates changed."""
        return region.with_body(tuple(new for i in region.body for new in self.instr(i)))

    def instr(self, instr: Instr) -> list[Instr]:
        """What takes the place of `instr`: new arrays stand before a nest."""
        if not instr.regions:
            return [instr]
        if any(may_hold_products(i) for region in instr.regions for i in walk(region) if i.op == "for"):
            return [instr.with_regions(tuple(map(self.region, instr.regions)))]
        if instr.op == "for" and may_hold_products(instr):
            made = ExpandedNest(self.function, self.ops, instr)
            self.nests[made.loop], self.made[made.loop] = instr, made.before
            return [*made.before, made.loop]
        return [instr]


class ExpandedNest:
    """One nest, changed; `before` makes its new arrays."""

    def __init__(self, function: Function, ops: Table, loop: Instr) -> None:
        self.ops, self.definition = ops, {r: i for i in walk(loop.regions[0]) for r in i.results}
        self.everything = {r: i for i in walk(function.region) for r in i.results}
        self.params = {p for i in (loop, *walk(loop.regions[0])) for r in i.regions for p in r.params}
        self.outside = Builder(ops)
        self.outside.span = loop.span
        self.loop = loop.with_regions((self.region(loop.regions[0], [loop]),))
        self.before = self.outside.finish((), ()).body

    def region(self, region: Region, loops: list[Instr]) -> Region:
        """The body of the innermost of `loops`."""
        b = Builder(self.ops)
        names: dict[Value, Value] = {}
        for position, original in enumerate(region.body):
            instr = renamed(Region((), (original,), ()), names).body[0] if names else original
            b.span = instr.span
            if instr.op in self.ops.allocs and self.is_spread(instr, loops):
                names[original.result] = self.spread(b, instr, loops)
                continue
            if instr.op == "for":
                instr = instr.with_regions((self.region(instr.regions[0], [*loops, instr]),))
            b.append(instr)
            rest = Region((), region.body[position + 1 :], region.yields)
            value = self.ops.stored(original) if instr.op in self.ops.stores else None
            if value is not None and value not in names and self.crosses(value, rest):
                names[value] = b.emit("load", self.ops.array(instr), *self.ops.subscripts(instr), hint=value.hint)
            for value in instr.results if self.is_counted(loops) else ():
                if self.crosses(value, rest) and not self.is_kept(value, rest):
                    names[value] = self.stored(b, value, loops)
        return Region(region.params, b.finish((), ()).body, tuple(names.get(v, v) for v in region.yields))

    def is_spread(self, alloc: Instr, loops: list[Instr]) -> bool:
        """Whether each iteration of the loops can have an array of its own."""
        sizes = all(v not in self.definition and is_size(v, self.everything) for v in alloc.operands)
        return sizes and self.is_counted(loops) and not alloc.attrs.get("packed")

    def spread(self, b: Builder, alloc: Instr, loops: list[Instr]) -> Value:
        """This iteration's part of an array for all iterations, cleared as the iteration's own would be."""
        counts = [trip_count(self.outside, loop) for loop in loops]
        type_ = alloc.result.type
        assert isinstance(type_, ArrayType)
        how = {"element": type_.element.name, "zero": False, "role": "scratch"}
        every = self.outside.emit("alloc", *counts, *alloc.operands, hint=f"each_{alloc.result.hint}", **how)
        place = [iteration_number(b, loop, loop.regions[0].params[0]) for loop in loops]
        whole = [v for n in alloc.operands for v in (b.const(0), n, b.const(1))]
        axes = "i" * len(place) + "s" * len(alloc.operands)
        part = b.emit("view", every, *place, *whole, hint=alloc.result.hint, axes=axes, whole=True)
        if alloc.attrs.get("zero"):
            zero = b.const(0.0 if type_.element.kind == "f" else 0, type_.element)

            def clear(inner: Builder, index: Sequence[Value]) -> None:
                inner.emit_many("store", (zero, part, *index), {})

            emit_loop_nest(b, part, clear)
        return part

    def is_counted(self, loops: list[Instr]) -> bool:
        """Whether it is known before the nest how often each of `loops`, at most two, will run."""
        bounds = (v for loop in loops for v in loop.operands[:2])
        return len(loops) <= 2 and not any(v in self.definition or v in self.params for v in bounds)

    def is_sum(self, value: Value) -> bool:
        """Whether `value` is what a loop of the nest carried, and no part of what a loop around it carries."""
        instr = self.definition.get(value)
        if instr is None or instr.op != "for" or not is_float(value.type):
            return False
        return instr.operands[2 + instr.results.index(value)] not in self.params

    def crosses(self, value: Value, rest: Region) -> bool:
        """Whether `value` has to go through memory on its way to the `rest` of its region."""
        instr = self.definition.get(value)
        if instr is None or not is_float(value.type):
            return False
        if instr.op == "for":
            return self.is_sum(value) and _is_used(value, rest)
        return not self.is_factor(value) and any(_is_used(value, r) for i in rest.body for r in i.regions)

    def is_kept(self, value: Value, rest: Region) -> bool:
        """Whether `value` goes to memory anyway before it is used for anything else, or at last."""
        first = next((i for i in rest.body if _is_used(value, Region((), (i,), ()))), None)
        if first is None or first.op not in self.ops.puts or self.ops.stored(first) is not value:
            return False
        later = Region((), rest.body[rest.body.index(first) + 1 :], rest.yields)
        return first.op in self.ops.stores or not _is_used(value, later)

    def is_factor(self, value: Value) -> bool:
        """Whether `value` is as good an operand as what is read from memory."""
        instr = self.definition.get(value)
        if instr is None:
            return value not in self.params
        if instr.op in self.ops.loads or instr.op == "const":
            return True
        twice = instr.op == "add" and instr.operands[0] is instr.operands[1]
        return (instr.op in ("mul", "neg") or twice) and all(map(self.is_factor, instr.operands))

    def stored(self, b: Builder, value: Value, loops: list[Instr]) -> Value:
        """`value` by way of a new array with an element for each iteration of the loops around it."""
        assert isinstance(value.type, Scalar)
        sizes = [trip_count(self.outside, loop) for loop in loops]
        how = {"element": value.type.name, "zero": False, "role": "scratch"}
        array = self.outside.emit("alloc", *sizes, hint=f"each_{value.hint}", **how)
        place = [iteration_number(b, loop, loop.regions[0].params[0]) for loop in loops]
        b.emit_many("store", (value, array, *place), {})
        return b.emit("load", array, *place, hint=value.hint)


def _is_used(value: Value, region: Region) -> bool:
    """Whether something in `region` takes `value`."""
    nested = (r for i in walk(region) for r in i.regions)
    users = any(value in i.operands for i in walk(region))
    return users or value in region.yields or any(value in r.yields for r in nested)
