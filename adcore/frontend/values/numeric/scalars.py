"""Numbers with Python's meaning: promotion (NEP 50), operators, comparisons, conversions, and what raises.

Python's own floats raise where IEEE 754 gives infinity or NaN; NumPy's don't. Each number knows (`WeakType`).
"""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import STRONG, Abstract, Constant, Num, Poison, WeakType, is_scalar
from adcore.frontend.values.describe import describe
from adcore.frontend.values.messages import python_message
from adcore.frontend.values.numeric.narrow import joined_narrow, narrow_of, narrow_operation, narrow_unary
from adcore.frontend.values.numeric.numbers import TooWide, join_types, materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.powers import power
from adcore.frontend.values.numeric.ties import TiedMean
from adcore.frontend.values.numeric.weak_types import check_python, chosen, flag
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


def promoted(a: Abstract, b: Abstract) -> tuple[Scalar, WeakType]:
    """The type in which NumPy 2 (NEP 50) computes with two numbers, and whether the result is weak.

    A number that may be weak counts as NumPy's; `deviations` says where the type is another if it is Python's.
    """
    x, y = weak_type_of(a), weak_type_of(b)
    return _promoted((scalar_type(a), x.always), (scalar_type(b), y.always)), x & y


def _promoted(a: tuple[Scalar, bool], b: tuple[Scalar, bool]) -> Scalar:
    """The same for numbers given by type and by whether they are Python's."""
    for (narrow, _), (wide, python) in ((a, b), (b, a)):
        if narrow == F32:
            # A Python number takes the type of the NumPy one; a 64-bit integer needs float64.
            return F32 if python or wide in (F32, BOOL) else F64
    return max(a[0], b[0], key=(BOOL, I64, F64).index)


@dataclass(frozen=True)
class Deviation:
    """Python computes in another type than `promoted` says where only a run tells whether the operands are weak."""

    weak_types: tuple[tuple[WeakType, bool], ...]
    type: Scalar
    python: bool

    def holds(self, scope: FunctionScope) -> Value:
        """Whether the operands are so."""
        result: Value | None = None
        for weak, python in self.weak_types:
            if weak.mixed:
                one = flag(scope, weak) if python else scope.emit("not", flag(scope, weak))
                result = one if result is None else scope.emit("and", result, one)
        assert result is not None
        return result


def deviations(*values: Abstract) -> list[Deviation]:
    """One or two operands of which a float32 is one: it is a float64 where it is Python's, in which it was exact."""
    types, weak_types = [scalar_type(v) for v in values], [weak_type_of(v) for v in values]
    if F32 not in types or not any(k.mixed for k in weak_types):
        return []
    found = []
    usual = _of_weak_types(types, [k.always for k in weak_types])
    for truths in itertools.product(*((False, True) if k.mixed else (k.always,) for k in weak_types)):
        type_ = _of_weak_types(types, truths)
        if type_ != usual and not (len(truths) == 2 and weak_types[0] == weak_types[1] and truths[0] != truths[1]):
            found.append(Deviation(tuple(zip(weak_types, truths, strict=True)), type_, all(truths)))
    return found


def _of_weak_types(types: Sequence[Scalar], python: Sequence[bool]) -> Scalar:
    """The type that numbers have together; Python has no float32."""
    own = [(F64 if t == F32 and p else t, p) for t, p in zip(types, python, strict=True)]
    return own[0][0] if len(own) == 1 else _promoted(own[0], own[1])


def one_type(scope: FunctionScope, *values: Abstract) -> None:
    """Raise where the type of a NumPy result depends on whether the operands turn out to be weak."""
    for deviation in deviations(*values):
        _refuse(scope, deviation.holds(scope))


def _refuse(scope: FunctionScope, bad: Value) -> None:
    message = "a number that is a Python float here is a NumPy float elsewhere, and the precision of this depends on it"
    scope.check(scope.emit("not", bad), "TypeError", f"{message}: write float(...), np.float32(...) or np.float64(...)")


def fail(scope: FunctionScope, error: str, message: str) -> None:
    """Raise at run time, always."""
    scope.check(scope.const(False), error, message)
    scope.state.dead = True


def folded(scope: FunctionScope, node: ast.AST, function: Callable[..., Any], *values: Abstract) -> Abstract:
    """Let Python compute with known values; what it raises is raised at run time, as Python would."""
    arguments = [v.value for v in values if isinstance(v, Constant)]
    if len(arguments) != len(values):
        raise AssertionError("folding needs constants")
    try:
        with np.errstate(all="ignore"):
            result = function(*arguments)
        # `np.where` of numbers is an array without axes, with which one may calculate as with a number.
        return Constant(result[()] if isinstance(result, np.ndarray) and not result.ndim else result)
    except TypeError as error:
        return scope.error(node, f"this operation is not defined: {error}")
    except (ArithmeticError, ValueError) as error:
        name = type(error).__name__
        if name not in ("ZeroDivisionError", "OverflowError", "ValueError"):
            return scope.error(node, f"this always raises {name}: {error}")
        fail(scope, name, str(error).replace("{", "{{").replace("}", "}}"))
        return Num(scope.const(0.0))


def binary(scope: FunctionScope, node: ast.AST, kind: type[ast.operator], a: Abstract, b: Abstract) -> Abstract:
    """`a OP b` of two numbers."""
    name, symbol, function = OPERATORS.get(kind, ("", "@", operator.matmul))
    if isinstance(a, Poison) or isinstance(b, Poison):
        return Poison()
    if not (is_scalar(a) and is_scalar(b)):
        return scope.error(node, f"`{symbol}` does not take {describe(a)} and {describe(b)} here")
    if not name:
        return scope.error(node, "`@` takes arrays, not numbers")
    if isinstance(a, Constant) and isinstance(b, Constant):
        if name == "pow" and isinstance(b.value, int) and abs(b.value) > 4096:
            return scope.error(node, "this power of two constants is too large")
        value = folded(scope, node, function, a, b)
        if isinstance(value, Constant) and isinstance(value.value, complex):
            return scope.error(node, "this gives a complex number", "complex numbers are not supported")
        return value
    if narrow_of(a) is not None or narrow_of(b) is not None:
        return narrow_operation(scope, node, name, symbol, a, b, lambda x, y: binary(scope, node, kind, x, y))
    type_, weak = promoted(a, b)
    if type_ == BOOL and not weak.always and name not in ("bitand", "bitor", "bitxor"):
        return scope.error(node, f"`{symbol}` of NumPy bools", "write int(a) and int(b), or `and`, `or`, `not`")
    if name in ("bitand", "bitor", "bitxor", "shl", "shr"):
        return bitwise(scope, node, name, symbol, a, b, type_, weak)
    rule = {"div": divide, "floordiv": divide, "mod": divide, "pow": power}.get(name, arithmetic)
    exact = []
    for deviation in deviations(a, b):
        if deviation.python and type_ == F32:
            exact.append(deviation)
        else:
            _refuse(scope, deviation.holds(scope))
    if not exact:
        return Num(rule(scope, name, a, b, type_, weak), weak)
    # A float32 that is Python's is a float64: the result is the same number, or this can't go on.
    wide = rule(scope, name, a, b, F64, weak)
    result = rule(scope, name, a, b, F32, STRONG)
    same = scope.emit("eq", wide, scope.emit("cast", result, type="f64"))
    differs = scope.emit("not", scope.emit("or", same, scope.emit("ne", wide, wide)))
    for deviation in exact:
        _refuse(scope, scope.emit("and", differs, deviation.holds(scope)))
    return Num(result, weak)


def arithmetic(scope: FunctionScope, name: str, a: Abstract, b: Abstract, type_: Scalar, weak: WeakType) -> Value:
    """`+`, `-`, `*`."""
    type_ = I64 if type_ == BOOL else type_
    return scope.emit(name, materialise(scope, a, type_), materialise(scope, b, type_))


def bitwise(
    scope: FunctionScope, node: ast.AST, name: str, symbol: str, a: Abstract, b: Abstract, type_: Scalar, weak: WeakType
) -> Abstract:
    if type_.kind == "f":
        return scope.error(node, f"`{symbol}` does not take floats", "use `and`, `or` for conditions")
    if name in ("shl", "shr"):
        type_ = I64
    return Num(scope.emit(name, materialise(scope, a, type_), materialise(scope, b, type_)), weak)


def divide(scope: FunctionScope, name: str, a: Abstract, b: Abstract, type_: Scalar, weak: WeakType) -> Value:
    """`/`, `//`, `%`. Python's numbers raise on zero; the integer ops do so themselves."""
    integers = type_.kind != "f"
    if integers and name != "div":
        return scope.emit(name, materialise(scope, a, I64), materialise(scope, b, I64))
    x, y = (materialise(scope, v, F64 if integers else type_) for v in (a, b))
    if not (isinstance(b, Constant) and b.value):
        function = {"div": operator.truediv, "floordiv": operator.floordiv, "mod": operator.mod}[name]
        error, message = python_message(function, 1 if integers else 1.0, 0 if integers else 0.0)
        check_python(scope, weak, lambda: scope.emit("ne", y, scope.const(0.0)), error, message)
    return scope.emit(name, x, y)


def refused_bool(scope: FunctionScope, node: ast.AST, what: str, value: Abstract) -> Poison | None:
    """Reports a bool that is or may be NumPy's, where that is no number."""
    if scalar_type(value) != BOOL or weak_type_of(value).always:
        return None
    return scope.error(node, f"{what} a NumPy bool", "write int(...) around it, or `not` for its opposite")


def negative(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Constant):
        return folded(scope, node, operator.neg, value)
    type_ = scalar_type(value)
    if isinstance(value, Num) and value.narrow is not None:
        return narrow_unary(scope, node, "-", "neg", value)
    refused = refused_bool(scope, node, "`-` of", value)
    return refused or Num(
        scope.emit("neg", materialise(scope, value, I64 if type_ == BOOL else type_)), weak_type_of(value)
    )


def positive(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """`+value`."""
    if isinstance(value, Constant):
        return folded(scope, node, operator.pos, value)
    refused = refused_bool(scope, node, "`+` of", value)
    return refused or (to_int(scope, node, value) if scalar_type(value) == BOOL else value)


def inverted(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """`~value`."""
    type_, weak = scalar_type(value), weak_type_of(value)
    if isinstance(value, Constant):
        return folded(scope, node, operator.invert, value)
    if isinstance(value, Num) and value.narrow is not None:
        return narrow_unary(scope, node, "~", "bitnot", value)
    if type_.kind == "f":
        return scope.error(node, "`~` does not take floats", "write `-x`, or `not x` for conditions")
    if type_ == BOOL and weak.never:
        return Num(scope.emit("not", materialise(scope, value)), weak)
    if type_ == BOOL and weak.mixed:
        return scope.error(
            node, "`~` of a bool that is Python's on one path and NumPy's on another", "write `not x`, or ~int(x)"
        )
    return Num(scope.emit("bitnot", materialise(scope, value, I64)), weak)


def compare(scope: FunctionScope, node: ast.AST, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    """One comparison of two numbers."""
    name, function = COMPARISONS[kind]
    if isinstance(a, Constant) and isinstance(b, Constant):
        return folded(scope, node, function, a, b)
    type_, weak = promoted(a, b)
    try:
        result = scope.emit(name, materialise(scope, a, type_), materialise(scope, b, type_))
    except TooWide:
        # Every 64-bit integer is on the same side of such a constant.
        if isinstance(a, Constant):
            return Constant(function(int(a.value), 0))
        assert isinstance(b, Constant)
        return Constant(function(0, int(b.value)))
    for deviation in deviations(a, b):
        other = scope.emit(name, materialise(scope, a, deviation.type), materialise(scope, b, deviation.type))
        result = scope.emit("select", deviation.holds(scope), other, result)
    return Num(result, weak)


def truth(scope: FunctionScope, value: Abstract) -> Abstract:
    """`bool(value)` of a number."""
    if isinstance(value, Constant):
        return Constant(bool(value.value))
    assert isinstance(value, Num)
    return value if value.type == BOOL else Num(scope.emit("cast", value.value, type="bool"))


def to_float(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Constant):
        return folded(scope, node, float, value)
    return Num(materialise(scope, value, F64))


def to_int(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Constant):
        return folded(scope, node, int, value)
    return Num(materialise(scope, value, I64))


def minimum(scope: FunctionScope, node: ast.AST, values: list[Abstract], comparison: type[ast.cmpop]) -> Abstract:
    """Python's min (`Lt`) or max (`Gt`): the first of the best, a NaN is never better."""
    best, tied = values[0], TiedMean(scope)
    for place, value in enumerate(values[1:], 2):
        if isinstance(best, Constant) and isinstance(value, Constant):
            best = value if COMPARISONS[comparison][1](value.value, best.value) else best
            continue
        joined = join_types(best, value)
        if joined is None:
            return scope.error(
                node, "the arguments are float32 and float64", "convert them to one type, for example with np.float64"
            )
        narrow = joined_narrow(best, value, joined)
        if isinstance(narrow, str):
            return scope.error(node, f"the result is {narrow}", "convert the arguments to one type, for example int")
        better = compare(scope, node, comparison, value, best)
        if isinstance(better, Constant):
            best = value if better.value else best
            tied = TiedMean(scope)
            continue
        test = materialise(scope, better)
        weak = chosen(scope, test, weak_type_of(value), weak_type_of(best))
        x, y = (materialise(scope, v, joined) for v in (value, best))
        choice = scope.emit("select", test, x, y)
        best = Num(tied.shared(choice, y, x, test if place < len(values) else None), weak, narrow)
    return best
