"""What the ops of numbers share: evaluation by kind, LLVM's types, arithmetic that may overflow, samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.ir.core import Attributes
from adcore.ir.types import Scalar, Type
from adcore.ops.define import Emitter

PAIRS = ((0.7, 1.9), (-1.3, 0.4), (2.5, -0.6))


def exact_integer(value: int) -> int:
    """`value` if 64 bits hold it."""
    if not -(2**63) <= value < 2**63:
        raise OverflowError("integer result does not fit in 64 bits")
    return value


def by_kind(floating: Any, integer: Any) -> Any:
    """Evaluate with `floating` or `integer` by the first operand's kind."""

    def evaluate(*operands: Any) -> Any:
        if isinstance(operands[0], (int, np.integer)):
            return exact_integer(integer(*(int(o) for o in operands)))
        with np.errstate(all="ignore"):
            return floating(*operands)

    return evaluate


def llvm_type(type_: Type) -> str:
    """The LLVM register type of a scalar."""
    assert isinstance(type_, Scalar)
    if type_.kind == "f":
        return {4: "float", 8: "double", 16: "x86_fp80"}[type_.bytes]
    return "i1" if type_.kind == "b" else f"i{8 * type_.bytes}"


def lower_arithmetic(float_op: str, checked: str) -> Any:
    """An LLVM float instruction, or an integer one with overflow check."""

    def lower(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
        assert isinstance(result, Scalar)
        ty = llvm_type(result)
        if result.kind == "f":
            return e.let(f"{float_op} {e.flags}{ty} {', '.join(operands)}")
        if attrs.get("exact"):
            return e.let(f"{checked[1:]} nsw {ty} {', '.join(operands)}")
        e.helper(f"llvm.{checked}", f"declare {{{ty}, i1}} @llvm.{checked}.with.overflow.{ty}({ty}, {ty})")
        pair = e.let(f"call {{{ty}, i1}} @llvm.{checked}.with.overflow.{ty}({ty} {operands[0]}, {ty} {operands[1]})")
        e.fail_if(e.let(f"extractvalue {{{ty}, i1}} {pair}, 1"), "integer overflow")
        return e.let(f"extractvalue {{{ty}, i1}} {pair}, 0")

    return lower
