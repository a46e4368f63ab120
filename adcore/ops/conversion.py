"""Constants, and conversion between types of numbers.

A float that no 64-bit integer holds raises OverflowError, NaN ValueError, as Python's `int` does.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from adcore.ir.core import Attributes
from adcore.ir.types import SCALARS, Scalar, Type, is_float
from adcore.ops.define import Emitter, Op, OpTypeError
from adcore.ops.effects import CONVERTS, VALUE
from adcore.ops.expr import Expr
from adcore.ops.scalars import exact_integer, llvm_type


def constant_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    return (SCALARS[attrs["type"]],)


def lower_constant(
    e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes
) -> str:
    assert isinstance(result, Scalar)
    value = attrs["value"]
    if result.kind == "f":
        exact = float(np.float32(value)) if result.bytes == 4 else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"
    return str(bool(value)).lower() if result.kind == "b" else str(int(value))


def cast_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    if len(types) != 1 or not isinstance(types[0], Scalar):
        raise OpTypeError("cast takes one scalar")
    return (SCALARS[attrs["type"]],)


def evaluate_cast(x: Any, type: str) -> Any:
    target = SCALARS[type]
    if target.kind == "f":
        return np.float32(x) if target.bytes == 4 else float(x)
    if target.kind == "b":
        return bool(x)
    if isinstance(x, (float, np.floating)):
        return exact_integer(int(x))
    return np.array(x).astype(f"{target.kind}{target.bytes}").item()


def lower_cast(e: Emitter, types: tuple[Type, ...], result: Type, operands: Sequence[str], attrs: Attributes) -> str:
    (source,) = types
    assert isinstance(source, Scalar)
    assert isinstance(result, Scalar)
    (x,) = operands
    a, b = llvm_type(source), llvm_type(result)
    if source == result:
        return x
    if result.kind == "b":
        return e.let(f"fcmp une {a} {x}, 0.0") if source.kind == "f" else e.let(f"icmp ne {a} {x}, 0")
    if source.kind == "f":
        return _lower_from_float(e, source, result, x, bool(attrs.get("exact")))
    if result.kind == "f":
        return e.let(f"{'sitofp' if source.kind == 'i' else 'uitofp'} {a} {x} to {b}")
    if a == b:
        return x
    if source.bytes < result.bytes or source.kind == "b":
        return e.let(f"{'sext' if source.kind == 'i' else 'zext'} {a} {x} to {b}")
    return e.let(f"trunc {a} {x} to {b}")


def _lower_from_float(e: Emitter, source: Scalar, result: Scalar, x: str, exact: bool) -> str:
    a, b = llvm_type(source), llvm_type(result)
    if result.kind == "f":
        return e.let(f"{'fpext' if result.bytes > source.bytes else 'fptrunc'} {a} {x} to {b}")
    if not exact:
        e.fail_if(e.let(f"fcmp uno {a} {x}, 0.0"), "NaN to integer")
        above = e.let(f"fcmp oge {a} {x}, 0x43E0000000000000")  # 2**63
        below = e.let(f"fcmp olt {a} {x}, 0xC3E0000000000000")
        e.fail_if(e.let(f"or i1 {above}, {below}"), "float to integer overflow")
    return e.let(f"fptosi {a} {x} to {b}")


def _cast_tangent(x: Expr, r: Expr, tangents: Sequence[Expr | None], type: str) -> Expr:
    (dx,) = tangents
    assert dx is not None
    return Expr(x.builder, x.builder.emit("cast", dx.value, type=type))


def _cast_adjoint(x: Expr, r: Expr, ct: Expr, type: str) -> Sequence[Expr | None]:
    return (Expr(x.builder, x.builder.emit("cast", ct.value, type=x.type.name)) if is_float(r.type) else None,)


OPS = (
    Op("const", constant_type, lambda value, type: evaluate_cast(value, type), lower=lower_constant, cost=0.0,
       effects=VALUE),
    Op("cast", cast_type, evaluate_cast, tangent=_cast_tangent, adjoint=_cast_adjoint, lower=lower_cast,
       effects=CONVERTS),
)  # fmt: skip
