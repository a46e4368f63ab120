"""Which instructions of one region must keep their order: through values, through memory, and through errors.

%t = load x, 0                      An error ends the program, so what the user can still see afterwards must be
store %a, y, 1   } any order        what Python leaves behind: a store to an argument does not pass what may raise.
check %ok        } this order       Arrays that the program made itself are gone by then.
store %b, x, 1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from adcore.analysis.affine.dependence import Dependence
from adcore.analysis.structure import Structure
from adcore.ir.core import Instr, Value, free_values, walk
from adcore.ops import Table


@dataclass(frozen=True)
class Acts:
    """What an instruction, with all that it holds, does besides computing: the accesses to memory; whether it may
    `stop` the program, is `visible` in an argument's memory, or `opaque`: not to be moved."""

    accesses: tuple[Instr, ...]
    stops: bool
    visible: bool
    opaque: bool

    def clash(self, other: Acts) -> bool:
        """Whether the order of two instructions shows even if they share no memory."""
        errors = (self.stops and (other.stops or other.visible)) or (self.visible and other.stops)
        return errors or (self.opaque and other.acts) or (other.opaque and self.acts)

    @property
    def acts(self) -> bool:
        return self.opaque or self.stops or bool(self.accesses)


@dataclass(frozen=True)
class InstrActs:
    """Answers about single instructions: they hold as long as the same instruction stands anywhere in the function."""

    effects: dict[Instr, Acts] = field(default_factory=dict)
    used: dict[Instr, frozenset[Value]] = field(default_factory=dict)


class Ordering:
    """Memoised answers for one function; `known`, for versions of it that differ in other places."""

    def __init__(self, structure: Structure, dependence: Dependence, ops: Table, known: InstrActs) -> None:
        self.structure, self.dependence, self.ops = structure, dependence, ops
        self._effects, self._used = known.effects, known.used

    def effects(self, instr: Instr) -> Acts:
        if instr not in self._effects:
            inside = [instr, *(i for region in instr.regions for i in walk(region))]
            accesses = tuple(i for i in inside if i.op in self.ops.touching)
            every = [access for i in accesses for access in self.dependence.accesses(i)]
            self._effects[instr] = Acts(
                accesses,
                stops=any(may_stop(i, self.ops, self.structure.definition) for i in inside),
                visible=any(access.writes and not self._is_local(access.root) for access in every),
                opaque=any(self._is_opaque(i) for i in inside) or not all(self._is_fixed(a.root) for a in every),
            )
        return self._effects[instr]

    def _is_local(self, root: Value) -> bool:
        instr = self.structure.definition.get(root)
        return instr is not None and instr.op in self.ops.allocs

    def _is_fixed(self, root: Value) -> bool:
        """Whether a root is one array: an argument or an allocation, not what a loop or a branch chose."""
        return self._is_local(root) or root in self.structure.function.params

    def _is_opaque(self, instr: Instr) -> bool:
        """Whether it does more than what is known of memory and of errors."""
        return bool(self.ops.effects[instr.op].ordered)

    def precedes(self, first: Instr, second: Instr) -> bool:
        """Whether `first`, which stands before `second` in one region, has to stay there."""
        if not self.uses(second).isdisjoint(first.results):
            return True
        a, b = self.effects(first), self.effects(second)
        return a.clash(b) or any(self.dependence.here(x, y) for x, y in self.conflicting(a.accesses, b.accesses))

    def conflicting(self, some: Iterable[Instr], others: Sequence[Instr]) -> Iterable[tuple[Instr, Instr]]:
        """Pairs of accesses that may share memory, at least one of which writes."""
        writers = self.ops.writers
        for x in some:
            for y in others:
                if (x.op in writers or y.op in writers) and self._share(x, y):
                    yield x, y

    def _share(self, x: Instr, y: Instr) -> bool:
        overlap = self.dependence.may_overlap
        mine, theirs = self.dependence.accesses(x), self.dependence.accesses(y)
        return any(overlap(a.root, b.root) for a in mine for b in theirs if a.writes or b.writes)

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
    effects = ops.effects[instr.op]
    if not effects.terminates:
        return True
    if effects.allocates:
        return not all(is_size(v, definition) for v in instr.operands)
    return effects.raises != "memory" and effects.may_raise(instr)  # without memory, it is no error of the program


def is_size(value: Value, definition: Mapping[Value, Instr]) -> bool:
    """Whether an integer is certainly not negative."""
    instr = definition.get(value)
    if instr is None:
        return False
    if instr.op == "maximum":
        return any(is_size(v, definition) for v in instr.operands)
    return instr.op in ("dim", "count") or (instr.op == "const" and instr.attrs["value"] >= 0)
