"""A forward loop and the reverse loop over the same iterations become one, where the reverse needs nothing later.

    for i: s += x[i] * x[i]                       for i: s += x[i] * x[i]
    for i reversed: dx[i] += 2 * x[i] * ds   ->          dx[i] += 2 * x[i] * ds

Each element is then read once. The iterations of the reverse loop may change their order because it only accumulates,
and accumulation has no order that the user could see. What the plan keeps stays kept: fusion moves code, not decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from adcore.ir.core import Function, Instr, Region, Value, free_values, substitute, walk
from adcore.ir.types import ArrayType, ListType
from adcore.ops import Table

VIEWS = ("view", "transpose", "item")


def fuse(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with such loops of its own region fused. `groups` are the positions of parameters that may share
    memory; all others (and all local arrays) are disjoint."""
    return replace(function, region=_Fusion(function, ops, groups).run())


class _Fusion:
    def __init__(self, function: Function, ops: Table, groups: Sequence[Sequence[int]]) -> None:
        self.function, self.ops = function, ops
        self.definition = {r: i for i in walk(function.region) for r in i.results}
        self.shared = {function.params[p] for group in groups for p in group}

    def run(self) -> Region:
        body = list(self.function.region.body)
        position = 0
        while position < len(body):
            for later in range(position + 1, len(body)):
                joined = self.join(body, position, later)
                if joined is not None:
                    body = joined
                    break
            position += 1
        return replace(self.function.region, body=tuple(body))

    def join(self, body: list[Instr], first: int, second: int) -> list[Instr] | None:
        """`body` with the loops at two positions fused at the place of the first, or None if that is not allowed."""
        early, late = body[first], body[second]
        if not (_same_iterations(early, late) and late.attrs.get("reverse") and self.only_accumulates(late)):
            return None
        between = body[first + 1 : second]
        moved = self.prerequisites(early, late, between)
        if moved is None or not self.independent(early, late, between):
            return None
        left = [i for i in between if i not in moved]
        return [*body[:first], *moved, _fused(early, late), *left, *body[second + 1 :]]

    def only_accumulates(self, loop: Instr) -> bool:
        """Whether the iterations may run in any order: sums and accumulation, nothing else that lasts."""
        body = loop.regions[0]
        for param, y in zip(body.params[1:], body.yields, strict=True):
            addition = self.definition.get(y)
            if addition is None or addition.op != "add" or addition.attrs.get("flags") not in ("adjoint", "sum"):
                return False
            uses = sum(param in i.operands for i in walk(body)) + sum(param is v for v in body.yields)
            if param not in addition.operands or uses != 1:
                return False
        read = self.touched(loop, ("load",))
        added = self.touched(loop, ("accumulate",))
        plain = {"accumulate", "for", "if"}
        allowed = all(i.op in plain or self.ops[i.op].pure for i in walk(body))
        return allowed and not self.overlap(read, added)

    def prerequisites(self, early: Instr, late: Instr, between: Sequence[Instr]) -> list[Instr] | None:
        """What of `between` the late loop needs, if it can stand before the early loop; None if it cannot."""
        needed = set(late.operands) | free_values(late.regions[0])
        moved: list[Instr] = []
        for instr in reversed(between):
            if not needed.intersection(instr.results):
                continue
            if instr.regions or not self.ops[instr.op].pure or instr.op == "load":
                return None
            moved.insert(0, instr)
            needed.update(instr.operands)
        return None if needed.intersection(early.results) else moved

    def independent(self, early: Instr, late: Instr, between: Sequence[Instr]) -> bool:
        """Whether the late loop neither reads what runs before it writes, nor writes what that reads."""
        passed = [early, *between]
        written = {r for i in passed for r in self.touched(i, ("store", "accumulate"))}
        read = {r for i in passed for r in self.touched(i, ("load",))}
        added = self.touched(late, ("accumulate",))
        clear = not self.overlap(self.touched(late, ("load",)), written) and not self.overlap(added, read | written)
        return clear and not any(i.op in ("push", "pop", "alloc") for i in between)

    def touched(self, instr: Instr, kinds: Iterable[str]) -> set[Value]:
        """Roots that `instr` (or what it holds) reads or writes."""
        inside = [instr, *(i for region in instr.regions for i in walk(region))]
        return {self.root(i.operands[0 if i.op == "load" else 1]) for i in inside if i.op in kinds}

    def root(self, array: Value) -> Value:
        while (instr := self.definition.get(array)) is not None and instr.op in VIEWS:
            array = instr.operands[0]
        assert isinstance(array.type, (ArrayType, ListType))
        return array

    def overlap(self, some: set[Value], others: set[Value]) -> bool:
        return bool(some & others) or bool(some & self.shared and others & self.shared)


def _same_iterations(early: Instr, late: Instr) -> bool:
    if early.op != "for" or late.op != "for" or early.attrs.get("reverse"):
        return False
    return early.operands[:2] == late.operands[:2] and early.attrs["step"] == late.attrs["step"]


def _fused(early: Instr, late: Instr) -> Instr:
    """One loop in the order of the early one: its body, then that of the late one."""
    (first,) = early.regions
    counter = first.params[0]
    second = substitute(late.regions[0], {late.regions[0].params[0]: counter})
    params = (*first.params, *second.params[1:])
    region = Region(params, (*first.body, *second.body), (*first.yields, *second.yields))
    operands = (*early.operands, *late.operands[2:])
    return Instr("for", operands, (*early.results, *late.results), early.attrs, (region,), early.span)
