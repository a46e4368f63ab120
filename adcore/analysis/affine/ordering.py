"""Which instructions of one region must keep their order: through values, through memory, and through errors.

%t = load x, 0                      An error ends the program, so what the user can still see afterwards must be
store %a, y, 1   } any order        what Python leaves behind: a store to an argument does not pass what may raise.
check %ok        } this order       Arrays that the program made itself are gone by then.
store %b, x, 1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from adcore.analysis.affine.dependence import ACCESSES, Dependence
from adcore.analysis.structure import Structure
from adcore.ir.core import Instr, Value, free_values, walk
from adcore.ir.types import BOOL, is_float
from adcore.ops import Table

PLAIN = frozenset({"store", "accumulate", "for", "if", "check", "alloc"})
"""Impure ops of which everything is known."""

VISIBLE = frozenset({"store", "accumulate"})


@dataclass(frozen=True)
class Effects:
    """What an instruction, with all that it holds, does besides computing: loads and stores; whether it may `stop` the
    program, is `visible` in an argument's memory, or `opaque`: not to be moved."""

    accesses: tuple[Instr, ...]
    stops: bool
    visible: bool
    opaque: bool

    def clash(self, other: Effects) -> bool:
        """Whether the order of two instructions shows even if they share no memory."""
        errors = (self.stops and (other.stops or other.visible)) or (self.visible and other.stops)
        return errors or (self.opaque and other.acts) or (other.opaque and self.acts)

    @property
    def acts(self) -> bool:
        return self.opaque or self.stops or bool(self.accesses)


@dataclass(frozen=True)
class Known:
    """Answers about single instructions: they hold as long as the same instruction stands anywhere in the function."""

    effects: dict[Instr, Effects] = field(default_factory=dict)
    used: dict[Instr, frozenset[Value]] = field(default_factory=dict)


class Ordering:
    """Memoised answers for one function; `known`, for versions of it that differ in other places."""

    def __init__(self, structure: Structure, dependence: Dependence, ops: Table, known: Known) -> None:
        self.structure, self.dependence, self.ops = structure, dependence, ops
        self._effects, self._used = known.effects, known.used

    def effects(self, instr: Instr) -> Effects:
        if instr not in self._effects:
            inside = [instr, *(i for region in instr.regions for i in walk(region))]
            accesses = tuple(i for i in inside if i.op in ACCESSES)
            roots = {i: self.dependence.root(i.operands[ACCESSES[i.op]]) for i in accesses}
            self._effects[instr] = Effects(
                accesses,
                stops=any(may_stop(i, self.ops, self.structure.definition) for i in inside),
                visible=any(i.op in VISIBLE and not self._is_own(roots[i]) for i in accesses),
                opaque=any(self._is_opaque(i) for i in inside) or not all(map(self._is_fixed, roots.values())),
            )
        return self._effects[instr]

    def _is_own(self, root: Value) -> bool:
        instr = self.structure.definition.get(root)
        return instr is not None and instr.op == "alloc"

    def _is_fixed(self, root: Value) -> bool:
        """Whether a root is one array: an argument or an allocation, not what a loop or a branch chose."""
        return self._is_own(root) or root in self.structure.function.params

    def _is_opaque(self, instr: Instr) -> bool:
        return not self.ops[instr.op].pure and instr.op not in PLAIN and instr.op != "while"

    def precedes(self, first: Instr, second: Instr) -> bool:
        """Whether `first`, which stands before `second` in one region, has to stay there."""
        if not self.uses(second).isdisjoint(first.results):
            return True
        a, b = self.effects(first), self.effects(second)
        return a.clash(b) or any(self.dependence.here(x, y) for x, y in self.conflicting(a.accesses, b.accesses))

    def conflicting(self, some: Iterable[Instr], others: Sequence[Instr]) -> Iterable[tuple[Instr, Instr]]:
        """Pairs of accesses that may share memory, at least one of which writes."""
        for x in some:
            root = self.dependence.access(x).root
            for y in others:
                if not x.op == y.op == "load" and self.dependence.may_overlap(root, self.dependence.access(y).root):
                    yield x, y

    def uses(self, instr: Instr) -> frozenset[Value]:
        """Values from outside that `instr`, or what it holds, takes."""
        if instr not in self._used:
            inner = (free_values(region) for region in instr.regions)
            self._used[instr] = frozenset(instr.operands).union(*inner)
        return self._used[instr]

    def split(self, body: Sequence[Instr], first: int, second: int) -> tuple[list[Instr], list[Instr], list[Instr]]:
        """What stands between two positions of `body`: what has to stay there, and of the rest what may stand before
        both, and what after both."""
        between = body[first + 1 : second]
        below, above = [body[first]], [body[second]]
        for instr in between:
            if any(self.precedes(earlier, instr) for earlier in below):
                below.append(instr)
        for instr in reversed(between):
            if any(self.precedes(instr, later) for later in above):
                above.append(instr)
        early, late = set(above[1:]), set(below[1:])
        stuck = [i for i in between if i in early and i in late]
        return stuck, [i for i in between if i in early], [i for i in between if i not in early]


def may_stop(instr: Instr, ops: Table, definition: Mapping[Value, Instr]) -> bool:
    """Whether an instruction by itself may end the program, by an error or by never ending."""
    if instr.op in ("while", "call"):
        return True
    if instr.op == "alloc":
        return not all(is_size(v, definition) for v in instr.operands)
    types = tuple(v.type for v in instr.operands)
    if instr.op == "cast":
        return is_float(types[0]) and not is_float(instr.result.type) and instr.result.type != BOOL
    harmless = instr.op == "push" or instr.attrs.get("exact")  # memory may run out: no error of the user's program
    return not harmless and ops[instr.op].can_raise(types)


def is_size(value: Value, definition: Mapping[Value, Instr]) -> bool:
    """Whether an integer is certainly not negative."""
    instr = definition.get(value)
    if instr is None:
        return False
    if instr.op == "maximum":
        return any(is_size(v, definition) for v in instr.operands)
    return instr.op in ("dim", "count") or (instr.op == "const" and instr.attrs["value"] >= 0)
