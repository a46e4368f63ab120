"""The text of an entry: one function, or one that calls the pieces of a long kernel one after the other.

define i32 @kernel(ptr noalias %frame) {            define i32 @kernel(ptr noalias %frame) {
entry:                                              entry:
  allocas, start of the cells                         %locals = alloca ..., start of the cells
  br label %start                                     br label %piece.1
start:                                              piece.1:
  ...                                                 %status.1 = call i32 @kernel.1(ptr %frame, ptr %locals)
  br label %leave                                     ... the next one, while that is 0
leave:                                              leave:
  ...                                                 ...
  ret i32 %result                                     ret i32 %result
fault7:                                             }
  ...
}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adcore.lower.emitter import UNLIKELY, LLVMEmitter
from adcore.lower.kernel_memory import CELLS, Storage
from adcore.lower.outlining import Piece

WORD = 8
"""Bytes of a place in `%locals`: enough for whatever LLVM type a value in a register has."""
LOCALS = "%locals"
HANDED_ON = {f"%{cell}": type_ for cell, type_ in CELLS.items() if cell != "status"}
"""The cells that pieces hand on. What a piece returns is the status."""


def definition(name: str, emitter: LLVMEmitter, storage: Storage, width: int) -> tuple[str, tuple[str, ...]]:
    """The text of the entry function `name` and of its pieces, and the names of those."""
    # Vector calls spill whole vectors; without a frame pointer LLVM 22 spills them unaligned.
    attributes = f'nounwind "frame-pointer"="all" "prefer-vector-width"="{width}"'
    if len(emitter.pieces.finished) > 1:
        return _Chain(name, emitter, storage, attributes).text()
    (piece,) = emitter.pieces.finished
    cells = [f"  %{cell} = alloca {ty}" for cell, ty in CELLS.items()]
    entry = [f"define i32 @{name}(ptr noalias %frame) {emitter.module.attributes(attributes)} {{", "entry:", *cells]
    entry += [*piece.allocas.values(), *storage.prologue(), "  br label %start", "start:"]
    return "\n".join([*entry, *piece.lines, *_leave(storage.epilogue()), *piece.cold, "}"]), ()


def _leave(lines: Sequence[str]) -> list[str]:
    return ["leave:", *lines, "  %result = load i32, ptr %status", "  ret i32 %result"]


class _Chain:
    """Writes the pieces of one kernel, and the entry that calls them."""

    def __init__(self, name: str, emitter: LLVMEmitter, storage: Storage, attributes: str) -> None:
        self.name, self.storage, self.pieces = name, storage, emitter.pieces.finished
        self.of_entry = emitter.module.attributes(attributes)
        self.of_pieces = emitter.module.attributes(f"noinline {attributes}")
        self.unlikely = emitter.module.node(UNLIKELY)
        self.lasting = emitter.pieces.lasting()
        self.handed_on = emitter.pieces.handed_on(self.lasting)
        names = (*HANDED_ON, *self.lasting, *(name for each in self.handed_on for name in each))
        self.offsets = {name: WORD * k for k, name in enumerate(names)}

    def text(self) -> tuple[str, tuple[str, ...]]:
        names = tuple(f"{self.name}.{k}" for k in range(1, len(self.pieces) + 1))
        functions = [self._piece(*each) for each in zip(names, self.pieces, self.handed_on, strict=True)]
        return "\n".join([*functions, self._entry(names)]), names

    def _place(self, name: str) -> str:
        return f"  {name}.place = getelementptr i8, ptr {LOCALS}, i64 {self.offsets[name]}"

    def _loaded(self, names: Mapping[str, str]) -> list[str]:
        lines = ((self._place(name), f"  {name} = load {ty}, ptr {name}.place") for name, ty in names.items())
        return [line for pair in lines for line in pair]

    def _stored(self, names: Mapping[str, str]) -> list[str]:
        lines = ((self._place(name), f"  store {ty} {name}, ptr {name}.place") for name, ty in names.items())
        return [line for pair in lines for line in pair]

    def _piece(self, name: str, piece: Piece, handed_on: Mapping[str, str]) -> str:
        """One of the functions. Its cells are its own while it runs, so that LLVM keeps them in registers."""
        begin = [f"define internal i32 @{name}(ptr noalias %frame, ptr noalias {LOCALS}) {self.of_pieces} {{", "entry:"]
        begin += [f"  %{cell} = alloca {ty}" for cell, ty in CELLS.items()]
        begin += [*piece.allocas.values(), *self.storage.workspace_bounds()]
        leave = []
        for cell, ty in HANDED_ON.items():
            begin += [self._place(cell), f"  {cell}.given = load {ty}, ptr {cell}.place"]
            begin += [f"  store {ty} {cell}.given, ptr {cell}"]
            leave += [f"  {cell}.left = load {ty}, ptr {cell}", f"  store {ty} {cell}.left, ptr {cell}.place"]
        begin += [line for lines in piece.parameters for line in lines]
        begin += [*self._loaded(piece.taken), "  br label %start", "start:"]
        *lines, jump = piece.lines
        return "\n".join([*begin, *lines, *self._stored(handed_on), jump, *_leave(leave), *piece.cold, "}"])

    def _entry(self, names: Sequence[str]) -> str:
        lines = [f"define i32 @{self.name}(ptr noalias %frame) {self.of_entry} {{", "entry:"]
        lines += [f"  {LOCALS} = alloca [{WORD * len(self.offsets)} x i8], align 64", "  %status = alloca i32"]
        lines += [f"  {cell} = getelementptr i8, ptr {LOCALS}, i64 {self.offsets[cell]}" for cell in HANDED_ON]
        lines += [*self.lasting.values(), *self._stored(dict.fromkeys(self.lasting, "ptr")), *self.storage.prologue()]
        for k, name in enumerate(names):
            lines += [f"  br label %{name}", f"{name}:"] if k == 0 else [f"{name}:"]
            onwards = names[k + 1] if k + 1 < len(names) else "leave"
            lines += [f"  %status.{k} = call i32 @{name}(ptr %frame, ptr {LOCALS})",
                      f"  store i32 %status.{k}, ptr %status", f"  %failed.{k} = icmp ne i32 %status.{k}, 0",
                      f"  br i1 %failed.{k}, label %leave, label %{onwards}, !prof {self.unlikely}"]  # fmt: skip
        return "\n".join([*lines, *_leave(self.storage.epilogue()), "}"])
