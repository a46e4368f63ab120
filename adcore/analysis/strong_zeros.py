"""Where a factor of zero must make a product of derivatives zero, even if the other factor is infinite or NaN.

    %s: f64 = sqrt %x                     the slope of sqrt is infinite at 0: a strong product
    %y: f64 = mul %s, %k                  s may be NaN, and y is discarded by the select: a strong product
    %r: f64 = select %c, %y, %x
    %z: f64 = mul %x, %x                  x is finite, as all inputs are: a plain product
    %w: f64 = add %r, %z

A result that is used and finite has finite factors only. So infinite ones are met in two ways. The slope itself is
infinite: of ops that declare themselves `singular`, whose products are strong in both modes. Or an operand is: it
comes from such an op (it is *wild*), and what was computed from it was discarded, so that its adjoint is zero. That is
a matter of reverse mode alone, where the adjoint runs back into the discarded part; a tangent is dropped with its
value.

Both sets are closed over the flow of values (wild, forwards) and of derivatives (discarded, backwards). Strong products
cost a comparison, and are no part of a product of matrices, so it pays to be narrow: no more than both.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from adcore.analysis.activity import ActivityFacts, Flow, activity_of, derivative_flow_of
from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.planning.record import active_free_values
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.core import Function, Instr, Value
from adcore.ir.facts import kept
from adcore.ir.types import ArrayType, is_float
from adcore.ops import Table


@kept
def singular_of(function: Function, ops: Table) -> frozenset[Instr]:
    """The instructions with a slope that may be infinite or NaN where their operands are finite."""
    structure = structure_of(function, ops)

    def singular(instr: Instr) -> bool:
        rule = ops[instr.op].singular
        if rule is None or not is_float(instr.result.type):
            return False
        return rule(*(_constant(structure, v) for v in instr.operands))

    return frozenset(i for i in structure.instructions() if singular(i))


@kept
def strong_products_of(
    function: Function, ops: Table, aliases: AliasClasses, kinds: tuple[str, ...], seeds: tuple[bool, ...]
) -> frozenset[Instr]:
    """The instructions whose adjoints are strong products, in reverse mode; `kinds` and `seeds` as of `activity_of`."""
    singular = singular_of(function, ops)
    dependence = dependence_of(function, ops, aliases)
    wild = _wild(dependence, singular)
    if not wild:
        return singular
    active = activity_of(function, ops, aliases, kinds, seeds)
    discarded = _discarded(dependence, active, wild)

    def strong(instr: Instr) -> bool:
        if ops[instr.op].partials is None or instr.result not in discarded:
            return False
        return not wild.isdisjoint(instr.operands) or instr.result in wild

    return singular | {i for i in dependence.structure.instructions() if len(i.results) == 1 and strong(i)}


def _constant(structure: Structure, value: Value) -> float | None:
    made = structure.definition.get(value)
    return made.attrs["value"] if made is not None and made.op == "const" else None


# Wild: what may be infinite or NaN although all inputs are finite


def _wild(dependence: Dependence, singular: frozenset[Instr]) -> set[Value]:
    structure = dependence.structure
    instrs = structure.instructions()
    start = [i.result for i in singular]
    for instr in instrs:
        if instr.op == "const" and is_float(instr.result.type) and not isfinite(instr.attrs["value"]):
            start.append(instr.result)
    if any(_asks(structure, i) for i in instrs):
        start += structure.function.params
    if not start:
        return set()
    flow = Flow(dependence, dependence.ops, instrs, values=True)
    return flow.reached(start, flow.targets)


def _asks(structure: Structure, instr: Instr) -> bool:
    """Whether a program asks if a number is NaN or infinite: then it expects such inputs."""
    if instr.op == "ne" and instr.operands[0] is instr.operands[1]:
        return is_float(instr.operands[0].type)
    size = structure.definition.get(instr.operands[0]) if instr.op in ("lt", "eq") else None
    return size is not None and size.op == "abs" and _constant(structure, instr.operands[1]) == float("inf")


# Discarded: what may have an adjoint of zero because something else was chosen or put in its place


def _discarded(dependence: Dependence, active: ActivityFacts, wild: set[Value]) -> set[Value]:
    flow = derivative_flow_of(dependence.structure.function, dependence.ops, dependence.aliases)
    start = [*_results(dependence), *_not_chosen(dependence, active), *_overwritten(dependence, active, flow, wild)]
    return flow.reached(start, flow.sources)


def _results(dependence: Dependence) -> Iterator[Value]:
    """One of several results may be given a seed of zero; so may an element of an array."""
    results = dependence.structure.function.results
    if len([r for r in results if is_float(r.type)]) > 1:
        yield from (r for r in results if is_float(r.type))
    yield from (r for r in results if isinstance(r.type, ArrayType))


def _not_chosen(dependence: Dependence, active: ActivityFacts) -> Iterator[Value]:
    ops = dependence.ops
    for instr in dependence.structure.instructions():
        if ops[instr.op].chooses:
            yield from (v for v in instr.operands if v in active.values)
        elif instr.op == "if":
            for region in instr.regions:
                yield from active_free_values(region, active)
                yield from (v for v in region.yields if v in active.values)


def _overwritten(dependence: Dependence, active: ActivityFacts, flow: Flow, wild: set[Value]) -> Iterator[Value]:
    """Memory that gets a value without a derivative, or one that does not follow from what was there."""
    filled: set[Value] = set()
    following: dict[Value, set[Value]] = {}  # from each array, once: there are more stores than arrays
    for store in dependence.structure.instructions():
        if store.op not in dependence.ops.stores:
            continue
        root, value = dependence.root(dependence.ops.array(store)), dependence.ops.stored(store)
        if root not in wild or root not in active.roots:
            continue
        if root in filled and root not in following:
            following[root] = flow.reached([root], flow.targets)
        if value not in active.values or (root in filled and value not in following[root]):
            yield root
        filled.add(root)
