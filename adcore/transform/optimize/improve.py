"""What makes derivative code fast: fewer touches of memory, in the order that it lies in.

    for 0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %x, %i
      store %v, %y, %i
      yield
    }
    for 0, %n [reverse=True, step=1] {
    (%j: i64):
      %z: f64 = load %x, %j
      accumulate %z, %d, %k
      yield
    }
->
    %d_sum: f64 = for 0, %n, 0.0 [step=1] {
    (%i: i64, %d_sum.1: f64):
      %v: f64 = load %x, %i
      store %v, %y, %i
      %z: f64 = load %x, %i
      %1: f64 = add %d_sum.1, %z [flags='adjoint']
      yield %1
    }
    %2: bool = lt 0, %n
    if %2 {
    ():
      accumulate %d_sum, %d, %k
      yield
    } {
    ():
      yield
    }

In this order: shadows that are taken and given back stay where they are (`dead_zeroing`); forward loops are fused with
reverse ones (`sweep_fusion`); sums to one element are kept in a register (`scalar_promotion`), those to neighbouring
elements gathered (`gather`) or carried (`predictive_commoning`); loops that may run upwards do (`loop_reversal`).
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.ir.core import Function
from adcore.ops import Table
from adcore.transform.canonical.simplify import simplify
from adcore.transform.expansion import expand_bulk
from adcore.transform.optimize.dead_zeroing import remove_dead_zeroing
from adcore.transform.optimize.gather import gather_accumulations
from adcore.transform.optimize.loop_reversal import reverse_loops
from adcore.transform.optimize.predictive_commoning import common_accumulations
from adcore.transform.optimize.scalar_promotion import promote_sums
from adcore.transform.optimize.sweep_fusion import fuse


def improve(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """An equivalent, faster function; `groups` are the positions of parameters that may share memory."""
    function = expand_bulk(function, ops)
    function = simplify(remove_dead_zeroing(simplify(function, ops), ops, groups), ops)
    function = simplify(fuse(function, ops, groups), ops)
    function = promote_sums(function, ops, groups)
    function = simplify(gather_accumulations(function, ops, groups), ops)
    return reverse_loops(simplify(common_accumulations(function, ops, groups), ops), ops, groups)
