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
from dataclasses import replace

from adcore.analysis.affine.dependence import AliasClasses, dependence_of
from adcore.analysis.affine.forms import known, plus
from adcore.analysis.products import MARK, product_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, substitute, walk
from adcore.machine_model import MODEL
from adcore.ops import Table
from adcore.ops.products import Product
from adcore.transform.canonical.dead_code import eliminate_dead_code
from adcore.transform.canonical.simplify import simplify
from adcore.transform.optimize.loop_distribution import Distribution, DistributionPlan, LoopBounds, StatementGroup, acts
from adcore.transform.optimize.scalar_expansion import ScalarExpansion, may_hold_products


def separate_products(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with products in nests of their own; `groups` are the positions of parameters that may share
    memory."""
    if not any(may_hold_products(i) for i in walk(function.region) if i.op == "for"):
        return function
    aliases = AliasClasses(tuple(tuple(group) for group in groups))
    expansion = ScalarExpansion(function, ops)
    draft = function.with_region(expansion.region(function.region))
    pass_ = Distribution(draft, ops, aliases)
    plans = {loop: plan for loop in expansion.nests if (plan := pass_.plan(loop)) is not None}
    if not plans:
        return function
    # What each group does is seen best where it stands alone.
    trial = _Rebuild(ops, plans, {}, {}).function(draft)
    alone = _ProductsFound(eliminate_dead_code(trial, ops), ops, aliases)
    useful = {loop: joined for loop, plan in plans.items() if (joined := _joined(plan, alone))}
    if not useful:
        return function
    rebuilt = _Rebuild(ops, useful, expansion.nests, expansion.made).function(draft)
    return simplify(eliminate_dead_code(rebuilt, ops), ops)


class _ProductsFound:
    """The products of a function in which every group stands alone, by the group's number."""

    def __init__(self, function: Function, ops: Table, aliases: AliasClasses) -> None:
        dependence = dependence_of(function, ops, aliases)
        marked = [i for i in walk(function.region) if i.op == "for" and MARK in i.attrs]
        self.affine = dependence.affine
        self.products = {i.attrs[MARK]: p for i in marked if (p := product_of(dependence, i)) and self.is_long(p)}

    def is_long(self, product: Product) -> bool:
        """Whether it may be worth it."""
        iterations = [self.iterations(pair) for pair in product.bounds]
        return all(n is None or n >= MODEL.product_extent for n in iterations)

    def open_bounds(self, product: Product) -> LoopBounds:
        """The bounds of those loops of which it is not known how long they are."""
        return tuple(pair for pair in product.bounds if self.iterations(pair) is None)

    def iterations(self, bounds: Sequence[Value]) -> int | None:
        lo, hi = bounds
        return known(plus(self.affine.form(hi), self.affine.form(lo), -1))


def _joined(plan: DistributionPlan, alone: _ProductsFound) -> DistributionPlan | None:
    """The plan with neighbours that are no products in one group; None if there is no product."""
    found = [alone.products.get(_number(group)) for group in plan.groups]
    every = dict.fromkeys(pair for product in found if product is not None for pair in alone.open_bounds(product))
    groups: list[StatementGroup] = []
    products: list[LoopBounds | None] = []
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
    joined = DistributionPlan(tuple(groups), tuple(products))
    return joined if joined.conditions else None


def _number(group: StatementGroup) -> int:
    return id(group)


class _Rebuild:
    """Puts plans into effect. Without products (a trial), each group is a nest marked with its number."""

    def __init__(
        self,
        ops: Table,
        plans: Mapping[Instr, DistributionPlan],
        originals: Mapping[Instr, Instr],
        made: Mapping[Instr, tuple[Instr, ...]],
    ) -> None:
        self.ops, self.plans, self.originals, self.made = ops, plans, originals, made
        self.new = {i for instrs in made.values() for i in instrs}

    def function(self, function: Function) -> Function:
        return function.with_region(self.region(function.region))

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
                body.append(instr.with_regions(regions))
        return region.with_body(body)

    def chosen(self, loop: Instr, plan: DistributionPlan) -> list[Instr]:
        """`if` the loops of some product are long enough, the groups one after the other, otherwise the nest as it
        was."""
        arrays = [i for i in self.made[loop] if i.op in self.ops.allocs]
        if plan.conditions == ((),) and not arrays:
            return self.apart(loop, plan, loop.results)
        b = Builder(self.ops)
        b.span = loop.span
        for instr in self.made[loop]:
            if instr.op not in self.ops.allocs:
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
        room = b.const(MODEL.largest_new_array)
        for size in outer:
            room = b.emit("floordiv", room, b.emit("maximum", size, b.const(1)))
        return b.emit("le", last, room)

    def enough(self, b: Builder, bounds: LoopBounds) -> Value:
        """Whether all these loops are long enough."""
        long = [b.emit("ge", b.emit("sub", hi, lo, exact=True), b.const(MODEL.product_extent)) for lo, hi in bounds]
        condition = long[0] if long else b.const(True)
        for other in long[1:]:
            condition = b.emit("and", condition, other)
        return condition

    def apart(
        self,
        loop: Instr,
        plan: DistributionPlan,
        results: Sequence[Value],
        enough: Mapping[LoopBounds, Value] | None = None,
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

    def nest(self, loop: Instr, group: StatementGroup, results: Sequence[Value], mark: int | bool = False) -> Instr:
        """The loop with nothing but what `group` does."""
        values = tuple(v if k in group.results else Value(v.type, v.hint) for k, v in enumerate(results))
        attrs = {**loop.attrs, MARK: mark} if mark else loop.attrs
        return replace(
            loop, results=values, attrs=attrs, regions=(substitute(_only(loop.regions[0], group, self.ops), {}),)
        )


def _only(region: Region, group: StatementGroup, ops: Table) -> Region:
    """The region without what other groups do; what nothing needs any more is not removed."""
    body = []
    for instr in region.body:
        if instr.op in ops.puts and instr not in group.effects:
            continue
        if instr.op == "if" and instr not in group.effects and acts(instr, ops):
            continue
        body.append(
            instr.with_regions(tuple(_only(r, group, ops) for r in instr.regions)) if instr.op == "for" else instr
        )
    return region.with_body(body)
