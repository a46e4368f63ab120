"""What would make the gradient keep less: changes of the program that were tried, and made the bytes fall.

    for i in range(n): x[i] = x[i] ** 2      ->      for i in range(n): other[i] = x[i] ** 2
    return sum(x)                                    return sum(other)

Each remedy is a program (or an assumption about the arguments, or a limit in bytes) that is planned in full. Nothing is
suggested unless that plan keeps less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Protocol

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.choices import Node
from adcore.analysis.planning.explain import in_register, kept, workspace
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.findings import Checkpoints
from adcore.analysis.planning.plan import Impossible, Plan, Planner
from adcore.analysis.planning.polynomial import Polynomial
from adcore.analysis.planning.reasons import aliased_names, array_name, described
from adcore.analysis.planning.sizes import Unknown
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, edited
from adcore.ir.types import F64, ListType, Scalar
from adcore.machine_model import MODEL
from adcore.source import Span
from adcore.transform.loop_building import iteration_number


@dataclass(frozen=True, eq=False)
class Leaner:
    """The gradient within a limit: what it keeps, by its plan, in `bytes`; `states` of the loops that are
    checkpointed."""

    planner: Planner
    plan: Plan
    bytes: int
    states: Mapping[Instr, Checkpoints] = field(default_factory=dict)


class Within(Protocol):
    """Plans the gradient once more for at most so many bytes; None if that is impossible."""

    def __call__(self, limit: int) -> Leaner | None: ...


@dataclass(frozen=True, eq=False)
class Remedy:
    """An altered program or assumption, in the user's terms, and how to plan it."""

    text: str
    planned: Callable[[], Planner]


@dataclass(eq=False)
class Remedies:
    """The remedies for one differentiation. `kinds` and `seeds` are those of its function; `arguments` (one per
    parameter) make bytes of formulas; `within` plans for a limit."""

    planner: Planner
    kinds: Sequence[str]
    seeds: Sequence[bool]
    arguments: Sequence[Any] | None = None
    within: Within | None = None
    _halves: dict[int, Leaner | None] = field(default_factory=dict, repr=False)

    def to_keep_less(self, node: Node, plan: Plan) -> str:
        """A change after which the gradient keeps less than `plan` does for `node`; empty if none was found."""
        for remedy in self.remedies(node):
            if self.keeps_less(remedy.planned(), node, plan):
                return remedy.text
        return "" if in_register(self.planner, node) else self.recomputed(node) or self.halved(node, plan)

    def to_keep_nothing(self, node: Node) -> str:
        """A change after which nothing has to be kept for `node`, or else what it takes to keep it."""
        amount = workspace(self.planner, self.planner.plan())
        allowed = f"allow a workspace of {self.planner.sizes.text(amount)} bytes"
        for remedy in self.remedies(node):
            left = self.blamed(remedy.planned())
            if left < self.blamed(self.planner) and span_key(self.planner, node) not in left:
                return f"{remedy.text}, or {allowed}"
        return allowed

    # What may be tried

    def remedies(self, node: Node) -> Iterator[Remedy]:
        """Changes of the program that address the reason why `node` is kept."""
        if isinstance(node, Instr):
            yield from self.elsewhere((node,))
            return
        choice = self.planner.choices[node]
        if choice.why == "overwritten":
            if names := aliased_names(self.planner, node, choice):
                text = f"pass buffers that do not overlap for {' and '.join(names)}"
                yield Remedy(text, lambda: self.again(self.planner.structure.function, aliases=AliasClasses()))
            else:
                yield from self.elsewhere(self.planner.killers(node))
        elif choice.why == "carried":
            yield from self.in_closed_form(node)

    def again(
        self, function: Function, kinds: Sequence[str] | None = None, aliases: AliasClasses | None = None
    ) -> Planner:
        aliases = self.planner.aliases if aliases is None else aliases
        return analyse(function, kinds or self.kinds, self.seeds, aliases, self.planner.ops)

    def elsewhere(self, stores: Sequence[Instr]) -> Iterator[Remedy]:
        """The stores that destroy the value write to another array, which is read where their values are wanted."""
        separated = separate(self.planner, stores)
        if separated is None:
            return
        function, moved, readers, root = separated
        those = "those in " if isinstance(root.type, ListType) else ""
        text = f"on line {_lines(moved)} write to another array instead of {those}{array_name(root)}"
        if readers:
            # It may be read where nothing was written: so it has to start as the first one does.
            text = f"on line {_lines(moved)} write to a copy of {those}{array_name(root)} instead"
            text += f", and read {self.named(readers)} there"
        added = len(function.params) - len(self.kinds)
        kinds = (*self.kinds, *(self.kind_of(root) for _ in range(added)))
        yield Remedy(text, lambda: self.again(function, kinds))

    def named(self, loads: Sequence[Instr]) -> str:
        """What is loaded, in the user's text, with the lines where it stands."""
        places = dict.fromkeys((described(self.planner, i.result), i.span.line if i.span else 0) for i in loads)
        texts = [f"`{text}` (line {line})" for text, line in places]
        return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]

    def kind_of(self, root: Value) -> str:
        return self.kinds[self.planner.structure.function.params.index(root)]

    def in_closed_form(self, value: Value) -> Iterator[Remedy]:
        """A carried value that grows by the same term or factor in each iteration."""
        made = closed_form(self.planner, value)
        if made is not None:
            text, function = made
            yield Remedy(text, lambda: self.again(function))

    # What counts as success

    def keeps_less(self, changed: Planner, node: Node, plan: Plan) -> bool:
        """Whether the changed program keeps fewer bytes (a register: whether it stopped to hold what memory lost)."""
        try:
            better = changed.plan()
        except Impossible:
            return False
        if in_register(self.planner, node):
            return span_key(self.planner, node) not in {span_key(changed, n) for n in kept(better, changed)}
        return self.size(changed, workspace(changed, better)) < self.size(self.planner, workspace(self.planner, plan))

    def size(self, planner: Planner, amount: Polynomial) -> float:
        """Bytes for the arguments at hand; for made-up ones where a run or more arguments are wanted."""
        try:
            if self.arguments is not None:
                return planner.sizes.evaluate(amount, self.arguments)
        except Unknown:
            pass
        return float(amount.evaluate(lambda atom: MODEL.probe_size))

    def blamed(self, changed: Planner) -> frozenset[Span | None]:
        """Where the values stand that the changed program must keep."""
        try:
            changed.plan(inf)
        except Impossible as impossible:
            return frozenset(span_key(changed, chain[-1]) for chain in impossible.chains)
        return frozenset()

    # What a limit in bytes does

    def recomputed(self, node: Node) -> str:
        """Under workspace=0 nothing is kept, if that is possible at all."""
        try:
            self.planner.plan(inf)
        except Impossible:
            return ""
        return f"workspace=0 is possible: {self.instead(node)}"

    def instead(self, node: Node) -> str:
        """What happens where a node is not kept."""
        value = isinstance(node, Value) and isinstance(node.type, Scalar)
        return f"{'it' if value else 'more'} is then computed again"

    def halved(self, node: Node, plan: Plan) -> str:
        """With half the bytes the states of a loop are kept at a few of its iterations, or cheap values not at all."""
        if self.arguments is None or self.within is None:
            return ""
        try:
            total = self.planner.sizes.evaluate(workspace(self.planner, plan), self.arguments)
        except Unknown:
            return ""
        if total not in self._halves:
            self._halves[total] = self.within(total // 2) if total > 1 else None
        leaner = self._halves[total]
        if leaner is None or leaner.bytes > total // 2:
            return ""
        for loop in self.planner.structure.loops(self.planner.structure.home[node]):
            if loop in leaner.states:
                return _checkpointed(leaner.bytes, leaner.states[loop])
        if leaner.states:
            return ""
        gone = node not in kept(leaner.plan, leaner.planner)
        return f"workspace={leaner.bytes} is enough: {self.instead(node)}" if gone else ""


def _checkpointed(limit: int, states: Checkpoints) -> str:
    line = f" of line {states.span.line}" if states.span else ""
    number = "1 state" if states.count == 1 else f"{states.count} states"
    return f"workspace={limit} is enough: with {number} of the loop{line} kept, {states.again}"


def _lines(instrs: Iterable[Instr]) -> str:
    lines = dict.fromkeys(str(i.span.line) for i in instrs if i.span is not None)
    return ", ".join(lines)


def span_key(planner: Planner, node: Node) -> Span | None:
    """What identifies a value in all variants of a program."""
    if isinstance(node, Instr):
        return node.span
    instr = planner.structure.definition.get(node) or planner.structure.owner[planner.structure.home[node]]
    return instr.span if instr is not None else None


# Altered programs


def separate(
    planner: Planner, stores: Sequence[Instr]
) -> tuple[Function, Sequence[Instr], Sequence[Instr], Value] | None:
    """The program with `stores` to another array, and all loads that may see what they wrote from that one.

    Gives the function, the stores and loads that moved, and the array. None if no program would be left that means the
    same: a load that moves may see other stores, those move as well, and in the end everything may have moved.
    """
    dependence, structure = planner.dependence, planner.structure
    ops = planner.ops
    roots = {dependence.access(s).root for s in stores}
    if len(roots) != 1 or any(s.op not in ops.stores for s in stores):
        return None
    (root,) = roots
    if structure.home[root] is not structure.function.region or root in dependence.classes:
        return None
    accesses = [i for i in structure.instructions() if i.op in ops.elements]
    accesses = [i for i in accesses if dependence.access(i).root is root]
    moved = dict.fromkeys(stores)
    readers: dict[Instr, None] = {}
    grew = True
    while grew:
        before = len(moved) + len(readers)
        seen = [a for a in accesses if a.op not in ops.stores and any(dependence.levels(s, a) for s in moved)]
        readers.update(dict.fromkeys(seen))
        others = [a for a in accesses if a.op in ops.stores and any(dependence.levels(a, r) for r in readers)]
        moved.update(dict.fromkeys(others))
        grew = len(moved) + len(readers) > before
    if any(r.op not in ops.loads for r in readers) or all(a in readers for a in accesses if a.op in ops.loads):
        return None
    return _moved(planner, root, {*moved, *readers}), tuple(moved), tuple(readers), root


def _moved(planner: Planner, root: Value, accesses: set[Instr]) -> Function:
    """The program with `accesses` in a new array that is like `root`."""
    structure = planner.structure
    function, other = structure.function, Value(root.type, root.hint)
    made = structure.definition.get(root)

    def edit(instr: Instr) -> Sequence[Instr]:
        if instr is made:
            return instr, replace(instr, results=(other,))
        if instr not in accesses:
            return (instr,)
        views: list[Instr] = []
        array = _viewed_again(planner, planner.ops.array(instr), root, other, views)
        return *views, planner.ops.redirected(instr, array, planner.ops.subscripts(instr))

    region = edited(function.region, edit)
    return function.with_region(region if made else replace(region, params=(*region.params, other)))


def _viewed_again(planner: Planner, array: Value, root: Value, other: Value, views: list[Instr]) -> Value:
    """`array`, a view of `root`, as a view of `other`; the instructions that make it are appended to `views`."""
    if array is root:
        return other
    view, ops = planner.structure.definition[array], planner.ops
    base = _viewed_again(planner, view.operands[ops.views[view.op].source], root, other, views)
    views.append(replace(view, operands=ops.view_of(view, base), results=(Value(array.type, array.hint),)))
    return views[-1].result


def closed_form(planner: Planner, value: Value) -> tuple[str, Function] | None:
    """(text, program) with a carried value computed from the loop variable: p *= c is p0 * c**i, p += c is p0 + c*i."""
    structure = planner.structure
    loop = structure.owner[structure.home[value]]
    if loop is None or loop.op != "for" or value.type != F64:
        return None
    (body,) = loop.regions
    if value not in body.params:
        return None
    k = body.params.index(value) - 1
    step = structure.definition.get(body.yields[k])
    if step is None or step.op not in ("add", "mul") or value not in step.operands:
        return None
    b = Builder(planner.ops)
    operand = next((v for v in step.operands if v is not value), value)
    term = _invariant(planner, operand, body, b)
    if term is None:
        return None
    iteration, start = b.emit("cast", iteration_number(b, loop, body.params[0]), type="f64"), loop.operands[2 + k]
    if step.op == "mul":
        closed, how = b.emit("mul", start, b.emit("pow", term, iteration)), "power"
    else:
        closed, how = b.emit("add", start, b.emit("mul", term, iteration)), "multiple"
    prologue = b.finish((), ()).body

    def edit(instr: Instr) -> Sequence[Instr]:
        if not instr.regions or instr.regions[0].params is not body.params:
            return (instr,)
        return (instr.with_regions((_using(instr.regions[0], value, closed, prologue),)),)

    function = structure.function.with_region(edited(structure.function.region, edit))
    of = f" (a {how} of `{operand.hint}`)" if operand.hint else ""
    return f"compute `{value.hint}` from the loop variable{of} instead of carrying it", function


def _invariant(planner: Planner, term: Value, body: Region, b: Builder) -> Value | None:
    """`term` if it is the same in all iterations; a constant of the body is made once more in `b`."""
    structure = planner.structure
    if not structure.inside(structure.home[term], body):
        return term
    instr = structure.definition.get(term)
    return b.const(instr.attrs["value"], F64) if instr is not None and instr.op == "const" else None


def _using(region: Region, value: Value, closed: Value, prologue: Sequence[Instr]) -> Region:
    """`region` with `closed`, which `prologue` computes, in the place of its parameter `value`."""

    def rename(instr: Instr) -> Sequence[Instr]:
        nested = tuple(replace(r, yields=tuple(closed if y is value else y for y in r.yields)) for r in instr.regions)
        return (replace(instr, operands=tuple(closed if v is value else v for v in instr.operands), regions=nested),)

    inner = edited(region, rename)
    yields = tuple(closed if y is value else y for y in inner.yields)
    return replace(inner, body=(*prologue, *inner.body), yields=yields)


__all__ = ["Leaner", "Remedies", "Remedy", "Within", "closed_form", "separate"]
