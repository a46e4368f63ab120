"""Integers of NumPy's that are no int64: kept in 64 bits, of the type that NumPy gives them, in which they wrap around.

`Num.narrow` is that type. Where only a run tells whether a number is NumPy's (its weak type is mixed), it is of that
type if it is NumPy's, and a Python integer, which never wraps, if it is not. A float may have one, too: then the name
was an integer of that type on another path, and what would be computed otherwise with such integers is refused.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import STRONG, Abstract, Constant, Num, WeakType
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.weak_types import check_python, flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F64, I64, NUMPY_NAMES, SCALARS, U32, U64, Scalar

Compute = Callable[[Abstract, Abstract], Abstract]
"""An operator on numbers that have no such type."""

SCALAR_OF_NAME = {name: SCALARS[ours] for ours, name in NUMPY_NAMES.items()}


def narrow_of(value: Abstract) -> Scalar | None:
    """The integer type of NumPy's that a number has, or may have; None for every other number, int64 included."""
    if isinstance(value, Num):
        return value.narrow
    if isinstance(value, Constant) and isinstance(value.value, np.integer):
        type_ = SCALAR_OF_NAME.get(value.value.dtype.name)
        return None if type_ == I64 else type_
    return None


def numpy_element(value: Abstract) -> Scalar:
    """The type of a number as an element of an array."""
    narrow = narrow_of(value)
    return narrow if narrow is not None and scalar_type(value).kind == "i" else scalar_type(value)


def plain(value: Abstract, weak: WeakType | None = None) -> Abstract:
    """The number without its narrow type."""
    if isinstance(value, Num):
        return Num(value.value, value.weak if weak is None else weak)
    if weak is not None and isinstance(value, Constant) and isinstance(value.value, np.integer):
        return Constant(np.int64(value.value))
    return value


def limits(type_: Scalar) -> tuple[int, int]:
    """The smallest and the largest integer of a type."""
    bits = 8 * type_.bytes
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if type_.kind == "i" else (0, 2**bits - 1)


def wrapped(scope: FunctionScope, value: Value, type_: Scalar) -> Value:
    """A 64-bit integer taken modulo the size of `type_`; one that uint64 would hold and int64 does not raises."""
    if type_ == U64:
        text = "an unsigned 64-bit integer is too large"
        scope.check(scope.emit("ge", value, scope.const(0)), "OverflowError", text)
        return value
    return scope.emit("cast", scope.emit("cast", value, type=type_.name), type="i64")


def check_bounds(scope: FunctionScope, value: Value, type_: Scalar, weak: WeakType) -> None:
    """NumPy 2 raises where a Python integer that `type_` can't hold meets a number of that type."""
    low, high = limits(type_)

    def inside() -> Value:
        above = scope.emit("ge", value, scope.const(low))
        if type_ == U64:
            return above
        return scope.emit("and", above, scope.emit("le", value, scope.const(high)))

    message = f"Python integer {{}} out of bounds for {NUMPY_NAMES[type_.name]}"
    check_python(scope, weak, inside, "OverflowError", message, value)


def joined_narrow(a: Abstract, b: Abstract, joined: Scalar) -> Scalar | str | None:
    """The narrow type of a name that is `a` on one path and `b` on the other; a text where they can't be one number.

    A Python integer on one path leaves it the type; it then is mixed."""
    x, y = narrow_of(a), narrow_of(b)
    if x == y:
        return x
    for narrow, other in ((x, b), (y, a)):
        if narrow is not None and (joined.kind == "f" or narrow_of(other) is not None or weak_type_of(other).always):
            if joined.kind == "f" and not _is_plain_float(other):
                break
            if joined.kind == "f" or narrow_of(other) is None:
                return narrow
    names = [NUMPY_NAMES[(narrow_of(v) or scalar_type(v)).name] for v in (a, b)]
    return f"{names[0]} on one path and {names[1]} on another"


def _is_plain_float(value: Abstract) -> bool:
    return scalar_type(value).kind == "f" and narrow_of(value) is None


# Operators ------------------------------------------------------------------------------------------------------------


def narrow_operation(
    scope: FunctionScope, node: ast.AST, name: str, symbol: str, a: Abstract, b: Abstract, compute: Compute
) -> Abstract:
    """`a OP b` where one of them has a narrow type. `name`: the op; `compute` does it for numbers that have none."""
    if any(scalar_type(v).kind == "f" and narrow_of(v) is not None for v in (a, b)):
        return _with_float_or_integer(scope, node, name, symbol, a, b, compute)
    found = {_result_type(name, given) for given in itertools.product(_types(a), _types(b))}
    found.discard(None)
    if len(found) > 1:
        return scope.error(
            node,
            f"the type of this `{symbol}` depends on whether a number is Python's or NumPy's, which only a run tells",
            "convert it before: int(...), float(...) or np.int64(...)",
        )
    (type_,) = found
    if type_ is None or type_.kind == "b":
        return scope.error(node, f"`{symbol}` of these NumPy numbers is not supported", "convert them with int(...)")
    weak = weak_type_of(a) & weak_type_of(b)
    if type_.kind == "f":
        if name == "div":
            return compute(plain(a), plain(b)) if type_ == F64 else _as_floats(scope, a, b, type_, compute)
        return _as_floats(scope, a, b, type_, compute)
    if type_ == I64:
        return compute(plain(a), plain(b))
    for value in (a, b):
        if not weak_type_of(value).never and not weak.mixed:
            check_bounds(scope, materialise(scope, value, I64), type_, weak_type_of(value))
    result = _wrapping(scope, name, type_, plain(a, STRONG), plain(b, STRONG), compute)
    if weak.mixed and isinstance(result, Num):
        exact = compute(plain(a), plain(b))
        if not isinstance(exact, Num):
            return exact
        result = Num(scope.emit("select", flag(scope, weak), exact.value, result.value), weak)
    return dataclasses.replace(result, narrow=type_) if isinstance(result, Num) else result


def _types(value: Abstract) -> list[Any]:
    """What NumPy may look at to choose a type: a dtype, or a Python number, which adapts."""
    weak, type_ = weak_type_of(value), scalar_type(value)
    own: Any = np.dtype(bool) if type_ == BOOL else 0.0 if type_.kind == "f" else 0
    numpy = np.dtype(NUMPY_NAMES[(narrow_of(value) or type_).name])
    return [own] if weak.always else [numpy] if weak.never else [own, numpy]


def _result_type(name: str, given: tuple[Any, ...]) -> Scalar | None:
    """The type that NumPy computes an operator in; None for two Python numbers, which need none."""
    if not any(isinstance(t, np.dtype) for t in given):
        return None
    type_ = SCALAR_OF_NAME.get(np.result_type(*given).name)
    return F64 if name == "div" and type_ is not None and type_.kind != "f" else type_


def _as_floats(scope: FunctionScope, a: Abstract, b: Abstract, type_: Scalar, compute: Compute) -> Abstract:
    return compute(*(Num(materialise(scope, v, type_), weak_type_of(v)) for v in (a, b)))


def _with_float_or_integer(
    scope: FunctionScope, node: ast.AST, name: str, symbol: str, a: Abstract, b: Abstract, compute: Compute
) -> Abstract:
    """One of them is a float that may be an integer instead: fine where the other one makes it a float anyway."""
    if name == "div" or any(_is_plain_float(v) for v in (a, b)):
        return compute(plain(a), plain(b))
    return scope.error(node, *float_or_integer(symbol, a if scalar_type(a).kind == "f" else b))


def float_or_integer(symbol: str, value: Abstract) -> tuple[str, str]:
    """What is wrong with `symbol` of a float that is an integer of NumPy's on another path, and what helps."""
    narrow = narrow_of(value)
    assert narrow is not None
    name = NUMPY_NAMES[narrow.name]
    title = f"`{symbol}` of a number that is a float on one path and {name}, which wraps around, on another"
    return title, "convert it where it is assigned: float(...)"


def _wrapping(scope: FunctionScope, name: str, type_: Scalar, a: Abstract, b: Abstract, compute: Compute) -> Abstract:
    """The operator of NumPy's integers of this type."""
    if name in ("floordiv", "mod"):
        return _division(scope, name, a, b, type_)
    if name == "pow" and isinstance(b, Constant) and 0 <= int(b.value) <= 64:
        return Num(_power(scope, materialise(scope, a, I64), int(b.value), type_), STRONG)
    if name == "mul":
        return Num(narrow_product(scope, materialise(scope, a, I64), materialise(scope, b, I64), type_), STRONG)
    if name == "shl" and type_ != U64:
        return Num(_shifted(scope, materialise(scope, a, I64), materialise(scope, b, I64), type_), STRONG)
    found = compute(a, b)
    return Num(wrapped(scope, found.value, type_), STRONG) if isinstance(found, Num) else found


def narrow_product(scope: FunctionScope, x: Value, y: Value, type_: Scalar) -> Value:
    """`x * y` modulo the size of the type; two of uint32 have a product that 64 bits with a sign do not hold."""
    if type_ != U32:
        return wrapped(scope, scope.emit("mul", x, y), type_)
    half = scope.const(16)
    high = wrapped(scope, scope.emit("mul", scope.emit("shr", x, half), y), U32)
    low = scope.emit("mul", scope.emit("bitand", x, scope.const(0xFFFF)), y)
    return wrapped(scope, scope.emit("add", scope.emit("shl", high, half), low), U32)


def _power(scope: FunctionScope, x: Value, n: int, type_: Scalar) -> Value:
    result: Value | None = None
    while n:
        if n & 1:
            result = x if result is None else narrow_product(scope, result, x, type_)
        n >>= 1
        if n:
            x = narrow_product(scope, x, x, type_)
    return scope.const(1) if result is None else result


def _shifted(scope: FunctionScope, x: Value, places: Value, type_: Scalar) -> Value:
    last = scope.const(8 * type_.bytes - 1)
    found = wrapped(scope, scope.emit("shl", x, scope.emit("minimum", places, last)), type_)
    return scope.emit("select", scope.emit("gt", places, last), scope.const(0), found)


def _division(scope: FunctionScope, name: str, a: Abstract, b: Abstract, type_: Scalar) -> Num:
    """`//` and `%` of NumPy's integers: by zero they give zero."""
    x, y, zero = materialise(scope, a, I64), materialise(scope, b, I64), scope.const(0)
    none = scope.emit("eq", y, zero)
    quotient = scope.emit(name, x, scope.emit("select", none, scope.const(1), y))
    return Num(wrapped(scope, scope.emit("select", none, zero, quotient), type_), STRONG)


def narrow_unary(scope: FunctionScope, node: ast.AST, symbol: str, op: str, value: Num) -> Abstract:
    """`-x`, `~x`, `abs(x)` of a number with a narrow type."""
    assert value.narrow is not None
    if value.type.kind == "f":
        return scope.error(node, *float_or_integer(symbol, value))
    exact = scope.emit(op, value.value)
    if op == "bitnot" and value.narrow.kind == "u" and value.narrow != U64:
        found = scope.emit("sub", scope.const(limits(value.narrow)[1]), value.value, exact=True)
    else:
        found = wrapped(scope, exact, value.narrow)
    if value.weak.mixed:
        found = scope.emit("select", flag(scope, value.weak), exact, found)
    return Num(found, value.weak, value.narrow)
