"""A forward loop and the reverse loop over the same iterations become one, where the reverse needs nothing later.

    %t: f64 = for 0, %n, 0.0 [step=1] {
    (%i: i64, %u: f64):
      %v: f64 = load %x, %i
      %w: f64 = add %u, %v
      yield %w
    }
    for 0, %n [reverse=True, step=1] {
    (%j: i64):
      %z: f64 = load %x, %j
      accumulate %z, %d, %j
      yield
    }
    return %t
->
    %t: f64 = for 0, %n, 0.0 [step=1] {
    (%i: i64, %u: f64):
      %v: f64 = load %x, %i
      %w: f64 = add %u, %v
      %z: f64 = load %x, %i
      accumulate %z, %d, %i
      yield %w
    }
    return %t

Each element is then read once. The iterations of the reverse loop may change their order because it only accumulates,
and accumulation has no order that the user could see. What the plan keeps stays kept: fusion moves code, not decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from adcore.analysis.affine.forms import affine_of
from adcore.ir.core import Function, Instr, Region, Value, free_values, renamed, walk
from adcore.ops import Table
from adcore.transform.optimize.loop_reversal import carries_only_sums


def fuse(function: Function, ops: Table, groups: Sequence[Sequence[int]] = ()) -> Function:
    """The function with such loops of its own region fused. `groups` are the positions of parameters that may share
    memory; all others (and all local arrays) are disjoint."""
    return function.with_region(_Fusion(function, ops, groups).run())


class _Fusion:
    def __init__(self, function: Function, ops: Table, groups: Sequence[Sequence[int]]) -> None:
        self.function, self.ops = function, ops
        self.definition = {r: i for i in walk(function.region) for r in i.results}
        self.affine = affine_of(function, ops)
        self.shared = {function.params[p] for group in groups for p in group}
        self._touched: dict[Instr, dict[str, set[Value]]] = {}
        self._sums: dict[Instr, bool] = {}

    def run(self) -> Region:
        return self.region(self.function.region)

    def region(self, region: Region) -> Region:
        body = self.fuse_body(list(region.body))
        nested = [i.with_regions(tuple(self.region(r) for r in i.regions)) for i in body]
        return region.with_body(tuple(self.upwards(i) for i in nested))

    def upwards(self, loop: Instr) -> Instr:
        """A reversed loop whose order does not matter runs upwards: memory is read in the order that it lies in."""
        if loop.op != "for" or not loop.attrs.get("reverse") or not self.only_accumulates(loop):
            return loop
        return replace(loop, attrs={**loop.attrs, "reverse": False})

    def fuse_body(self, body: list[Instr]) -> list[Instr]:
        position = 0
        while position < len(body):
            later_loops = (k for k in range(position + 1, len(body)) if body[k].op == "for")
            for later in later_loops if body[position].op == "for" else ():
                joined = self.join(body, position, later)
                if joined is not None:
                    body = joined
                    break
            position += 1
        return body

    def join(self, body: list[Instr], first: int, second: int) -> list[Instr] | None:
        """`body` with the loops at two positions fused at the place of the first, or None if that is not allowed."""
        early, late = body[first], body[second]
        if not (late.attrs.get("reverse") and _same_iterations(early, late) and self.only_accumulates(late)):
            return None
        between = body[first + 1 : second]
        moved = self.prerequisites(early, late, between)
        if moved is None or not self.independent(early, late, between):
            return None
        left = [i for i in between if i not in moved]
        return [*body[:first], *moved, joined(early, late), *left, *body[second + 1 :]]

    def only_accumulates(self, loop: Instr) -> bool:
        """Whether the iterations may run in any order: sums and accumulation, nothing else that lasts."""
        found = self._sums.get(loop)
        if found is None:
            found = self._sums[loop] = self._only_accumulates(loop)
        return found

    def _only_accumulates(self, loop: Instr) -> bool:
        if not carries_only_sums(loop):
            return False
        read, added = self.touched(loop, ("read",)), self.touched(loop, ("add",))
        return all(map(self.only_adds, walk(loop.regions[0]))) and not self.overlap(read, added)

    def only_adds(self, instr: Instr) -> bool:
        """Whether `instr` by itself changes nothing, or only adds to memory."""
        effects = self.ops.effects[instr.op]
        sums = effects.silent and all(a.kind != "write" for a in effects.accesses)
        return sums or (effects.recursive and effects.terminates)

    def prerequisites(self, early: Instr, late: Instr, between: Sequence[Instr]) -> list[Instr] | None:
        """What of `between` the late loop needs, if it can stand before the early loop; None if it cannot."""
        needed = set(late.operands) | free_values(late.regions[0])
        passed = [early, *between]
        moved: list[Instr] = []
        for instr in reversed(between):
            if not needed.intersection(instr.results):
                continue
            if (
                instr.regions
                or not self.ops[instr.op].pure
                or (instr.op in self.ops.readers and not self.may_rise(instr, passed))
            ):
                return None
            moved.insert(0, instr)
            needed.update(instr.operands)
        return None if needed.intersection(early.results) else moved

    def may_rise(self, load: Instr, passed: Sequence[Instr]) -> bool:
        """Whether nothing that `load` would be moved across writes what it reads."""
        written = {r for i in passed for r in self.touched(i, ("write", "add"))}
        return not self.overlap(self.touched(load, ("read",)), written)

    def independent(self, early: Instr, late: Instr, between: Sequence[Instr]) -> bool:
        """Whether the late loop neither reads what runs before it writes, nor writes what that reads."""
        passed = [early, *between]
        written = {r for i in passed for r in self.touched(i, ("write", "add"))}
        fixed = {r for i in passed for r in self.touched(i, ("read", "write"))}  # sums commute with sums
        added = self.touched(late, ("add",))
        needed = {r for r in self.touched(late, ("read",)) if not self.kept_in_step(r, early, late, between)}
        clear = not self.overlap(needed, written) and not self.overlap(added, fixed)
        effects = (self.ops.effects[i.op] for i in between)
        return clear and not any(e.ordered or e.allocates for e in effects)

    def kept_in_step(self, root: Value, early: Instr, late: Instr, between: Sequence[Instr]) -> bool:
        """Whether `root` is a buffer in which iteration i of the late loop finds only what iteration i of the early
        one put there."""
        source = self.definition.get(root)
        if source is None or source.op not in self.ops.allocs or source.attrs.get("role") != "stored":
            return False
        if any(root in self.touched(i, ("write", "add", "read")) for i in between):
            return False
        stores, loads = self.accesses(early, root, "write"), self.accesses(late, root, "read")
        if stores is None or loads is None:
            return False
        mine, theirs = early.regions[0].params[0], late.regions[0].params[0]

        def place(subscripts: Sequence[Value], counter: Value) -> set[tuple[int, frozenset[tuple[object, int]]]]:
            forms = [self.affine.form(v) for v in subscripts]
            renamed = [{mine if a is counter else a: c for a, c in form.items()} for form in forms]
            return {(d, frozenset(form.items())) for d, form in enumerate(renamed) if mine in form}

        put = [place(self.ops.subscripts(i), mine) for i in stores]
        got = [place(self.ops.subscripts(i), theirs) for i in loads]
        return bool(put) and all(p == put[0] and p for p in (*put, *got))

    def accesses(self, loop: Instr, root: Value, kind: str) -> list[Instr] | None:
        """The plain accesses of one kind by which `loop` touches `root`; None if some instruction does so otherwise."""
        found = []
        for instr in walk(loop.regions[0]):
            kinds = {a.kind for a in self.ops.effects[instr.op].accesses if self.root(instr.operands[a.array]) is root}
            if kinds and instr.op not in self.ops.elements:
                return None
            if kind in kinds:
                found.append(instr)
        return found

    def touched(self, instr: Instr, kinds: Collection[str]) -> set[Value]:
        """Roots that `instr` (or what it holds) reads, writes or adds to."""
        found = self._touched.get(instr)
        if found is None:
            found = self._touched[instr] = {"read": set(), "write": set(), "add": set()}
            for i in (instr, *(i for region in instr.regions for i in walk(region))):
                for access in self.ops.effects[i.op].accesses:
                    found[access.kind].add(self.root(i.operands[access.array]))
        return set().union(*(found[kind] for kind in kinds))

    def root(self, array: Value) -> Value:
        return self.ops.root(array, self.definition)

    def overlap(self, some: set[Value], others: set[Value]) -> bool:
        return bool(some & others) or bool(some & self.shared and others & self.shared)


def _same_iterations(early: Instr, late: Instr) -> bool:
    if early.op != "for" or late.op != "for" or early.attrs.get("reverse"):
        return False
    return early.operands[:2] == late.operands[:2] and early.attrs["step"] == late.attrs["step"]


def joined(early: Instr, late: Instr) -> Instr:
    """One loop in the order of the early one: its body, then that of the late one."""
    (first,) = early.regions
    counter = first.params[0]
    second = renamed(late.regions[0], {late.regions[0].params[0]: counter})
    params = (*first.params, *second.params[1:])
    region = Region(params, (*first.body, *second.body), (*first.yields, *second.yields))
    operands = (*early.operands, *late.operands[2:])
    return Instr("for", operands, (*early.results, *late.results), early.attrs, (region,), early.span)
