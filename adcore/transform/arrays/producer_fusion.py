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

Loops are joined and dimensions dropped (`joint_fusion`, then `loop_fusion` and `contraction` for what is left); what is
still a whole array is computed where it is read, if that is cheap (`rematerialisation`); then loops are joined again.
Every value is computed by the same operations as before, in the same order. The reverse sweep then sees values with
adjoints in registers where there were arrays with shadows. A program that no array gets smaller by is left as it is.
"""

from __future__ import annotations

from adcore.analysis.affine.dependence import AliasClasses
from adcore.ir.core import Function, Value
from adcore.machine_model import MODEL
from adcore.ops import Table
from adcore.transform.arrays.contraction import contract
from adcore.transform.arrays.joint_fusion import contract_together
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
    contracted, small = _contracted(start)
    in_values = _in_values(contracted)
    inlined = rematerialise(in_values, small)
    if inlined is not in_values:
        inlined = inlined.changed(simplify(inlined.function, ops))
        inlined = _in_values(_contracted(inlined)[0])
    return function if inlined is start else simplify(inlined.function, ops)


def _contracted(program: AnalysedFunction) -> tuple[AnalysedFunction, frozenset[Value]]:
    """With arrays as small as they get, and those that are smaller: most of them at once, what is left one by one."""
    smaller: frozenset[Value] = frozenset()
    for _ in range(MODEL.joint_fusion_rounds):
        program, small = contract_together(program)
        if not small:
            break
        smaller |= small
    program, small = contract(program)
    left = {local.root for local in program.local_arrays}
    return program, (smaller & left) | small


def _in_values(program: AnalysedFunction) -> AnalysedFunction:
    function = mem2reg(program.function, program.ops)
    return program if function is program.function else program.changed(function)
