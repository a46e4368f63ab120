"""What an op does besides giving its results, declared with the op: the only thing that passes may know about memory.

    load %a, %i                reads an element of operand 0, at the subscripts from operand 1 on; gives it as result
    store %v, %a, %i           writes operand 0 to an element of operand 1
    accumulate %v, %a, %i      adds operand 0 to an element of operand 1: such sums commute with each other
    view %a, %lo, %n, %step    is a view of operand 0: element k of it is element lo + step * k of that
    fill %v, %a                writes every element of operand 1

A pass asks `ops.effects[instr.op]`, a table that is made once. What it doesn't recognise among the accesses (a bulk op
among loads and stores) it has to leave alone, or to have expanded (`adcore.transform.bulk`). There is no default: the
verifier refuses an op that declares nothing, because a pass would take silence for purity.

The categories are those of MLIR's memory effects (effect, value, resource) and of its speculation interface, with two
things added that differentiation lives on: *where* in an array an op touches memory, in subscripts that the dependence
test understands, and sums as an effect of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from adcore.ir.core import Instr, Value
from adcore.ir.types import ArrayType, ListType, Type, is_float, is_integer

AccessKind = Literal["read", "write", "add"]

Raises = Literal["never", "always", "integers", "conversions", "memory"]
"""integers: only where operands are integers, whose results may not fit; conversions: only where a float becomes an
integer, which has no NaN; memory: only where there is none left, which is no error of the user's program."""


@dataclass(frozen=True)
class Access:
    """One way in which an op touches the memory of the array (or list) that is its operand number `array`.

    `at`: the element whose subscripts are the operands from this position on; None: elements that nobody can tell.
    `value`: the element is written with (or grows by) just this operand; of a read, the op's result is the element.
    `every`: no element is left out, so that a write leaves nothing of what was there.
    """

    kind: AccessKind
    array: int
    at: int | None = None
    value: int | None = None
    every: bool = False


def reads(array: int, at: int | None = None, *, every: bool = False) -> Access:
    return Access("read", array, at, None, every)


def writes(array: int, at: int | None = None, *, value: int | None = None, every: bool = False) -> Access:
    return Access("write", array, at, value, every)


def adds(array: int, at: int | None = None, *, value: int | None = None, every: bool = False) -> Access:
    return Access("add", array, at, value, every)


@dataclass(frozen=True, slots=True)
class Axis:
    """A subscript of the source of a view: `start + step * k`, with `k` the subscript number `given` of the view.

    `start`: None for 0; `step`: None for 1; `given`: None where the view has no such dimension.
    """

    start: Value | None = None
    given: int | None = None
    step: Value | None = None


@dataclass(frozen=True)
class View:
    """The result shares the memory of operand `source`; `axes(instr)` has an Axis for each of its subscripts."""

    source: int
    axes: Callable[[Instr], Sequence[Axis]]


@dataclass(frozen=True)
class Effects:
    """The declaration of one op.

    `allocates`: the result is a new array. `view`: the result is a view. `recursive`: effects are those of the
    instructions in its regions. `ordered`: it uses something that is no array, under this name, and does so in the
    order of the program (records that are pushed and popped). `asserts`: it is there to raise, so that it is not pure
    although it changes nothing. `terminates`: false of what may run forever.
    """

    accesses: tuple[Access, ...] = ()
    raises: Raises = "never"
    allocates: bool = False
    view: View | None = None
    recursive: bool = False
    ordered: str = ""
    asserts: bool = False
    terminates: bool = True

    # What passes ask most, worked out once.

    read: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Operands whose memory is read (a sum that nobody sees the old value of reads nothing)."""
    written: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Operands whose memory changes, by writes or sums."""
    silent: bool = field(init=False, repr=False, compare=False)
    """Nothing but its accesses to memory can be told of it (and an error)."""
    pure: bool = field(init=False, repr=False, compare=False)
    """Changes nothing: may be repeated, and merged with its equal while the memory that it reads is the same."""
    movable: bool = field(init=False, repr=False, compare=False)
    """Pure, and no memory is read: may stand wherever its operands are known, if it cannot raise there."""
    element: Access | None = field(init=False, repr=False, compare=False)
    """Of an op that does nothing but touch one element: a plain load, store or sum."""

    def __post_init__(self) -> None:
        changes = tuple(dict.fromkeys(a.array for a in self.accesses if a.kind != "read"))
        acts = self.allocates or self.recursive or self.ordered or self.asserts
        silent = not acts and self.terminates
        pure = silent and not changes
        plain = len(self.accesses) == 1 and self.accesses[0].at is not None and silent and self.raises == "never"
        derived = {
            "read": tuple(dict.fromkeys(a.array for a in self.accesses if a.kind == "read")),
            "written": changes,
            "silent": silent,
            "pure": pure,
            "movable": pure and not self.accesses,
            "element": self.accesses[0] if plain and (pure or self.accesses[0].value is not None) else None,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def can_raise(self, instr: Instr) -> bool:
        """Whether operands of the types of this instruction's may stop the program."""
        if self.raises == "integers":
            return any(is_integer(v.type) for v in instr.operands)
        if self.raises == "conversions":
            return any(is_float(v.type) for v in instr.operands) and is_integer(instr.result.type)
        return self.raises != "never"

    def may_raise(self, instr: Instr) -> bool:
        """The same, where it stands: what is known to be `exact` there has a result."""
        return self.raises != "never" and not instr.attrs.get("exact") and self.can_raise(instr)

    def problems(self, types: Sequence[Type]) -> list[str]:
        """What is wrong with the declaration for operands of these types, for the verifier."""
        if not self.accesses and self.view is None:
            return []
        arrays = [*((a.array, a.at) for a in self.accesses), *([(self.view.source, None)] if self.view else [])]
        found = []
        for array, at in arrays:
            type_ = types[array] if array < len(types) else None
            if not isinstance(type_, (ArrayType, ListType)):
                found.append(f"declares that operand {array} is an array, and it is {type_}")
            elif at is not None and len(types) - at != type_.rank + isinstance(type_, ListType):
                found.append(f"declares an element of {type_} at {len(types) - at} subscripts")
        return found


VALUE = Effects()
"""Gives results that follow from the operands alone, and nothing else."""

EXACT = Effects(raises="integers")
"""The same, but integers that do not fit, or have no result, stop the program."""

CONVERTS = Effects(raises="conversions")
"""The same, but a float that is no integer's neighbour (a NaN, or too large) stops the program."""

STOPS = Effects(raises="always")
"""The same, but some operands stop the program."""

REGIONS = Effects(recursive=True)
"""What the instructions in its regions do."""


class UndeclaredEffects(AssertionError):
    """A pass met an op of which nobody has said what it does."""


class EffectsTable(dict[str, Effects]):
    """Effects by the name of the op."""

    def __missing__(self, op: str) -> Effects:
        raise UndeclaredEffects(f"the op {op!r} does not declare its effects")
