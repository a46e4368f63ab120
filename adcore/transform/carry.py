"""Neighbouring accumulations become one, with the rest carried: memory is touched once an iteration.

    for i: d[i] += f(i); d[i + 1] += g(i)     ->     c = 0; for i: d[i] += f(i) + c; c = g(i)
                                                     d[hi] += c

The store of one iteration is then no longer read by the next, so the loop vectorises (LLVM knows a value carried over
one iteration as a first-order recurrence). Accumulation has no order that the user could see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adcore.analysis.affine import Affine, known, plus
from adcore.analysis.dependence import Dependence
from adcore.analysis.structure import Structure, structure
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import Scalar
from adcore.ops import Table


def carry_accumulations(function: Function, ops: Table) -> Function:
    """The function with pairs of accumulations to neighbouring elements of one array combined."""
    facts = structure(function)
    pass_ = _Carry(facts, Dependence(facts), ops)
    return replace(function, region=pass_.region(function.region))


@dataclass(frozen=True, eq=False)
class _Pair:
    """Accumulations of one iteration to the element that the iteration before touched (`again`) and to a new one."""

    loop: Instr
    again: Instr
    new: Instr


class _Carry:
    def __init__(self, facts: Structure, dependence: Dependence, ops: Table) -> None:
        self.structure, self.dependence, self.ops = facts, dependence, ops
        self.affine: Affine = dependence.affine

    def region(self, region: Region) -> Region:
        body: list[Instr] = []
        for instr in region.body:
            nested = replace(instr, regions=tuple(self.region(r) for r in instr.regions)) if instr.regions else instr
            pair = self.find(instr) if instr.op == "for" else None
            body += [nested] if pair is None else self.rewrite(pair, nested)
        return replace(region, body=tuple(body))

    def find(self, loop: Instr) -> _Pair | None:
        """An innermost loop with exactly two accumulations to one array, one step apart, and no other access to it."""
        (body,) = loop.regions
        if any(i.regions or i.op in ("store", "push", "pop", "check", "index") for i in body.body):
            return None
        sums: dict[Value, list[Instr]] = {}
        for instr in body.body:
            if instr.op == "accumulate":
                sums.setdefault(self.dependence.root(instr.operands[1]), []).append(instr)
        loaded = {self.dependence.root(i.operands[0]) for i in body.body if i.op == "load"}
        for root, pair in sums.items():
            if len(pair) == 2 and root not in loaded and pair[0].operands[1] is pair[1].operands[1]:
                step = -loop.attrs["step"] if loop.attrs.get("reverse") else loop.attrs["step"]
                for again, new in (pair, pair[::-1]):
                    if self.is_step_ahead(body.params[0], again, new, step):
                        return _Pair(loop, again, new)
        return None

    def is_step_ahead(self, counter: Value, again: Instr, new: Instr, step: int) -> bool:
        """Whether `new` touches at iteration i what `again` touches at the next."""
        for a, b in zip(again.operands[2:], new.operands[2:], strict=True):
            form = self.affine.form(a)
            advance = form.get(counter, 0) * step
            if known(plus(plus(self.affine.form(b), form, -1), {1: -advance} if advance else {})) != 0:
                return False
        return any(counter in self.affine.form(a) for a in again.operands[2:])

    def rewrite(self, pair: _Pair, loop: Instr) -> list[Instr]:
        """The loop with the new element's sum carried, and the last one added after it."""
        type_ = pair.new.operands[0].type
        assert isinstance(type_, Scalar)
        outside = Builder(self.ops)
        outside.span = loop.span
        zero = outside.const(0.0, type_)
        (body,) = loop.regions
        carried = Value(type_, f"{pair.new.operands[1].hint}_next")
        inside = Builder(self.ops)
        for instr in body.body:
            inside.span = instr.span
            if instr is pair.again:
                total = inside.emit("add", instr.operands[0], carried, flags="adjoint")
                inside.append(replace(instr, operands=(total, *instr.operands[1:])))
            elif instr is not pair.new:
                inside.append(instr)
        # `again` may stand before the value of `new` is known; it only needs the value of the iteration before.
        region = inside.finish((*body.params, carried), (*body.yields, pair.new.operands[0]))
        rest = Value(type_, carried.hint)
        operands, results = (*loop.operands, zero), (*loop.results, rest)
        fused = Instr("for", operands, results, loop.attrs, (region,), loop.span)
        after = self.last(pair, rest, outside)
        constants = outside.finish((), ()).body
        return [*[i for i in constants if i.op == "const" and not i.regions], fused, *after]

    def last(self, pair: _Pair, rest: Value, outside: Builder) -> list[Instr]:
        """`if the loop ran: d[element of the last iteration] += rest`."""
        loop, b = pair.loop, Builder(self.ops)
        b.span = loop.span
        lo, hi = loop.operands[:2]
        step = loop.attrs["step"]
        ran = b.emit("lt", lo, hi) if step > 0 else b.emit("gt", lo, hi)
        with b.region() as then:
            counter = self.final_counter(b, loop)
            index = self.evaluate(b, pair.new.operands[2:], {loop.regions[0].params[0]: counter})
            b.emit_many("accumulate", (rest, pair.new.operands[1], *index), {})
        with b.region() as otherwise:
            pass
        b.emit_many("if", (ran,), {}, (then.region, otherwise.region), ())
        return list(b.finish((), ()).body)

    def final_counter(self, b: Builder, loop: Instr) -> Value:
        """The loop variable of the last iteration (of at least one)."""
        lo, hi = loop.operands[:2]
        step = loop.attrs["step"]
        if loop.attrs.get("reverse"):
            return lo
        towards = b.const(1 if step > 0 else -1)
        distance = b.emit("sub", b.emit("sub", hi, towards, exact=True), lo, exact=True)
        turns = b.emit("floordiv", distance, b.const(step), exact=True)
        return b.emit("add", lo, b.emit("mul", turns, b.const(step), exact=True), exact=True)

    def evaluate(self, b: Builder, values: tuple[Value, ...], names: dict[Value, Value]) -> list[Value]:
        body = next(iter(names))
        home = self.structure.home[body]

        def again(value: Value) -> Value:
            instr = self.structure.definition.get(value)
            if self.structure.home.get(value) is not home or instr is None:
                return names.get(value, value)
            if value not in names:
                names[value] = b.emit(instr.op, *(again(v) for v in instr.operands), **instr.attrs)
            return names[value]

        return [again(v) for v in values]
