"""Lowering regions, instruction by instruction: what is in scope, and who lowers which op.

Ops whose LLVM is more than a formula have a handler, in a table that `adcore.lower.lowering` fills: this module knows
none of them, so that each can stand in a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import Scalar
from adcore.lower.aliasing import Aliasing
from adcore.lower.descriptors import ArrayDescriptor, component_types, components, rebuilt, register
from adcore.lower.emitter import LLVMEmitter, overloaded
from adcore.lower.kernel_memory import Storage
from adcore.lower.outlining import PieceScope
from adcore.lower.roots import kept
from adcore.ops import Table

SUMS = ("add", "sub")
"""What `fastmath="sums"` reorders."""


class Lowering:
    """Lowers the regions of one function; `values` maps what is in scope."""

    def __init__(
        self,
        emitter: LLVMEmitter,
        storage: Storage,
        aliasing: Aliasing,
        ops: Table,
        fastmath: bool | str,
        handlers: Mapping[str, Handler],
    ) -> None:
        self.emitter, self.storage, self.aliasing, self.ops = emitter, storage, aliasing, ops
        self.writer = emitter.writer
        self.plain_mode = "fast" if fastmath is True else str(fastmath or "")
        self.values = PieceScope(emitter.pieces)
        self.extrema: dict[Instr, str] = {}
        self.negated: set[Instr] = set()
        self.handlers = handlers

    def end_piece(self) -> None:
        self.writer.do("store i32 0, ptr %status")
        self.writer.jump("leave")
        self.aliasing.end()

    def cut(self) -> None:
        self.end_piece()
        self.emitter.cut()
        self.values.cut()

    # Regions and values.

    def region(self, region: Region, outermost: bool = False) -> None:
        """Lower the body; the parameters are in `values` already."""
        keeps = bool(kept(region, self.aliasing.known, self.ops)) or outermost
        with self.storage.region(region, keeps):
            for instr in region.body:
                self.instr(instr, region)
                if outermost and self.emitter.pieces.due(instr):
                    self.cut()

    def instr(self, instr: Instr, region: Region) -> None:
        self.emitter.span = instr.span
        handler = self.handlers.get(instr.op)
        self.emitter.mode = self._mode(instr)
        if handler is not None:
            handler(self, instr, region)
            return
        if instr in self.extrema:
            x, carried = self.texts(instr.operands[1:])
            self.values[instr.result] = self.extremum(instr, carried, x)
            return
        if instr in self.negated:
            carried, term = self.texts(instr.operands)
            ty = component_types(instr.result.type)[0]
            self.values[instr.result] = self.writer.let(f"fadd {self.emitter.flags}{ty} {carried}, {term}")
            return
        rule = self.ops[instr.op].lower
        assert rule is not None, f"{instr.op} cannot be lowered"
        types = tuple(v.type for v in instr.operands)
        attrs = {k: v for k, v in instr.attrs.items() if k != "flags"}
        self.values[instr.result] = rule(self.emitter, types, instr.result.type, self.texts(instr.operands), attrs)

    def _mode(self, instr: Instr) -> str:
        """What rounding may change of an instruction: what all may, or what it says itself."""
        if self.plain_mode == "sums":
            own = str(instr.attrs.get("flags", ""))
            return own or ("sum" if instr.op in SUMS else "")
        return self.plain_mode or str(instr.attrs.get("flags", ""))

    def extremum(self, instr: Instr, a: str, b: str) -> str:
        """`llvm.maximumnum` or `llvm.minimumnum`, without flags: NaN is part of their meaning."""
        type_ = instr.result.type
        assert isinstance(type_, Scalar)
        ty, name = register(type_), overloaded(self.extrema[instr], type_)
        if type_.bytes == 16:  # for which LLVM has no such instruction
            order = "ogt" if "max" in name else "olt"
            first = self.writer.let(f"fcmp {order} {ty} {a}, {b}")
            alone = self.writer.let(f"fcmp uno {ty} {b}, {b}")
            return self.writer.let(f"select i1 {self.writer.let(f'or i1 {first}, {alone}')}, {ty} {a}, {ty} {b}")
        self.emitter.module.function(f"declare {ty} @{name}({ty}, {ty})")
        return self.writer.let(f"call {ty} @{name}({ty} {a}, {ty} {b})")

    def text(self, value: Value) -> str:
        """The LLVM text of a scalar."""
        lowered = self.values[value]
        assert isinstance(lowered, str)
        return lowered

    def texts(self, values: Sequence[Value]) -> list[str]:
        return [self.text(v) for v in values]

    def number(self, type_: Scalar, value: float) -> str:
        """The LLVM text of a constant."""
        rule = self.ops["const"].lower
        assert rule is not None
        return rule(self.emitter, (), type_, (), {"value": value})

    def array(self, value: Value) -> ArrayDescriptor:
        lowered = self.values[value]
        assert isinstance(lowered, ArrayDescriptor)
        return lowered

    def components(self, values: Sequence[Value]) -> list[str]:
        """What control flow carries for these values, flattened."""
        return [text for v in values for _, text in components(self.values[v], v.type)]

    def bind(self, values: Sequence[Value], texts: Sequence[str]) -> None:
        """Define `values` by their flattened components."""
        position = 0
        for value in values:
            count = len(component_types(value.type))
            part = texts[position : position + count]
            self.values[value] = rebuilt(self.writer, value.type, part, self.aliasing.known.get(value, frozenset()))
            position += count


Handler = Callable[[Lowering, Instr, Region], None]
"""Lowers one instruction, which stands in the given region."""
