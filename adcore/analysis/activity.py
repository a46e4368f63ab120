"""Which values and which memory carry derivatives: varied (depends on a differentiated input) and useful (reaches a
differentiated output). Only what is both is differentiated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.facts import kept
from adcore.ir.types import ArrayType, ListType, carries_derivative, is_float
from adcore.ops import Table


@dataclass(frozen=True, eq=False)
class ActivityFacts:
    """Scalars and roots (parameters, lists, allocations) that carry derivatives. `free` is what `record` knows of the
    active scalars that regions use from outside."""

    values: frozenset[Value]
    roots: frozenset[Value]
    free: dict[Region, tuple[list[Value], list[Value]]] = field(default_factory=dict, repr=False)


def activity(
    dependence: Dependence, ops: Table, inputs: Iterable[Value], outputs: Iterable[Value], visible: Iterable[Value]
) -> ActivityFacts:
    """Activity for the differentiated parameters `inputs` and results `outputs`; `visible` are the array parameters
    whose shadow the caller reads or seeds."""
    flow = derivative_flow_of(dependence.structure.function, ops, dependence.aliases)
    varied = flow.reached([*inputs, *visible], flow.targets)
    useful = flow.reached([*outputs, *visible], flow.sources)
    both = varied & useful
    return ActivityFacts(
        frozenset(v for v in both if is_float(v.type)),
        frozenset(v for v in both if isinstance(v.type, (ArrayType, ListType))),
    )


@kept
def derivative_flow_of(function: Function, ops: Table, aliases: AliasClasses) -> Flow:
    """What derivatives flow along in all of `function`: activity, strong products and selections ask for the same."""
    dependence = dependence_of(function, ops, aliases)
    return Flow(dependence, ops, dependence.structure.instructions())


@kept
def activity_of(
    function: Function, ops: Table, aliases: AliasClasses, kinds: tuple[str, ...], seeds: tuple[bool, ...]
) -> ActivityFacts:
    """Activity for reverse mode: `kinds` per parameter ("const", "active", "duplicated"), `seeds` per result (whether
    it is differentiated)."""
    inputs = [p for p, kind in zip(function.params, kinds, strict=True) if kind == "active"]
    visible = [p for p, kind in zip(function.params, kinds, strict=True) if kind == "duplicated"]
    outputs = [r for r, seeded in zip(function.results, seeds, strict=True) if seeded]
    return activity(dependence_of(function, ops, aliases), ops, inputs, outputs, visible)


def depending_on(
    dependence: Dependence, ops: Table, instrs: Sequence[Instr], start: Iterable[Value]
) -> frozenset[Value]:
    """Scalars and roots to which `instrs` pass on a derivative of `start`."""
    flow = Flow(dependence, ops, instrs)
    return frozenset(flow.reached(start, flow.targets))


def record_kind(instr: Instr) -> str:
    """What a `push` and the `pop` that meets it have in common: the types of their record."""
    return ",".join(str(v.type) for v in (instr.operands or instr.results))


class Flow:
    """What derivatives flow along: from each scalar or root to those that depend on it (`targets`), and back.

    `values`: what numbers flow along, through ops without a derivative as well."""

    def __init__(self, dependence: Dependence, ops: Table, instrs: Iterable[Instr], values: bool = False) -> None:
        self.dependence, self.ops, self.values = dependence, ops, values
        self.slots: dict[tuple[str, int], Value] = {}
        self.targets: dict[Value, list[Value]] = {}
        self.sources: dict[Value, list[Value]] = {}
        for instr in instrs:
            for source, target in self.flows(instr):
                if carries_derivative(source.type) and carries_derivative(target.type):
                    a, b = self.carrier(source), self.carrier(target)
                    self.targets.setdefault(a, []).append(b)
                    self.sources.setdefault(b, []).append(a)

    def carrier(self, value: Value) -> Value:
        """What is marked for `value`: an array's root."""
        return value if is_float(value.type) else self.dependence.root(value)

    def reached(self, start: Iterable[Value], edges: Mapping[Value, Sequence[Value]]) -> set[Value]:
        """Everything that `edges` lead to, arguments that share memory being reached together."""
        found: set[Value] = set()
        todo = [self.carrier(v) for v in start if carries_derivative(v.type)]
        while todo:
            value = todo.pop()
            if value in found or not carries_derivative(value.type):
                continue
            found.add(value)
            todo += edges.get(value, ())
            if value in self.dependence.classes:
                todo += [p for p in self.dependence.classes if self.dependence.may_overlap(value, p)]
        return found

    def flows(self, instr: Instr) -> Iterable[tuple[Value, Value]]:
        """(source, target) pairs: the derivative of the target depends on that of the source."""
        if instr.op in self.ops.touching:
            return self._through_memory(instr)
        if instr.regions:
            return self._structured(instr)
        if instr.op == "push":
            return [(v, self.slot(instr, k)) for k, v in enumerate(instr.operands)]
        if instr.op == "pop":
            return [(self.slot(instr, k), v) for k, v in enumerate(instr.results)]
        op = self.ops[instr.op]
        if not instr.results or not (op.differentiable or self.values):
            return []
        if self.values:
            return [(v, r) for v in instr.operands for r in instr.results if is_float(v.type)]
        return [(v, instr.result) for k, v in enumerate(instr.operands) if is_float(v.type) and k not in op.blocked]

    def slot(self, instr: Instr, k: int) -> Value:
        """What stands for field `k` of all records that are made as this one is: any pop may meet any such push."""
        value = (instr.operands or instr.results)[k]
        return self.slots.setdefault((record_kind(instr), k), Value(value.type))

    def _through_memory(self, instr: Instr) -> Iterable[tuple[Value, Value]]:
        """From what is read, and from the numbers that are given, to what is written and to the results."""
        effects = self.ops.effects[instr.op]
        given = (v for v in instr.operands if is_float(v.type))
        sources = [*given, *(instr.operands[k] for k in effects.read)]
        targets = [*(instr.operands[k] for k in effects.written), *instr.results]
        return [(source, target) for source in sources for target in targets]

    def _structured(self, instr: Instr) -> Iterable[tuple[Value, Value]]:
        flows: list[tuple[Value, Value]] = []
        if instr.op == "if":
            for region in instr.regions:
                flows += zip(region.yields, instr.results, strict=True)
            return flows
        body = instr.regions[-1]
        inits = instr.operands[len(instr.operands) - len(body.yields) :]
        for k, y in enumerate(body.yields):
            for region in instr.regions:
                flows += [(inits[k], region.params[k + 1]), (y, region.params[k + 1])]
            flows += [(inits[k], instr.results[k]), (y, instr.results[k])]
        return flows
