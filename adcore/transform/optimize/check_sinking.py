"""Checks of floating-point values wait until their loop has ended, so that the loop can run in vectors.

    %t: f64 = for 0, %n, %s [step=1] {
    (%i: i64, %u: f64):
      %v: f64 = load %x, %i
      %ok: bool = ne %v, 0.0
      check %ok [error='ValueError', message='zero']
      %w: f64 = add %u, %v
      yield %w
    }
    return %t
->
    %t: f64, %1: bool = for 0, %n, %s, false [step=1] {
    (%i: i64, %u: f64, %2: bool):
      %v: f64 = load %x, %i
      %ok: bool = ne %v, 0.0
      %3: bool = not %ok
      %w: f64 = add %u, %v
      %4: bool = or %2, %3
      yield %w, %4
    }
    %5: bool = not %1
    check %5 [error='ValueError', message='zero']
    return %t

Nothing traps in the meantime: floats go on as NaN or infinity, and a loop in which anything else can raise (an index
taken from data, an integer that may overflow) is left as it is. Of several kinds of error the one that came first is
reported: the loop then carries the smallest `iteration * kinds + kind`. This is the last pass before lowering.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adcore.analysis.affine.ordering import may_stop
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.exceptions import AssignedBefore, Raising
from adcore.ir.types import BOOL, I64
from adcore.ops import Table
from adcore.source import Span
from adcore.transform.canonical.checks import of_floats

NEVER = 2**63 - 1
"""The key of a loop in which nothing failed."""


def sink_checks(function: Function, ops: Table) -> Function:
    """An equivalent function whose loops check floats once, at their end."""
    return _Sinking(ops).function(function)


@dataclass(frozen=True)
class CheckKind:
    """An error that a check raises, and where."""

    error: str
    message: str
    raising: Raising | None
    span: Span | None
    assigned: AssignedBefore | None = None
    details: tuple[Value, ...] = ()
    """Numbers that it leaves: all from before the loop."""

    @classmethod
    def of(cls, check: Instr) -> CheckKind:
        attrs = check.attrs
        return cls(
            attrs["error"], attrs["message"], attrs.get("raising"), check.span, attrs.get("assigned"),
            check.operands[1:],
        )  # fmt: skip

    @property
    def attributes(self) -> dict[str, Any]:
        more = {"raising": self.raising, "assigned": self.assigned}
        return {"error": self.error, "message": self.message, **{k: v for k, v in more.items() if v is not None}}


@dataclass(frozen=True)
class Pending:
    """A failure to be reported later: with one kind a bool, otherwise the number of the kind, counted from 1, or 0."""

    value: Value
    kinds: tuple[CheckKind, ...]


class _Sinking:
    def __init__(self, ops: Table) -> None:
        self.ops = ops
        self.builder = Builder(ops)
        self.definition: dict[Value, Instr] = {}

    def function(self, function: Function) -> Function:
        self.body(function.region, sinking=False)
        return function.with_region(function.region.with_body(self.builder.finish((), ()).body))

    # What may sink

    def sinkable(self, region: Region) -> bool:
        """Whether nothing in `region` can raise but checks of floats, and there is one."""
        return self._raises_only_floats(region, values_of(region)) and self._checks(region)

    def _raises_only_floats(self, region: Region, inside: set[Value]) -> bool:
        for instr in region.body:
            self.definition.update(dict.fromkeys(instr.results, instr))
            if instr.op in ("for", "if"):
                if not all(self._raises_only_floats(nested, inside) for nested in instr.regions):
                    return False
            elif instr.op == "check":
                if not inside.isdisjoint(instr.operands[1:]) or not of_floats(instr.operands[0], self.definition):
                    return False
            elif self._may_stop(instr):
                return False
        return True

    def _may_stop(self, instr: Instr) -> bool:
        harmless = self.ops.effects[instr.op].raises == "memory"
        return not harmless and (bool(instr.regions) or may_stop(instr, self.ops, self.definition))

    def _checks(self, region: Region) -> bool:
        return any(i.op == "check" or any(map(self._checks, i.regions)) for i in region.body)

    # Rebuilding

    def body(self, region: Region, sinking: bool) -> Pending | None:
        """Append the instructions of `region`; what is left to be reported."""
        pending: list[Pending] = []
        for instr in region.body:
            self.definition.update(dict.fromkeys(instr.results, instr))
            self.builder.span = instr.span
            if sinking and instr.op == "check":
                kind = CheckKind.of(instr)
                pending.append(Pending(self.builder.emit("not", instr.operands[0]), (kind,)))
            elif instr.op == "for" and (sinking or self.sinkable(instr.regions[0])):
                left = self.loop(instr)
                if left is not None and sinking:
                    pending.append(left)
                elif left is not None:
                    self.report(left)
            elif instr.op == "if" and sinking:
                pending += self.branch(instr)
            else:
                self.builder.append(self.plain(instr))
        return self.combined(pending) if pending else None

    def plain(self, instr: Instr) -> Instr:
        regions = []
        for region in instr.regions:
            with self.builder.region(region.params) as opened:
                self.body(region, sinking=False)
            regions.append(region.with_body(opened.body))
        return instr.with_regions(tuple(regions))

    def branch(self, instr: Instr) -> list[Pending]:
        """An `if` whose branches also yield what failed in them."""
        kinds = _kinds(instr.regions)
        if not kinds:
            self.builder.append(self.plain(instr))
            return []
        regions, offset = [], 0
        for region in instr.regions:
            with self.builder.region() as opened:
                found = self.body(region, sinking=True)
                opened.yields = (*region.yields, self.number(found, offset, len(kinds)))
            regions.append(opened.region)
            offset += len(_kinds([region]))
        failed = Value(BOOL if len(kinds) == 1 else I64)
        self.builder.append(replace(instr, results=(*instr.results, failed), regions=tuple(regions)))
        return [Pending(failed, kinds)]

    def loop(self, instr: Instr) -> Pending | None:
        """A loop that carries what failed in it."""
        (body,) = instr.regions
        kinds, b = _kinds([body]), self.builder
        if not kinds:
            b.append(self.plain(instr))
            return None
        simple = len(kinds) == 1
        type_ = BOOL if simple else I64
        initial = b.const(False) if simple else b.const(NEVER)
        before = Value(type_)
        with b.region((*body.params, before)) as opened:
            found = self.body(body, sinking=True)
            assert found is not None
            opened.yields = (*body.yields, self._carried(instr, found, before, len(kinds)))
        last = Value(type_)
        operands = (*instr.operands, initial)
        b.append(replace(instr, operands=operands, results=(*instr.results, last), regions=(opened.region,)))
        return Pending(last if simple else self._first_kind(last, len(kinds)), kinds)

    def _carried(self, loop: Instr, found: Pending, before: Value, kinds: int) -> Value:
        """What the loop passes on: whether anything failed, or the smallest key of a failure so far."""
        b = self.builder
        if kinds == 1:
            return b.emit("or", before, found.value)
        (lo, hi), variable = loop.operands[:2], loop.regions[0].params[0]
        upwards = (loop.attrs["step"] > 0) != bool(loop.attrs.get("reverse"))
        end = hi if loop.attrs.get("reverse") else lo
        done = b.emit("sub", variable, end, exact=True) if upwards else b.emit("sub", end, variable, exact=True)
        first = b.emit("mul", done, b.const(kinds), exact=True)
        key = b.emit("add", first, b.emit("sub", found.value, b.const(1), exact=True), exact=True)
        failed = b.emit("ne", found.value, b.const(0))
        return b.emit("minimum", before, b.emit("select", failed, key, b.const(NEVER)))

    def _first_kind(self, key: Value, kinds: int) -> Value:
        """The number of the kind that a key holds: 0 where nothing failed."""
        b = self.builder
        kind = b.emit("add", b.emit("mod", key, b.const(kinds), exact=True), b.const(1), exact=True)
        return b.emit("select", b.emit("eq", key, b.const(NEVER)), b.const(0), kind)

    def number(self, found: Pending | None, offset: int, kinds: int) -> Value:
        """`found` as one of `kinds` kinds, its own counted from `offset`."""
        b = self.builder
        if kinds == 1:
            return b.const(False) if found is None else found.value
        if found is None:
            return b.const(0)
        if len(found.kinds) == 1:
            return b.emit("select", found.value, b.const(offset + 1), b.const(0))
        if offset == 0:
            return found.value
        shifted = b.emit("add", found.value, b.const(offset), exact=True)
        return b.emit("select", b.emit("eq", found.value, b.const(0)), b.const(0), shifted)

    def combined(self, pending: Sequence[Pending]) -> Pending:
        """The first failure of several, in the program's order."""
        if len(pending) == 1:
            return pending[0]
        kinds = tuple(kind for p in pending for kind in p.kinds)
        b, offset = self.builder, len(kinds)
        total = b.const(0)
        for p in reversed(pending):
            offset -= len(p.kinds)
            number = self.number(p, offset, len(kinds))
            total = b.emit("select", b.emit("ne", number, b.const(0)), number, total)
        return Pending(total, kinds)

    def report(self, left: Pending) -> None:
        """The checks after the outermost loop."""
        b = self.builder
        for k, kind in enumerate(left.kinds, start=1):
            b.span = kind.span
            good = b.emit("not", left.value) if len(left.kinds) == 1 else b.emit("ne", left.value, b.const(k))
            b.emit_many("check", (good, *kind.details), kind.attributes)


def values_of(region: Region) -> set[Value]:
    """All values that are made inside of a region."""
    found = set(region.params)
    for instr in region.body:
        found.update(instr.results)
        for nested in instr.regions:
            found |= values_of(nested)
    return found


def _kinds(regions: Iterable[Region]) -> tuple[CheckKind, ...]:
    """The errors of all checks in `regions`, in the program's order."""
    found: list[CheckKind] = []
    for region in regions:
        for instr in region.body:
            if instr.op == "check":
                found.append(CheckKind.of(instr))
            found += _kinds(instr.regions)
    return tuple(found)
