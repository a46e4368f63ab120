"""Which reads of memory see the same: every array has a version, which what may write to it raises.

    %a: f64 = load %x, %i        version 0 of x
    store %v, %y, %j             y is version 1; so is x, if both are parameters: they may overlap
    %b: f64 = load %x, %i        version 1 of x: not what %a is

Ops are known by what they declare to do (`adcore.ops.effects`), whatever they are called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import I64
from adcore.ops import Table

PARAMETERS = Value(I64, "any parameter's memory")
"""Stands for the memory of all parameters in the table of versions."""


class MemoryVersions:
    """Versions at the place that a pass, going front to back, has come to. `definition` and `names` are the pass's own:
    what defines its values, and what it calls those of the program that it reads."""

    def __init__(self, ops: Table, definition: Mapping[Value, Instr], names: Mapping[Value, Value]) -> None:
        self.ops, self.definition, self.names = ops, definition, names
        self.unknown = False
        """Whether a loop writes to arrays that are not known where it begins: everything was forgotten there."""
        self._versions: dict[Value, int] = {}
        self._clock = 0
        self._written: dict[Region, dict[Value, None]] = {}

    def root(self, array: Value) -> Value:
        """The parameter, list or allocation that `array` is a view of."""
        views = self.ops.views
        while (instr := self.definition.get(array)) is not None and (view := views.get(instr.op)) is not None:
            array = instr.operands[view.source]
        return array

    def read_by(self, op: str, operands: Sequence[Value]) -> tuple[tuple[int, int], ...]:
        """The versions of all memory that an instruction reads."""
        return tuple([self.version(operands[k]) for k in self.ops.effects[op].read])

    def version(self, array: Value) -> tuple[int, int]:
        root = self.root(array)
        any_parameter = -1 if root in self.definition else self._versions.get(PARAMETERS, 0)
        return self._versions.get(root, 0), any_parameter

    def write(self, array: Value) -> None:
        """Something may write to `array`; parameters may overlap each other, so they are written together."""
        root = self.root(array)
        self._clock += 1
        self._versions[root if root in self.definition else PARAMETERS] = self._clock

    def enter(self, region: Region) -> None:
        """The region of a loop begins: the iteration before has written what it writes. (After the loop, the stores
        inside have done so.)"""
        for array in self.written_in(region):
            known = self.names.get(array)
            if known is not None:
                self.write(known)
            else:  # a view made inside the region: its root is not known yet
                self.unknown = True
                self._clock += 1
                allocations = [v for v, instr in self.definition.items() if instr.op in self.ops.allocs]
                self._versions = dict.fromkeys([*self._versions, PARAMETERS, *allocations], self._clock)

    def written_in(self, region: Region) -> dict[Value, None]:
        """The arrays that a region of the program writes into, those of nested regions among them."""
        found = self._written.get(region)
        if found is None:
            found = self._written[region] = {}
            for instr in region.body:
                found.update(dict.fromkeys(instr.operands[k] for k in self.ops.effects[instr.op].written))
                for nested in instr.regions:
                    found.update(self.written_in(nested))
        return found
