"""How wide vectors should be, and how many of them an iteration takes: 512 bits where the machine has them and the
program gains, and no more of them than gain something: the code of four takes twice as long to compile.

Measured (Cascade Lake, gradients in cache): 1.5 times as fast for sums of free order and plain arithmetic; slower for
divisions and square roots (their units are no wider) and for sums in the user's order (one chain of additions,
however wide).
"""

from __future__ import annotations

from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ir.types import is_float
from adcore.lower.vector_math import VectorMath

NARROW = frozenset({"div", "sqrt", "mod", "floordiv", "fmod", "hypot"})


def preferred_bits(function: Function, vector_math: VectorMath, fastmath: bool) -> int:
    """The vector width for `function`, in bits."""
    loops = [i for i in walk(function.region) if i.op in ("for", "product")]
    if not vector_math.wide or not loops:
        return 256
    return 256 if any(_is_narrow(loop, fastmath) for loop in loops) else 512


def _is_narrow(loop: Instr, fastmath: bool) -> bool:
    if loop.op == "product":
        return not (fastmath or loop.attrs["free"])
    (body,) = loop.regions
    if any(i.op in NARROW and is_float(i.result.type) for i in walk(body)):
        return True
    return has_ordered_sum(loop, fastmath)


def vectors_of(loop: Instr, fastmath: bool) -> int | None:
    """How many vectors an iteration of the vectorised `for` takes; None: as many as LLVM likes.

    Neither choice is seen in a result. Where sums are in the user's order, each addition waits for the one before: more
    than one vector gains nothing. Where nothing is carried from one iteration to the next, two keep the units busy. A
    sum of free order gains from more, and is another number for each.
    """
    (body,) = loop.regions
    if any(i.regions for i in body.body):
        return None
    if len(body.params) == 1:
        return 2
    return 1 if has_ordered_sum(loop, fastmath) and not _has_free_sum(body) else None


def _has_free_sum(body: Region) -> bool:
    """Whether what follows from a carried value is carried on, by arithmetic whose order is free."""
    follows, free = set(body.params[1:]), set[Value]()
    for instr in body.body:
        if not follows.isdisjoint(instr.operands):
            follows.update(instr.results)
            if instr.attrs.get("flags"):
                free.update(instr.results)
    return not free.isdisjoint(body.yields)


def has_ordered_sum(loop: Instr, fastmath: bool) -> bool:
    """Whether a `for` sums numbers up in the user's order."""
    (body,) = loop.regions
    carried = set(body.params[1:])
    ordered = (i for i in body.body if i.op in ("add", "sub") and is_float(i.result.type) and not i.attrs.get("flags"))
    return not fastmath and any(i.result in body.yields and carried.intersection(i.operands) for i in ordered)
