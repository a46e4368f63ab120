"""After a sweep that rolled memory back, the undone stores are done again: the caller finds the primal's result.

    for i in range(n): x[i] = kept[i]

The loops of the program run forward once more, with nothing in them but the subscripts and the stores.
"""

from __future__ import annotations

from collections.abc import Mapping

from adcore.analysis.structure import Structure
from adcore.ir.builder import Builder
from adcore.ir.core import Instr, Region, Value
from adcore.transform.loops import iteration_number


def redo(builder: Builder, structure: Structure, held: Mapping[Instr, Value]) -> None:
    """Emit the stores `held` in program order; each takes its value from a buffer over its loops, or is a scalar."""
    _Redo(builder, structure, held).region(structure.function.region)


class _Redo:
    def __init__(self, builder: Builder, structure: Structure, held: Mapping[Instr, Value]) -> None:
        self.builder, self.structure, self.held = builder, structure, held
        owners = [structure.owner[r] for store in held for r in structure.chain(structure.home[store])]
        self.loops = frozenset(o for o in owners if o is not None)
        self.names: dict[Value, Value] = {}

    def region(self, region: Region) -> None:
        for instr in region.body:
            self.builder.span = instr.span
            if instr in self.loops:
                self.loop(instr)
            elif instr in self.held:
                self.store(instr)

    def loop(self, loop: Instr) -> None:
        (body,) = loop.regions
        counter = Value(body.params[0].type, body.params[0].hint)
        self.names[body.params[0]] = counter
        with self.builder.region((counter,)) as opened:
            self.region(body)
        self.builder.emit_many("for", loop.operands[:2], loop.attrs, (opened.region,), ())

    def store(self, store: Instr) -> None:
        value = self.held[store]
        loops = self.structure.loops(self.structure.home[store])
        if loops:
            index = [iteration_number(self.builder, loop, self.names[loop.regions[0].params[0]]) for loop in loops]
            value = self.builder.emit("load", value, *index)
        array = self.array(store.operands[1])
        self.builder.emit_many("store", (value, array, *(self.value(v) for v in store.operands[2:])), {})

    def value(self, value: Value) -> Value:
        """A subscript, computed again from the loop variables."""
        if self.structure.home[value] is self.structure.function.region:
            return value
        if value not in self.names:
            instr = self.structure.definition[value]
            return self.builder.emit(instr.op, *(self.value(v) for v in instr.operands), **instr.attrs)
        return self.names[value]

    def array(self, array: Value) -> Value:
        instr = self.structure.definition.get(array)
        if instr is None or self.structure.home[array] is self.structure.function.region:
            return array
        base = self.array(instr.operands[0])
        return self.builder.emit(instr.op, base, *(self.value(v) for v in instr.operands[1:]), **instr.attrs)
