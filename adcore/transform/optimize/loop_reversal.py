"""Reversed loops whose order does not matter run upwards: memory is read in the order that it lies in.

    for 0, %n [reverse=True, step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      accumulate %v, %d, %i
      yield
    }
->
    for 0, %n [reverse=False, step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      accumulate %v, %d, %i
      yield
    }

The reverse sweep runs every loop backwards. Where no iteration depends on another one (`analysis.affine.parallel`)
and the loop carries nothing but sums in no order that the user could see, that is undone: reversal as in M. Wolfe,
"High Performance Compilers for Parallel Computing", 1996.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.affine.parallel import parallel_loops
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ops import Table


def reverse_loops(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with reversed parallel loops that carry nothing but sums running the other way."""
    backwards = [i for i in walk(function.region) if i.op == "for" and i.attrs.get("reverse") and carries_only_sums(i)]
    if not backwards:
        return function
    classes = AliasClasses(tuple(tuple(group) for group in groups))
    free = parallel_loops(function, ops, classes, backwards)
    return function.with_region(_with_loops_reversed(function.region, free)) if free else function


def carries_only_sums(loop: Instr) -> bool:
    """Whether what the loop carries are sums in no order that the user could see."""
    (body,) = loop.regions
    definition: Mapping[Value, Instr] = {r: i for i in body.body for r in i.results}
    return all(_is_sum(body, definition, k) for k in range(len(body.yields)))


def _is_sum(body: Region, definition: Mapping[Value, Instr], k: int) -> bool:
    param, addition = body.params[k + 1], definition.get(body.yields[k])
    if addition is None or addition.op != "add" or addition.attrs.get("flags") not in ("adjoint", "sum"):
        return False
    # What is added up so far must not be seen on the way: not before an addition, nor after it.
    return param in addition.operands and _uses(body, param) == 1 and _uses(body, addition.result) == 1


def _uses(body: Region, value: Value) -> int:
    """How often a value is an operand or leaves a region."""
    inner = sum(i.operands.count(value) + sum(r.yields.count(value) for r in i.regions) for i in walk(body))
    return inner + body.yields.count(value)


def _with_loops_reversed(region: Region, free: frozenset[Instr]) -> Region:
    body = []
    for instr in region.body:
        regions = tuple([_with_loops_reversed(nested, free) for nested in instr.regions])
        upwards = replace(instr, attrs={**instr.attrs, "reverse": False}) if instr in free else instr
        body.append(upwards.with_regions(regions))
    return region.with_body(body)
