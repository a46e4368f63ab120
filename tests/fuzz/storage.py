"""What a gradient keeps: measured by running its IR, and under every size of `workspace`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.budget import TooLarge
from adcore.analysis.planning.plan import Impossible
from adcore.driver.pipeline import DERIVED, GRADIENT
from adcore.ir.core import Function, Instr, Region, Value, meaning
from adcore.ir.interpreter import Environment, _Interpreter
from adcore.ir.printer import print_function
from adcore.ir.types import BOOL, ArrayType, Scalar
from adcore.ops import TABLE
from adcore.transform.diff.reverse import reverse


class Meter(_Interpreter):
    """The interpreter, with an eye on storage. `most_kept`: the most bytes kept for the reverse sweep at any moment; of
    truth values each takes a bit."""

    def __init__(self) -> None:
        super().__init__(TABLE, {}, None)
        self.bits = self.records = self.most = 0

    @property
    def most_kept(self) -> int:
        return -(-self.most // 8)

    def region(self, region: Region, env: Environment) -> tuple[Any, ...]:
        held = self.bits - self.records
        results = super().region(region, env)
        if not any(isinstance(value.type, ArrayType) for value in region.yields):
            self.bits = held + self.records
        return results

    def _alloc(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        type_ = instr.results[0].type
        assert isinstance(type_, ArrayType)
        if instr.attrs.get("role") == "stored":
            *rows, last = operands or [1]  # without axes there is one element
            self._take(math.prod(rows) * (8 * -(-last // 8) if type_.layout == "P" else 8 * last * type_.element.bytes))
        evaluate = self.ops["alloc"].evaluate
        assert evaluate is not None
        return (evaluate(*operands, **meaning(instr.attrs)),)

    def _push(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        size = _bits(instr.operands)
        self.records += size
        self._take(size)
        return super()._push(instr, operands, env)

    def _pop(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        size = _bits(instr.results)
        self.records -= size
        self._take(-size)
        return super()._pop(instr, operands, env)

    def _take(self, bits: int) -> None:
        self.bits += bits
        self.most = max(self.most, self.bits)


def _bits(values: Sequence[Value]) -> int:
    """What a record takes."""
    return sum(1 if v.type == BOOL else 8 * v.type.bytes for v in values if isinstance(v.type, Scalar))


def metered(handle: Any, annotated: list[Any]) -> Meter:
    """Run the gradient's IR on these arguments, which it changes as machine code would."""
    run = handle._prepared(annotated, {})
    function: Function = run.specialisation.build.product(GRADIENT)
    meter = Meter()
    meter.call(function, run.values)
    return meter


def known_bytes(handle: Any) -> int | None:
    """Bytes that are kept, as the plan says; None where only a run can tell."""
    run = handle._run
    size: int | None = run.specialisation.bytes(run.call.values)
    return size


def keeps_in_loops(handle: Any) -> bool:
    """Whether the plan keeps anything that may take memory, however often it is run."""
    derived = handle._run.specialisation.build.product(DERIVED)
    structure, plan = derived.planner.structure, derived.plan
    nodes = (*plan.stored, *plan.logged, *plan.rows)
    return derived.apart is not None or any(structure.depth(structure.home[node]) for node in nodes)


def planned(handle: Any, limit: int | None) -> Function | Impossible | TooLarge:
    """The gradient that planning makes under a limit for the call that `handle` was compiled for, or its refusal.

    (`ad.compile` words a refusal as a WorkspaceError, and tries out what to advise.)"""
    run = handle._run
    build = run.specialisation.build
    request = build.request
    (sweep,) = request.sweeps
    how = (request.ops, AliasClasses(sweep.aliases), limit, tuple(run.call.values))
    planner = build.product(DERIVED).planner
    try:
        return reverse(planner.structure.function, sweep.kinds, sweep.seeds, *how).function
    except (Impossible, TooLarge) as refusal:
        return refusal


class Plans:
    """What planning makes of a call under limits in bytes, each made once."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.made: dict[int | None, Function | Impossible | TooLarge] = {}

    def under(self, limit: int | None) -> Function | Impossible | TooLarge:
        if limit not in self.made:
            self.made[limit] = planned(self.handle, limit)
        return self.made[limit]

    def refused(self, limit: int) -> bool:
        """Whether planning refuses `workspace=limit`."""
        return not isinstance(self.under(limit), Function)

    def is_same(self, limit: int) -> bool:
        """Whether the gradient under a limit is the one without: the same IR, hence the same code."""
        one, other = self.under(limit), self.under(None)
        return (
            isinstance(one, Function) and isinstance(other, Function) and print_function(one) == print_function(other)
        )

    def smallest_limit(self, enough: int) -> int:
        """The smallest `workspace` that planning accepts, by bisection between 0, which it refuses, and `enough`.

        What a refusal says would do is tried first, and then the byte below it: mostly that settles the matter."""
        low, high, probes = 0, enough, [1]
        while high - low > 1:
            probe = probes.pop() if probes else (low + high) // 2
            if not low < probe < high:
                continue
            found = self.under(probe)
            low, high = (low, probe) if isinstance(found, Function) else (probe, high)
            if probe == 1 and isinstance(found, TooLarge):
                probes += [found.bytes - 1, found.bytes]
        return high
