"""Vector versions of the C library's mathematics, where the running system has them.

LLVM's vectoriser replaces a scalar call by a vector one if the call names its variants (`vector-function-abi-variant`).
glibc keeps them in libmvec under the x86-64 vector ABI: `_ZGV`, an ISA letter, `N` (unmasked), lanes, `v` for each
operand, `_` and the scalar name. Only names that the library really holds are offered.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache, lru_cache

from adcore.ir.types import Scalar

LIBRARY = "libmvec.so.1"
VECTOR_BYTES = {"b": 16, "d": 32, "e": 64}
"""ISA letter of the ABI (SSE4, AVX2, AVX-512) -> bytes of its vectors."""


@dataclass(frozen=True)
class VectorVariant:
    """One vector version of a scalar function."""

    scalar: str
    symbol: str
    lanes: int
    operands: int

    @property
    def mapping(self) -> str:
        """The entry of `vector-function-abi-variant`."""
        return f"_ZGV_LLVM_N{self.lanes}{'v' * self.operands}_{self.scalar}({self.symbol})"


@dataclass(frozen=True)
class VectorMath:
    """The ISAs whose vector functions may be called (none: scalar calls only); `wide`: 512-bit vectors exist."""

    isas: str = ""
    wide: bool = False

    def variants(self, scalar: str, type_: Scalar, operands: int) -> tuple[VectorVariant, ...]:
        """The vector versions of the C function `scalar` that exist, widest last."""
        found = []
        for isa in self.isas:
            lanes = VECTOR_BYTES[isa] // type_.bytes
            symbol = f"_ZGV{isa}N{lanes}{'v' * operands}_{scalar}"
            if exists(symbol):
                found.append(VectorVariant(scalar, symbol, lanes, operands))
        return tuple(found)


NO_VECTOR_MATH = VectorMath()


@lru_cache(maxsize=1)
def host() -> VectorMath:
    """What this machine can run."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    needed = {"b": "sse4.1", "d": "avx2", "e": "avx512f"}
    found = "".join(isa for isa, feature in needed.items() if features.get(feature))
    return VectorMath(found if _library() is not None else "", wide="e" in found)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError:
        return None


@cache
def exists(symbol: str) -> bool:
    """Whether the vector library of this system has `symbol`."""
    return hasattr(_library(), symbol)
