"""Memory that a kernel itself needs: the stack, the workspace arena, or (on request) malloc.

The arena is used from both ends: records of `push` grow up from its base, arrays of `alloc` down from its end, and
what a region allocated is given back when the region ends. `%low` and `%high` bound the free part.

What is kept for the reverse sweep (records, and arrays of the role "stored") lies side by side without padding, so that
it takes exactly the bytes that the plan says; `%mark` is the most of them at any moment. Truth values are pushed as
bits: `%bits` holds up to 63 of them below a one that marks their end, and the 64th sends the word to the records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from adcore.abi import frame
from adcore.abi.faults import Fault
from adcore.ir.core import Instr, Region
from adcore.ir.types import I64, ArrayType, Scalar
from adcore.lower.descriptors import ArrayDescriptor, contiguous, memory, octets
from adcore.lower.emitter import ERRORS, LLVMEmitter
from adcore.lower.roots import Root
from adcore.lower.writer import literal
from adcore.source import Span

WorkspaceKind = Literal["arena", "heap"]
SweepPart = Literal["whole", "forward", "reverse"]
ALIGNMENT = 64
"""Of the program's own arrays and all shadows: a cache line, and the widest vector."""
SUSPENDED_BITS = 8
"""Bytes that a forward sweep on its own leaves behind its records: the last word of bits."""


@dataclass(frozen=True)
class AllocationSite:
    """An internal function of the object that calls malloc for one line of the user's program, in the forward or the
    reverse sweep (of a function that has but one sweep, in the forward sweep).
    """

    symbol: str
    span: Span | None
    phase: str


@dataclass
class Storage:
    """Hands out memory within one function. `used` says which mechanisms the function needs."""

    emitter: LLVMEmitter
    name: str
    workspace: WorkspaceKind
    stack_limit: int
    part: SweepPart = "whole"
    limit: int | None = None
    stack_used: int = 0
    sites: list[AllocationSite] = field(default_factory=list)
    uses_arena: bool = False
    uses_chunk: bool = False
    uses_bits: bool = False

    def alloc(self, instr: Instr, shape: Sequence[str], roots: frozenset[Root], escapes: bool) -> ArrayDescriptor:
        """The array of an `alloc`, uninitialised unless its attribute `zero` is set."""
        type_ = instr.result.type
        assert isinstance(type_, ArrayType)
        size = self._bytes(type_, shape)
        stored = instr.attrs.get("role") == "stored"
        if not escapes and literal(size) and not (stored and self.workspace == "heap") and self._fits_stack(int(size)):
            base = self._from_stack(int(size))
            self.emitter.pieces.on_stack(instr.result, base)
        elif self.workspace == "heap" and not escapes:
            base = self._from_heap(size, instr)
            self._hold(size, stored)
        else:
            base = self._from_arena(size, 1 if stored else ALIGNMENT)
            self._hold(size, stored)
        w = self.emitter.writer
        if instr.attrs.get("zero"):
            self.emitter.module.function("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            align = 1 if stored else type_.element.bytes
            w.do(f"call void @llvm.memset.p0.i64(ptr align {align} {base}, i8 0, i64 {size}, i1 false)")
        return ArrayDescriptor(type_, base, tuple(shape), contiguous(w, type_, shape), roots)

    @contextmanager
    def scratch(self, size: str) -> Iterator[str]:
        """Memory of the arena for `size` bytes, given back at the end: nothing of it is kept."""
        e = self.emitter
        before = e.let("load ptr, ptr %high")
        yield self._from_arena(size, ALIGNMENT)
        e.writer.do(f"store ptr {before}, ptr %high")

    def _bytes(self, type_: ArrayType, shape: Sequence[str]) -> str:
        """The size of an array; leaves the kernel if a dimension is negative or the size does not fit."""
        e, size = self.emitter, str(type_.element.bytes)
        if type_.layout == "P":
            shape = (*shape[:-1], octets(e.writer, shape[-1]))
        for n in shape:
            if literal(n) and int(n) >= 0 and literal(size):
                size = str(int(n) * int(size))
                continue
            if not literal(n) or int(n) < 0:
                e.fail_if(e.let(f"icmp slt i64 {n}, 0"), "negative dimension")
            # Signed: what is left fits in 63 bits, so that rounding up cannot wrap either.
            e.module.function("declare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)")
            pair = e.let(f"call {{i64, i1}} @llvm.smul.with.overflow.i64(i64 {size}, i64 {n})")
            e.leave_if(e.let(f"extractvalue {{i64, i1}} {pair}, 1"), self._fault("memory"), ("-1",))
            size = e.let(f"extractvalue {{i64, i1}} {pair}, 0")
        return size

    def _fault(self, key: str) -> Fault:
        return Fault(*ERRORS[key], self.emitter.span)

    def _fits_stack(self, size: int) -> bool:
        return self.stack_used + size + ALIGNMENT <= self.stack_limit

    def _from_stack(self, size: int) -> str:
        self.stack_used += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        return self.emitter.writer.alloca("local", f"[{max(size, 1)} x i8]", ALIGNMENT)

    def _from_arena(self, size: str, alignment: int) -> str:
        e = self.emitter
        self.uses_arena = True
        low, high = e.let("load ptr, ptr %low"), e.let("load ptr, ptr %high")
        if alignment > 1:
            end = e.let(f"sub i64 {e.let(f'ptrtoint ptr {high} to i64')}, {size}")
            size = e.let(f"add i64 {size}, {e.let(f'and i64 {end}, {alignment - 1}')}")
        self._reserve(size, low, high)
        start = e.let(f"getelementptr i8, ptr {high}, i64 {e.let(f'sub i64 0, {size}')}")
        e.writer.do(f"store ptr {start}, ptr %high")
        return start

    def _reserve(self, size: str, low: str, high: str) -> None:
        """Leaves if fewer bytes than `size` are free, with the bytes needed and the capacity as details."""
        e = self.emitter
        first, last = e.let(f"ptrtoint ptr {low} to i64"), e.let(f"ptrtoint ptr {high} to i64")
        free = e.let(f"sub i64 {last}, {first}")
        short = e.let(f"icmp ugt i64 {size}, {free}")
        needed = e.let(f"add i64 %capacity, {e.let(f'sub i64 {size}, {free}')}")
        e.leave_if(short, self._fault("workspace"), (needed, "%capacity"))

    def _hold(self, size: str, stored: bool) -> None:
        """Count an array of `size` bytes as kept, if it is `stored`."""
        e = self.emitter
        if stored:
            held = e.let("load i64, ptr %held")
            e.writer.do(f"store i64 {e.let(f'add i64 {held}, {size}')}, ptr %held")
            self._note_use()

    def _note_use(self) -> None:
        """Raise the high-water mark to what is kept now; leaves where that is beyond the limit."""
        e = self.emitter
        first, last = ("%chunk", "%top") if self.workspace == "heap" else ("%base", "%low")
        start = first if first == "%base" else e.let(f"load ptr, ptr {first}")
        ends = (e.let(f"ptrtoint ptr {p} to i64") for p in (e.let(f"load ptr, ptr {last}"), start))
        records = e.let(f"sub i64 {', '.join(ends)}")
        kept = e.let(f"add i64 {records}, {e.let('load i64, ptr %held')}")
        if self.limit is not None:
            e.leave_if(e.let(f"icmp ugt i64 {kept}, {self.limit}"), self._fault("workspace"), (kept, str(self.limit)))
        e.module.function("declare i64 @llvm.umax.i64(i64, i64)")
        mark = e.let("load i64, ptr %mark")
        e.writer.do(f"store i64 {e.let(f'call i64 @llvm.umax.i64(i64 {mark}, i64 {kept})')}, ptr %mark")

    def _from_heap(self, size: str, instr: Instr) -> str:
        e = self.emitter
        symbol = self._site("alloc", instr)
        e.module.function("declare ptr @malloc(i64)")
        e.module.function("declare void @free(ptr)")
        # Its own function, so that the return address of malloc's caller names the user's line; a tail call would
        # lose it.
        e.module.function(
            f"define ptr @{symbol}(i64 %size) noinline optnone nounwind {{\n"
            f"  %p = notail call ptr @malloc(i64 %size)\n  ret ptr %p\n}}"
        )
        base = e.let(f"call ptr @{symbol}(i64 {size})")
        e.leave_if(e.let(f"icmp eq ptr {base}, null"), self._fault("memory"), (size,))
        e.held.append(base)
        return base

    def _site(self, kind: str, instr: Instr) -> str:
        """The symbol of a new site: `kind` is "alloc" or "grow"."""
        symbol = f"{self.name}.{kind}.{len(self.sites)}"
        self.sites.append(AllocationSite(symbol, instr.span, self._phase(instr)))
        return symbol

    def _phase(self, instr: Instr) -> str:
        late = self.part == "reverse" or bool(instr.attrs.get("late"))
        return "reverse sweep" if late else "forward sweep"

    @contextmanager
    def region(self, region: Region, keeps: bool) -> Iterator[None]:
        """Give back at the end of `region` what it allocated, unless it hands some of it on (`keeps`)."""
        e, held = self.emitter, len(self.emitter.held)
        restores = not keeps and any(i.op == "alloc" or i.regions for i in region.body) and _allocates(region)
        saved = e.let("load ptr, ptr %high") if restores else ""
        held_before = e.let("load i64, ptr %held") if restores else ""
        yield
        if restores:
            e.writer.do(f"store ptr {saved}, ptr %high")
            e.writer.do(f"store i64 {held_before}, ptr %held")
        while len(e.held) > held:
            base = e.held.pop()
            e.pieces.take_name(base, "ptr")
            e.writer.do(f"call void @free(ptr {base})")

    def push(self, instr: Instr, texts: Sequence[str]) -> None:
        """Add one record: the operands side by side, without padding; truth values go to the bits."""
        pairs = [(_scalar(v.type), text) for v, text in zip(instr.operands, texts, strict=True)]
        fields = [(type_, text) for type_, text in pairs if type_.kind != "b"]
        if fields:
            self._push_record(fields, instr)
        for type_, text in pairs:
            if type_.kind == "b":
                self._push_bit(text, instr)

    def pop(self, instr: Instr) -> list[str]:
        """Take the last record off, in the opposite order."""
        types = [_scalar(v.type) for v in instr.results]
        bits = [self._pop_bit() for type_ in types if type_.kind == "b"]
        fields = [type_ for type_ in types if type_.kind != "b"]
        texts = self._pop_record(fields) if fields else []
        return [bits.pop() if type_.kind == "b" else texts.pop(0) for type_ in types]

    def _push_record(self, fields: Sequence[tuple[Scalar, str]], instr: Instr | None) -> None:
        types = [type_ for type_, _ in fields]
        record = self._room_for_record(sum(t.bytes for t in types), instr)
        for (type_, text), address in zip(fields, self._fields(record, types), strict=True):
            self.emitter.writer.do(f"store {memory(type_)} {text}, ptr {address}, align 1")

    def _pop_record(self, types: Sequence[Scalar]) -> list[str]:
        e = self.emitter
        cell = "%top" if self.workspace == "heap" else "%low"
        size = sum(t.bytes for t in types)
        record = e.let(f"getelementptr i8, ptr {e.let(f'load ptr, ptr {cell}')}, i64 {-size}")
        e.writer.do(f"store ptr {record}, ptr {cell}")
        return [e.let(f"load {memory(type_)}, ptr {address}, align 1")
                for type_, address in zip(types, self._fields(record, types), strict=True)]  # fmt: skip

    def _push_bit(self, text: str, instr: Instr) -> None:
        e, w = self.emitter, self.emitter.writer
        self.uses_bits = True
        before = e.let("load i64, ptr %bits")
        after = e.let(f"or i64 {e.let(f'shl i64 {before}, 1')}, {e.let(f'zext i1 {text} to i64')}")
        e.writer.do(f"store i64 {after}, ptr %bits")
        full, onwards = w.fresh("full"), w.fresh("bit")
        w.branch(e.let(f"icmp slt i64 {before}, 0"), full, onwards)
        w.label(full)
        self._push_record([(I64, after)], instr)
        e.writer.do("store i64 1, ptr %bits")
        w.jump(onwards)
        w.label(onwards)

    def _pop_bit(self) -> str:
        e, w = self.emitter, self.emitter.writer
        self.uses_bits = True
        held = e.let("load i64, ptr %bits")
        some, empty, onwards = w.block, w.fresh("empty"), w.fresh("bit")
        w.branch(e.let(f"icmp eq i64 {held}, 1"), empty, onwards)
        w.label(empty)
        (word,) = self._pop_record([I64])
        w.jump(onwards)
        w.label(onwards)
        bits, mark = w.phi("i64"), w.phi("i64")
        for phi, texts in ((bits, (held, word)), (mark, ("0", str(-(1 << 63))))):
            for text, block in zip(texts, (some, empty), strict=True):
                phi.incoming(text, block)
        left = e.let(f"or i64 {e.let(f'lshr i64 {bits.name}, 1')}, {mark.name}")
        e.writer.do(f"store i64 {left}, ptr %bits")
        return e.let(f"trunc i64 {bits.name} to i1")

    def _fields(self, record: str, types: Sequence[Scalar]) -> list[str]:
        """The addresses of a record's values."""
        addresses, offset = [], 0
        for type_ in types:
            addresses.append(self.emitter.let(f"getelementptr i8, ptr {record}, i64 {offset}"))
            offset += type_.bytes
        return addresses

    def _room_for_record(self, size: int, instr: Instr | None) -> str:
        e = self.emitter
        cell = "%top" if self.workspace == "heap" else "%low"
        if self.workspace == "heap":
            assert instr is not None, "sweeps on their own keep nothing on the heap"
            self._grow_chunk(size, instr)
            record = e.let(f"load ptr, ptr {cell}")
        else:
            self.uses_arena = True
            record = e.let(f"load ptr, ptr {cell}")
            self._reserve(str(size), record, e.let("load ptr, ptr %high"))
        e.writer.do(f"store ptr {e.let(f'getelementptr i8, ptr {record}, i64 {size}')}, ptr {cell}")
        self._note_use()
        return record

    def _grow_chunk(self, size: int, instr: Instr) -> None:
        """Call the site's own growing function when the chunk is full."""
        e = self.emitter
        w = e.writer
        self.uses_chunk = True
        place = instr.span, self._phase(instr)
        symbol = next((s.symbol for s in self.sites if (s.span, s.phase) == place and ".grow." in s.symbol), "")
        if not symbol:
            symbol = self._site("grow", instr)
            for text in (
                "declare ptr @malloc(i64)",
                "declare void @free(ptr)",
                MEMCPY,
                _GROW.replace("SYMBOL", symbol),
            ):
                e.module.function(text)
        last, first = (e.let(f"ptrtoint ptr {e.let(f'load ptr, ptr {cell}')} to i64") for cell in ("%limit", "%top"))
        free = e.let(f"sub i64 {last}, {first}")
        full, grow, onwards = e.let(f"icmp ult i64 {free}, {size}"), w.fresh("grow"), w.fresh("room")
        w.branch(full, grow, onwards)
        w.label(grow)
        failed = e.let(f"call i1 @{symbol}(ptr %chunk, ptr %top, ptr %limit, i64 {size})")
        e.leave_if(failed, self._fault("memory"), (str(size),))
        w.jump(onwards)
        w.label(onwards)

    def suspend(self) -> None:
        """At the end of a forward sweep: tell where the free part of the workspace begins and ends."""
        if self.part == "whole":
            return
        self.uses_arena = True
        if self.part == "forward":
            e = self.emitter
            if self.uses_bits:
                self._push_record([(I64, e.let("load i64, ptr %bits"))], None)
            for word, cell in ((frame.FREE_BASE, "%low"), (frame.FREE_END, "%high")):
                slot = e.let(f"getelementptr i64, ptr %frame, i64 {word}")
                e.writer.do(f"store ptr {e.let(f'load ptr, ptr {cell}')}, ptr {slot}")

    def workspace_bounds(self) -> list[str]:
        """What any piece of the kernel reads from the frame."""
        if not self.uses_arena:
            return []
        lines = []
        for k, name in ((frame.WORKSPACE_BASE, "base"), (frame.WORKSPACE_END, "end")):
            lines += [f"  %{name}.slot = getelementptr i64, ptr %frame, i64 {k}",
                      f"  %{name} = load ptr, ptr %{name}.slot"]  # fmt: skip
        return [*lines, "  %first.byte = ptrtoint ptr %base to i64", "  %last.byte = ptrtoint ptr %end to i64",
                "  %capacity = sub i64 %last.byte, %first.byte"]  # fmt: skip

    def prologue(self) -> list[str]:
        """What the cells of the kernel start with."""
        lines = [f"  store i64 {start}, ptr %{cell}" for cell, start in (("mark", 0), ("held", 0), ("bits", 1))]
        lines += self.workspace_bounds()
        if self.uses_arena:
            lines += ["  store ptr %base, ptr %low", "  store ptr %end, ptr %high"]
        if self.uses_arena and self.part == "reverse":
            lines += self._resume()
        if self.workspace == "heap":
            lines += [f"  store ptr null, ptr %{name}" for name in ("chunk", "top", "limit")]
        return lines

    def _resume(self) -> list[str]:
        """For a reverse sweep on its own: the records and bits as the forward sweep left them."""
        lines = [f"  %records.slot = getelementptr i64, ptr %frame, i64 {frame.RECORDS}",
                 "  %records = load i64, ptr %records.slot",
                 "  %first.free = getelementptr i8, ptr %base, i64 %records"]  # fmt: skip
        if not self.uses_bits:
            return [*lines, "  store ptr %first.free, ptr %low"]
        return [*lines, f"  %left = getelementptr i8, ptr %first.free, i64 {-SUSPENDED_BITS}",
                "  store ptr %left, ptr %low", "  %left.bits = load i64, ptr %left, align 1",
                "  store i64 %left.bits, ptr %bits"]  # fmt: skip

    def epilogue(self) -> list[str]:
        """What every path does before it leaves."""
        lines = ["  %mark.now = load i64, ptr %mark",
                 f"  %mark.slot = getelementptr i64, ptr %frame, i64 {frame.WORKSPACE_MARK}",
                 "  store i64 %mark.now, ptr %mark.slot"]  # fmt: skip
        if self.uses_chunk:
            lines += ["  %chunk.last = load ptr, ptr %chunk", "  call void @free(ptr %chunk.last)"]
        return lines


def _scalar(type_: object) -> Scalar:
    assert isinstance(type_, Scalar), "only scalars are pushed"
    return type_


def _allocates(region: Region) -> bool:
    return any(i.op == "alloc" or any(map(_allocates, i.regions)) for i in region.body)


CELLS = {"low": "ptr", "high": "ptr", "mark": "i64", "held": "i64", "bits": "i64", "chunk": "ptr", "top": "ptr",
         "limit": "ptr", "status": "i32"}  # fmt: skip
"""Mutable words of a kernel, which LLVM promotes to registers where nothing takes their address."""

MEMCPY = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"

# Doubles the chunk that holds the records, from 4096 bytes on. True: out of memory, and the old chunk is still there.
_GROW = """define i1 @SYMBOL(ptr %chunk, ptr %top, ptr %limit, i64 %size) noinline optnone nounwind {
  %old = load ptr, ptr %chunk
  %first = ptrtoint ptr %old to i64
  %record = load ptr, ptr %top
  %last = ptrtoint ptr %record to i64
  %used = sub i64 %last, %first
  %double = shl i64 %used, 1
  %enough = icmp ugt i64 %double, 4096
  %capacity = select i1 %enough, i64 %double, i64 4096
  %new = notail call ptr @malloc(i64 %capacity)
  %none = icmp eq ptr %new, null
  br i1 %none, label %fail, label %move
move:
  call void @llvm.memcpy.p0.p0.i64(ptr %new, ptr %old, i64 %used, i1 false)
  call void @free(ptr %old)
  store ptr %new, ptr %chunk
  %next = getelementptr i8, ptr %new, i64 %used
  store ptr %next, ptr %top
  %end = getelementptr i8, ptr %new, i64 %capacity
  store ptr %end, ptr %limit
  ret i1 false
fail:
  ret i1 true
}"""
