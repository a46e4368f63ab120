"""Memory that a kernel itself needs: the stack, the workspace arena, or (on request) malloc.

The arena is used from both ends: records of `push` grow up from its base, arrays of `alloc` down from its end, and
what a region allocated is given back when the region ends. `%low` and `%high` bound the free part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from adcore.ir.core import Instr, Region
from adcore.ir.types import ArrayType, Scalar
from adcore.lower import frame
from adcore.lower.descriptors import Array, contiguous, memory
from adcore.lower.emitter import ERRORS, Emitter, Fault
from adcore.lower.roots import Root
from adcore.lower.writer import literal
from adcore.source import Span

Workspace = Literal["arena", "heap"]
Part = Literal["whole", "forward", "reverse"]
ALIGNMENT = 64
"""Of every array that a kernel makes: a cache line, and the widest vector."""


@dataclass(frozen=True)
class AllocationSite:
    """An internal function of the object that calls malloc for one line of the user's program."""

    symbol: str
    span: Span | None
    phase: str


@dataclass
class Storage:
    """Hands out memory within one function. `used` says which mechanisms the function needs."""

    emitter: Emitter
    name: str
    workspace: Workspace
    stack_limit: int
    part: Part = "whole"
    stack_used: int = 0
    sites: list[AllocationSite] = field(default_factory=list)
    uses_arena: bool = False
    uses_chunk: bool = False

    def alloc(self, instr: Instr, shape: Sequence[str], roots: frozenset[Root], escapes: bool) -> Array:
        """The array of an `alloc`, uninitialised unless its attribute `zero` is set."""
        type_ = instr.result.type
        assert isinstance(type_, ArrayType)
        size = self._bytes(type_.element, shape)
        stored = instr.attrs.get("role") == "stored"
        if not escapes and literal(size) and not (stored and self.workspace == "heap") and self._fits_stack(int(size)):
            base = self._from_stack(int(size))
        elif self.workspace == "heap" and not escapes:
            base = self._from_heap(size, instr)
        else:
            base = self._from_arena(size)
        w = self.emitter.writer
        if instr.attrs.get("zero"):
            self.emitter.module.function("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            w.do(f"call void @llvm.memset.p0.i64(ptr align {type_.element.bytes} {base}, i8 0, i64 {size}, i1 false)")
        return Array(type_, base, tuple(shape), contiguous(w, type_, shape), roots)

    def _bytes(self, element: Scalar, shape: Sequence[str]) -> str:
        """The size of an array; leaves the kernel if a dimension is negative or the size does not fit."""
        e, size = self.emitter, str(element.bytes)
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
        w = self.emitter.writer
        name = f"%{w.fresh('local')}"
        w.entry.append(f"  {name} = alloca [{max(size, 1)} x i8], align {ALIGNMENT}")
        return name

    def _from_arena(self, size: str) -> str:
        e = self.emitter
        self.uses_arena = True
        low, high = e.let("load ptr, ptr %low"), e.let("load ptr, ptr %high")
        # `%high` stays aligned because every size is rounded up.
        rounded = str(-(-int(size) // ALIGNMENT) * ALIGNMENT) if literal(size) else self._round_up(size)
        free = self._reserve(rounded, low, high)
        start = e.let(f"getelementptr i8, ptr {high}, i64 {e.let(f'sub i64 0, {rounded}')}")
        e.writer.do(f"store ptr {start}, ptr %high")
        self._note_use(e.let(f"sub i64 {free}, {rounded}"))
        return start

    def _round_up(self, size: str) -> str:
        e = self.emitter
        return e.let(f"and i64 {e.let(f'add i64 {size}, {ALIGNMENT - 1}')}, {-ALIGNMENT}")

    def _reserve(self, size: str, low: str, high: str) -> str:
        """The free bytes. Leaves if they are fewer than `size`, with the bytes needed and the capacity as details."""
        e = self.emitter
        first, last = e.let(f"ptrtoint ptr {low} to i64"), e.let(f"ptrtoint ptr {high} to i64")
        free = e.let(f"sub i64 {last}, {first}")
        short = e.let(f"icmp ugt i64 {size}, {free}")
        needed = e.let(f"add i64 %capacity, {e.let(f'sub i64 {size}, {free}')}")
        e.leave_if(short, self._fault("workspace"), (needed, "%capacity"))
        return free

    def _note_use(self, free: str) -> None:
        """Raise the high-water mark to what is in use when `free` bytes are left."""
        e = self.emitter
        used = e.let(f"sub i64 %capacity, {free}")
        e.module.function("declare i64 @llvm.umax.i64(i64, i64)")
        mark = e.let("load i64, ptr %mark")
        e.writer.do(f"store i64 {e.let(f'call i64 @llvm.umax.i64(i64 {mark}, i64 {used})')}, ptr %mark")

    def _from_heap(self, size: str, instr: Instr) -> str:
        e = self.emitter
        symbol = self._site(instr)
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
        e.releases.append(f"  call void @free(ptr {base})")
        return base

    def _site(self, instr: Instr) -> str:
        symbol = f"{self.name}.alloc.{len(self.sites)}"
        self.sites.append(AllocationSite(symbol, instr.span, str(instr.attrs.get("role", ""))))
        return symbol

    @contextmanager
    def region(self, region: Region, keeps: bool) -> Iterator[None]:
        """Give back at the end of `region` what it allocated, unless it hands some of it on (`keeps`)."""
        e, held = self.emitter, len(self.emitter.releases)
        restores = not keeps and any(i.op == "alloc" or i.regions for i in region.body) and _allocates(region)
        saved = e.let("load ptr, ptr %high") if restores else ""
        yield
        if restores:
            e.writer.do(f"store ptr {saved}, ptr %high")
        while len(e.releases) > held:
            e.writer.do(e.releases.pop().strip())

    def push(self, instr: Instr, texts: Sequence[str]) -> None:
        """Add one record: the operands side by side, without padding."""
        e, types = self.emitter, [_scalar(v.type) for v in instr.operands]
        record = self._room_for_record(sum(t.bytes for t in types), instr)
        for type_, text, address in zip(types, texts, self._fields(record, types), strict=True):
            if type_.kind == "b":
                text = e.let(f"zext i1 {text} to i8")
            e.writer.do(f"store {memory(type_)} {text}, ptr {address}, align 1")

    def pop(self, instr: Instr) -> list[str]:
        """Take the last record off."""
        e, types = self.emitter, [_scalar(v.type) for v in instr.results]
        cell = "%top" if self.workspace == "heap" else "%low"
        size = sum(t.bytes for t in types)
        record = e.let(f"getelementptr i8, ptr {e.let(f'load ptr, ptr {cell}')}, i64 {-size}")
        e.writer.do(f"store ptr {record}, ptr {cell}")
        texts = []
        for type_, address in zip(types, self._fields(record, types), strict=True):
            text = e.let(f"load {memory(type_)}, ptr {address}, align 1")
            texts.append(e.let(f"icmp ne i8 {text}, 0") if type_.kind == "b" else text)
        return texts

    def _fields(self, record: str, types: Sequence[Scalar]) -> list[str]:
        """The addresses of a record's values."""
        addresses, offset = [], 0
        for type_ in types:
            addresses.append(self.emitter.let(f"getelementptr i8, ptr {record}, i64 {offset}"))
            offset += type_.bytes
        return addresses

    def _room_for_record(self, size: int, instr: Instr) -> str:
        e = self.emitter
        cell = "%top" if self.workspace == "heap" else "%low"
        if self.workspace == "heap":
            self._grow_chunk(size, instr)
            record = e.let(f"load ptr, ptr {cell}")
        else:
            self.uses_arena = True
            record = e.let(f"load ptr, ptr {cell}")
            free = self._reserve(str(size), record, e.let("load ptr, ptr %high"))
            self._note_use(e.let(f"sub i64 {free}, {size}"))
        e.writer.do(f"store ptr {e.let(f'getelementptr i8, ptr {record}, i64 {size}')}, ptr {cell}")
        return record

    def _grow_chunk(self, size: int, instr: Instr) -> None:
        """Call the site's own growing function when the chunk is full."""
        e = self.emitter
        w = e.writer
        self.uses_chunk = True
        symbol = next((s.symbol for s in self.sites if s.span is instr.span and ".grow." in s.symbol), "")
        if not symbol:
            symbol = f"{self.name}.grow.{len(self.sites)}"
            self.sites.append(AllocationSite(symbol, instr.span, "stored"))
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
            for word, cell in ((frame.FREE_BASE, "%low"), (frame.FREE_END, "%high")):
                slot = e.let(f"getelementptr i64, ptr %frame, i64 {word}")
                e.writer.do(f"store ptr {e.let(f'load ptr, ptr {cell}')}, ptr {slot}")

    def prologue(self) -> list[str]:
        """What the entry block needs."""
        lines = ["  store i64 0, ptr %mark"]
        if self.uses_arena:
            self.emitter.module.function("declare ptr @llvm.ptrmask.p0.i64(ptr, i64)")
            for k, name in ((frame.WORKSPACE_BASE, "base"), (frame.WORKSPACE_END, "end")):
                lines += [f"  %{name}.slot = getelementptr i64, ptr %frame, i64 {k}",
                          f"  %{name} = load ptr, ptr %{name}.slot"]  # fmt: skip
            lines += [f"  %aligned = call ptr @llvm.ptrmask.p0.i64(ptr %end, i64 {-ALIGNMENT})",
                      "  %tiny = icmp ult ptr %aligned, %base",
                      "  %top.of.arena = select i1 %tiny, ptr %base, ptr %aligned",
                      "  %first.byte = ptrtoint ptr %base to i64", "  %last.byte = ptrtoint ptr %top.of.arena to i64",
                      "  %capacity = sub i64 %last.byte, %first.byte",
                      f"  %records.slot = getelementptr i64, ptr %frame, i64 {frame.RECORDS}",
                      "  %records = load i64, ptr %records.slot" if self.part == "reverse" else "",
                      f"  %first.free = getelementptr i8, ptr %base, i64 {'%records' if self.part == 'reverse' else 0}",
                      "  store ptr %first.free, ptr %low", "  store ptr %top.of.arena, ptr %high"]  # fmt: skip
        if self.uses_chunk:
            lines += [f"  store ptr null, ptr %{name}" for name in ("chunk", "top", "limit")]
        return lines

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


CELLS = {"low": "ptr", "high": "ptr", "mark": "i64", "chunk": "ptr", "top": "ptr", "limit": "ptr", "status": "i32"}
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
