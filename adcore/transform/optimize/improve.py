"""What makes derivative code fast: fewer touches of memory, in the order that it lies in.

Shadows that are taken and given back stay where they are; forward loops are fused with reverse ones; sums to one
element are kept in a register, those to neighbouring elements gathered or carried; loops that may run upwards do.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcore.ir.core import Function
from adcore.ops import Table
from adcore.transform.canonical.simplify import simplify
from adcore.transform.optimize.dead_zeroing import cancel_clears
from adcore.transform.optimize.gather import gather_accumulations
from adcore.transform.optimize.loop_reversal import ascend
from adcore.transform.optimize.predictive_commoning import carry_accumulations
from adcore.transform.optimize.scalar_promotion import promote_sums
from adcore.transform.optimize.sweep_fusion import fuse


def improve(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """An equivalent, faster function; `groups` are the positions of parameters that may share memory."""
    function = simplify(cancel_clears(simplify(function, ops), ops, groups), ops)
    function = simplify(fuse(function, ops, groups), ops)
    function = promote_sums(function, ops, groups)
    function = simplify(gather_accumulations(function, ops, groups), ops)
    return ascend(simplify(carry_accumulations(function, ops, groups), ops), groups)
