"""IR to LLVM IR, as text.

    %t: f64 = for %lo, %hi, %s [step=1] {      ->     %v1 = icmp slt i64 LO, HI
    (%i: i64, %acc: f64):                             br i1 %v1, label %before2, label %after4
      %x: f64 = load %a, %i                         before2: ...
      %n: f64 = add %acc, %x                        body3:
      yield %n                                        %v5 = phi i64 [LO, %before2], [%v9, %body3]
    }                                                 ...

Control flow becomes blocks and phis. Arrays never exist at run time: their base, dims and strides are LLVM values, and
whatever is constant among them stays a literal. Failing checks branch to cold blocks that give everything back and
return the number of the fault.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from adcore.abi import frame
from adcore.abi.faults import Fault
from adcore.abi.frame import FrameLayout
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.types import ArrayType, ListType, Scalar, Type
from adcore.lower import control_flow as control
from adcore.lower import descriptors
from adcore.lower import vector_math as vectormath
from adcore.lower.aliasing import Aliasing
from adcore.lower.descriptors import Array, List, Operand, component_types, components, memory, rebuilt, register
from adcore.lower.emitter import Emitter
from adcore.lower.kernel_memory import AllocationSite, Part, Storage, Workspace
from adcore.lower.kernel_text import definition
from adcore.lower.outlining import Pieces, Scope
from adcore.lower.product_calls import lower_product
from adcore.lower.roots import kept
from adcore.lower.vector_math import VectorMath
from adcore.lower.vector_width import preferred_bits
from adcore.lower.writer import Module, Writer
from adcore.machine_model import MODEL
from adcore.ops import TABLE, Table
from adcore.ops.define import Native


@dataclass(frozen=True)
class Lowered:
    """LLVM IR of one native entry, and what its caller must know.

    Status k > 0 of the entry means `faults[k - 1]`. `allocation_sites` are the functions of the object that call
    malloc. `natives` are functions outside that the user's rules call, by symbol. `ready` are modules with functions
    that it calls and that need no optimisation. `pieces` are the functions that a long kernel consists of.
    """

    text: str
    name: str
    layout: FrameLayout
    faults: tuple[Fault, ...] = ()
    allocation_sites: tuple[AllocationSite, ...] = ()
    uses_workspace: bool = False
    natives: Mapping[str, Native] = field(default_factory=dict)
    ready: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()


def lower(
    function: Function,
    *,
    name: str = "kernel",
    alias_groups: tuple[tuple[int, ...], ...] = (),
    workspace: Workspace = "arena",
    fastmath: bool = False,
    stack_limit: int = 16384,
    ops: Table = TABLE,
    parallel: Collection[Instr] = (),
    vector_math: VectorMath | None = None,
    part: Part = "whole",
    limit: int | None = None,
    piece_lines: int = MODEL.piece_lines,
) -> Lowered:
    """LLVM IR for `function`, which contains no calls, as an entry `name` over a frame (see `adcore.abi.frame`).

    Parameters in one of the `alias_groups` (parameter numbers) may overlap in memory; all others are disjoint.
    `parallel` are loops whose iterations are proved not to depend on each other through memory. `vector_math`
    defaults to the host's. `part`: of a pair of sweeps, see `adcore.abi.frame`. `limit`: bytes that may be kept at
    any moment; the kernel reports a WorkspaceError before it would keep more. `piece_lines`: the least lines of a
    piece with loops in it, where a long kernel is cut (see `adcore.lower.outlining`).
    """
    module, writer = Module(), Writer()
    pieces = Pieces(writer, function.region, piece_lines)
    emitter = Emitter(module, writer, pieces, vector_math if vector_math is not None else vectormath.host())
    storage = Storage(emitter, name, workspace, stack_limit, part, limit)
    aliasing = Aliasing(function, ops, alias_groups, module, frozenset(parallel), handed=part == "reverse")
    lowering = Lowering(emitter, storage, aliasing, ops, fastmath)
    layout = FrameLayout.of([v.type for v in function.params], [v.type for v in function.results])
    lowering.whole(function, layout)
    width = preferred_bits(function, emitter.vector_math, fastmath)
    text, names = definition(name, emitter, storage, width)
    faults, sites = tuple(emitter.faults), tuple(storage.sites)
    ready = tuple(module.ready)
    return Lowered(module.text(text), name, layout, faults, sites, storage.uses_arena, emitter.natives, ready, names)


class Lowering:
    """Lowers the regions of one function; `values` maps what is in scope."""

    def __init__(
        self,
        emitter: Emitter,
        storage: Storage,
        aliasing: Aliasing,
        ops: Table,
        fastmath: bool,
    ) -> None:
        self.emitter, self.storage, self.aliasing, self.ops = emitter, storage, aliasing, ops
        self.writer = emitter.writer
        self.plain_mode = "fast" if fastmath else ""
        self.values = Scope(emitter.pieces)
        self.extrema: dict[Instr, str] = {}
        self.negated: set[Instr] = set()
        self.handlers = {
            op: getattr(self, f"_{op}")
            for op in ("load", "store", "accumulate", "pack", "unpack", "dim", "view", "transpose", "alloc", "item",
                       "count", "index", "check", "push", "pop", "product")
        } | {"for": control.lower_for, "while": control.lower_while, "if": control.lower_if}  # fmt: skip

    def whole(self, function: Function, layout: FrameLayout) -> None:
        """Read the parameters, run the body, write the results, leave."""
        w = self.writer
        for value, slot in zip(function.params, layout.param_slots, strict=True):
            first = len(w.lines)
            operand = self.values[value] = self._parameter(value, slot)
            self.emitter.pieces.read_again(value, operand, w.lines[first:])
        self.region(function.region, outermost=True)
        for value, slot in zip(function.results, layout.result_slots, strict=True):
            self._result(value, slot)
        self.storage.suspend()
        self._end_piece()
        self.emitter.pieces.end()

    def _end_piece(self) -> None:
        self.writer.do("store i32 0, ptr %status")
        self.writer.jump("leave")
        self.aliasing.end()

    def _cut(self) -> None:
        self._end_piece()
        self.emitter.cut()
        self.values.cut()

    # Frame.

    def _word(self, offset: int, type_: str) -> str:
        return self._word_at("%frame", offset, type_, "")

    def _word_at(self, base: str, offset: int, type_: str, suffix: str) -> str:
        w = self.writer
        return w.let(f"load {type_}, ptr {w.let(f'getelementptr i64, ptr {base}, i64 {offset}')}{suffix}")

    def _parameter(self, value: Value, slot: frame.FrameSlot) -> Operand:
        type_, w = slot.type, self.writer
        if isinstance(type_, Scalar):
            if type_.kind == "f":
                return self._word(slot.offset, register(type_))
            word = self._word(slot.offset, "i64")
            if type_.kind == "b":
                return w.let(f"icmp ne i64 {word}, 0")
            return word if type_.bytes == 8 else w.let(f"trunc i64 {word} to {register(type_)}")
        if isinstance(type_, ListType):
            table, count = self._word(slot.offset, "ptr"), self._size("%frame", slot.offset + 1, "")
            return List(type_, table, count, self.aliasing.roots(value))
        return self._descriptor(type_, "%frame", slot.offset, value, "")

    def _size(self, base: str, offset: int, suffix: str) -> str:
        """A dim or a count: LLVM is told that it is neither negative nor beyond any memory."""
        node = self.emitter.module.node("!{i64 0, i64 281474976710656}")
        return self._word_at(base, offset, "i64", f", !range {node}{suffix}")

    def _descriptor(self, type_: ArrayType, base: str, offset: int, value: Value, suffix: str) -> Array:
        """The array whose words start at `offset` from `base`."""
        address = self._word_at(base, offset, "ptr", suffix)
        dims = tuple(self._size(base, offset + 1 + k, suffix) for k in range(type_.rank))
        first_stride = offset + 1 + type_.rank
        if type_.layout != "S":
            strides = descriptors.contiguous(self.writer, type_, dims)
        else:
            strides = tuple(self._word_at(base, first_stride + k, "i64", suffix) for k in range(type_.rank))
        return Array(type_, address, dims, strides, self.aliasing.roots(value))

    def _result(self, value: Value, slot: frame.FrameSlot) -> None:
        lowered = self.values[value]
        if isinstance(lowered, Array):
            words = [("ptr", lowered.base), *(("i64", text) for text in (*lowered.dims, *lowered.strides))]
        elif isinstance(lowered, List):
            words = [("ptr", lowered.table), ("i64", lowered.count)]
        else:
            words = [self._scalar_word(value.type, lowered)]
        w = self.writer
        for k, (type_, text) in enumerate(words):
            w.do(f"store {type_} {text}, ptr {w.let(f'getelementptr i64, ptr %frame, i64 {slot.offset + k}')}")

    def _scalar_word(self, type_: Type, text: str) -> tuple[str, str]:
        assert isinstance(type_, Scalar)
        if type_.kind == "f":
            return register(type_), text
        if type_.bytes == 8:
            return "i64", text
        return "i64", self.writer.let(f"{'sext' if type_.kind == 'i' else 'zext'} {register(type_)} {text} to i64")

    # Regions and values.

    def region(self, region: Region, outermost: bool = False) -> None:
        """Lower the body; the parameters are in `values` already."""
        keeps = bool(kept(region, self.aliasing.known, self.ops)) or outermost
        with self.storage.region(region, keeps):
            for instr in region.body:
                self.instr(instr, region)
                if outermost and self.emitter.pieces.due(instr):
                    self._cut()

    def instr(self, instr: Instr, region: Region) -> None:
        self.emitter.span = instr.span
        handler = self.handlers.get(instr.op)
        self.emitter.mode = instr.attrs.get("flags", "") if self.plain_mode == "" else self.plain_mode
        if handler is not None:
            handler(self, instr) if instr.regions else handler(instr, region)
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

    def extremum(self, instr: Instr, a: str, b: str) -> str:
        """`llvm.maximumnum` or `llvm.minimumnum`, without flags: NaN is part of their meaning."""
        type_ = instr.result.type
        assert isinstance(type_, Scalar)
        ty, name = register(type_), f"llvm.{self.extrema[instr]}.f{8 * type_.bytes}"
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

    def array(self, value: Value) -> Array:
        lowered = self.values[value]
        assert isinstance(lowered, Array)
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

    # Memory.

    def _access(self, array: Array, index: Sequence[Value]) -> tuple[str, str, str]:
        """LLVM element type, address, and the suffix with alignment and alias facts."""
        address = descriptors.element_address(self.writer, array, self.texts(index))
        return memory(array.type.element), address, self.aliasing.suffix(array)

    def _product(self, instr: Instr, region: Region) -> None:
        lower_product(self, instr)

    def _load(self, instr: Instr, region: Region) -> None:
        array, w = self.array(instr.operands[0]), self.writer
        ty, address, suffix = self._access(array, instr.operands[1:])
        text = w.let(f"load {ty}, ptr {address}{suffix}")
        if array.type.layout == "P":
            text = w.let(f"and i8 {text}, {self._bit(instr.operands[-1])}")
        self.values[instr.result] = w.let(f"icmp ne i8 {text}, 0") if array.type.element.kind == "b" else text

    def _bit(self, index: Value) -> str:
        """The bit of a byte that stands for a packed truth value, as a mask."""
        w = self.writer
        place = w.let(f"trunc i64 {w.let(f'and i64 {self.text(index)}, 7')} to i8")
        return w.let(f"shl i8 1, {place}")

    def _store(self, instr: Instr, region: Region) -> None:
        array, text, w = self.array(instr.operands[1]), self.text(instr.operands[0]), self.writer
        ty, address, suffix = self._access(array, instr.operands[2:])
        if array.type.layout == "P":
            bit, old = self._bit(instr.operands[-1]), w.let(f"load i8, ptr {address}{suffix}")
            others = w.let(f"and i8 {old}, {w.let(f'xor i8 {bit}, -1')}")
            text = w.let(f"or i8 {others}, {w.let(f'select i1 {text}, i8 {bit}, i8 0')}")
        elif array.type.element.kind == "b":
            text = w.let(f"zext i1 {text} to i8")
        w.do(f"store {ty} {text}, ptr {address}{suffix}")

    def _octet(self, instr: Instr) -> tuple[str, str, str, str]:
        """Of a `pack` or `unpack`: the address of eight elements of the tile and its facts, and those of the byte."""
        w = self.writer
        tile, octet = self.array(instr.operands[0]), self.text(instr.operands[1])
        array, (*outer, byte) = self.array(instr.operands[2]), self.texts(instr.operands[3:])
        eight = w.let(f"getelementptr inbounds i64, ptr {tile.base}, i64 {octet}")
        row = descriptors.element_address(w, array, (*outer, "0"))
        address = w.let(f"getelementptr inbounds i8, ptr {row}, i64 {byte}")
        return eight, self.aliasing.suffix(tile), address, self.aliasing.suffix(array)

    def _pack(self, instr: Instr, region: Region) -> None:
        w, (eight, of_tile, address, of_array) = self.writer, self._octet(instr)
        # Each of the eight bytes is 0 or 1: the product has them side by side in its highest byte.
        product = w.let(f"mul i64 {w.let(f'load i64, ptr {eight}{of_tile}')}, {0x0102040810204080}")
        highest = w.let(f"lshr i64 {product}, 56")
        w.do(f"store i8 {w.let(f'trunc i64 {highest} to i8')}, ptr {address}{of_array}")

    def _unpack(self, instr: Instr, region: Region) -> None:
        w, (eight, of_tile, address, of_array) = self.writer, self._octet(instr)
        # Eight copies of the byte, each with another of its bits left: not 0 is true.
        byte = w.let(f"zext i8 {w.let(f'load i8, ptr {address}{of_array}')} to i64")
        copies = w.let(f"mul i64 {byte}, {0x0101010101010101}")
        bits = w.let(f"and i64 {copies}, {0x8040201008040201 - (1 << 64)}")
        w.do(f"store i64 {bits}, ptr {eight}{of_tile}")

    def _accumulate(self, instr: Instr, region: Region) -> None:
        array, text, w = self.array(instr.operands[1]), self.text(instr.operands[0]), self.writer
        ty, address, suffix = self._access(array, instr.operands[2:])
        old = w.let(f"load {ty}, ptr {address}{suffix}")
        if array.type.element.kind == "f":
            new = w.let(f"fadd reassoc nsz contract {ty} {old}, {text}")
        else:
            new = w.let(f"add {ty} {old}, {text}")
        w.do(f"store {ty} {new}, ptr {address}{suffix}")

    def _dim(self, instr: Instr, region: Region) -> None:
        self.values[instr.result] = self.array(instr.operands[0]).dims[instr.attrs["axis"]]

    def _view(self, instr: Instr, region: Region) -> None:
        type_, operands = instr.result.type, self.texts(instr.operands[1:])
        assert isinstance(type_, ArrayType)
        source = self.array(instr.operands[0])
        self.values[instr.result] = descriptors.view(self.writer, source, type_, operands, instr.attrs["axes"])

    def _transpose(self, instr: Instr, region: Region) -> None:
        type_ = instr.result.type
        assert isinstance(type_, ArrayType)
        source = self.array(instr.operands[0])
        self.values[instr.result] = descriptors.transpose(source, type_, instr.attrs["permutation"])

    def _item(self, instr: Instr, region: Region) -> None:
        items = self.values[instr.operands[0]]
        type_ = instr.result.type
        assert isinstance(items, List)
        assert isinstance(type_, ArrayType)
        w = self.writer
        row = w.mul(self.text(instr.operands[1]), str(8 * frame.words(type_)))
        address = w.let(f"getelementptr i8, ptr {items.table}, i64 {row}")
        constant = f", !invariant.load {self.emitter.module.node('!{}')}"
        self.values[instr.result] = self._descriptor(type_, address, 0, instr.result, constant)

    def _count(self, instr: Instr, region: Region) -> None:
        items = self.values[instr.operands[0]]
        assert isinstance(items, List)
        self.values[instr.result] = items.count

    def _alloc(self, instr: Instr, region: Region) -> None:
        escapes = instr.result in kept(region, self.aliasing.known, self.ops)
        roots = self.aliasing.roots(instr.result)
        self.values[instr.result] = self.storage.alloc(instr, self.texts(instr.operands), roots, escapes)

    def _push(self, instr: Instr, region: Region) -> None:
        self.storage.push(instr, self.texts(instr.operands))

    def _pop(self, instr: Instr, region: Region) -> None:
        self.values.update(zip(instr.results, self.storage.pop(instr), strict=True))

    # Checks.

    def _index(self, instr: Instr, region: Region) -> None:
        w, (i, n) = self.writer, self.texts(instr.operands)
        negative = w.let(f"icmp slt i64 {i}, 0")
        wrapped = w.let(f"select i1 {negative}, i64 {w.let(f'add i64 {i}, {n}')}, i64 {i}")
        message = f"index {{0}} is out of bounds for axis {instr.attrs.get('axis', 0)} with size {{1}}"
        outside = w.let(f"icmp uge i64 {wrapped}, {n}")
        self.emitter.leave_if(outside, Fault("IndexError", message, instr.span), (i, n))
        self.values[instr.result] = wrapped

    def _check(self, instr: Instr, region: Region) -> None:
        condition, *details = self.texts(instr.operands)
        assert len(details) <= 2, "a frame has room for two details"
        fault = Fault(instr.attrs["error"], instr.attrs["message"], instr.span)
        self.emitter.leave_if(self.writer.let(f"xor i1 {condition}, true"), fault, details)
