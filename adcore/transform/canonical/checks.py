"""Index and overflow checks that always hold are dropped; those of whole loops move in front of the loop.

    %size: i64 = dim %x [axis=0]
    for 0, %n [step=1] {
    (%i: i64):
      %j: i64 = add %i, 1
      %k: i64 = index %j, %size [axis=0]
      store %s, %x, %k
      yield
    }
->
    %size: i64 = dim %x [axis=0]
    %1: i64 = add %size, -1 [exact=True]
    %2: bool = le %n, %1
    %3: bool = ge 0, %n
    %4: bool = or %2, %3
    %6: i64 = maximum 1, %size
    check %4, %6, %size [error='IndexError', message='index {0} is out of bounds for axis 0 with size {1}']
    for 0, %n [step=1] {
    (%i: i64):
      %j: i64 = add %i, 1 [exact=True]
      store %s, %x, %j
      yield
    }

A check leaves a loop only if nothing else in it can raise, so the user sees the error that Python raises, with the same
index in its message (of several such checks, the first in the program's order). What earlier iterations would have
stored is not stored then. Checks of floats (`math domain error`) don't count: if a loop both runs out of an array and
meets one of those first, the index is reported. (R. Gupta, "Optimizing array bound checks using flow analysis", LOPLAS
2, 1993.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from adcore.analysis.affine.forms import Form, plus, scaled
from adcore.analysis.affine.ranges import Ranges, ranges_of
from adcore.analysis.structure import Structure, structure_of
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import I64, is_float
from adcore.ops import Table
from adcore.source import Span
from adcore.transform.canonical.short_circuit import flatten_conditions
from adcore.transform.loop_building import emit_form

ARITHMETIC = frozenset({"add", "sub", "mul", "neg", "abs", "floordiv", "mod"})
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})


def simplify_checks(function: Function, ops: Table) -> Function:
    """An equivalent function with fewer checks, and with them outside of loops where possible."""
    function = flatten_conditions(function, ops)
    findings = Findings(structure_of(function, ops), ranges_of(function, ops), ops)
    findings.visit(function.region, ())
    return Rewriter(findings, ops).function(function)


@dataclass(frozen=True, eq=False)
class UpperBound:
    """`index` stays below `size` if `excess <= 0`, unless one of the `loops` around runs no iteration.

    `first` is the index in the first iteration and `stride` what each iteration adds to it.
    """

    excess: Form
    first: Form
    stride: int
    size: Form
    axis: int
    span: Span | None
    loops: tuple[Instr, ...] = ()


@dataclass
class Findings:
    """What is known to hold: `exact` arithmetic, `plain` indices that need no check, and bounds checked elsewhere.

    `in_place` has the plain indices that are only known not to be negative; `before` the bounds to be checked in
    front of a loop on behalf of its body.
    """

    structure: Structure
    ranges: Ranges
    ops: Table
    exact: set[Instr] = field(default_factory=set)
    plain: set[Instr] = field(default_factory=set)
    in_place: dict[Instr, UpperBound] = field(default_factory=dict)
    before: dict[Instr, list[UpperBound]] = field(default_factory=dict)

    def visit(self, region: Region, facts: tuple[Form, ...]) -> None:
        """Analyse `region`; `facts` are forms that are >= 0 where it is entered."""
        for instr in region.body:
            if instr.op in ARITHMETIC and instr.result.type == I64 and self.ranges.exact(instr):
                self.exact.add(instr)
            elif instr.op == "index":
                facts += self._index(instr, region, facts)
            elif instr.op == "check":
                rows = self.ranges.bounds.condition(instr.operands[0], True)
                facts += tuple(form for form, _ in rows)
                facts += tuple(scaled(form, -1) for form, is_equality in rows if is_equality)
            for nested in instr.regions:
                self.visit(nested, facts)
            if instr.op == "for":
                self._move_out(instr)

    def _index(self, instr: Instr, region: Region, facts: tuple[Form, ...]) -> tuple[Form, ...]:
        """Classify one subscript; what holds after it."""
        index, size = (self.ranges.form(v) for v in instr.operands)
        below = plus(plus(size, index, -1), {1: -1})
        if not self.ranges.nonnegative(index, region, facts):
            return ()
        self.plain.add(instr)
        if not self.ranges.nonnegative(below, region, facts):
            self.in_place[instr] = UpperBound(scaled(below, -1), index, 0, size, instr.attrs.get("axis", 0), instr.span)
        return (index, below)

    def _move_out(self, loop: Instr) -> None:
        """Move the bounds that the body checks in front of `loop`, if nothing else in it can raise."""
        (body,) = loop.regions
        moved: list[UpperBound] = []
        own = [self.in_place[i] for i in body.body if i in self.in_place]
        inner = [bound for i in body.body for bound in self.before.get(i, ())]
        for bound in (*own, *inner):
            outside = self._outside(bound, loop)
            if outside is None:
                return
            moved.append(outside)
        if any(self._may_stop(i) for i in body.body):
            return
        for instr in body.body:
            self.in_place.pop(instr, None)
            self.before.pop(instr, None)
        if moved:
            self.before[loop] = _distinct(moved)

    def _may_stop(self, instr: Instr, nested: bool = False) -> bool:
        """Whether something other than a bound of the body itself, or of loops that stand in it, can raise."""
        if instr.regions:
            stops = instr.op == "while" or (nested and instr in self.before)
            return stops or any(self._may_stop(i, True) for r in instr.regions for i in r.body)
        if instr in self.exact or self.ops.effects[instr.op].raises == "memory":
            return False
        if instr in self.plain:
            return nested and instr in self.in_place
        if instr.op == "check":
            return not of_floats(instr.operands[0], self.structure.definition)
        return self.ops[instr.op].can_raise(instr)

    def _outside(self, bound: UpperBound, loop: Instr) -> UpperBound | None:
        """`bound` for all iterations of `loop` together; None if it has no such form."""
        variable, (lo, hi) = loop.regions[0].params[0], (self.ranges.form(v) for v in loop.operands[:2])
        step = loop.attrs["step"]
        forms = [bound.size, *(self.ranges.form(v) for inner in bound.loops for v in inner.operands[:2])]
        coefficient = bound.first.get(variable, 0)
        if (coefficient and bound.stride) or any(variable in form for form in forms):
            return None
        stride = coefficient * step
        if coefficient and (loop.attrs.get("reverse") or (stride > 0 and abs(step) != 1)):
            return None  # the greatest index is not an affine form of the bounds, or not met last
        extreme = plus(hi, {1: -1 if step > 0 else 1}) if stride > 0 else lo
        excess = _with(bound.excess, variable, extreme)
        first = _with(bound.first, variable, lo)
        if not all(self.defined_before(form, loop) for form in (excess, first, lo, hi, *forms)):
            return None
        missing = plus(plus(bound.size, first, -1), {1: stride - 1}) if stride > 1 else {}
        computed = [self.ranges.form(v) for inner in bound.loops for v in inner.operands[:2]
                    if not self.defined_before({v: 1}, loop)]  # fmt: skip
        if not all(map(self.ranges.summable, (*_sides(excess), first, bound.size, missing, *computed))):
            return None
        return replace(bound, excess=excess, first=first, stride=stride if coefficient else bound.stride,
                       loops=(*bound.loops, loop))  # fmt: skip

    def defined_before(self, form: Form, loop: Instr) -> bool:
        """Whether everything in `form` is available in front of `loop`."""
        here = set(self.structure.chain(self.structure.home[loop]))
        return all(a == 1 or (isinstance(a, Value) and self.structure.home[a] in here) for a in form)


def of_floats(condition: Value, definition: Mapping[Value, Instr]) -> bool:
    """Whether a condition compares floats only: one of integers may be what makes a subscript safe."""
    instr = definition.get(condition)
    if instr is None:
        return False
    if instr.op in COMPARISONS:
        return is_float(instr.operands[0].type)
    logic = instr.op in ("and", "or", "not") and all(of_floats(v, definition) for v in instr.operands)
    return logic or instr.op == "const"


def _with(form: Form, variable: Value, replacement: Form) -> Form:
    coefficient = form.get(variable, 0)
    rest = {atom: c for atom, c in form.items() if atom is not variable}
    return plus(rest, replacement, coefficient) if coefficient else rest


def _sides(excess: Form) -> tuple[Form, Form]:
    """`excess <= 0` as `left <= right`, with positive coefficients on both sides.

    A constant goes to the right where it can, to the dimensions: a bound `n` that the user passes may be any integer.
    """
    left: Form = {atom: c for atom, c in excess.items() if atom != 1 and c > 0}
    right: Form = {atom: -c for atom, c in excess.items() if atom != 1 and c < 0}
    constant = excess.get(1, 0)
    if constant:
        side, amount = (right, -constant) if right else (left, constant)
        side[1] = amount
    return left, right


def _distinct(bounds: Sequence[UpperBound]) -> list[UpperBound]:
    """Bounds whose condition no other has already."""
    seen: dict[tuple[object, ...], UpperBound] = {}
    for bound in bounds:
        seen.setdefault((frozenset(bound.excess.items()), bound.loops), bound)
    return list(seen.values())


class Rewriter:
    """Rebuilds a function with the findings applied."""

    def __init__(self, findings: Findings, ops: Table) -> None:
        self.findings, self.ops = findings, ops
        self.builder = Builder(ops)
        self.value: dict[Value, Value] = {}

    def function(self, function: Function) -> Function:
        self._body(function.region)
        results = tuple(self.value.get(v, v) for v in function.results)
        body = self.builder.finish((), ()).body
        return function.with_region(function.region.with_body(body, results))

    def _body(self, region: Region) -> None:
        for instr in region.body:
            self.builder.span = instr.span
            for bound in self.findings.before.get(instr, ()):
                self._check(bound, instr)
            if instr in self.findings.in_place:
                self._check_here(instr)
            if instr in self.findings.plain:
                self.value[instr.result] = self.value.get(instr.operands[0], instr.operands[0])
            else:
                self.builder.append(self._instr(instr))

    def _instr(self, instr: Instr) -> Instr:
        operands = tuple(self.value.get(v, v) for v in instr.operands)
        if instr in self.findings.exact and not instr.attrs.get("exact"):
            instr = replace(instr, attrs={**instr.attrs, "exact": True})
        regions = tuple([self._region(nested) for nested in instr.regions])
        return instr.with_operands(operands).with_regions(regions)

    def _region(self, region: Region) -> Region:
        with self.builder.region(region.params) as opened:
            self._body(region)
        return region.with_body(opened.body, tuple(self.value.get(v, v) for v in region.yields))

    def _check_here(self, instr: Instr) -> None:
        index, size = (self.value.get(v, v) for v in instr.operands)
        self._raise_unless(self.builder.emit("lt", index, size), instr.attrs.get("axis", 0), index, size)

    def _raise_unless(self, condition: Value, axis: int, index: Value, size: Value) -> None:
        message = f"index {{0}} is out of bounds for axis {axis} with size {{1}}"
        self.builder.emit_many("check", (condition, index, size), {"error": "IndexError", "message": message})

    def _check(self, bound: UpperBound, place: Instr) -> None:
        b, findings = self.builder, self.findings
        b.span = bound.span
        left, right = (self._sum(side) for side in _sides(bound.excess))
        condition = b.emit("le", left, right)
        for loop in bound.loops:
            # A bound that is computed inside the loop in front of which this check stands is computed again here.
            lo, hi = (self.value.get(v, v) if findings.defined_before({v: 1}, place)
                      else self._sum(findings.ranges.form(v)) for v in loop.operands[:2])  # fmt: skip
            condition = b.emit("or", condition, b.emit("ge" if loop.attrs["step"] > 0 else "le", lo, hi))
        size = self._sum(bound.size)
        self._raise_unless(condition, bound.axis, self._offender(bound, size), size)

    def _offender(self, bound: UpperBound, size: Value) -> Value:
        """The first index in the order of the iterations that is too large, given that there is one."""
        b, first = self.builder, self._sum(bound.first)
        if bound.stride <= 0:
            return first
        beyond = size
        if bound.stride > 1:
            stride = b.const(bound.stride)
            missing = self._sum(plus(plus(bound.size, bound.first, -1), {1: bound.stride - 1}))
            steps = b.emit("floordiv", missing, stride)
            beyond = b.emit("add", first, b.emit("mul", steps, stride, exact=True), exact=True)
        return b.emit("maximum", first, beyond)

    def _sum(self, form: Form) -> Value:
        """The value of a form, which is known to fit."""
        return emit_form(self.builder, form, lambda atom: self.value.get(atom, atom))
