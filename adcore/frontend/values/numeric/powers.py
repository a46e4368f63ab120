"""Powers of numbers."""

from __future__ import annotations

import math
import operator

import numpy as np

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import Abstract, Constant, Num, WeakType
from adcore.frontend.values.messages import python_message
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.weak_types import check_numpy, check_python
from adcore.ir.core import Value
from adcore.ir.types import F64, I64, Scalar

LARGEST_UNROLLED_POWER = 64


def power(scope: FunctionScope, name: str, a: Abstract, b: Abstract, type_: Scalar, weak: WeakType) -> Value:
    """`**`."""
    if type_.kind != "f":
        return _integer_power(scope, a, b, weak)
    x = materialise(scope, a, type_)
    if isinstance(b, Constant) and b.value == 2:
        square = scope.emit("mul", x, x)
        _check_power_overflow(scope, weak, square, x, x)
        return square
    if isinstance(b, Constant) and b.value in (0, 1):
        return scope.const(1.0, type_) if b.value == 0 else x
    y = materialise(scope, b, type_)
    if not weak.never:
        _check_power(scope, weak, a, b, x, y)
    result = scope.emit("pow", x, y)
    _check_power_overflow(scope, weak, result, x, y)
    return result


def _check_power(scope: FunctionScope, weak: WeakType, a: Abstract, b: Abstract, x: Value, y: Value) -> None:
    """What Python's `float ** float` refuses: zero to a negative power, and negative to a fraction (complex there)."""
    zero = scope.const(0.0)
    known = float(b.value) if isinstance(b, Constant) else None

    def no_pole() -> Value:
        bad = scope.emit("eq", x, zero)
        if known is None:
            bad = scope.emit("and", bad, scope.emit("lt", y, zero))
        return scope.emit("not", bad)

    def is_real() -> Value:
        # A base of minus infinity is fine; so is an infinite or whole exponent (and NaN is whole enough).
        bad = scope.emit("lt", x, zero)
        bad = scope.emit("and", bad, scope.emit("ne", x, scope.const(-math.inf)))
        if known is None:
            bad = scope.emit("and", bad, scope.emit("lt", scope.emit("floor", y), y))
        return scope.emit("not", bad)

    if known is None or known < 0:
        check_python(scope, weak, no_pole, *python_message(operator.pow, 0.0, -1.0))
    base = float(a.value) if isinstance(a, Constant) else None
    if (known is None or not known.is_integer()) and (base is None or base < 0):
        message = "a negative float to a fractional power is complex, which is not supported"
        check_python(scope, weak, is_real, "ValueError", message)


def _check_power_overflow(scope: FunctionScope, weak: WeakType, result: Value, x: Value, y: Value) -> None:
    def finite() -> Value:
        infinite = scope.const(math.inf)
        ok = scope.emit("lt", scope.emit("abs", result), infinite)
        for value in {x: None, y: None}:
            # NaN and infinity of the operands pass through.
            ok = scope.emit("or", ok, scope.emit("not", scope.emit("lt", scope.emit("abs", value), infinite)))
        return ok

    check_python(scope, weak, finite, *python_message(operator.pow, 10.0, 1000.0))


def _integer_power(scope: FunctionScope, a: Abstract, b: Abstract, weak: WeakType) -> Value:
    x = materialise(scope, a, I64)
    if isinstance(b, Constant) and 0 <= int(b.value) <= LARGEST_UNROLLED_POWER:
        return repeated_product(scope, x, int(b.value))
    if isinstance(b, Constant) and b.value < 0 and not weak.never:
        # Python gives a float here, NumPy raises.
        if weak.mixed:
            check_numpy(scope, weak, *python_message(operator.pow, np.int64(2), -1))
        error, message = python_message(operator.pow, 0, -1)
        scope.check(scope.emit("ne", x, scope.const(0)), error, message)
        return scope.emit("pow", materialise(scope, Num(x), F64), scope.const(float(b.value)))
    return scope.emit("pow", x, materialise(scope, b, I64))


def repeated_product(scope: FunctionScope, x: Value, n: int) -> Value:
    """x**n by squaring, without a square that is not needed (it might overflow)."""
    result: Value | None = None
    while n:
        if n & 1:
            result = x if result is None else scope.emit("mul", result, x)
        n >>= 1
        if n:
            x = scope.emit("mul", x, x)
    return scope.const(1) if result is None else result
