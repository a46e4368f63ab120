"""Folding, value numbering, loop-invariant motion, dead code: what differentiation should not have to look at.

    %t: f64, %q: f64 = for 0, %n, 0.0, %s [step=1] {
    (%i: i64, %u: f64, %w: f64):
      %a: f64 = mul %s, 1.0
      %b: f64 = sin %a
      %v: f64 = load %x, %i
      %c: f64 = mul %v, %b
      %d: f64 = add %u, %c
      yield %d, %w
    }
    %e: f64 = sin %s
    %f: f64 = mul %q, %e
    %g: f64 = add %t, %f
    return %g
->
    %b.1: f64 = sin %s
    %t: f64 = for 0, %n, 0.0 [step=1] {
    (%i: i64, %u: f64):
      %v: f64 = load %x, %i
      %c.1: f64 = mul %v, %b.1
      %d.1: f64 = add %u, %c.1
      yield %d.1
    }
    %f: f64 = mul %s, %b.1
    %g: f64 = add %t, %f
    return %g

Floating-point results do not change: only identities that hold for every IEEE value are used. Values are numbered by
their operation and operands in the scope of the region they stand in, and stand as far out as these do: global value
numbering and code motion (C. Click, "Global code motion, global value numbering", PLDI 1995), for structured control
flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, meaning, walk
from adcore.ir.facts import kept
from adcore.ir.interpreter import normal
from adcore.ir.types import Scalar, is_float
from adcore.machine_model import MODEL
from adcore.ops import Table
from adcore.transform.canonical.dead_code import eliminate_dead_code
from adcore.transform.canonical.memory_versions import MemoryVersions
from adcore.transform.canonical.rewrites import RULES_OF, rewritten
from adcore.transform.canonical.settled_regions import inputs_of, settle, settled_in, surroundings

ExpressionKey = tuple[Any, ...]
"""What instructions that compute the same have in common."""


def simplify(function: Function, ops: Table) -> Function:
    """An equivalent function with less in it; the same one if it has been made by this already.

    One way front to back settles everything but loops that turn out to carry something unchanged, or to write to
    arrays that could be told only after their views had moved out. As long as there are such, and something has become
    less, there is another round.
    """
    if ops in simple_in(function):
        return function
    size = sum(1 for _ in walk(function.region))
    for _ in range(MODEL.simplify_rounds):
        before, pass_ = function, Simplifier(ops)
        function = eliminate_dead_code(pass_.run(function), ops)
        if function is before or not pass_.unsettled:
            simple_in(function).add(ops)
            settle(function, ops, pass_.definition, pass_.depth, pass_.settled)
            break
        larger, size = size, sum(1 for _ in walk(function.region))
        if size == larger:
            break
    return function


@kept
def simple_in(function: Function) -> set[Table]:
    """The tables for which `function` is a result of `simplify`."""
    return set()


class Simplifier:
    """Goes through a function front to back: `value` says what its values are called now, `definition` what defines
    them, `depth` in which open region; `numbers` has a value for each computation in scope. What does not change stays
    the same object."""

    def __init__(self, ops: Table) -> None:
        self.ops = ops
        self.builder = Builder(ops)
        self.value: dict[Value, Value] = {}
        self.depth: dict[Value, int] = {}
        self.definition: dict[Value, Instr] = {}
        self.memory = MemoryVersions(ops, self.definition, self.value)
        self.numbers: dict[ExpressionKey, Value] = {}
        self.scopes: list[list[ExpressionKey]] = [[]]  # per open region, the keys in `numbers` that end with it
        self.kinds: list[str] = ["function"]
        self.carries_invariants = False
        self.settled: set[Region] = set()

    @property
    def unsettled(self) -> bool:
        """Whether another round may find more."""
        return self.carries_invariants or self.memory.unknown

    def run(self, function: Function) -> Function:
        self.keep(function.params)
        for instr in function.region.body:
            self.instr(instr)
        results = tuple([self.value[v] for v in function.results])
        body = self.builder.finish((), ()).body
        return function.with_region(function.region.with_body(body, results))

    def constant(self, value: Value) -> Any:
        """The number that `value` is known to be, or None."""
        instr = self.definition.get(value)
        return instr.attrs["value"] if instr is not None and instr.op == "const" else None

    def instr(self, instr: Instr) -> None:
        """Append what becomes of `instr`. What a rule makes of it is looked at again."""
        self.builder.span = instr.span
        operands = [self.value[v] for v in instr.operands]
        if instr.regions:
            self.branch(instr, operands) if instr.op == "if" else self.loop(instr, operands)
            return
        current = instr
        while (rules := RULES_OF.get(current.op)) is not None:
            simpler = rewritten(self, current, operands, rules)
            if isinstance(simpler, Value):
                self.value[instr.result] = simpler
                return
            if simpler is None:
                break
            current, operands = simpler, list(simpler.operands)
        if len(current.results) == 1 and self.ops.effects[current.op].pure:
            self.value[instr.result] = self.computed(current, operands)
        else:
            self.act(current, operands)

    def act(self, instr: Instr, operands: Sequence[Value]) -> None:
        """Append an instruction that does more than to give one value."""
        for k in self.ops.effects[instr.op].written:
            self.memory.write(operands[k])
        if instr.op in self.ops.stores:
            self.remember_stored(instr, operands)
        self.keep(instr.results)
        self.append(instr.with_operands(tuple(operands)))

    # Values

    def computed(self, instr: Instr, operands: Sequence[Value]) -> Value:
        """The value of a pure instruction: a constant, one that is there already, or that of the instruction itself."""
        folded = self.fold(instr, operands)
        return self.number(instr, operands) if folded is None else folded

    def fold(self, instr: Instr, operands: Sequence[Value]) -> Value | None:
        """The constant that a pure instruction over constants gives."""
        numbers = []
        for value in operands:
            number = self.constant(value)
            if number is None:
                return None
            numbers.append(number)
        op, type_ = self.ops[instr.op], instr.result.type
        if not operands or not isinstance(type_, Scalar) or op.evaluate is None:
            return None
        try:
            typed = [normal(v, n) for v, n in zip(operands, numbers, strict=True)]
            result: Any = normal(instr.result, op.evaluate(*typed, **meaning(instr.attrs)))
        except Exception:
            return None  # it raises at run time: leave it to raise there
        constant = float(result) if is_float(type_) else result
        return self.number(Instr("const", (), (Value(type_),), {"value": constant, "type": type_.name}), ())

    def number(self, instr: Instr, operands: Sequence[Value]) -> Value:
        """The existing value of an equal instruction in scope, or that of this one, as far out as it may stand."""
        key = self.key(instr, operands)
        known = self.numbers.get(key)
        if known is not None:
            return known
        depth = self.target_depth(instr, operands)
        result = instr.result
        moved = instr.with_operands(tuple(operands))
        if depth == len(self.kinds) - 1:
            self.builder.append(moved)
        else:
            with self.builder.at(depth) as builder:
                builder.append(moved)
        self.value[result] = result
        self.depth[result] = depth
        self.definition[result] = moved
        self.remember(key, result, depth)
        return result

    def remember(self, key: ExpressionKey, value: Value, depth: int) -> None:
        """`value` stands for all instructions with this key, as long as the region at `depth` is open."""
        self.numbers[key] = value
        self.scopes[depth].append(key)

    def key(self, instr: Instr, operands: Sequence[Value]) -> ExpressionKey:
        order: Sequence[Value] = operands
        if len(operands) == 2 and self.ops[instr.op].commutative:
            order = sorted(operands, key=id)
        attrs: tuple[tuple[str, str], ...] = ()
        if instr.attrs:
            attrs = tuple([(k, repr(v)) for k, v in instr.attrs.items()])
            if len(attrs) > 1:
                attrs = tuple(sorted(attrs))
        return (instr.op, *order, attrs, instr.result.type, *self.memory.read_by(instr.op, operands))

    def target_depth(self, instr: Instr, operands: Sequence[Value]) -> int:
        """Out of loops as far as the operands allow; never out of an `if`, never what may raise or reads memory."""
        here, effects = len(self.kinds) - 1, self.ops.effects[instr.op]
        if not here or not effects.movable:
            return here
        if effects.may_raise(instr):
            return here
        lowest = max([self.depth[v] for v in operands], default=0)
        while here > lowest and self.kinds[here] in ("for", "while"):
            here -= 1
        return here

    def remember_stored(self, store: Instr, operands: Sequence[Value]) -> None:
        """What is loaded from where a value was just stored, is that value.

        In loops only: elsewhere the value is in a register, and the reader of an explanation better sees where memory
        is read.
        """
        if not ("for" in self.kinds or "while" in self.kinds):
            return
        element = self.ops.elements[store.op]
        assert element.value is not None
        value, place = operands[element.value], (operands[element.array], *operands[element.at :])
        for op in self.ops.loads:
            access = self.ops.elements[op]
            if (access.array, access.at) == (0, 1):
                read = Instr(op, place, (Value(value.type),))
                self.remember(self.key(read, place), value, -1)

    # Structure

    def keep(self, values: Sequence[Value]) -> None:
        """`values` are defined here, under their own names."""
        depth = len(self.kinds) - 1
        for value in values:
            self.value[value] = value
            self.depth[value] = depth

    def append(self, instr: Instr) -> None:
        self.builder.append(instr)
        for result in instr.results:
            self.definition[result] = instr

    def stays(self, region: Region, kind: str) -> bool:
        """Whether nothing becomes of `region`, as it was simplified before and nothing that counts has changed."""
        before = settled_in(region).get(self.ops)
        if before is None:
            return False
        inputs, value = inputs_of(region, self.ops), self.value
        if any(value[v] is not v for v in inputs.free):
            return False
        if before != surroundings(inputs, (*self.kinds, kind), self.definition, self.depth):
            return False
        if any(self.key(instr, instr.operands) in self.numbers for instr in inputs.open):
            return False
        if kind == "if":  # what a loop writes was told when it was entered
            written = self.memory.written_in(region)
            if any(array not in value for array in written):
                return False
            for array in written:
                self.memory.write(value[array])
        self.settled.add(region)
        return True

    def region(self, region: Region, kind: str) -> Region:
        if self.stays(region, kind):
            return region
        self.kinds.append(kind)
        self.scopes.append([])
        self.keep(region.params)
        with self.builder.region(region.params) as opened:
            for instr in region.body:
                self.instr(instr)
        for key in self.scopes.pop():
            del self.numbers[key]
        self.kinds.pop()
        return region.with_body(opened.body, tuple([self.value[v] for v in region.yields]))

    def branch(self, instr: Instr, operands: list[Value]) -> None:
        condition = self.constant(operands[0])
        if condition is not None:
            taken = instr.regions[0 if condition else 1]
            for nested in taken.body:
                self.instr(nested)
            self.value.update({r: self.value[y] for r, y in zip(instr.results, taken.yields, strict=True)})
            return
        regions = [self.region(region, "if") for region in instr.regions]
        same = [a is b and self.depth[a] < len(self.kinds) for a, b in zip(*(r.yields for r in regions), strict=True)]
        kept = [k for k, equal in enumerate(same) if not equal]
        for k, result in enumerate(instr.results):
            if same[k]:
                self.value[result] = regions[0].yields[k]
        results = instr.results
        if len(kept) < len(results):
            regions = [r.with_body(r.body, tuple([r.yields[k] for k in kept])) for r in regions]
            results = tuple([instr.results[k] for k in kept])
        self.close(instr, tuple(operands), results, tuple(regions))

    def close(
        self, instr: Instr, operands: tuple[Value, ...], results: tuple[Value, ...], regions: tuple[Region, ...]
    ) -> None:
        """Append `instr` with other operands, of its results those that are left, and what became of its regions."""
        self.keep(results)
        if len(results) == len(instr.results):
            self.append(instr.with_operands(operands).with_regions(regions))
        else:
            self.append(Instr(instr.op, operands, results, instr.attrs, regions, instr.span))

    def loop(self, instr: Instr, operands: list[Value]) -> None:
        fixed = {"for": 2, "while": 0}[instr.op]
        invariant = self.invariant_positions(instr)
        for k in invariant:
            for region in instr.regions:
                self.value[region.params[k + 1]] = operands[fixed + k]
            self.value[instr.results[k]] = operands[fixed + k]
        kept = [k for k in range(len(operands) - fixed) if k not in invariant]
        for region in instr.regions:
            self.memory.enter(region)
        regions = [self.loop_region(region, kept, instr.op, region is instr.regions[-1]) for region in instr.regions]
        body = regions[-1]
        self.carries_invariants |= any(y is p for y, p in zip(body.yields, body.params[1:], strict=True))
        trips = instr.results[len(operands) - fixed :]
        inputs = (*operands[:fixed], *(operands[fixed + k] for k in kept))
        self.close(instr, inputs, (*(instr.results[k] for k in kept), *trips), tuple(regions))

    def invariant_positions(self, instr: Instr) -> set[int]:
        """Carried values that every iteration passes on unchanged."""
        body = instr.regions[-1]
        return {k for k, y in enumerate(body.yields) if y is body.params[k + 1]}

    def loop_region(self, region: Region, kept: list[int], kind: str, is_body: bool) -> Region:
        if len(kept) == len(region.params) - 1:
            return self.region(region, kind)
        params = (region.params[0], *(region.params[k + 1] for k in kept))
        yields = tuple(region.yields[k] for k in kept) if is_body else region.yields
        return self.region(Region(params, region.body, yields), kind)
