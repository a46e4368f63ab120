"""Numbers with Python's meaning: promotion (NEP 50), operators, comparisons, conversions, and what raises.

Python's own floats raise where IEEE 754 gives infinity or NaN; NumPy's don't. Each number knows which it is (`weak`).
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.frontend.frame import Frame
from adcore.frontend.joins import TooWide, describe, join_types, materialise, scalar_type
from adcore.frontend.values import Abstract, Const, Num, Poison, is_scalar
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, F64, I64, Scalar

OPERATORS: dict[type[ast.operator], tuple[str, str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("add", "+", operator.add),
    ast.Sub: ("sub", "-", operator.sub),
    ast.Mult: ("mul", "*", operator.mul),
    ast.Div: ("div", "/", operator.truediv),
    ast.FloorDiv: ("floordiv", "//", operator.floordiv),
    ast.Mod: ("mod", "%", operator.mod),
    ast.Pow: ("pow", "**", operator.pow),
    ast.BitAnd: ("bitand", "&", operator.and_),
    ast.BitOr: ("bitor", "|", operator.or_),
    ast.BitXor: ("bitxor", "^", operator.xor),
    ast.LShift: ("shl", "<<", operator.lshift),
    ast.RShift: ("shr", ">>", operator.rshift),
}

COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("eq", operator.eq),
    ast.NotEq: ("ne", operator.ne),
    ast.Lt: ("lt", operator.lt),
    ast.LtE: ("le", operator.le),
    ast.Gt: ("gt", operator.gt),
    ast.GtE: ("ge", operator.ge),
}

LARGEST_UNROLLED_POWER = 64


def python_message(function: Callable[..., Any], *arguments: Any) -> tuple[str, str]:
    """Type and message of what this Python raises for a call: they differ between versions."""
    try:
        function(*arguments)
    except Exception as error:
        # A `check` formats its message.
        return type(error).__name__, str(error).replace("{", "{{").replace("}", "}}")
    raise AssertionError(f"{function} does not raise for {arguments}")


def promoted(a: Abstract, b: Abstract) -> tuple[Scalar, bool]:
    """The type in which NumPy 2 (NEP 50) computes with two numbers, and whether it is a Python number."""
    (ta, weak_a), (tb, weak_b) = scalar_type(a), scalar_type(b)
    weak = weak_a and weak_b
    if ta == tb:
        return ta, weak
    for narrow, wide, weak_wide in ((ta, tb, weak_b), (tb, ta, weak_a)):
        if narrow == F32:
            # A Python number takes the type of the NumPy one; a 64-bit integer needs float64.
            return (F32 if weak_wide or wide == BOOL else F64), False
    return max(ta, tb, key=(BOOL, I64, F64).index), weak


def fail(frame: Frame, error: str, message: str) -> None:
    """Raise at run time, always."""
    frame.check(frame.const(False), error, message)
    frame.state.dead = True


def folded(frame: Frame, node: ast.AST, function: Callable[..., Any], *values: Abstract) -> Abstract:
    """Let Python compute with known values; what it raises is raised at run time, as Python would."""
    arguments = [v.value for v in values if isinstance(v, Const)]
    if len(arguments) != len(values):
        raise AssertionError("folding needs constants")
    try:
        with np.errstate(all="ignore"):
            result = function(*arguments)
        # `np.where` of numbers is an array without axes, with which one may calculate as with a number.
        return Const(result[()] if isinstance(result, np.ndarray) and not result.ndim else result)
    except TypeError as error:
        return frame.error(node, f"this operation is not defined: {error}")
    except (ArithmeticError, ValueError) as error:
        name = type(error).__name__
        if name not in ("ZeroDivisionError", "OverflowError", "ValueError"):
            return frame.error(node, f"this always raises {name}: {error}")
        fail(frame, name, str(error).replace("{", "{{").replace("}", "}}"))
        return Num(frame.const(0.0))


def binary(frame: Frame, node: ast.AST, kind: type[ast.operator], a: Abstract, b: Abstract) -> Abstract:
    """`a OP b` of two numbers."""
    name, symbol, function = OPERATORS.get(kind, ("", "@", operator.matmul))
    if isinstance(a, Poison) or isinstance(b, Poison):
        return Poison()
    if not (is_scalar(a) and is_scalar(b)):
        return frame.error(node, f"`{symbol}` does not take {describe(a)} and {describe(b)} here")
    if not name:
        return frame.error(node, "`@` takes arrays, not numbers")
    if isinstance(a, Const) and isinstance(b, Const):
        if name == "pow" and isinstance(b.value, int) and abs(b.value) > 4096:
            return frame.error(node, "this power of two constants is too large")
        value = folded(frame, node, function, a, b)
        if isinstance(value, Const) and isinstance(value.value, complex):
            return frame.error(node, "this gives a complex number", "complex numbers are not supported")
        return value
    type_, weak = promoted(a, b)
    if type_ == BOOL and not weak and name not in ("bitand", "bitor", "bitxor"):
        return frame.error(node, f"`{symbol}` of NumPy bools", "write int(a) and int(b), or `and`, `or`, `not`")
    rule = {"div": divide, "floordiv": divide, "mod": divide, "pow": power}.get(name)
    if rule is not None:
        return rule(frame, node, name, a, b, type_, weak)
    if name in ("bitand", "bitor", "bitxor", "shl", "shr"):
        return bitwise(frame, node, name, symbol, a, b, type_, weak)
    type_ = I64 if type_ == BOOL else type_
    return Num(frame.emit(name, materialise(frame, a, type_), materialise(frame, b, type_)), weak)


def bitwise(
    frame: Frame, node: ast.AST, name: str, symbol: str, a: Abstract, b: Abstract, type_: Scalar, weak: bool
) -> Abstract:
    if type_.kind == "f":
        return frame.error(node, f"`{symbol}` does not take floats", "use `and`, `or` for conditions")
    if name in ("shl", "shr"):
        type_ = I64
    return Num(frame.emit(name, materialise(frame, a, type_), materialise(frame, b, type_)), weak)


def divide(frame: Frame, node: ast.AST, name: str, a: Abstract, b: Abstract, type_: Scalar, weak: bool) -> Abstract:
    """`/`, `//`, `%`. Python's numbers raise on zero; the integer ops do so themselves."""
    integers = type_.kind != "f"
    if integers and name != "div":
        return Num(frame.emit(name, materialise(frame, a, I64), materialise(frame, b, I64)), weak)
    x, y = (materialise(frame, v, F64 if integers else type_) for v in (a, b))
    if weak and not (isinstance(b, Const) and b.value):
        function = {"div": operator.truediv, "floordiv": operator.floordiv, "mod": operator.mod}[name]
        error, message = python_message(function, 1 if integers else 1.0, 0 if integers else 0.0)
        frame.check(frame.emit("ne", y, frame.const(0.0)), error, message)
    return Num(frame.emit(name, x, y), weak)


def power(frame: Frame, node: ast.AST, name: str, a: Abstract, b: Abstract, type_: Scalar, weak: bool) -> Abstract:
    """`**`."""
    if type_.kind != "f":
        return _integer_power(frame, a, b, weak)
    x = materialise(frame, a, type_)
    if isinstance(b, Const) and b.value == 2:
        square = frame.emit("mul", x, x)
        if weak:
            _check_power_overflow(frame, square, x, x)
        return Num(square, weak)
    if isinstance(b, Const) and b.value in (0, 1):
        return Num(frame.const(1.0, type_) if b.value == 0 else x, weak)
    y = materialise(frame, b, type_)
    if not weak:
        return Num(frame.emit("pow", x, y), weak)
    _check_power(frame, a, b, x, y)
    result = frame.emit("pow", x, y)
    _check_power_overflow(frame, result, x, y)
    return Num(result, weak)


def _check_power(frame: Frame, a: Abstract, b: Abstract, x: Value, y: Value) -> None:
    """What Python's `float ** float` refuses: zero to a negative power, and negative to a fraction (complex there)."""
    zero = frame.const(0.0)
    known = float(b.value) if isinstance(b, Const) else None
    if known is None or known < 0:
        error, message = python_message(operator.pow, 0.0, -1.0)
        bad = frame.emit("eq", x, zero)
        if known is None:
            bad = frame.emit("and", bad, frame.emit("lt", y, zero))
        frame.check(frame.emit("not", bad), error, message)
    base = float(a.value) if isinstance(a, Const) else None
    if (known is None or not known.is_integer()) and (base is None or base < 0):
        # A base of minus infinity is fine; so is an infinite or whole exponent (and NaN is whole enough).
        bad = frame.emit("lt", x, zero)
        bad = frame.emit("and", bad, frame.emit("ne", x, frame.const(-math.inf)))
        if known is None:
            bad = frame.emit("and", bad, frame.emit("lt", frame.emit("floor", y), y))
        message = "a negative float to a fractional power is complex, which is not supported"
        frame.check(frame.emit("not", bad), "ValueError", message)


def _check_power_overflow(frame: Frame, result: Value, x: Value, y: Value) -> None:
    error, message = python_message(operator.pow, 10.0, 1000.0)
    infinite = frame.const(math.inf)
    ok = frame.emit("lt", frame.emit("abs", result), infinite)
    for value in {x: None, y: None}:
        # NaN and infinity of the operands pass through.
        ok = frame.emit("or", ok, frame.emit("not", frame.emit("lt", frame.emit("abs", value), infinite)))
    frame.check(ok, error, message)


def _integer_power(frame: Frame, a: Abstract, b: Abstract, weak: bool) -> Abstract:
    x = materialise(frame, a, I64)
    if isinstance(b, Const) and 0 <= int(b.value) <= LARGEST_UNROLLED_POWER:
        return Num(repeated_product(frame, x, int(b.value)), weak)
    if isinstance(b, Const) and b.value < 0 and weak:
        # Python gives a float here.
        error, message = python_message(operator.pow, 0, -1)
        frame.check(frame.emit("ne", x, frame.const(0)), error, message)
        return Num(frame.emit("pow", materialise(frame, Num(x), F64), frame.const(float(b.value))), weak)
    return Num(frame.emit("pow", x, materialise(frame, b, I64)), weak)


def repeated_product(frame: Frame, x: Value, n: int) -> Value:
    """x**n by squaring, without a square that is not needed (it might overflow)."""
    result: Value | None = None
    while n:
        if n & 1:
            result = x if result is None else frame.emit("mul", result, x)
        n >>= 1
        if n:
            x = frame.emit("mul", x, x)
    return frame.const(1) if result is None else result


def negative(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Const):
        return folded(frame, node, operator.neg, value)
    type_, weak = scalar_type(value)
    return Num(frame.emit("neg", materialise(frame, value, I64 if type_ == BOOL else type_)), weak)


def inverted(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    """`~value`."""
    type_, weak = scalar_type(value)
    if isinstance(value, Const):
        return folded(frame, node, operator.invert, value)
    if type_.kind == "f":
        return frame.error(node, "`~` does not take floats", "write `-x`, or `not x` for conditions")
    if type_ == BOOL and not weak:
        return Num(frame.emit("not", materialise(frame, value)), weak)
    return Num(frame.emit("bitnot", materialise(frame, value, I64)), weak)


def compare(frame: Frame, node: ast.AST, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    """One comparison of two numbers."""
    name, function = COMPARISONS[kind]
    if isinstance(a, Const) and isinstance(b, Const):
        return folded(frame, node, function, a, b)
    type_, weak = promoted(a, b)
    try:
        return Num(frame.emit(name, materialise(frame, a, type_), materialise(frame, b, type_)), weak)
    except TooWide:
        # Every 64-bit integer is on the same side of such a constant.
        if isinstance(a, Const):
            return Const(function(int(a.value), 0))
        assert isinstance(b, Const)
        return Const(function(0, int(b.value)))


def truth(frame: Frame, value: Abstract) -> Abstract:
    """`bool(value)` of a number."""
    if isinstance(value, Const):
        return Const(bool(value.value))
    assert isinstance(value, Num)
    return value if value.type == BOOL else Num(frame.emit("cast", value.value, type="bool"))


def to_float(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Const):
        return folded(frame, node, float, value)
    return Num(materialise(frame, value, F64))


def to_int(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Const):
        return folded(frame, node, int, value)
    return Num(materialise(frame, value, I64))


def minimum(frame: Frame, node: ast.AST, values: list[Abstract], comparison: type[ast.cmpop]) -> Abstract:
    """Python's min (`Lt`) or max (`Gt`): the first of the best, a NaN is never better."""
    best = values[0]
    for value in values[1:]:
        if isinstance(best, Const) and isinstance(value, Const):
            best = value if COMPARISONS[comparison][1](value.value, best.value) else best
            continue
        joined = join_types(best, value)
        if joined is None:
            return frame.error(
                node, "the arguments are float32 and float64", "convert them to one type, for example with np.float64"
            )
        better = compare(frame, node, comparison, value, best)
        if isinstance(better, Const):
            best = value if better.value else best
            continue
        x, y = (materialise(frame, v, joined[0]) for v in (value, best))
        best = Num(frame.emit("select", materialise(frame, better), x, y), joined[1])
    return best
