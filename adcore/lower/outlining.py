"""A long kernel becomes a chain of internal functions, its *pieces*.

    define i32 @kernel(ptr noalias %frame) {           define internal i32 @kernel.1(ptr noalias %frame,
      ...                                                                            ptr noalias %locals) noinline {
      %v7 = fmul double %v5, %v6                         ...
      ... (600 lines)                            ->      %v7 = fmul double %v5, %v6
      %v9 = fadd double %v7, 1.0                         %v7.place = getelementptr i8, ptr %locals, i64 72
      ... (600 lines)                                    store double %v7, ptr %v7.place
    }                                                    ...
                                                       define internal i32 @kernel.2(...) noinline {
                                                         %v7.place = getelementptr i8, ptr %locals, i64 72
                                                         %v7 = load double, ptr %v7.place
                                                         %v9 = fadd double %v7, 1.0
                                                         ...

LLVM takes more than linear time for one function (five times the loops: loop vectorisation 20 times, GVN 13 times as
long), so lines are worth cutting. A cut lies between two instructions of the function's outermost region: every path
without a fault crosses it, and no edge leads back over it. A value that a later piece reads has a place in `%locals`,
memory of the entry: the piece that defines it stores it when it ends, one that reads it loads it once, where it
begins. The mutable words of the kernel (`CELLS`) are handed on in the same memory. What the frame says about
parameters is read again instead, with all that LLVM is told about it. A piece returns the status; the entry calls the
next one while that is 0.

Plain scalar code is cut later: it costs LLVM little, and reading values from memory costs it more than loops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adcore.ir.core import Instr, Region, Value, walk
from adcore.lower.descriptors import Operand, parts
from adcore.lower.roots import Root
from adcore.lower.writer import Writer
from adcore.machine_model import MODEL


@dataclass
class Piece:
    """The text of one of the functions, and what it takes over from others: names with their LLVM types."""

    lines: list[str]
    cold: list[str]
    allocas: dict[str, str]
    taken: dict[str, str] = field(default_factory=dict)
    parameters: dict[tuple[str, ...], None] = field(default_factory=dict)
    """Lines that read parameters, as they stand in the first piece."""

    @property
    def size(self) -> int:
        return len(self.lines) + len(self.cold)


class Pieces:
    """Cuts the text of one kernel while it is written. `least`: the lines of a piece with loops."""

    def __init__(self, writer: Writer, region: Region, least: int = MODEL.piece_lines) -> None:
        self._writer, self._region, self._least = writer, region, least
        self._work, self._done, self._lines = sum(map(_instructions, region.body)), 0, 0
        self._origin: dict[str, int] = {}
        self._parameters: dict[str, tuple[str, ...]] = {}
        self._stack: dict[Root, str] = {}
        self._shared: set[Root] = set()
        self.finished: list[Piece] = []
        self._begin()

    def _begin(self) -> None:
        w = self._writer
        w.lines, w.cold, w.allocas, w.block = [], [], {}, "start"
        self.current, self._has_loop = Piece(w.lines, w.cold, w.allocas), False

    def due(self, instr: Instr) -> bool:
        """Whether to cut behind `instr` of the outermost region: what is written is long enough, and so is the rest."""
        self._done += _instructions(instr)
        self._has_loop = self._has_loop or _loops(instr)
        size = self.current.size
        least = self._least if self._has_loop else self._least * MODEL.piece_lines_without_loops // MODEL.piece_lines
        return size >= least and (self._lines + size) * (self._work - self._done) >= least * self._done

    def cut(self, defined: Mapping[Value, Operand]) -> None:
        """End a piece, and begin another; `defined` are the values that it leaves behind."""
        for value, operand in defined.items():
            for _, text in parts(operand, value.type):
                self._origin.setdefault(text, len(self.finished))
        self.end()
        self._begin()

    def end(self) -> None:
        self._lines += self.current.size
        self.finished.append(self.current)

    # What pieces take from each other.

    def read_again(self, value: Value, operand: Operand, lines: Sequence[str]) -> None:
        """`lines` make a parameter's `operand` from the frame: any piece can do that."""
        self._parameters.update((text, tuple(lines)) for _, text in parts(operand, value.type))

    def on_stack(self, root: Root, name: str) -> None:
        """The array `root` is the alloca `name`."""
        self._stack[root] = name

    def take(self, value: Value, operand: Operand) -> None:
        """The current piece reads a value of an earlier one."""
        if not isinstance(operand, str):
            self._shared.update(operand.roots)
        for type_, text in parts(operand, value.type):
            self.take_name(text, type_)

    def take_name(self, text: str, type_: str) -> None:
        """The current piece reads `text`, which may be a literal, its own, or that of an earlier piece."""
        if text in self._parameters:
            self.current.parameters[self._parameters[text]] = None
        elif text.startswith("%") and text in self._origin:
            self.current.taken[text] = type_

    def lasting(self) -> dict[str, str]:
        """Take the allocas of arrays that several pieces use out of them, into the entry: their names and texts."""
        shared = {self._stack[root] for root in self._shared if root in self._stack}
        found = {}
        for piece in self.finished:
            for name in shared.intersection(piece.allocas):
                found[name] = piece.allocas.pop(name)
                piece.taken[name] = "ptr"
        return found

    def handed_on(self, lasting: Mapping[str, str]) -> list[dict[str, str]]:
        """Of each piece, the names with their types that later ones take from it, and not from the entry."""
        found: list[dict[str, str]] = [{} for _ in self.finished]
        for piece in self.finished:
            for name, type_ in piece.taken.items():
                if name not in lasting:
                    found[self._origin[name]][name] = type_
        return found


class PieceScope(dict[Value, Operand]):
    """What values are; a value that an earlier piece defined is taken over when it is asked for."""

    def __init__(self, pieces: Pieces) -> None:
        super().__init__()
        self._pieces = pieces
        self._earlier: dict[Value, Operand] = {}

    def __missing__(self, value: Value) -> Operand:
        operand = self[value] = self._earlier[value]
        self._pieces.take(value, operand)
        return operand

    def cut(self) -> None:
        """A piece ends here."""
        self._pieces.cut(self)
        self._earlier.update(self)
        self.clear()


def _instructions(instr: Instr) -> int:
    return 1 + sum(1 for region in instr.regions for _ in walk(region))


def _loops(instr: Instr) -> bool:
    return instr.op in ("for", "while") or any(_loops(i) for r in instr.regions for i in r.body if i.regions)
