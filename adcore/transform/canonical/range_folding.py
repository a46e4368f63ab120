"""Integer comparisons that choose a length, and lesser or greater integers, where loop bounds decide them.

    %size: i64 = dim %x [axis=0]
    for 0, %size [step=1] {
    (%i: i64):
      %c: bool = lt %i, 0
      %e: i64 = add %i, %size [exact=True]
      %f: i64 = select %c, %e, %i
      %stop: i64 = minimum %f, %size
      accumulate %s, %x, %stop
      yield
    }
->
    %size: i64 = dim %x [axis=0]
    for 0, %size [step=1] {
    (%i: i64):
      accumulate %s, %x, %i
      yield
    }

Python clamps the bounds of a slice; in `x[:i]` with 0 <= i <= len(x) there is nothing to clamp. What is left is affine,
so that dependence is decided and sizes are formulas. Proofs are Fourier-Motzkin elimination over the bounds of the
loops around (`analysis.affine.ranges`).
"""

from __future__ import annotations

from adcore.analysis.affine.forms import plus
from adcore.analysis.affine.ranges import Ranges, ranges_of
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.core import Function, Instr, Value, edited, renamed, walk
from adcore.ir.types import BOOL, I64
from adcore.machine_model import MODEL
from adcore.ops import Table
from adcore.transform.canonical.simplify import simplify

EXTREMES = ("minimum", "maximum")
ORDERED = ("lt", "le", "gt", "ge")


def fold_ranges(function: Function, ops: Table) -> Function:
    """An equivalent function without them."""
    for _ in range(MODEL.range_folding_rounds):
        if not any(i.op in (*EXTREMES, "select") and i.result.type == I64 for i in walk(function.region)):
            break
        found = _folded(structure_of(function, ops), ranges_of(function, ops))
        if not found:
            break
        constants = {value: known for value, known in found.items() if isinstance(known, bool)}
        same = {value: known for value, known in found.items() if isinstance(known, Value)}

        def constant(instr: Instr, known: dict[Value, bool] = constants) -> list[Instr]:
            if len(instr.results) != 1 or instr.result not in known:
                return [instr]
            attrs = {"type": BOOL.name, "value": known[instr.result]}
            return [Instr("const", (), instr.results, attrs, span=instr.span)]

        region = renamed(edited(function.region, constant), same)
        function = simplify(function.with_region(region), ops)
    return function


def _folded(where: Structure, ranges: Ranges) -> dict[Value, bool | Value]:
    """What a comparison always gives; which operand an extreme always is."""
    found: dict[Value, bool | Value] = {}
    for instr in where.instructions():
        if instr.op in EXTREMES and instr.result.type == I64:
            low, high = instr.operands
            if _at_most(ranges, instr, low, high):
                found[instr.result] = low if instr.op == "minimum" else high
            elif _at_most(ranges, instr, high, low):
                found[instr.result] = high if instr.op == "minimum" else low
        elif instr.op == "select" and instr.result.type == I64:
            test = where.definition.get(instr.operands[0])
            if test is not None and test.op in ORDERED and test.operands[0].type == I64:
                truth = _truth(ranges, test)
                if truth is not None:
                    found[test.result] = truth
    return _resolved(found)


def _truth(ranges: Ranges, test: Instr) -> bool | None:
    """What a comparison of integers always gives, if that is known."""
    a, b = test.operands if test.op in ("lt", "le") else reversed(test.operands)
    strict = test.op in ("lt", "gt")
    if _at_most(ranges, test, a, b, 1 if strict else 0):
        return True
    return False if _at_most(ranges, test, b, a, 0 if strict else 1) else None


def _at_most(ranges: Ranges, place: Instr, a: Value, b: Value, less: int = 0) -> bool:
    """Whether a + less <= b wherever `place` runs."""
    difference = plus(plus(ranges.form(b), ranges.form(a), -1), {1: -less})
    return ranges.nonnegative(difference, ranges.structure.home[place.result])


def _resolved(found: dict[Value, bool | Value]) -> dict[Value, bool | Value]:
    """The same with chains of operands followed to their ends."""

    def end(known: bool | Value) -> bool | Value:
        while isinstance(known, Value) and isinstance(found.get(known), Value):
            known = found[known]
        return known

    return {value: end(known) for value, known in found.items()}
