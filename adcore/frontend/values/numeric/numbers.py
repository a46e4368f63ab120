"""Numbers: their types, whether they are Python's, and the IR's values for them."""

from __future__ import annotations

import numpy as np

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    Constant,
    Num,
    WeakType,
)
from adcore.frontend.values.numeric.weak_types import certain
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, F64, I64, Scalar


class TooWide(Exception):
    """A constant that an integer of the IR can't hold."""


def static_type(value: object) -> Scalar:
    """IR type of a known number."""
    if isinstance(value, (bool, np.bool_)):
        return BOOL
    if isinstance(value, (int, np.integer)):
        return I64
    return F32 if isinstance(value, np.float32) else F64


def scalar_type(value: Abstract) -> Scalar:
    """IR type of a number."""
    if isinstance(value, Num):
        return value.type
    assert isinstance(value, Constant)
    return static_type(value.value)


def weak_type_of(value: Abstract) -> WeakType:
    """Whose a number is."""
    if isinstance(value, Num):
        return value.weak
    assert isinstance(value, Constant)
    return certain(not isinstance(value.value, np.generic))


def materialise(scope: FunctionScope, value: Abstract, type_: Scalar | None = None) -> Value:
    """The IR value of a number, converted to `type_`."""
    if isinstance(value, Constant):
        wanted = type_ or static_type(value.value)
        number = value.value.item() if isinstance(value.value, np.generic) else value.value
        if wanted.kind == "f":
            return scope.const(float(number), wanted)
        if wanted.kind == "b":
            return scope.const(bool(number), wanted)
        if not -(2**63) <= number < 2**63:
            raise TooWide(str(number))
        return scope.const(int(number), wanted)
    assert isinstance(value, Num), value
    if type_ is None or value.type == type_:
        return value.value
    return scope.emit("cast", value.value, type=type_.name, hint=value.value.hint)


def join_types(a: Abstract, b: Abstract) -> Scalar | None:
    """The type that holds both numbers without changing what Python computes with them; None if there is none."""
    ta, tb = scalar_type(a), scalar_type(b)
    if ta == tb:
        return ta
    for narrow, other in ((ta, b), (tb, a)):
        if narrow == F32:
            # A Python float adapts to float32 wherever it meets one; only a constant is known not to change by it.
            exact = isinstance(other, Constant) and float(np.float32(other.value)) == float(other.value)
            return F32 if weak_type_of(other).always and exact else None
    order = (BOOL, I64, F64)
    return max(ta, tb, key=order.index)
