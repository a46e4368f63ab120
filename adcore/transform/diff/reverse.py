"""Reverse mode: the forward sweep with the stores that the plan asks for, then new code that runs backwards.

    func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
      %t: f64 = for 0, %n, 0.0 [step=1] {
      (%i: i64, %u: f64):
        %v: f64 = load %x, %i
        %w: f64 = mul %v, %v
        %r: f64 = add %u, %w
        yield %r
      }
      return %t
    }
->
    func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>, %seed_t: f64) -> (f64) {
      %t: f64 = for 0, %n, 0.0 [step=1] {
      (%i: i64, %u: f64):
        %v: f64 = load %x, %i
        %w: f64 = mul %v, %v
        %r: f64 = add %u, %w
        yield %r
      }
      for 0, %n [reverse=True, step=1] {
      (%i.1: i64):
        %v.1: f64 = load %x, %i.1
        %0: f64 = mul %v.1, %seed_t [flags='adjoint']
        %1: f64 = add %0, %0 [flags='adjoint']
        accumulate %1, %d_x, %i.1
        yield
      }
      return %t
    }

No tape. The reverse image of a region runs at the same iteration; a primal value is materialised there once, at first
need, as the plan says: it is still in scope (outside all loops), or read from its buffer, or computed again.
Griewank & Walther, Evaluating Derivatives (2008), chapters 3-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.budget import TooLarge, plan_within
from adcore.analysis.planning.explain import explain, explained_bytes, explained_formula
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.findings import Explanation, ReversedApart
from adcore.analysis.planning.plan import Impossible, Plan, Planner
from adcore.ir.core import Function, Instr
from adcore.ops import Table
from adcore.transform.checkpointing.checkpoint import Checkpointing, Decision
from adcore.transform.checkpointing.rewind import Rewinding, consider
from adcore.transform.checkpointing.schedules import Reversal, Unbounded
from adcore.transform.diff.remedies import Leaner, Remedies, Within
from adcore.transform.diff.reverse_sweep import ReverseBuilder
from adcore.transform.expansion import in_elements


@dataclass(frozen=True, eq=False)
class Derivative:
    """A function that computes a derivative, with the facts behind it (None where forward mode needs none).

    `cut`: how many of its instructions are the forward sweep. `kinds` and `seeds` are what it was asked for."""

    function: Function
    planner: Planner | None = field(default=None, repr=False)
    plan: Plan | None = field(default=None, repr=False)
    apart: tuple[Checkpointing | Rewinding, ...] = field(default=(), repr=False)
    cut: int | None = None
    kinds: tuple[str, ...] = ()
    seeds: tuple[bool, ...] = ()

    def explain(self, arguments: Sequence[Any] | None = None) -> Explanation | None:
        """What is kept and why, and what would avoid it; None for forward mode."""
        if self.planner is None or self.plan is None:
            return None
        if self.apart:
            return explain(self.planner, self.plan, arguments, _summaries(self.apart))
        plan, remedies = self.plan, Remedies(self.planner, self.kinds, self.seeds, arguments, self._within(arguments))
        return explain(self.planner, plan, arguments, (), lambda node: remedies.to_keep_less(node, plan))

    def bytes(self, arguments: Sequence[Any] | None = None) -> int | None:
        """What is kept, as `explain` says, without the reasons; None where only a run can tell."""
        if self.planner is None or self.plan is None:
            return 0
        return explained_bytes(self.planner, self.plan, arguments, _summaries(self.apart))

    def formula(self) -> str:
        """What is kept, in the user's names, as `explain` says, without the reasons."""
        if self.planner is None or self.plan is None:
            return "0"
        return explained_formula(self.planner, self.plan, _summaries(self.apart))

    def _within(self, arguments: Sequence[Any] | None) -> Within:
        planner = self.planner
        assert planner is not None

        def within(limit: int) -> Leaner | None:
            function = planner.structure.function
            try:
                made = reverse(function, self.kinds, self.seeds, planner.ops, planner.aliases, limit, arguments)
            except (Impossible, TooLarge):
                return None
            kept = made.bytes(arguments)
            if kept is None or made.planner is None or made.plan is None:
                return None
            states = {loop.loop: loop.summary() for loop in made.apart if isinstance(loop, Checkpointing)}
            return Leaner(made.planner, made.plan, kept, states)

        return within


def _summaries(apart: Sequence[Checkpointing | Rewinding]) -> tuple[ReversedApart, ...]:
    return tuple(loop.summary() if isinstance(loop, Checkpointing) else loop for loop in apart)


def reverse(
    function: Function,
    kinds: Sequence[str],
    seeds: Sequence[bool],
    ops: Table,
    aliases: AliasClasses | None = None,
    limit: int | None = None,
    arguments: Sequence[object] | None = None,
) -> Derivative:
    """The gradient function of `function`.

    `kinds` says per parameter: "const", "active" (a scalar whose adjoint is returned) or "duplicated" (an array or list
    with a shadow that is added to). `seeds` says per result whether it is differentiated. Parameters of the new
    function: those of `function`, a shadow per duplicated parameter, a seed per differentiated result (an array for
    an array). Results: those of `function`, then the adjoints of the active parameters.
    `limit`: bytes that may be kept for `arguments`. Raises Impossible or TooLarge where that is not enough.
    """
    aliases, function = aliases or AliasClasses(), in_elements(function, ops)
    if limit is None:
        return _unlimited(analyse(function, kinds, seeds, aliases, ops), kinds, seeds)
    reversal = Reversal(function, kinds, seeds, aliases, ops, arguments or ())
    try:
        nothing = reversal.planner.plan(inf) if limit == 0 else None
        decision = reversal.decided(reversal.planner, nothing) if nothing else reversal.planned_within(limit)
    except Unbounded:  # the run stops where it keeps more
        decision = reversal.decided(reversal.planner, plan_within(reversal.planner, limit, arguments))
    return carried_out(decision)


def _unlimited(planner: Planner, kinds: Sequence[str], seeds: Sequence[bool]) -> Derivative:
    """By the cheapest plan, or by running the steps of a loop again where that is cheaper still."""
    ops, aliases = planner.ops, planner.aliases

    def differentiate(
        step: Function,
        step_kinds: Sequence[str],
        step_seeds: Sequence[bool],
        step_aliases: AliasClasses,
        strong: frozenset[Instr],
    ) -> tuple[Function, Planner, Plan]:
        made = analyse(step, step_kinds, step_seeds, step_aliases, ops, (), strong)
        derivative = emit_reverse(made, made.plan(), step_kinds, step_seeds, ops)
        return derivative.function, made, made.plan()

    def outside(loop: Instr) -> tuple[Planner, Plan]:
        around = analyse(planner.structure.function, kinds, seeds, aliases, ops, (loop,), planner.strong)
        return around, around.plan()

    plan = planner.plan()
    rewound = consider(planner, plan, differentiate, outside)
    if rewound is not None:
        return emit_reverse(rewound[1], rewound[2], kinds, seeds, ops, (rewound[0],))
    return emit_reverse(planner, plan, kinds, seeds, ops)


def carried_out(decision: Decision) -> Derivative:
    """The code for a decision, with that for the steps of the loops which it runs again."""
    apart = tuple(replace(loop, gradient=carried_out(loop.inner).function) for loop in decision.apart)
    planner = decision.planner
    return emit_reverse(planner, decision.plan, decision.kinds, decision.seeds, planner.ops, apart)


def emit_reverse(
    planner: Planner,
    plan: Plan,
    kinds: Sequence[str],
    seeds: Sequence[bool],
    ops: Table,
    apart: Sequence[Checkpointing | Rewinding] = (),
) -> Derivative:
    """The gradient function under any feasible plan; `apart` is how those loops are reversed that `planner` leaves
    out."""
    building = ReverseBuilder(planner, plan, kinds, seeds, ops, apart)
    return Derivative(building.run(), planner, plan, tuple(apart), building.cut, tuple(kinds), tuple(seeds))
