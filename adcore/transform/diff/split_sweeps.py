"""The two sweeps of a reverse function as two functions, with what the second needs of the first in between.

    func @f(%x: f64) -> (f64) {
      %y: f64 = exp %x
      return %y
    }
->
    func @f_forward(%x: f64) -> (f64, f64) {
      %y: f64 = exp %x
      return %y, %y
    }
    func @f_reverse(%y: f64, %seed: f64) -> (f64) {
      %0: f64 = mulz %y, %seed [flags='adjoint']
      return %0
    }

What crosses the cut becomes a result of the first and a parameter of the second: scalars, and arrays that the first one
makes. Memory of the caller may have changed by the time of the second, so what it reads there is copied at the cut.
Constants and views are made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, free_values
from adcore.ir.types import ArrayType, ListType
from adcore.ops import Table
from adcore.transform.canonical.dead_code import eliminate_dead_code

COPY = "copy_"
"""How the names of copies begin."""


class NotSplit(Exception):
    """The reverse sweep reads a list of arrays: `name` is the user's."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the reverse sweep reads the list {name}")
        self.name = name


@dataclass(frozen=True)
class Halves:
    """`forward` takes the primal's parameters and gives its results, then what crosses; `reverse` takes what crosses,
    then the shadows and seeds, and gives the adjoints of active parameters."""

    forward: Function
    reverse: Function


def split(function: Function, cut: int, primal: Function, ops: Table) -> Halves:
    """Cut the reverse function of `primal` after its first `cut` instructions."""
    count, results = len(primal.params), len(primal.results)
    own, given = function.params[:count], function.params[count:]
    first, second = function.region.body[:cut], function.region.body[cut:]
    adjoints = function.results[results:]
    used = free_values(Region((), second, adjoints))
    before = [v for v in (*own, *(r for i in first for r in i.results)) if v in used]
    draft = Function(f"{primal.name}_reverse", Region((*before, *given), second, adjoints), function.span)
    lean = eliminate_dead_code(draft, ops).region
    still = free_values(Region((), lean.body, lean.yields))
    crossing = _Crossing({r: i for i in first for r in i.results}, ops)
    for value in before:
        if value in still:
            crossing.need(value)
    body = (*crossing.again, *lean.body)
    reverse = Function(f"{primal.name}_reverse", Region((*crossing.values, *given), body, lean.yields), function.span)
    forward = _forward(function, own, first, results, crossing, ops)
    return Halves(Function(f"{primal.name}_forward", forward, function.span), reverse)


class _Crossing:
    """What the reverse sweep takes from the forward sweep: `values`, and instructions that it runs `again`."""

    def __init__(self, definition: dict[Value, Instr], ops: Table) -> None:
        self.definition, self.ops = definition, ops
        self.values: dict[Value, None] = {}
        self.again: dict[Instr, None] = {}

    def need(self, value: Value) -> None:
        instr = self.definition.get(value)
        source = self.ops.source(instr)
        in_list = source is not None and isinstance(source.type, ListType)
        if instr is not None and (instr.op == "const" or (source is not None and not in_list)):
            for operand in instr.operands:
                self.need(operand)
            self.again[instr] = None
            return
        array = source if source is not None else value
        if isinstance(array.type, ListType):
            raise NotSplit(array.hint)
        self.values[value] = None


def _forward(
    function: Function, own: tuple[Value, ...], first: Sequence[Instr], results: int, crossing: _Crossing, ops: Table
) -> Region:
    builder = Builder(ops)
    for instr in first:
        builder.append(instr)
    builder.span = function.span
    made = {i.result for i in first if i.op in ops.allocs}
    handed = [
        _copied(builder, value) if isinstance(value.type, ArrayType) and value not in made else value
        for value in crossing.values
    ]
    return builder.finish(own, (*function.results[:results], *handed))


def _copied(builder: Builder, array: Value) -> Value:
    assert isinstance(array.type, ArrayType)
    dims = [builder.emit("dim", array, axis=k) for k in range(array.type.rank)]
    how = {"element": array.type.element.name, "zero": False, "role": "stored"}
    copy = builder.emit("alloc", *dims, hint=f"{COPY}{array.hint}", **how)
    builder.emit_many("copy", (array, copy), {})
    return copy
