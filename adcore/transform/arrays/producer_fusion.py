"""Before differentiation: arrays of the program's own that are only there to hand values from one loop to the next.

    for i: t[i] = a[i] * b[i]
    for i: u[i] = sin(t[i]) + t[i]      ->      for i: v = a[i] * b[i]; out[i] = sin(v) + v
    for i: out[i] = u[i]

Loops are joined and dimensions dropped; what is still a whole array is computed where it is read, if that is cheap;
then loops are joined again. Every value is computed by the same operations as before, in the same order. The reverse
sweep then sees values with adjoints in registers where there were arrays with shadows. A program that no array gets
smaller by is left as it is.
"""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.structure import structure
from adcore.ir.core import Function
from adcore.ops import Table
from adcore.transform.arrays.contraction import contract
from adcore.transform.arrays.local_arrays import own_arrays
from adcore.transform.arrays.loop_fusion import Program
from adcore.transform.arrays.mem2reg import to_values
from adcore.transform.arrays.rematerialisation import recompute
from adcore.transform.canonical.assumptions import use_checks
from adcore.transform.canonical.simplify import simplify


def merge(function: Function, ops: Table, aliases: AliasClasses | None = None) -> Function:
    """An equivalent function with less in memory; `aliases` says which of its parameters may overlap."""
    if not own_arrays(structure(function, ops)):
        return function
    start = Program(use_checks(function, ops), ops, aliases or AliasClasses())
    contracted, small = contract(start)
    in_values = _in_values(contracted)
    inlined = recompute(in_values, small)
    if inlined is not in_values:
        inlined = inlined.changed(simplify(inlined.function, ops))
        inlined = _in_values(contract(inlined)[0])
    return function if inlined is start else simplify(inlined.function, ops)


def _in_values(program: Program) -> Program:
    function = to_values(program.function, program.ops)
    return program if function is program.function else program.changed(function)
