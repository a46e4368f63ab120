"""How wide vectors should be, and how many of them an iteration takes: 512 bits where the machine has them and the
program gains, and one vector where each iteration waits for the one before.

Measured (Cascade Lake, gradients in cache): 1.5 times as fast for sums of free order and plain arithmetic; slower for
divisions and square roots (their units are no wider) and for sums in the user's order (one chain of additions,
however wide).
"""

from __future__ import annotations

from adcore.ir.core import Function, Instr, Value, walk
from adcore.ir.types import is_float
from adcore.lower.vector_math import VectorMath

NARROW = frozenset({"div", "sqrt", "mod", "floordiv", "fmod", "hypot"})


def preferred_bits(function: Function, vector_math: VectorMath, fastmath: bool | str) -> int:
    """The vector width for `function`, in bits."""
    loops = [i for i in walk(function.region) if i.op in ("for", "product")]
    if not vector_math.wide or not loops:
        return 256
    return 256 if any(_is_narrow(loop, fastmath) for loop in loops) else 512


def _is_narrow(loop: Instr, fastmath: bool | str) -> bool:
    if loop.op == "product":
        return not (fastmath or loop.attrs["free"])
    (body,) = loop.regions
    if any(i.op in NARROW and is_float(i.result.type) for i in walk(body)):
        return True
    return has_ordered_sum(loop, fastmath)


def is_one_chain(loop: Instr, fastmath: bool | str) -> bool:
    """Whether all that a `for` sums up is summed in the user's order: each addition waits for the one before.

    More than one vector in an iteration gains nothing then. A sum of free order gains, and would be another number.
    """
    (body,) = loop.regions
    if not has_ordered_sum(loop, fastmath) or any(i.regions for i in body.body):
        return False
    follows, free = set(body.params[1:]), set[Value]()
    for instr in body.body:
        if not follows.isdisjoint(instr.operands):
            follows.update(instr.results)
            if instr.attrs.get("flags"):
                free.update(instr.results)
    return free.isdisjoint(body.yields)


def has_ordered_sum(loop: Instr, fastmath: bool | str) -> bool:
    """Whether a `for` sums numbers up in the user's order."""
    (body,) = loop.regions
    carried = set(body.params[1:])
    ordered = (i for i in body.body if i.op in ("add", "sub") and is_float(i.result.type) and not i.attrs.get("flags"))
    return not fastmath and any(i.result in body.yields and carried.intersection(i.operands) for i in ordered)
