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

from collections.abc import Callable, Sequence
from typing import Any

from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, meaning, walk
from adcore.ir.facts import kept
from adcore.ir.interpreter import normal
from adcore.ir.types import I64, ArrayType, Scalar, is_float
from adcore.ops import Table
from adcore.transform.canonical.dead_code import eliminate_dead_code

ROUNDS = 4
"""What a round takes out of a loop may let the next one do more; more than this has not been seen to pay."""

Rewrite = Callable[["Simplifier", Instr, Sequence[Value]], "Value | None"]


def simplify(function: Function, ops: Table) -> Function:
    """An equivalent function with less in it; the same one if it has been made by this already."""
    if ops in simple_in(function):
        return function
    size = sum(1 for _ in walk(function.region))
    for _ in range(ROUNDS):
        before, function = function, eliminate_dead_code(Simplifier(ops).run(function), ops)
        if function is before:
            simple_in(function).add(ops)
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
    """Rebuilds a function front to back; `value` maps old values to new ones, tables describe the new ones."""

    def __init__(self, ops: Table) -> None:
        self.ops = ops
        self.builder = Builder(ops)
        self.value: dict[Value, Value] = {}
        self.depth: dict[Value, int] = {}
        self.definition: dict[Value, Instr] = {}
        self.numbers: dict[tuple[Any, ...], Value] = {}
        self.scopes: list[list[tuple[Any, ...]]] = [[]]  # per open region, the keys in `numbers` that end with it
        self.kinds: list[str] = ["function"]
        self.epoch: dict[Value, int] = {}
        self.clock = 0
        self.written: dict[Region, dict[Value, None]] = {}

    def run(self, function: Function) -> Function:
        for param in function.params:
            self.value[param] = param
            self.depth[param] = 0
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
        self.builder.span = instr.span
        operands = [self.value[v] for v in instr.operands]
        structured = {"for": self.loop, "while": self.loop, "if": self.branch}.get(instr.op)
        if structured is not None:
            structured(instr, operands)
            return
        if len(instr.results) == 1 and instr.op in _REWRITES:
            for rewrite in _REWRITES[instr.op]:
                simpler = rewrite(self, instr, operands)
                if simpler is not None:
                    self.value[instr.result] = simpler
                    return
        self.emit(instr, operands)

    def emit(self, instr: Instr, operands: Sequence[Value]) -> None:
        op = self.ops[instr.op]
        if len(instr.results) != 1 or not op.pure:
            self.touch(instr, operands)
            self.keep(instr.results)
            self.append(instr.with_operands(tuple(operands)))
            return
        folded = self.fold(instr, operands)
        self.value[instr.result] = folded if folded is not None else self.number(instr, operands)

    def fold(self, instr: Instr, operands: Sequence[Value]) -> Value | None:
        """The constant that a pure instruction over constants gives."""
        op, type_ = self.ops[instr.op], instr.result.type
        numbers = [self.constant(v) for v in operands]
        if instr.op == "const" or not isinstance(type_, Scalar) or op.evaluate is None or not operands:
            return None
        if any(n is None for n in numbers):
            return None
        try:
            typed = [normal(v, n) for v, n in zip(operands, numbers, strict=True)]
            result: Any = normal(instr.result, op.evaluate(*typed, **meaning(instr.attrs)))
        except Exception:
            return None  # it raises at run time: leave it to raise there
        return self.const(float(result) if is_float(type_) else result, type_)

    def const(self, number: Any, type_: Scalar) -> Value:
        attrs = {"value": number, "type": type_.name}
        instr = Instr("const", (), (Value(type_),), attrs)
        return self.number(instr, ())

    def number(self, instr: Instr, operands: Sequence[Value]) -> Value:
        """The existing value of an equal instruction in scope, or a new instruction as far out as it may stand."""
        key = self.key(instr, operands)
        known = self.numbers.get(key)
        if known is not None:
            return known
        depth = self.target_depth(instr, operands)
        result = instr.result
        self.value[result] = result
        moved = instr.with_operands(tuple(operands))
        with self.builder.at(depth) as builder:
            builder.append(moved)
        self.depth[result] = depth
        self.definition[result] = moved
        self.remember(key, result, depth)
        return result

    def remember(self, key: tuple[Any, ...], value: Value, depth: int) -> None:
        """`value` stands for all instructions with this key, as long as the region at `depth` is open."""
        self.numbers[key] = value
        self.scopes[depth].append(key)

    def key(self, instr: Instr, operands: Sequence[Value]) -> tuple[Any, ...]:
        order: Sequence[Value] = operands
        if self.ops[instr.op].commutative:
            order = sorted(operands, key=id)
        attrs = tuple(sorted((k, repr(v)) for k, v in instr.attrs.items()))
        version = [self.version(operands[k]) for k in self.ops.effects[instr.op].read]
        return (instr.op, *order, attrs, instr.result.type, *version)

    def target_depth(self, instr: Instr, operands: Sequence[Value]) -> int:
        """Out of loops as far as the operands allow; never out of an `if`, never what may raise or reads memory."""
        here = len(self.kinds) - 1
        op = self.ops[instr.op]
        if op.can_raise(tuple(v.type for v in operands)) and not instr.attrs.get("exact"):
            return here
        if not self.ops.effects[instr.op].movable:
            return here
        lowest = max((self.depth[v] for v in operands), default=0)
        while here > lowest and self.kinds[here] in ("for", "while"):
            here -= 1
        return here

    # Memory: a load may be shared while nothing that could be its array has been written.

    def root(self, array: Value) -> Value:
        """The parameter, list or allocation that `array` is a view of."""
        return self.ops.root(array, self.definition)

    def version(self, array: Value) -> tuple[int, int]:
        root = self.root(array)
        any_parameter = -1 if self.definition.get(root) is not None else self.epoch.get(PARAMETERS, 0)
        return self.epoch.get(root, 0), any_parameter

    def touch(self, instr: Instr, operands: Sequence[Value]) -> None:
        for k in self.ops.effects[instr.op].written:
            self.invalidate(operands[k])
        if instr.op in self.ops.stores and ("for" in self.kinds or "while" in self.kinds):
            # Elsewhere the value is in a register, and the reader of an explanation better sees where memory is read.
            access = self.ops.elements[instr.op]
            assert access.value is not None
            value, place = operands[access.value], [operands[access.array], *operands[access.at :]]
            read = Instr("load", tuple(place), (Value(value.type),))
            self.remember(self.key(read, place), value, -1)

    def invalidate(self, array: Value) -> None:
        """Forget loads of `array`'s root; parameters may overlap each other, so they are forgotten together."""
        root = self.root(array)
        self.clock += 1
        self.epoch[root if self.definition.get(root) is not None else PARAMETERS] = self.clock

    def invalidate_region(self, region: Region) -> None:
        """Forget what a loop may overwrite in the iteration before. (After it, the stores inside have done so.)"""
        for array in self.written_in(region):
            known = self.value.get(array)
            if known is not None:
                self.invalidate(known)
            else:  # a view made inside the region: its root is not known yet
                self.clock += 1
                self.epoch = dict.fromkeys([*self.epoch, PARAMETERS, *self.allocations()], self.clock)

    def written_in(self, region: Region) -> dict[Value, None]:
        """The arrays that a region of the input writes into, those of nested regions among them."""
        found = self.written.get(region)
        if found is None:
            found = self.written[region] = {}
            for instr in region.body:
                for k in self.ops.effects[instr.op].written:
                    found[instr.operands[k]] = None
                for nested in instr.regions:
                    found.update(self.written_in(nested))
        return found

    def allocations(self) -> list[Value]:
        return [v for v, instr in self.definition.items() if instr.op in self.ops.allocs]

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

    def region(self, region: Region, kind: str) -> Region:
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
            self.invalidate_region(region)
        regions = [self.loop_region(region, kept, instr.op, region is instr.regions[-1]) for region in instr.regions]
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


PARAMETERS = Value(I64, "any parameter's memory")
"""Stands for the memory of all parameters in the table of memory versions."""


def _identity(position: int, neutral: float, floats: bool) -> Rewrite:
    """`x op neutral` is x, with the neutral element at `position`."""

    def rewrite(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
        if is_float(instr.result.type) and not floats:
            return None
        number = s.constant(operands[position])
        if number is None or number != neutral or (neutral == 0 and str(number).startswith("-")):
            return None
        return operands[1 - position]

    return rewrite


def _whole_division(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    """i // 1 is i for integers (for floats it rounds)."""
    return operands[0] if instr.result.type == I64 and s.constant(operands[1]) == 1 else None


def _power_of_constant(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    """x ** 2 and other small whole powers as products, x ** 0.5 is left to libm (it differs at -0 and -inf)."""
    exponent = s.constant(operands[1])
    if not is_float(instr.result.type) or exponent is None:
        return None
    x = operands[0]
    if exponent == 1:
        return x
    if exponent == 2:
        return s.number(Instr("mul", (), (Value(instr.result.type),), {}, (), instr.span), (x, x))
    return None


def _of_view(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    """dim(view(...)), dim(transpose(...)), dim(alloc(...)) are operands of those."""
    source = s.definition.get(operands[0])
    axis = instr.attrs["axis"]
    if source is None:
        return None
    if source.op == "alloc":
        return source.operands[axis]
    if source.op == "transpose":
        inner = Instr("dim", (), (Value(I64),), {"axis": source.attrs["permutation"][axis]}, (), instr.span)
        again = _of_view(s, inner, source.operands)
        return again if again is not None else s.number(inner, source.operands)
    if source.op == "view":
        position = 1
        for kind in source.attrs["axes"]:
            if kind == "s" and axis == 0:
                return source.operands[position + 1]
            axis -= kind == "s"
            position += 3 if kind == "s" else 1
    return None


def _not_negative(position: int) -> Rewrite:
    """max(n, 0) is n for a dimension n, on either side."""

    def rewrite(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
        source = s.definition.get(operands[position])
        is_size = source is not None and source.op in ("dim", "count")
        return operands[position] if is_size and s.constant(operands[1 - position]) == 0 else None

    return rewrite


def _same_transpose(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    permutation = tuple(instr.attrs["permutation"])
    if permutation == tuple(range(len(permutation))):
        return operands[0]
    source = s.definition.get(operands[0])
    if source is not None and source.op == "transpose":
        composed = tuple(source.attrs["permutation"][k] for k in permutation)
        original = source.operands[0]
        assert isinstance(original.type, ArrayType)
        if composed == tuple(range(len(composed))):
            return original
    return None


def _not_not(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    source = s.definition.get(operands[0])
    return source.operands[0] if source is not None and source.op == "not" else None


def _neg(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    source = s.definition.get(operands[0])
    return source.operands[0] if source is not None and source.op == "neg" and is_float(instr.result.type) else None


def _times_minus_one(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    """x * -1 and -1 * x are exactly -x."""
    if is_float(instr.result.type):
        for k in (0, 1):
            if s.constant(operands[k]) == -1:
                negated = Instr("neg", (), instr.results, {}, (), instr.span)
                again = _neg(s, negated, (operands[1 - k],))
                return again if again is not None else s.number(negated, (operands[1 - k],))
    return None


def _constant_choice(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    condition = s.constant(operands[0])
    if condition is not None:
        return operands[1 if condition else 2]
    return operands[1] if operands[1] is operands[2] else None


def _logic(neutral: bool) -> Rewrite:
    def rewrite(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
        for k in (0, 1):
            known = s.constant(operands[k])
            if known is not None:
                return operands[1 - k] if bool(known) is neutral else operands[k]
        return None

    return rewrite


def _same_cast(s: Simplifier, instr: Instr, operands: Sequence[Value]) -> Value | None:
    return operands[0] if operands[0].type == instr.result.type else None


_REWRITES: dict[str, tuple[Rewrite, ...]] = {
    "add": (_identity(1, 0, False), _identity(0, 0, False)),
    "sub": (_identity(1, 0, True),),
    "mul": (_identity(1, 1, True), _identity(0, 1, True), _times_minus_one),
    "div": (_identity(1, 1, True),),
    "floordiv": (_whole_division,),
    "neg": (_neg,),
    "pow": (_power_of_constant,),
    "dim": (_of_view,),
    "transpose": (_same_transpose,),
    "maximum": (_not_negative(0), _not_negative(1)),
    "not": (_not_not,),
    "and": (_logic(True),),
    "or": (_logic(False),),
    "select": (_constant_choice,),
    "cast": (_same_cast,),
}
