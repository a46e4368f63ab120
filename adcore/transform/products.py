"""Nests that multiply matrices are taken apart into one nest a product, where they are long enough to gain by it.

    for i: for j:                                   if there are enough of i, j, k:
      x = load dc[i, j]                                 for i: for j: for k: da[i, k] += b[k, j] * dc[i, j]  [product]
      store 0, dc[i, j]                       ->        for i: for j: for k: db[k, j] += a[i, k] * dc[i, j]  [product]
      for k: da[i, k] += b[k, j] * x                    for i: for j: store 0, dc[i, j]
             db[k, j] += a[i, k] * x                else: the nest as it was

What a nest does (each store, each accumulation, each sum that it carries) is distributed over copies of the nest in an
order that keeps every dependence; what must stay together does (R. Allen and K. Kennedy, "Automatic translation of
Fortran programs to vector form", TOPLAS 9, 1987). The loops stay loops. Those marked `product` mean what they meant,
and lowering may take faster code for them. This comes after differentiation and after all passes that fuse loops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from adcore.analysis.affine import known, plus
from adcore.analysis.dependence import ACCESSES, AliasClasses, Dependence
from adcore.analysis.products import MARK, product_of
from adcore.analysis.structure import structure
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, substitute, walk
from adcore.ir.products import Product
from adcore.ir.types import ArrayType, Scalar, is_float
from adcore.ops import Table
from adcore.transform.deadcode import eliminate_dead_code
from adcore.transform.loops import emit_loop_nest, iteration_number, trip_count
from adcore.transform.simplify import simplify

ENOUGH = 10
"""Turns of each loop from which on the faster code is faster."""
LARGEST = 1 << 24
"""Elements that a new array may have: the nest as it was needs none, and may run where there is not so much memory."""
MOST_ACCESSES = 48
"""Loads and stores that a nest may have: every pair of them is tested."""


def separate_products(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with products in nests of their own; `groups` are the positions of parameters that may share
    memory."""
    if not any(_may_hold_products(i) for i in walk(function.region) if i.op == "for"):
        return function
    aliases = AliasClasses(tuple(tuple(group) for group in groups))
    reloading = _Reloading(function, ops)
    draft = replace(function, region=reloading.region(function.region))
    pass_ = _Separation(draft, ops, aliases)
    plans = {loop: plan for loop in reloading.nests if (plan := pass_.plan(loop)) is not None}
    if not plans:
        return function
    # What each group does is seen best where it stands alone.
    trial = _Rebuild(ops, plans, {}, {}).function(draft)
    alone = _Found(eliminate_dead_code(trial, ops), aliases)
    useful = {loop: joined for loop, plan in plans.items() if (joined := _joined(plan, alone))}
    if not useful:
        return function
    rebuilt = _Rebuild(ops, useful, reloading.nests, reloading.made).function(draft)
    return simplify(eliminate_dead_code(rebuilt, ops), ops)


Bounds = tuple[tuple[Value, Value], ...]


@dataclass(frozen=True, eq=False)
class _Group:
    """What one copy of a nest does: stores, accumulations and branches that hold some, and results of the loop."""

    effects: frozenset[Instr]
    results: frozenset[int]

    def __or__(self, other: _Group) -> _Group:
        return _Group(self.effects | other.effects, self.results | other.results)


@dataclass(frozen=True, eq=False)
class _Plan:
    """Groups in an order in which they may run one after the other; `products` has the bounds of the loops that each
    product depends on, as far as it is not known how long they are (None: no product)."""

    groups: tuple[_Group, ...]
    products: tuple[Bounds | None, ...] = ()

    @property
    def conditions(self) -> tuple[Bounds, ...]:
        """What has to be long enough, for one product or another."""
        return tuple(dict.fromkeys(bounds for bounds in self.products if bounds is not None))


# Candidates.


def _may_hold_products(loop: Instr) -> bool:
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


class _Reloading:
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
        return replace(region, body=tuple(new for i in region.body for new in self.instr(i)))

    def instr(self, instr: Instr) -> list[Instr]:
        """What takes the place of `instr`: new arrays stand before a nest."""
        if not instr.regions:
            return [instr]
        if any(_may_hold_products(i) for region in instr.regions for i in walk(region) if i.op == "for"):
            return [replace(instr, regions=tuple(map(self.region, instr.regions)))]
        if instr.op == "for" and _may_hold_products(instr):
            made = _Reloaded(self.function, self.ops, instr)
            self.nests[made.loop], self.made[made.loop] = instr, made.before
            return [*made.before, made.loop]
        return [instr]


class _Reloaded:
    """One nest, changed; `before` makes its new arrays."""

    def __init__(self, function: Function, ops: Table, loop: Instr) -> None:
        self.ops, self.definition = ops, {r: i for i in walk(loop.regions[0]) for r in i.results}
        self.sizes = {i.result for i in walk(function.region) if _is_size(i)}
        self.params = {p for i in (loop, *walk(loop.regions[0])) for r in i.regions for p in r.params}
        self.outside = Builder(ops)
        self.outside.span = loop.span
        self.loop = replace(loop, regions=(self.region(loop.regions[0], [loop]),))
        self.before = self.outside.finish((), ()).body

    def region(self, region: Region, loops: list[Instr]) -> Region:
        """The body of the innermost of `loops`."""
        b = Builder(self.ops)
        names: dict[Value, Value] = {}
        for position, original in enumerate(region.body):
            instr = _renamed(original, names)
            b.span = instr.span
            if instr.op == "alloc" and self.is_spread(instr, loops):
                names[original.result] = self.spread(b, instr, loops)
                continue
            if instr.op == "for":
                instr = replace(instr, regions=(self.region(instr.regions[0], [*loops, instr]),))
            b.append(instr)
            rest = Region((), region.body[position + 1 :], region.yields)
            value = original.operands[0] if instr.op == "store" else None
            if value is not None and value not in names and self.crosses(value, rest):
                names[value] = b.emit("load", *instr.operands[1:], hint=value.hint)
            for value in instr.results if self.is_counted(loops) else ():
                if self.crosses(value, rest) and not self.is_kept(value, rest):
                    names[value] = self.stored(b, value, loops)
        return Region(region.params, b.finish((), ()).body, tuple(names.get(v, v) for v in region.yields))

    def is_spread(self, alloc: Instr, loops: list[Instr]) -> bool:
        """Whether each turn of the loops can have an array of its own."""
        sizes = all(v in self.sizes and v not in self.definition for v in alloc.operands)
        return sizes and self.is_counted(loops) and not alloc.attrs.get("packed")

    def spread(self, b: Builder, alloc: Instr, loops: list[Instr]) -> Value:
        """This turn's part of an array for all turns, cleared as the turn's own would be."""
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
        """Whether it is known before the nest how often each of `loops`, at most two, will turn."""
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
        if first is None or first.op not in ("store", "accumulate") or first.operands[0] is not value:
            return False
        later = Region((), rest.body[rest.body.index(first) + 1 :], rest.yields)
        return first.op == "store" or not _is_used(value, later)

    def is_factor(self, value: Value) -> bool:
        """Whether `value` is as good an operand as what is read from memory."""
        instr = self.definition.get(value)
        if instr is None:
            return value not in self.params
        if instr.op in ("load", "const"):
            return True
        twice = instr.op == "add" and instr.operands[0] is instr.operands[1]
        return (instr.op in ("mul", "neg") or twice) and all(map(self.is_factor, instr.operands))

    def stored(self, b: Builder, value: Value, loops: list[Instr]) -> Value:
        """`value` by way of a new array with an element for each turn of the loops around it."""
        assert isinstance(value.type, Scalar)
        sizes = [trip_count(self.outside, loop) for loop in loops]
        how = {"element": value.type.name, "zero": False, "role": "scratch"}
        array = self.outside.emit("alloc", *sizes, hint=f"each_{value.hint}", **how)
        place = [iteration_number(b, loop, loop.regions[0].params[0]) for loop in loops]
        b.emit_many("store", (value, array, *place), {})
        return b.emit("load", array, *place, hint=value.hint)


def _is_size(instr: Instr) -> bool:
    """Whether the result is certainly no negative number."""
    return instr.op in ("dim", "count") or (instr.op == "const" and instr.attrs["value"] >= 0)


def _is_used(value: Value, region: Region) -> bool:
    """Whether something in `region` takes `value`."""
    nested = (r for i in walk(region) for r in i.regions)
    users = any(value in i.operands for i in walk(region))
    return users or value in region.yields or any(value in r.yields for r in nested)


def _renamed(instr: Instr, names: Mapping[Value, Value]) -> Instr:
    if not names:
        return instr
    regions = tuple(
        Region(r.params, tuple(_renamed(i, names) for i in r.body), tuple(names.get(v, v) for v in r.yields))
        for r in instr.regions
    )
    return replace(instr, operands=tuple(names.get(v, v) for v in instr.operands), regions=regions)


# Distribution.


@dataclass(eq=False)
class _Statement:
    """A group in the making: with it, the loads and stores that it takes, and the sums that loops carry for it."""

    group: _Group
    accesses: list[Instr] = field(default_factory=list)
    sums: set[tuple[Instr, int]] = field(default_factory=set)


class _Separation:
    def __init__(self, function: Function, ops: Table, aliases: AliasClasses) -> None:
        self.structure, self.ops = structure(function), ops
        self.dependence = Dependence(self.structure, aliases)

    def plan(self, loop: Instr) -> _Plan | None:
        """The groups of a nest, as small as they can be; None if it does what cannot be distributed."""
        (body,) = loop.regions
        if not all(self.is_plain(i) for i in walk(body)):
            return None
        if sum(i.op in ACCESSES for i in walk(body)) > MOST_ACCESSES:
            return None
        self.loop, self.level = loop, self.structure.depth(body)
        self.bounds = [v for i in walk(body) if i.op == "for" for v in i.operands[:2]]
        statements = self.sharing(self.statements(body))
        before = [[a is not b and self.precedes(a, b) for b in statements] for a in statements]
        groups = tuple(_ordered([s.group for s in statements], before))
        return _Plan(groups) if any(len(g.effects) == 1 and not g.results for g in groups) else None

    def is_plain(self, instr: Instr) -> bool:
        if instr.op == "if":
            return not (instr.results and self.acts(instr))
        if instr.op in ("for", "store", "accumulate"):
            return True
        op = self.ops[instr.op]
        raises = op.can_raise(tuple(v.type for v in instr.operands)) and not instr.attrs.get("exact")
        return op.pure and not raises

    def statements(self, body: Region) -> list[_Statement]:
        """Everything that the nest does, in program order."""
        found = [self.statement(_Group(frozenset({i}), frozenset()), self.needs(i)) for i in self.effects(body)]
        for k, value in enumerate(body.yields):
            found.append(self.statement(_Group(frozenset(), frozenset({k})), [value, body.params[k + 1]]))
        return found

    def effects(self, region: Region) -> list[Instr]:
        found = []
        for instr in region.body:
            if instr.op == "for":
                found += self.effects(instr.regions[0])
            elif instr.op in ("store", "accumulate") or (instr.op == "if" and self.acts(instr)):
                found.append(instr)
        return found

    def acts(self, branch: Instr) -> bool:
        return any(i.op in ("store", "accumulate") for region in branch.regions for i in walk(region))

    def needs(self, effect: Instr) -> list[Value]:
        inside = (i for region in effect.regions for i in walk(region))
        return [v for i in (effect, *inside) for v in i.operands]

    def statement(self, group: _Group, needed: list[Value]) -> _Statement:
        """The slice of the nest that computes what is `needed`."""
        found, seen, left = _Statement(group), set[Value](), [*needed, *self.bounds]
        for effect in group.effects:
            found.accesses += [i for i in (effect, *(j for r in effect.regions for j in walk(r))) if i.op in ACCESSES]
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
                found.accesses += [i for i in (instr, *inner) if i.op in ACCESSES]
                left += [v for i in (instr, *inner) for v in i.operands]
                left += [v for i in (instr, *inner) for r in i.regions for v in r.yields]
        return found

    def carried(self, param: Value, found: _Statement) -> list[Value]:
        """What a parameter of a loop's region needs."""
        region = self.structure.home[param]
        owner, k = self.structure.owner[region], region.params.index(param)
        if owner is None or owner.op != "for" or k == 0:
            return []
        return self.total(owner, k - 1, found)

    def total(self, loop: Instr, k: int, found: _Statement) -> list[Value]:
        found.sums.add((loop, k))
        return [loop.operands[2 + k], loop.regions[0].yields[k], loop.regions[0].params[k + 1]]

    def sharing(self, statements: list[_Statement]) -> list[_Statement]:
        """Statements that take the same sum stay together: it is not computed twice."""
        joined: list[_Statement] = []
        for statement in statements:
            apart = []
            for other in joined:
                if statement.sums & other.sums:
                    accesses = list(dict.fromkeys((*other.accesses, *statement.accesses)))
                    sums = other.sums | statement.sums
                    statement = _Statement(other.group | statement.group, accesses, sums)
                else:
                    apart.append(other)
            joined = [*apart, statement]
        return joined

    def precedes(self, first: _Statement, second: _Statement) -> bool:
        """Whether something of `first` has to run before something of `second`."""
        return any(
            self.keeps_order(a, b) for a in dict.fromkeys(first.accesses) for b in dict.fromkeys(second.accesses)
        )

    def keeps_order(self, a: Instr, b: Instr) -> bool:
        """Whether `b` may touch what `a` touched before, and the order shows."""
        if a is b or a.op == b.op == "load" or a.op == b.op == "accumulate":
            return False
        first, second = (self.dependence.access(i).root for i in (a, b))
        if not self.dependence.may_overlap(first, second):
            return False
        return any(level == 0 or level >= self.level for level in self.dependence.levels(a, b))


def _ordered(groups: list[_Group], before: list[list[bool]]) -> list[_Group]:
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


# The products among the groups.


class _Found:
    """The products of a function in which every group stands alone, by the group's number."""

    def __init__(self, function: Function, aliases: AliasClasses) -> None:
        dependence = Dependence(structure(function), aliases)
        marked = [i for i in walk(function.region) if i.op == "for" and MARK in i.attrs]
        self.affine = dependence.affine
        self.products = {i.attrs[MARK]: p for i in marked if (p := product_of(dependence, i)) and self.is_long(p)}

    def is_long(self, product: Product) -> bool:
        """Whether it may be worth it."""
        turns = [self.turns(loop.operands[:2]) for loop in product.loops]
        return all(n is None or n >= ENOUGH for n in turns)

    def open_bounds(self, product: Product) -> Bounds:
        """The bounds of those loops of which it is not known how long they are."""
        pairs = [(loop.operands[0], loop.operands[1]) for loop in product.loops]
        return tuple(pair for pair in pairs if self.turns(pair) is None)

    def turns(self, bounds: Sequence[Value]) -> int | None:
        lo, hi = bounds
        return known(plus(self.affine.form(hi), self.affine.form(lo), -1))


def _joined(plan: _Plan, alone: _Found) -> _Plan | None:
    """The plan with neighbours that are no products in one group; None if there is no product."""
    found = [alone.products.get(_number(group)) for group in plan.groups]
    every = dict.fromkeys(pair for product in found if product is not None for pair in alone.open_bounds(product))
    groups: list[_Group] = []
    products: list[Bounds | None] = []
    for group, product in zip(plan.groups, found, strict=True):
        if product is not None:
            own = alone.open_bounds(product)
            products.append(tuple(pair for pair in every if pair in own))  # the same loops in the same order
            groups.append(group)
        elif products and products[-1] is None:
            groups[-1] = groups[-1] | group
        else:
            products.append(None)
            groups.append(group)
    joined = _Plan(tuple(groups), tuple(products))
    return joined if joined.conditions else None


def _number(group: _Group) -> int:
    return id(group)


class _Rebuild:
    """Puts plans into effect. Without products (a trial), each group is a nest marked with its number."""

    def __init__(
        self,
        ops: Table,
        plans: Mapping[Instr, _Plan],
        originals: Mapping[Instr, Instr],
        made: Mapping[Instr, tuple[Instr, ...]],
    ) -> None:
        self.ops, self.plans, self.originals, self.made = ops, plans, originals, made
        self.new = {i for instrs in made.values() for i in instrs}

    def function(self, function: Function) -> Function:
        return replace(function, region=self.region(function.region))

    def region(self, region: Region) -> Region:
        body: list[Instr] = []
        for instr in region.body:
            if instr in self.new:
                continue
            if instr in self.plans:
                plan = self.plans[instr]
                body += self.chosen(instr, plan) if plan.products else self.apart(instr, plan, instr.results)
            elif instr in self.originals:
                body.append(self.originals[instr])
            else:
                regions = tuple(map(self.region, instr.regions))
                body.append(replace(instr, regions=regions) if instr.regions else instr)
        return replace(region, body=tuple(body))

    def chosen(self, loop: Instr, plan: _Plan) -> list[Instr]:
        """`if` the loops of some product are long enough, the groups one after the other, otherwise the nest as it
        was."""
        arrays = [i for i in self.made[loop] if i.op == "alloc"]
        if plan.conditions == ((),) and not arrays:
            return self.apart(loop, plan, loop.results)
        b = Builder(self.ops)
        b.span = loop.span
        for instr in self.made[loop]:
            if instr.op != "alloc":
                b.append(instr)
        enough = {bounds: self.enough(b, bounds) for bounds in plan.conditions}
        some, *others = enough.values()
        for other in others:
            some = b.emit("or", some, other)
        for array in arrays:
            some = b.emit("and", some, self.fits(b, array))
        for array in arrays:
            size = b.emit("select", some, array.operands[0], b.const(0))
            b.append(replace(array, operands=(size, *array.operands[1:])))
        fast, plain = ([Value(r.type, r.hint) for r in loop.results] for _ in range(2))
        then = Region((), tuple(self.apart(loop, plan, fast, enough)), tuple(fast))
        original = self.originals[loop]
        otherwise = Region((), (replace(original, results=tuple(plain)),), tuple(plain))
        b.append(Instr("if", (some,), loop.results, {}, (then, otherwise), loop.span))
        return list(b.finish((), ()).body)

    def fits(self, b: Builder, array: Instr) -> Value:
        """Whether a new array is no larger than it may be."""
        *outer, last = array.operands
        room = b.const(LARGEST)
        for size in outer:
            room = b.emit("floordiv", room, b.emit("maximum", size, b.const(1)))
        return b.emit("le", last, room)

    def enough(self, b: Builder, bounds: Bounds) -> Value:
        """Whether all these loops are long enough."""
        long = [b.emit("ge", b.emit("sub", hi, lo, exact=True), b.const(ENOUGH)) for lo, hi in bounds]
        condition = long[0] if long else b.const(True)
        for other in long[1:]:
            condition = b.emit("and", condition, other)
        return condition

    def apart(
        self, loop: Instr, plan: _Plan, results: Sequence[Value], enough: Mapping[Bounds, Value] | None = None
    ) -> list[Instr]:
        """One nest a group; `results` take those of the loop. Where products depend on different loops, each is marked
        only if those are long `enough`."""
        nests = []
        for position, group in enumerate(plan.groups):
            bounds = plan.products[position] if plan.products else None
            if not plan.products:
                nests.append(self.nest(loop, group, results, _number(group)))
            elif bounds is None:
                nests.append(self.nest(loop, group, results))
            elif enough is None or len(enough) == 1:
                nests.append(self.nest(loop, group, results, True))
            else:
                marked, plain = (self.nest(loop, group, results, mark) for mark in (True, False))
                regions = Region((), (marked,), ()), Region((), (plain,), ())
                nests.append(Instr("if", (enough[bounds],), (), {}, regions, loop.span))
        return nests

    def nest(self, loop: Instr, group: _Group, results: Sequence[Value], mark: int | bool = False) -> Instr:
        """The loop with nothing but what `group` does."""
        values = tuple(v if k in group.results else Value(v.type, v.hint) for k, v in enumerate(results))
        attrs = {**loop.attrs, MARK: mark} if mark else loop.attrs
        return replace(loop, results=values, attrs=attrs, regions=(substitute(_only(loop.regions[0], group), {}),))


def _only(region: Region, group: _Group) -> Region:
    """The region without what other groups do; what nothing needs any more is not removed."""
    body = []
    for instr in region.body:
        if instr.op in ("store", "accumulate") and instr not in group.effects:
            continue
        if (
            instr.op == "if"
            and instr not in group.effects
            and any(i.op in ("store", "accumulate") for r in instr.regions for i in walk(r))
        ):
            continue
        body.append(
            replace(instr, regions=tuple(_only(r, group) for r in instr.regions)) if instr.op == "for" else instr
        )
    return replace(region, body=tuple(body))
