"""How large integers can be, and which comparisons between them always hold.

Two tools. *Intervals* bound a value by numbers alone, wherever it stands: dimensions are below 2**48, a loop variable
lies between its bounds. *Proofs* compare affine forms (`n - 1 - i >= 0`) with all that is known at a place: loop
bounds, conditions, earlier checks. (Intervals as in P. and R. Cousot, "Static determination of dynamic properties of
programs", 1976, without widening: loop variables are bounded by their loops. Proofs are Fourier-Motzkin, `systems`.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adcore.analysis.affine.bounds import Bounds, bounds_of
from adcore.analysis.affine.forms import Atom, Form, plus, scaled
from adcore.analysis.affine.systems import feasible
from adcore.analysis.structure import operands_first
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.facts import kept
from adcore.ir.types import BOOL, Scalar
from adcore.machine_model import MODEL
from adcore.ops import Table

Interval = tuple[int, int]

SIZE_LIMIT = 2**48
"""No array has as many elements on any axis: addresses have 48 bits."""

ARITHMETIC = frozenset({"add", "sub", "mul", "neg", "abs", "minimum", "maximum", "floordiv", "mod"})
"""Ops whose intervals follow from those of their operands: chains of them are followed without recursion."""

LIMITS: Interval = (-(2**63), 2**63 - 1)


def fits(interval: Interval) -> bool:
    """Whether 64 bits hold every number of the interval."""
    return LIMITS[0] <= interval[0] and interval[1] <= LIMITS[1]


@kept
def ranges_of(function: Function, ops: Table) -> Ranges:
    """How large the integers of `function` can be."""
    return Ranges(bounds_of(function, ops))


class Ranges:
    """Intervals and proofs over one function, memoised."""

    def __init__(self, bounds: Bounds) -> None:
        self.structure, self.affine, self.bounds = bounds.structure, bounds.affine, bounds
        self._intervals: dict[Value, Interval] = {}

    def form(self, value: Value) -> Form:
        """`value` as an affine form."""
        return self.affine.form(value)

    # Intervals

    def interval(self, value: Value) -> Interval:
        """Numbers between which an integer value lies wherever it is defined."""
        if value not in self._intervals:
            for current in operands_first(value, self._missing):
                found = self._derive(current)
                self._intervals[current] = found if fits(found) else _by_type(current)
        return self._intervals[value]

    def _missing(self, value: Value) -> list[Value]:
        """The operands of arithmetic whose intervals are not known yet."""
        instr = self.structure.definition.get(value)
        arithmetic = instr is not None and instr.op in ARITHMETIC
        return [v for v in instr.operands if v not in self._intervals] if instr is not None and arithmetic else []

    def interval_of(self, form: Mapping[Atom, int]) -> Interval:
        """The same for a form, term by term."""
        low = high = 0
        for atom, coefficient in form.items():
            bounds = (1, 1) if atom == 1 else self.interval(atom) if isinstance(atom, Value) else LIMITS
            ends = sorted((coefficient * bounds[0], coefficient * bounds[1]))
            low, high = low + ends[0], high + ends[1]
        return low, high

    def summable(self, form: Mapping[Atom, int]) -> bool:
        """Whether the terms of `form` can be added up in any order without overflow."""
        if len(form) == 1 and next(iter(form.items()))[1] == 1:
            return True
        terms = (abs(bound) for atom, c in form.items() for bound in [max(map(abs, self.interval_of({atom: c})))])
        return sum(terms) <= LIMITS[1]

    def exact(self, instr: Instr) -> bool:
        """Whether integer arithmetic cannot raise, by the intervals of its operands."""
        if instr.op in ("floordiv", "mod"):
            return self.interval(instr.operands[1])[0] > 0
        return fits(self._arithmetic(instr))

    def _derive(self, value: Value) -> Interval:
        instr = self.structure.definition.get(value)
        if instr is None:
            return self._parameter(value)
        if instr.op == "const":
            return int(instr.attrs["value"]), int(instr.attrs["value"])
        if instr.op in ("dim", "count"):
            return 0, SIZE_LIMIT
        if instr.op == "index":
            return 0, max(self.interval(instr.operands[1])[1] - 1, 0)
        if instr.op == "cast" and isinstance(instr.operands[0].type, Scalar) and instr.operands[0].type.kind in "iub":
            return self.interval(instr.operands[0])
        if instr.op == "if":
            return self._union([region.yields[instr.results.index(value)] for region in instr.regions])
        if instr.op == "while" and value is instr.results[-1]:
            return 0, LIMITS[1]
        return self._arithmetic(instr) if len(instr.results) == 1 else _by_type(value)

    def _parameter(self, value: Value) -> Interval:
        region = self.structure.home.get(value)
        owner = self.structure.owner[region] if region is not None else None
        if region is None or owner is None or value is not region.params[0]:
            return _by_type(value)
        if owner.op == "while":
            return 0, LIMITS[1]
        (lo, _), (_, hi) = self.interval(owner.operands[0]), self.interval(owner.operands[1])
        if owner.attrs["step"] > 0:
            return lo, max(lo, hi - 1)
        (_, top), (bottom, _) = self.interval(owner.operands[0]), self.interval(owner.operands[1])
        return min(top, bottom + 1), top

    def _union(self, values: Sequence[Value]) -> Interval:
        intervals = [self.interval(v) for v in values]
        return min(low for low, _ in intervals), max(high for _, high in intervals)

    def _arithmetic(self, instr: Instr) -> Interval:
        """What the operation gives mathematically, which may be more than 64 bits hold."""
        if instr.op == "select":
            return self._union(instr.operands[1:])
        ends = [self.interval(v) for v in instr.operands]
        if instr.op in ("add", "sub"):
            (a, b), (c, d) = ends
            return (a + c, b + d) if instr.op == "add" else (a - d, b - c)
        if instr.op == "mul":
            corners = [x * y for x in ends[0] for y in ends[1]]
            return min(corners), max(corners)
        if instr.op == "neg":
            return -ends[0][1], -ends[0][0]
        if instr.op == "abs":
            (a, b) = ends[0]
            return (0 if a <= 0 <= b else min(abs(a), abs(b))), max(abs(a), abs(b))
        if instr.op in ("minimum", "maximum"):
            pick = min if instr.op == "minimum" else max
            return pick(e[0] for e in ends), pick(e[1] for e in ends)
        if instr.op in ("floordiv", "mod") and ends[1][0] > 0:
            (a, b), (_, d) = ends
            return (0, d - 1) if instr.op == "mod" else (min(a, a // d), max(b, 0))
        return _by_type(instr.result)

    # Proofs

    def nonnegative(self, form: Form, region: Region, facts: Sequence[Form] = ()) -> bool:
        """Whether `form >= 0` follows from what holds in `region` and from `facts` (forms that are >= 0)."""
        if self._at_least_zero(form):
            return True
        if all(atom == 1 for atom in form):
            return False
        facts = self._about(form, facts) if len(facts) > MODEL.many_facts else facts
        rows = self.bounds.at(region, [form, *facts])
        equalities = [row for row, is_equality in rows if is_equality]
        inequalities = [row for row, is_equality in rows if not is_equality]
        return not feasible(equalities, [*inequalities, *facts, plus(scaled(form, -1), {1: -1})])

    def _about(self, form: Form, facts: Sequence[Form]) -> list[Form]:
        """Those of many facts that share an unknown with `form`, or speak of sizes only, each of them once."""
        own = [atom for atom in form if not self._is_size(atom)]
        found: dict[frozenset[tuple[Atom, int]], Form] = {}
        for fact in facts:
            if any(atom in fact for atom in own) or all(map(self._is_size, fact)):
                found[frozenset(fact.items())] = fact
        return list(found.values())

    def _is_size(self, atom: Atom) -> bool:
        if not isinstance(atom, Value):
            return atom == 1
        instr = self.structure.definition.get(atom)
        return instr is not None and instr.op in ("dim", "count")

    def _at_least_zero(self, form: Form) -> bool:
        """The cheap proof: put in the bound of each loop variable that makes the form smallest, innermost first."""
        for _ in range(8):
            if self.interval_of(form)[0] >= 0:
                return True
            loops = [atom for atom in form if isinstance(atom, Value) and self._loop(atom) is not None]
            if not loops:
                return False
            innermost = max(loops, key=lambda v: self.structure.depth(self.structure.home[v]))
            form = self._extreme(form, innermost)
        return False

    def _loop(self, value: Value) -> Instr | None:
        """The `for` whose loop variable this is."""
        region = self.structure.home.get(value)
        owner = self.structure.owner[region] if region is not None else None
        is_variable = owner is not None and owner.op == "for" and region is not None and value is region.params[0]
        return owner if is_variable else None

    def _extreme(self, form: Form, variable: Value) -> Form:
        loop = self._loop(variable)
        assert loop is not None
        lo, hi = (self.form(v) for v in loop.operands[:2])
        upwards = loop.attrs["step"] > 0
        least, most = (lo, plus(hi, {1: -1})) if upwards else (plus(hi, {1: 1}), lo)
        rest = {atom: c for atom, c in form.items() if atom is not variable}
        return plus(rest, least if form[variable] > 0 else most, form[variable])


def _by_type(value: Value) -> Interval:
    type_ = value.type
    if type_ == BOOL:
        return 0, 1
    if not isinstance(type_, Scalar) or type_.kind not in "iu":
        return LIMITS
    bits = 8 * type_.bytes
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if type_.kind == "i" else (0, 2**bits - 1)
