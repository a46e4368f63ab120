"""Before differentiation: arrays of the program's own that are only there to hand values from one loop to the next.

    %t: array<f64,1,C> = alloc %n [element='f64']
    for 0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      %u: f64 = mul %v, %v
      store %u, %t, %i
      yield
    }
    for 0, %n [step=1] {
    (%j: i64):
      %w: f64 = load %t, %j
      %z: f64 = sin %w
      store %z, %y, %j
      yield
    }
->
    %0: bool = ge %n, 0
    check %0 [error='ValueError', message='negative dimensions are not allowed']
    for 0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      %u: f64 = mul %v, %v
      %z: f64 = sin %u
      store %z, %y, %i
      yield
    }

Loops are joined and dimensions dropped (`loop_fusion`, `contraction`); what is still a whole array is computed where it
is read, if that is cheap (`rematerialisation`); then loops are joined again. Every value is computed by the same
operations as before, in the same order. The reverse sweep then sees values with adjoints in registers where there were
arrays with shadows. A program that no array gets smaller by is left as it is.
"""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.ir.core import Function
from adcore.ops import Table
from adcore.transform.arrays.contraction import contract
from adcore.transform.arrays.local_arrays import local_arrays
from adcore.transform.arrays.loop_fusion import AnalysedFunction
from adcore.transform.arrays.mem2reg import mem2reg
from adcore.transform.arrays.rematerialisation import rematerialise
from adcore.transform.canonical.assumptions import assume_checks
from adcore.transform.canonical.simplify import simplify


def fuse_producers(function: Function, ops: Table, aliases: AliasClasses | None = None) -> Function:
    """An equivalent function with less in memory; `aliases` says which of its parameters may overlap."""
    if not local_arrays(function, ops):
        return function
    start = AnalysedFunction(assume_checks(function, ops), ops, aliases or AliasClasses())
    contracted, small = contract(start)
    in_values = _in_values(contracted)
    inlined = rematerialise(in_values, small)
    if inlined is not in_values:
        inlined = inlined.changed(simplify(inlined.function, ops))
        inlined = _in_values(contract(inlined)[0])
    return function if inlined is start else simplify(inlined.function, ops)


def _in_values(program: AnalysedFunction) -> AnalysedFunction:
    function = mem2reg(program.function, program.ops)
    return program if function is program.function else program.changed(function)
