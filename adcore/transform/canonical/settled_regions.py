"""Which regions `simplify` need not look at again: it has made them, and nothing around them that counts has changed.

    %b: f64 = sin %s                      the loop was simplified together with this, and comes again, the same object,
    for 0, %n [step=1] {                  after a pass that changed other loops
    (%i: i64):
      %v: f64 = load %x, %i
      %c: f64 = mul %v, %b                it stays as it is, as long as %b and %x are what they were, and nothing was
      store %c, %y, %i                    computed before it that it computes wholly of values from outside
      yield
    }

What can change in a region follows from the values that it takes from outside (how they are defined: rules look at
that; how far out: instructions move there) and from what has been computed before it (equal instructions share a
value). All of it is compared; a region is never taken for settled by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.facts import kept
from adcore.ops import Table


@dataclass(frozen=True)
class RegionInputs:
    """What a region takes from outside: values, and the `open` instructions that compute with nothing else."""

    free: tuple[Value, ...]
    open: tuple[Instr, ...]


@dataclass(frozen=True)
class Surroundings:
    """The ops of the instructions around a region, and of each value that it takes from outside what defines it, and in
    which of the regions around."""

    kinds: tuple[str, ...]
    values: tuple[tuple[Hashable, int], ...]


@kept
def inputs_of(region: Region, ops: Table) -> RegionInputs:
    """What `region` takes from outside."""
    defined, used, opened = set(region.params), dict[Value, None](), list[Instr]()
    for instr in region.body:
        operands = instr.operands
        used.update(dict.fromkeys(operands))
        if instr.regions:
            for nested in instr.regions:
                inner = inputs_of(nested, ops)
                used.update(dict.fromkeys(inner.free))
                opened += [i for i in inner.open if defined.isdisjoint(i.operands)]
        elif len(instr.results) == 1 and defined.isdisjoint(operands) and ops.effects[instr.op].pure:
            opened.append(instr)
        defined.update(instr.results)
    used.update(dict.fromkeys(region.yields))
    return RegionInputs(tuple([v for v in used if v not in defined]), tuple(opened))


def surroundings(
    inputs: RegionInputs, kinds: tuple[str, ...], definition: Mapping[Value, Instr], depth: Mapping[Value, int]
) -> Surroundings:
    """Those of a region with such inputs. Of a loop or branch the op is enough: nobody looks into it from outside."""
    found: list[tuple[Hashable, int]] = []
    for value in inputs.free:
        instr = definition.get(value)
        found.append((instr.op if instr is not None and instr.regions else instr, depth[value]))
    return Surroundings(kinds, tuple(found))


@kept
def settled_in(region: Region) -> dict[Table, Surroundings]:
    """Where, by the table of ops, `simplify` has found nothing to do in `region`."""
    return {}


def settle(
    function: Function, ops: Table, definition: Mapping[Value, Instr], depth: Mapping[Value, int], known: set[Region]
) -> None:
    """Remember the regions of a simplified function; those that are `known` to be settled have been remembered."""
    todo: list[tuple[Region, tuple[str, ...]]] = [(function.region, ("function",))]
    while todo:
        around, kinds = todo.pop()
        for instr in around.body:
            inner = (*kinds, instr.op)
            for region in instr.regions:
                if region in known:
                    continue
                inputs = inputs_of(region, ops)
                if all(value in depth for value in inputs.free):  # not: within a known one from which dead code went
                    settled_in(region)[ops] = surroundings(inputs, inner, definition, depth)
                todo.append((region, inner))
