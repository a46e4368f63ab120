"""Numbers with Python's meaning: promotion (NEP 50), operators, comparisons, conversions, and what raises.

Python's own floats raise where IEEE 754 gives infinity or NaN; NumPy's don't. Each number knows which it is (`Kind`).
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import NUMPY, Abstract, Const, Kind, Num, Poison, is_scalar
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import TooWide, join_types, kind_of, materialise, scalar_type
from adcore.frontend.values.weak_types import check_numpy, check_python, chosen, flag
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


def promoted(a: Abstract, b: Abstract) -> tuple[Scalar, Kind]:
    """The type in which NumPy 2 (NEP 50) computes with two numbers, and whose the result is.

    A number of mixed kind counts as NumPy's; `deviations` says where the type is another if it is Python's.
    """
    kinds = kind_of(a), kind_of(b)
    return _promoted(*((scalar_type(v), k.python) for v, k in zip((a, b), kinds, strict=True))), kinds[0] & kinds[1]


def _promoted(a: tuple[Scalar, bool], b: tuple[Scalar, bool]) -> Scalar:
    """The same for numbers given by type and by whether they are Python's."""
    for (narrow, _), (wide, python) in ((a, b), (b, a)):
        if narrow == F32:
            # A Python number takes the type of the NumPy one; a 64-bit integer needs float64.
            return F32 if python or wide in (F32, BOOL) else F64
    return max(a[0], b[0], key=(BOOL, I64, F64).index)


@dataclass(frozen=True)
class Deviation:
    """Python computes in another type than `promoted` says where the operands are of kinds that only a run tells."""

    kinds: tuple[tuple[Kind, bool], ...]
    type: Scalar
    python: bool

    def holds(self, frame: Frame) -> Value:
        """Whether the operands are of these kinds."""
        result: Value | None = None
        for kind, python in self.kinds:
            if kind.mixed:
                one = flag(frame, kind) if python else frame.emit("not", flag(frame, kind))
                result = one if result is None else frame.emit("and", result, one)
        assert result is not None
        return result


def deviations(*values: Abstract) -> list[Deviation]:
    """One or two operands of which a float32 is one: it is a float64 where it is Python's, in which it was exact."""
    types, kinds = [scalar_type(v) for v in values], [kind_of(v) for v in values]
    if F32 not in types or not any(k.mixed for k in kinds):
        return []
    found = []
    usual = _of_kinds(types, [k.python for k in kinds])
    for truths in itertools.product(*((False, True) if k.mixed else (k.python,) for k in kinds)):
        type_ = _of_kinds(types, truths)
        if type_ != usual and not (len(truths) == 2 and kinds[0] == kinds[1] and truths[0] != truths[1]):
            found.append(Deviation(tuple(zip(kinds, truths, strict=True)), type_, all(truths)))
    return found


def _of_kinds(types: Sequence[Scalar], python: Sequence[bool]) -> Scalar:
    """The type that numbers have together; Python has no float32."""
    own = [(F64 if t == F32 and p else t, p) for t, p in zip(types, python, strict=True)]
    return own[0][0] if len(own) == 1 else _promoted(own[0], own[1])


def one_type(frame: Frame, *values: Abstract) -> None:
    """Raise where the type of a NumPy result depends on whose the operands turn out to be."""
    for deviation in deviations(*values):
        _refuse(frame, deviation.holds(frame))


def _refuse(frame: Frame, bad: Value) -> None:
    message = "a number that is a Python float here is a NumPy float elsewhere, and the precision of this depends on it"
    frame.check(frame.emit("not", bad), "TypeError", f"{message}: write float(...), np.float32(...) or np.float64(...)")


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
    type_, whose = promoted(a, b)
    if type_ == BOOL and not whose.python and name not in ("bitand", "bitor", "bitxor"):
        return frame.error(node, f"`{symbol}` of NumPy bools", "write int(a) and int(b), or `and`, `or`, `not`")
    if name in ("bitand", "bitor", "bitxor", "shl", "shr"):
        return bitwise(frame, node, name, symbol, a, b, type_, whose)
    rule = {"div": divide, "floordiv": divide, "mod": divide, "pow": power}.get(name, arithmetic)
    exact = []
    for deviation in deviations(a, b):
        if deviation.python and type_ == F32:
            exact.append(deviation)
        else:
            _refuse(frame, deviation.holds(frame))
    if not exact:
        return Num(rule(frame, name, a, b, type_, whose), whose)
    # A float32 that is Python's is a float64: the result is the same number, or this can't go on.
    wide = rule(frame, name, a, b, F64, whose)
    result = rule(frame, name, a, b, F32, NUMPY)
    same = frame.emit("eq", wide, frame.emit("cast", result, type="f64"))
    differs = frame.emit("not", frame.emit("or", same, frame.emit("ne", wide, wide)))
    for deviation in exact:
        _refuse(frame, frame.emit("and", differs, deviation.holds(frame)))
    return Num(result, whose)


def arithmetic(frame: Frame, name: str, a: Abstract, b: Abstract, type_: Scalar, kind: Kind) -> Value:
    """`+`, `-`, `*`."""
    type_ = I64 if type_ == BOOL else type_
    return frame.emit(name, materialise(frame, a, type_), materialise(frame, b, type_))


def bitwise(
    frame: Frame, node: ast.AST, name: str, symbol: str, a: Abstract, b: Abstract, type_: Scalar, kind: Kind
) -> Abstract:
    if type_.kind == "f":
        return frame.error(node, f"`{symbol}` does not take floats", "use `and`, `or` for conditions")
    if name in ("shl", "shr"):
        type_ = I64
    return Num(frame.emit(name, materialise(frame, a, type_), materialise(frame, b, type_)), kind)


def divide(frame: Frame, name: str, a: Abstract, b: Abstract, type_: Scalar, kind: Kind) -> Value:
    """`/`, `//`, `%`. Python's numbers raise on zero; the integer ops do so themselves."""
    integers = type_.kind != "f"
    if integers and name != "div":
        return frame.emit(name, materialise(frame, a, I64), materialise(frame, b, I64))
    x, y = (materialise(frame, v, F64 if integers else type_) for v in (a, b))
    if not (isinstance(b, Const) and b.value):
        function = {"div": operator.truediv, "floordiv": operator.floordiv, "mod": operator.mod}[name]
        error, message = python_message(function, 1 if integers else 1.0, 0 if integers else 0.0)
        check_python(frame, kind, lambda: frame.emit("ne", y, frame.const(0.0)), error, message)
    return frame.emit(name, x, y)


def power(frame: Frame, name: str, a: Abstract, b: Abstract, type_: Scalar, kind: Kind) -> Value:
    """`**`."""
    if type_.kind != "f":
        return _integer_power(frame, a, b, kind)
    x = materialise(frame, a, type_)
    if isinstance(b, Const) and b.value == 2:
        square = frame.emit("mul", x, x)
        _check_power_overflow(frame, kind, square, x, x)
        return square
    if isinstance(b, Const) and b.value in (0, 1):
        return frame.const(1.0, type_) if b.value == 0 else x
    y = materialise(frame, b, type_)
    if not kind.numpy:
        _check_power(frame, kind, a, b, x, y)
    result = frame.emit("pow", x, y)
    _check_power_overflow(frame, kind, result, x, y)
    return result


def _check_power(frame: Frame, kind: Kind, a: Abstract, b: Abstract, x: Value, y: Value) -> None:
    """What Python's `float ** float` refuses: zero to a negative power, and negative to a fraction (complex there)."""
    zero = frame.const(0.0)
    known = float(b.value) if isinstance(b, Const) else None

    def no_pole() -> Value:
        bad = frame.emit("eq", x, zero)
        if known is None:
            bad = frame.emit("and", bad, frame.emit("lt", y, zero))
        return frame.emit("not", bad)

    def is_real() -> Value:
        # A base of minus infinity is fine; so is an infinite or whole exponent (and NaN is whole enough).
        bad = frame.emit("lt", x, zero)
        bad = frame.emit("and", bad, frame.emit("ne", x, frame.const(-math.inf)))
        if known is None:
            bad = frame.emit("and", bad, frame.emit("lt", frame.emit("floor", y), y))
        return frame.emit("not", bad)

    if known is None or known < 0:
        check_python(frame, kind, no_pole, *python_message(operator.pow, 0.0, -1.0))
    base = float(a.value) if isinstance(a, Const) else None
    if (known is None or not known.is_integer()) and (base is None or base < 0):
        message = "a negative float to a fractional power is complex, which is not supported"
        check_python(frame, kind, is_real, "ValueError", message)


def _check_power_overflow(frame: Frame, kind: Kind, result: Value, x: Value, y: Value) -> None:
    def finite() -> Value:
        infinite = frame.const(math.inf)
        ok = frame.emit("lt", frame.emit("abs", result), infinite)
        for value in {x: None, y: None}:
            # NaN and infinity of the operands pass through.
            ok = frame.emit("or", ok, frame.emit("not", frame.emit("lt", frame.emit("abs", value), infinite)))
        return ok

    check_python(frame, kind, finite, *python_message(operator.pow, 10.0, 1000.0))


def _integer_power(frame: Frame, a: Abstract, b: Abstract, kind: Kind) -> Value:
    x = materialise(frame, a, I64)
    if isinstance(b, Const) and 0 <= int(b.value) <= LARGEST_UNROLLED_POWER:
        return repeated_product(frame, x, int(b.value))
    if isinstance(b, Const) and b.value < 0 and not kind.numpy:
        # Python gives a float here, NumPy raises.
        if kind.mixed:
            check_numpy(frame, kind, *python_message(operator.pow, np.int64(2), -1))
        error, message = python_message(operator.pow, 0, -1)
        frame.check(frame.emit("ne", x, frame.const(0)), error, message)
        return frame.emit("pow", materialise(frame, Num(x), F64), frame.const(float(b.value)))
    return frame.emit("pow", x, materialise(frame, b, I64))


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


def refused_bool(frame: Frame, node: ast.AST, what: str, value: Abstract) -> Poison | None:
    """Reports a bool that is or may be NumPy's, where that is no number."""
    if scalar_type(value) != BOOL or kind_of(value).python:
        return None
    return frame.error(node, f"{what} a NumPy bool", "write int(...) around it, or `not` for its opposite")


def negative(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Const):
        return folded(frame, node, operator.neg, value)
    type_ = scalar_type(value)
    refused = refused_bool(frame, node, "`-` of", value)
    return refused or Num(frame.emit("neg", materialise(frame, value, I64 if type_ == BOOL else type_)), kind_of(value))


def positive(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    """`+value`."""
    if isinstance(value, Const):
        return folded(frame, node, operator.pos, value)
    refused = refused_bool(frame, node, "`+` of", value)
    return refused or (to_int(frame, node, value) if scalar_type(value) == BOOL else value)


def inverted(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    """`~value`."""
    type_, kind = scalar_type(value), kind_of(value)
    if isinstance(value, Const):
        return folded(frame, node, operator.invert, value)
    if type_.kind == "f":
        return frame.error(node, "`~` does not take floats", "write `-x`, or `not x` for conditions")
    if type_ == BOOL and kind.numpy:
        return Num(frame.emit("not", materialise(frame, value)), kind)
    if type_ == BOOL and kind.mixed:
        return frame.error(
            node, "`~` of a bool that is Python's on one path and NumPy's on another", "write `not x`, or ~int(x)"
        )
    return Num(frame.emit("bitnot", materialise(frame, value, I64)), kind)


def compare(frame: Frame, node: ast.AST, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    """One comparison of two numbers."""
    name, function = COMPARISONS[kind]
    if isinstance(a, Const) and isinstance(b, Const):
        return folded(frame, node, function, a, b)
    type_, whose = promoted(a, b)
    try:
        result = frame.emit(name, materialise(frame, a, type_), materialise(frame, b, type_))
    except TooWide:
        # Every 64-bit integer is on the same side of such a constant.
        if isinstance(a, Const):
            return Const(function(int(a.value), 0))
        assert isinstance(b, Const)
        return Const(function(0, int(b.value)))
    for deviation in deviations(a, b):
        other = frame.emit(name, materialise(frame, a, deviation.type), materialise(frame, b, deviation.type))
        result = frame.emit("select", deviation.holds(frame), other, result)
    return Num(result, whose)


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
        test = materialise(frame, better)
        kind = chosen(frame, test, kind_of(value), kind_of(best))
        x, y = (materialise(frame, v, joined) for v in (value, best))
        best = Num(frame.emit("select", test, x, y), kind)
    return best
