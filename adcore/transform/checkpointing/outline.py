"""The body of a loop as a function of its own: what checkpointing differentiates and runs again.

    func @f(%x: array<f64,1,C>, %s: f64, %n: i64) -> (f64) {
      %r: f64 = for 0, %n, %s [step=1] {
      (%t: i64, %u: f64):
        %v: f64 = load %x, %t
        %a: f64 = mul %u, %v
        %w: f64 = add %a, %s
        yield %w
      }
      return %r
    }
->
    func @f_step(%t: i64, %u: f64, %x: array<f64,1,C>, %s: f64) -> (f64) {
      %v: f64 = load %x, %t
      %a: f64 = mul %u, %v
      %w: f64 = add %a, %s
      return %w
    }

The loop variable comes first, then the carried values, then what the body takes from outside.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.record import surroundings
from adcore.analysis.structure import Structure
from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, substitute, walk
from adcore.ops.messages import silent


@dataclass(frozen=True, eq=False)
class Outlined:
    """`function` takes the loop variable, the carried values and the outer values `inputs`; it returns the next carried
    values."""

    function: Function
    inputs: tuple[Value, ...]
    origin: dict[Instr, Instr] = field(default_factory=dict, repr=False)
    """What each instruction of `function` is a copy of."""

    def of(self, instrs: Collection[Instr]) -> frozenset[Instr]:
        """The copies of `instrs`."""
        return frozenset(copy for copy, instr in self.origin.items() if instr in instrs)


def outline(structure: Structure, loop: Instr) -> Outlined:
    """The body of a loop that stands in no other one."""
    body = loop.regions[-1]
    pulled, inputs = surroundings(structure, loop)
    # What is said in the loop was said when it ran first.
    region = silent(Region((*body.params, *inputs), (*pulled, *body.body), body.yields), structure.ops.effects)
    name = f"{structure.function.name}_step"
    function = Function(name, substitute(region, {}), loop.span)
    return Outlined(function, inputs, dict(zip(walk(function.region), walk(region), strict=True)))


def aliases_of(outlined: Outlined, outer: AliasClasses, params: Sequence[Value]) -> AliasClasses:
    """The alias groups of the outlined function, from those of the function around it."""
    shift = len(outlined.function.params) - len(outlined.inputs)
    groups = []
    for group in outer.groups:
        inside = tuple(shift + k for k, v in enumerate(outlined.inputs) for p in group if params[p] is v)
        if inside:
            groups.append(inside)
    return AliasClasses(tuple(groups))


def call_inline(builder: Builder, function: Function, arguments: Sequence[Value]) -> tuple[Value, ...]:
    """Append the body of `function` with `arguments` for its parameters; returns its results."""
    copy = substitute(function.region, dict(zip(function.params, arguments, strict=True)))
    for instr in copy.body:
        builder.append(instr)
    return copy.yields
