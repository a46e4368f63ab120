"""What op definitions are given to lower themselves with: the `LLVMEmitter` of `adcore.ops.define`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adcore.abi.faults import Fault
from adcore.abi.messages import MessageSite
from adcore.ir.types import Scalar
from adcore.lower.descriptors import register
from adcore.lower.outlining import Pieces
from adcore.lower.vector_math import VectorMath
from adcore.lower.writer import LLVMModule, Writer, join
from adcore.ops.define import Native
from adcore.source import Span

FLAGS = {
    # The user's own operations keep their order; contraction into fused multiply-add is allowed.
    "": "contract ",
    # A sum whose order no user can see.
    "sum": "reassoc nsz contract ",
    # Adjoint products too: without `arcp` a reassociated division by an invariant stays in the loop.
    "adjoint": "reassoc nsz arcp contract ",
    # NaN and infinity keep their meaning even here: checks and masks depend on them.
    "fast": "reassoc nsz arcp contract afn ",
}

PURE_CALL = "nounwind willreturn memory(none)"
UNLIKELY = '!{!"branch_weights", i32 1, i32 2097152}'


ERRORS: Mapping[str, tuple[str, str]] = {
    "integer overflow": ("OverflowError", "integer result does not fit in 64 bits"),
    "integer division by zero": ("ZeroDivisionError", "integer division or modulo by zero"),
    "negative integer power": (
        "ValueError",
        "an integer to a negative integer power is a float: write float(x) ** n",
    ),
    "negative shift count": ("ValueError", "negative shift count"),
    "NaN to integer": ("ValueError", "cannot convert float NaN to integer"),
    "float to integer overflow": ("OverflowError", "integer result does not fit in 64 bits"),
    "negative dimension": ("ValueError", "negative dimensions are not allowed"),
    "workspace": ("WorkspaceError", "the workspace needs at least {0} bytes and has {1}"),
    "memory": ("MemoryError", "cannot allocate {0} bytes"),
}
"""The faults that lowering itself can name, as exception and message."""


SUFFIXES = {4: "f", 8: "", 16: "l"}
"""How C names the variants of a mathematical function, by the bytes of its numbers."""


def overloaded(name: str, type_: Scalar) -> str:
    """An intrinsic for numbers of a type."""
    return f"llvm.{name}.f{80 if type_.bytes == 16 else 8 * type_.bytes}"


class LLVMEmitter:
    """Emits into one function; `span` and `mode` describe the instruction being lowered."""

    def __init__(self, module: LLVMModule, writer: Writer, pieces: Pieces, vector_math: VectorMath) -> None:
        self.module, self.writer, self.pieces, self.vector_math = module, writer, pieces, vector_math
        self.faults: dict[Fault, int] = {}
        self.messages: list[MessageSite] = []
        self.room_word = 0
        """Where the frame says what room there is for messages."""
        self.polls = True
        """Whether loops that may never end ask for signals."""
        self.natives: dict[str, Native] = {}
        self.span: Span | None = None
        self.mode = ""
        self.detail_word: Callable[[int], int] = lambda k: k
        """Where the frame has room for number k of a fault's details."""
        self.vector_calls = 0  # calls that have a vector variant, whose last bits may differ
        self._leaving: dict[tuple[object, ...], str] = {}
        self.held: list[str] = []
        """Memory of malloc that is held at this point: whatever leaves the kernel gives it back."""

    @property
    def flags(self) -> str:
        return FLAGS[self.mode]

    def let(self, text: str) -> str:
        return self.writer.let(text)

    def libm(self, name: str, type_: Scalar, operands: Sequence[str]) -> str:
        ty, symbol = register(type_), name + SUFFIXES[type_.bytes]
        self.module.function(f"declare {ty} @{symbol}({', '.join([ty] * len(operands))})")
        variants = self.vector_math.variants(symbol, type_, len(operands))
        for variant in variants:
            vector = f"<{variant.lanes} x {ty}>"
            self.module.function(f"declare {vector} @{variant.symbol}({', '.join([vector] * len(operands))})")
            self.module.kept_symbols[variant.symbol] = None
        self.vector_calls += bool(variants)
        mappings = ",".join(v.mapping for v in variants)
        extra = f' "vector-function-abi-variant"="{mappings}"' if mappings else ""
        attributes = self.module.attributes(PURE_CALL + extra)
        arguments = join([ty] * len(operands), operands)
        return self.let(f"call {self.flags}{ty} @{symbol}({arguments}) {attributes}")

    def intrinsic(self, name: str, type_: Scalar, operands: Sequence[str]) -> str:
        ty, symbol = register(type_), overloaded(name, type_)
        self.module.function(f"declare {ty} @{symbol}({', '.join([ty] * len(operands))})")
        return self.let(f"call {self.flags}{ty} @{symbol}({join([ty] * len(operands), operands)})")

    def native(self, native: Native, types: Sequence[Scalar], result: Scalar, operands: Sequence[str]) -> str:
        symbol, self.natives[native.symbol] = native.symbol, native
        names, ty = [register(t) for t in types], register(result)
        self.module.function(f"declare {ty} @{symbol}({', '.join(names)})")
        return self.let(f"call {ty} @{symbol}({join(names, operands)}) {self.module.attributes(PURE_CALL)}")

    def helper(self, name: str, text: str) -> None:
        self.module.function(text)

    def fail_if(self, condition: str, error: str, details: Sequence[str] = ()) -> None:
        self.leave_if(condition, Fault(*ERRORS[error], self.span), details)

    def leave_if(self, condition: str, fault: Fault, details: Sequence[str] = ()) -> None:
        """Leave the kernel with the status of `fault` when `condition` (i1) holds."""
        if condition == "false":
            return
        number = self.faults.setdefault(fault, len(self.faults) + 1)
        key = (number, tuple(details), tuple(self.held))
        if key not in self._leaving:
            self._leaving[key] = self._leave(number, details)
        onwards = self.writer.fresh("ok")
        suffix = f", !prof {self.module.node(UNLIKELY)}"
        self.writer.branch(condition, self._leaving[key], onwards, suffix)
        self.writer.label(onwards)

    def _leave(self, number: int, details: Sequence[str]) -> str:
        """A cold block that records the details, gives everything back and returns the status."""
        label = self.writer.fresh("fault")
        lines = [f"{label}:"]
        for k, detail in enumerate(details):
            slot = f"%{self.writer.fresh()}"
            lines += [
                f"  {slot} = getelementptr i64, ptr %frame, i64 {self.detail_word(k)}",
                f"  store i64 {detail}, ptr {slot}",
            ]
        for base in self.held:
            self.pieces.take_name(base, "ptr")
            lines.append(f"  call void @free(ptr {base})")
        self.writer.cold += [*lines, f"  store i32 {number}, ptr %status", "  br label %leave"]
        return label

    def cut(self) -> None:
        """A piece of the kernel ends: the next has cold blocks of its own."""
        self._leaving.clear()
