"""Which nests of three loops are products of matrices.

    for i: for j: s = 0; for k: s += a[i, k] * b[k, j]          target, left and right operand by subscripts alone:
                  c[i, j] = s                             ->    the target has no k, the left operand no j, the right
    for i: for k: for j: d[k, j] += a[i, k] * e[i, j]           one no i; the loops may stand in any order

What counts are the loops that subscripts depend on; views and transposed arrays are seen through. The target must not
meet the operands, nor itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.affine.forms import Atom, Form
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ir.types import ArrayType, is_float
from adcore.ops import Table
from adcore.ops.products import COUNTERS, Matrix, Product

MARK = "product"
"""The attribute of an outermost loop that is worth its faster code: see `transform.optimize.product_separation`."""

FREE = ("adjoint", "sum")


def product_nests(function: Function, ops: Table, aliases: AliasClasses | None = None) -> dict[Instr, Product]:
    """The products of the marked loops of `function`."""
    marked = [i for i in walk(function.region) if i.op == "for" and i.attrs.get(MARK)]
    if not marked:
        return {}
    dependence = dependence_of(function, ops, aliases)
    found = ((loop, product_of(dependence, loop)) for loop in marked)
    return {loop: product for loop, product in found if product is not None}


def product_of(dependence: Dependence, loop: Instr) -> Product | None:
    """The product that the nest `loop` is, or None."""
    loops = nest_of(dependence, loop)
    return None if loops is None else _Nest(dependence, loops).product()


Loops = tuple[Instr, Instr, Instr]


def nest_of(dependence: Dependence, loop: Instr) -> Loops | None:
    """The three loops of a nest that computes one thing: one loop in another, with bounds from outside."""
    loops = [loop]
    while len(loops) < 3:
        inner = [i for i in loops[-1].regions[0].body if i.regions and i.op != "if"]
        if len(inner) != 1 or inner[0].op != "for":
            return None
        loops += inner
    first, second, third = loops
    inside = {id(first.regions[0]), id(second.regions[0]), id(third.regions[0])}
    home = dependence.structure.home
    bounds = (v for each in loops[1:] for v in each.operands[:2])
    if any(id(home[v]) in inside for v in bounds) or any(each.attrs["step"] != 1 for each in loops):
        return None
    if first.results or second.results or len(third.results) > 1 or any(i.regions for i in third.regions[0].body):
        return None
    return first, second, third


@dataclass(frozen=True, eq=False)
class _ProductSum:
    """What is added to elements of an array: `effect` writes them, `term` is added in each iteration."""

    effect: Instr
    term: Value
    negative: bool
    free: bool
    initial: Value | None = None


@dataclass(frozen=True)
class _Factors:
    """A term taken apart: loads, scalars from outside and numbers."""

    loads: tuple[Instr, ...] = ()
    scalars: tuple[Value | float, ...] = ()

    def __mul__(self, other: _Factors) -> _Factors:
        return _Factors((*self.loads, *other.loads), (*self.scalars, *other.scalars))


@dataclass(frozen=True, eq=False)
class _Seen:
    """An array from outside of the nest, with the subscripts of an access to it."""

    array: Value
    subscripts: tuple[Form, ...]

    def named(self, counters: Mapping[Value, str]) -> Matrix:
        """The same with the names of counters."""

        def name(atom: Atom) -> str | Value:
            if not isinstance(atom, Value):
                return "1"
            return counters.get(atom, atom)

        return Matrix(self.array, tuple({name(a): c for a, c in form.items()} for form in self.subscripts))


class _Nest:
    def __init__(self, dependence: Dependence, loops: Loops) -> None:
        self.dependence, self.structure, self.loops = dependence, dependence.structure, loops
        self.definition, self.ops = self.structure.definition, dependence.ops
        self.body = loops[0].regions[0]
        self.level = self.structure.depth(self.body)

    def product(self) -> Product | None:
        """The product that the nest is."""
        found = self.sum()
        if found is None or not is_float(found.term.type):
            return None
        parts = self.operands(found)
        target = self.matrix(found.effect)
        if parts is None or target is None or self.overlaps(found.effect, *(p.loads[0] for p in parts)):
            return None
        return self.arranged(target, parts, found)

    # The sum.

    def sum(self) -> _ProductSum | None:
        """The only thing that the nest does."""
        effects = list(self.effects(self.body))
        if len(effects) != 1:
            return None
        (effect,) = effects
        if self.loops[2].results:
            return self.carried(effect)
        if self.structure.home[effect] is not self.loops[2].regions[0]:
            return None
        if effect.op in self.ops.sums:
            return _ProductSum(effect, self.ops.stored(effect), negative=False, free=True)
        return self.updated(effect)

    def effects(self, region: Region) -> Iterator[Instr]:
        """What the nest does to memory; what is neither that nor harmless counts, too."""
        for instr in region.body:
            if instr.op == "for":
                yield from self.effects(instr.regions[0])
            elif instr.op == "if":
                yield self.guarded(instr)
            elif not self.is_harmless(instr):
                yield instr

    def is_harmless(self, instr: Instr) -> bool:
        """Whether an instruction may stand in a nest beside the one effect that it has."""
        effects = self.ops.effects[instr.op]
        return effects.pure and not effects.may_raise(instr) and instr.op not in self.ops.bulk

    def guarded(self, instr: Instr) -> Instr:
        """The accumulation of a sum if the loop of its terms has run: without terms it would add nothing."""
        ran, (then, otherwise) = self.definition.get(instr.operands[0]), instr.regions
        loop = self.loops[2]
        known = ran is not None and ran.op == "lt" and ran.operands == loop.operands[:2]
        alone = len(then.body) == 1 and then.body[0].op in self.ops.sums and not otherwise.body
        return then.body[0] if known and alone and not instr.results else instr

    def updated(self, store: Instr) -> _ProductSum | None:
        """`store (load a[...] + term), a[...]` in the innermost loop."""
        if store.op not in self.ops.stores:
            return None
        addition = self.definition.get(self.ops.stored(store))
        if addition is None or addition.op not in ("add", "sub") or not self.only_here(addition):
            return None
        old, term = addition.operands
        if addition.op == "add" and not self.is_old(old, store):
            old, term = term, old
        if not self.is_old(old, store) or len(self.structure.users[old]) != 1 or old is term:
            return None
        if self.structure.home[old] is not self.loops[2].regions[0]:
            return None
        return _ProductSum(store, term, addition.op == "sub", addition.attrs.get("flags") in FREE)

    def only_here(self, addition: Instr) -> bool:
        """Whether nothing but one store, or the next iteration, takes this sum."""
        users, (body,) = self.structure.users.get(addition.result, []), self.loops[2].regions
        return len(users) == 1 and self.structure.home[addition] is body

    def is_old(self, value: Value, store: Instr) -> bool:
        """Whether `value` is what the element had before."""
        load = self.definition.get(value)
        return load is not None and load.op in self.ops.loads and self.dependence.certainly_same(load, store)

    def carried(self, effect: Instr) -> _ProductSum | None:
        """A sum that the innermost loop carries and that goes to memory after it."""
        loop, (body,), (total,) = self.loops[2], self.loops[2].regions, self.loops[2].results
        partial, addition = body.params[1], self.definition.get(body.yields[0])
        if addition is None or addition.op not in ("add", "sub") or not self.only_here(addition):
            return None
        old, term = addition.operands
        if addition.op == "add" and old is not partial:
            old, term = term, old
        if old is not partial or term is partial or self.structure.users[partial] != [addition]:
            return None
        found = _ProductSum(effect, term, addition.op == "sub", addition.attrs.get("flags") in FREE)
        initial = loop.operands[2]
        if effect.op in self.ops.sums:
            return found if found.free and self.ops.stored(effect) is total and self.is_zero(initial) else None
        if effect.op not in self.ops.stores or self.structure.home[effect] is not self.loops[1].regions[0]:
            return None
        if len(self.structure.users[total]) != 1:
            return None
        if self.ops.stored(effect) is total:
            if self.is_old(initial, effect) and self.structure.home[initial] is self.loops[1].regions[0]:
                return found if self.structure.users[initial] == [loop] else None
            return replace(found, initial=initial) if self.is_outside(initial) else None
        return found if found.free and self.is_zero(initial) and self.is_added(total, effect) else None

    def is_added(self, total: Value, store: Instr) -> bool:
        """`store (load a[...] + total), a[...]` after the innermost loop."""
        addition = self.definition.get(self.ops.stored(store))
        if addition is None or addition.op != "add" or addition.attrs.get("flags") not in FREE:
            return False
        old = [v for v in addition.operands if v is not total]
        return len(old) == 1 and self.is_old(old[0], store) and len(self.structure.users[addition.result]) == 1

    def is_zero(self, value: Value) -> bool:
        instr = self.definition.get(value)
        return instr is not None and instr.op == "const" and instr.attrs["value"] == 0.0

    def is_outside(self, value: Value) -> bool:
        return not self.structure.inside(self.structure.home[value], self.body)

    # The operands.

    def operands(self, found: _ProductSum) -> tuple[_Factors, _Factors] | None:
        """The two operands, each with its scalars, in program order."""
        sign: tuple[Value | float, ...] = (-1.0,) if found.negative else ()
        if found.free:
            factors = self.factors(found.term)
            if factors is None or len(factors.loads) != 2:
                return None
            first, second = factors.loads
            return _Factors((first,), (*sign, *factors.scalars)), _Factors((second,))
        term = self.definition.get(found.term)
        if term is not None and term.op == "neg":
            sign, term = (*sign, -1.0), self.definition.get(term.operands[0])
        if term is None or term.op != "mul":
            return None
        pair = tuple(self.factors(v, ordered=True) for v in term.operands)
        left, right = pair
        # One scalar is one rounding; more of them would be rounded in another order.
        if left is None or right is None or any(len(p.loads) != 1 or len(p.scalars) > 1 for p in (left, right)):
            return None
        return replace(left, scalars=(*sign, *left.scalars)), right

    def factors(self, value: Value, ordered: bool = False) -> _Factors | None:
        """What is multiplied to make `value`; `ordered`: in any way that rounds as the program does, if there is but
        one scalar."""
        if self.is_outside(value):
            return _Factors((), (value,))
        instr = self.definition.get(value)
        if instr is None:
            return None
        if instr.op in self.ops.loads:
            return _Factors((instr,))
        if instr.op == "const":
            return _Factors((), (float(instr.attrs["value"]),))
        if instr.op == "mul" or (instr.op == "add" and instr.operands[0] is instr.operands[1] and not ordered):
            first = self.factors(instr.operands[0], ordered)
            second = self.factors(instr.operands[1], ordered) if instr.op == "mul" else _Factors((), (2.0,))
            return None if first is None or second is None else first * second
        if instr.op == "neg":
            inner = self.factors(instr.operands[0], ordered)
            return None if inner is None else inner * _Factors((), (-1.0,))
        return None

    def matrix(self, access: Instr) -> _Seen | None:
        """Array and subscripts of an access, as far out as they have to be seen from."""
        array = self.ops.array(access)
        forms: tuple[Form | None, ...]
        if self.is_outside(array):
            forms = tuple(self.dependence.affine.form(v) for v in self.ops.subscripts(access))
        else:
            seen = self.dependence.access(access)
            array, forms = seen.root, seen.subscripts
        counters = {loop.regions[0].params[0] for loop in self.loops}
        if not isinstance(array.type, ArrayType) or not self.is_outside(array):
            return None
        for form in forms:
            if form is None or not all(a in counters or self.is_outside(a) for a in form if isinstance(a, Value)):
                return None
        return _Seen(array, tuple(form for form in forms if form is not None))

    def overlaps(self, effect: Instr, *loads: Instr) -> bool:
        """Whether the target may meet an operand, in any iterations, or itself in different ones."""
        if self.dependence.access(effect).root in self.dependence.self_overlapping:
            return True
        pairs = [pair for load in loads for pair in ((load, effect), (effect, load))]
        return any(level == 0 or level >= self.level for a, b in pairs for level in self.dependence.levels(a, b))

    def arranged(self, target: _Seen, parts: tuple[_Factors, _Factors], found: _ProductSum) -> Product | None:
        """Rows, columns and terms by what the subscripts depend on."""
        axes = [[loop for loop in self.loops if loop.regions[0].params[0] in form] for form in target.subscripts]
        used = [loop for axis in axes for loop in axis]
        if any(len(axis) > 1 for axis in axes) or len(used) != 2 or used[0] is used[1]:
            return None
        rows, columns = used
        (terms,) = (loop for loop in self.loops if loop not in used)
        if terms.attrs.get("reverse") and not found.free:
            return None
        for left, right in (parts, parts[::-1]):
            a, b = self.matrix(left.loads[0]), self.matrix(right.loads[0])
            if a is not None and b is not None and not _depends(a, columns) and not _depends(b, rows):
                loops = (rows, columns, terms)
                names = {loop.regions[0].params[0]: name for loop, name in zip(loops, COUNTERS, strict=True)}
                matrices = (target.named(names), a.named(names), b.named(names))
                bounds = tuple((loop.operands[0], loop.operands[1]) for loop in loops)
                return Product(*matrices, bounds, (left.scalars, right.scalars), found.initial, found.free)
        return None


def _depends(matrix: _Seen, loop: Instr) -> bool:
    return any(loop.regions[0].params[0] in form for form in matrix.subscripts)
