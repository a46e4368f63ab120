"""Carried values of loops in forms that LLVM runs in vectors.

Running maxima and minima:

    for ... (%m: f64):                          the same loop over llvm.maximumnum, which passes over NaN,
      %bigger: bool = gt %x, %m           ->    and after it: NaN if the initial value was NaN
      %n: f64 = select %bigger, %x, %m
      yield %n

Comparing with NaN is false, so this loop keeps its initial value for ever if that is NaN, and passes over all other
NaNs. LLVM takes comparison and select for a maximum only where NaN is ruled out; `llvm.maximum` would hand NaN on.

Sums of negative terms in the user's order: LLVM keeps an order only for additions, so `s = s - x` carries `-s` and
adds. Rounding is symmetric, hence nothing changes.

In both, zeros of both signs are equal to the program; which of them remains is not kept.
"""

from __future__ import annotations

from functools import lru_cache

from adcore.ir.core import Instr, Region, Value, walk
from adcore.ir.types import is_float

_LARGER = {("gt", False): "maximumnum", ("ge", False): "maximumnum", ("lt", True): "maximumnum",
           ("le", True): "maximumnum", ("lt", False): "minimumnum", ("le", False): "minimumnum",
           ("gt", True): "minimumnum", ("ge", True): "minimumnum"}  # fmt: skip
"""(comparison, carried value on its left) of `select comparison, x, carried` -> what it computes."""


def extrema(loop: Instr) -> dict[int, tuple[Instr, str]]:
    """Carried positions of a `for` that are running extrema: the select of each, and the intrinsic that replaces it."""
    (body,) = loop.regions
    definition = {v: i for i in body.body for v in i.results}
    found = {}
    for k, (carried, update) in enumerate(zip(body.params[1:], body.yields, strict=True)):
        choice = definition.get(update)
        if choice is None or choice.op != "select" or not is_float(update.type) or not supported():
            continue
        condition, x, kept = choice.operands
        comparison = definition.get(condition)
        if comparison is None or kept is not carried or set(comparison.operands) != {x, carried} or x is carried:
            continue
        name = _LARGER.get((comparison.op, comparison.operands[0] is carried))
        uses = (_uses(body, carried), _uses(body, condition), _uses(body, update))
        if name is not None and uses == (2, 1, 1):
            found[k] = (choice, name)
    return found


def differences(loop: Instr) -> dict[int, Instr]:
    """Carried positions of a `for` from which something is subtracted and nothing else: the subtraction of each."""
    (body,) = loop.regions
    definition = {v: i for i in body.body for v in i.results}
    found = {}
    for k, (carried, update) in enumerate(zip(body.params[1:], body.yields, strict=True)):
        instr = definition.get(update)
        if instr is None or instr.op != "sub" or not is_float(update.type) or instr.attrs.get("flags"):
            continue
        if instr.operands[0] is carried and (_uses(body, carried), _uses(body, update)) == (1, 1):
            found[k] = instr
    return found


def _uses(region: Region, value: Value) -> int:
    """How many instructions, or yields, of `region` read `value`."""
    count = sum(v is value for v in region.yields)
    for instr in walk(region):
        count += any(v is value for v in instr.operands)
        count += sum(v is value for nested in instr.regions for v in nested.yields)
    return count


@lru_cache(maxsize=1)
def supported() -> bool:
    """Earlier versions of LLVM don't turn `maximumnum` into vector code."""
    from llvmlite import binding

    return bool(binding.llvm_version_info[0] >= 22)
