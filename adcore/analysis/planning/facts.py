"""Everything that is known about a function before the decision what to store."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from adcore.analysis.activity import activity_of
from adcore.analysis.affine.dependence import AliasClasses, dependence_of
from adcore.analysis.planning.plan import Planner
from adcore.analysis.planning.record import needs
from adcore.analysis.strong_zeros import strong_products_of
from adcore.ir.core import Function, Instr
from adcore.ops import Table


def analyse(
    function: Function,
    kinds: Sequence[str],
    seeds: Sequence[bool],
    aliases: AliasClasses,
    ops: Table,
    apart: Collection[Instr] = (),
    strong: frozenset[Instr] | None = None,
) -> Planner:
    """Dependences, activity, what the reverse sweep reads, and the choices for it.

    `kinds` and `seeds` are those of the differentiation (see `transform.reverse`); `apart` are loops that are
    reversed by running them again. `strong`: which products are, of a function that is a part of another.
    """
    dependence = dependence_of(function, ops, aliases)
    active = activity_of(function, ops, aliases, tuple(kinds), tuple(seeds))
    if strong is None:
        strong = strong_products_of(function, ops, aliases, tuple(kinds), tuple(seeds))
    return Planner(dependence, active, needs(dependence, active, ops, apart), ops, apart, strong)
